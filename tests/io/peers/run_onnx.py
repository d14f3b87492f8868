#!/usr/bin/env python3
"""graft's ONNX files run by ONNX Runtime: tests/io/peers/run_onnx.py PROGRAM. PROGRAM is build/.../onnx_peers. Needs numpy and
onnxruntime; with onnx, files are checked by its checker, too. Exit status 77: skipped, with a word."""
import glob
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime
except ImportError as error:
    print("skipped: the real packages are not all here (%s)" % error)
    sys.exit(77)
try:
    import onnx
except ImportError:
    onnx = None

with tempfile.TemporaryDirectory() as folder:
    subprocess.run([sys.argv[1], folder], check=True)
    files = sorted(glob.glob(os.path.join(folder, "*.onnx")), key=lambda f: int(os.path.basename(f).split("_")[0]))
    assert len(files) > 40, files
    worst = 0.0
    for file in files:
        x, y = (np.load(file[:-5] + end) for end in (".x.npy", ".y.npy"))
        if onnx:
            onnx.checker.check_model(file, full_check=True)
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        assert session.get_inputs()[0].shape[0] == "N"
        last = "last" in file or "each_image" in file
        got = session.run(["output"], {"input": x if last or x.ndim == 2 else np.ascontiguousarray(x.transpose(0, 3, 1, 2))})[0]
        got = got if last or got.ndim == 2 else got.transpose(0, 2, 3, 1)
        assert got.shape == y.shape, (file, got.shape, y.shape)
        error = float(np.abs(got - y).max() / max(1e-30, np.abs(y).max()))
        worst = max(worst, error)
        if error > 1e-5:
            sys.exit("%s: ONNX Runtime's output is %.1e apart" % (os.path.basename(file), error))
    print("ONNX Runtime", onnxruntime.__version__, "gives the outputs of", len(files), "nets to %.1e" % worst,
          "" if onnx else "(not looked at by onnx's checker)")
