"""W8: PyTorch's side of benchmarks/first_step.cpp. After the line that it waits for: the bytes of the modules' sources, which a user
ships beside the shared libraries.

    first_step.py THREADS [tuned]
"""
import os
import sys
import time

import pytorch

work = pytorch.W1()
losses = [x.item() for x in work.step()]
print(f"{time.monotonic():.9f}", *losses, flush=True)
sys.stdin.readline()
sources = {m.__file__ for m in list(sys.modules.values()) if (getattr(m, "__file__", None) or "").endswith(".py")}
print(sum(os.path.getsize(f) for f in sources if os.path.exists(f)))
