"""W8: what a whole program costs, against its peers in turn: time from its start to the end of the first step, peak memory, size of
what is shipped, and what it costs to compile."""
import os
import pathlib
import re
import shlex
import subprocess
import time

import sides

HERE = pathlib.Path(__file__).resolve().parent
UNITS = {"W8/first_step": "ms", "W8/peak_memory": "MB", "W8/size": "MB", "W8/compile": "s", "W8/compile_memory": "MB"}
RUNS = ("W8/first_step", "W8/peak_memory", "W8/size")
COMPILED = ("W8/compile", "W8/compile_memory")
C_LIBRARY = re.compile(r"/(ld-linux|lib(c|m|dl|rt|util|pthread|resolv)\.so)")  # which no program ships


def shipped(pid):
    """Bytes of the program and of the shared libraries it holds, the C library's left out."""
    files = {line.split(None, 5)[5].strip() for line in open(f"/proc/{pid}/maps") if len(line.split(None, 5)) == 6}
    program = os.path.realpath(f"/proc/{pid}/exe")
    return sum(os.path.getsize(f) for f in files if f == program or (".so" in f and not C_LIBRARY.search(f)))


def first_step(command, threads, environment):
    """The rows' values of one run, and the losses of its step. The program prints its clock and losses and waits for a line."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:threads])  # inherited; cheaper than a function between fork and exec
    try:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                   env=sides.bound(threads, environment))
    finally:
        os.sched_setaffinity(0, cores)
    end, *losses = map(float, process.stdout.readline().split())
    # VmHWM and not wait4's ru_maxrss, which counts the parent's memory too where a program was started by vfork.
    status = open(f"/proc/{process.pid}/status").read()
    peak = int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) * 1024
    size = shipped(process.pid)
    rest, _ = process.communicate("\n")
    size += int(rest.strip() or 0)
    return {"W8/first_step": 1e3 * (end - begin), "W8/peak_memory": peak * 1e-6, "W8/size": size * 1e-6}, losses


def compilation(command):
    """Seconds and peak megabytes of a compiler's run."""
    begin = time.monotonic()
    process = subprocess.Popen(command, cwd=HERE)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError("the compiler failed: " + shlex.join(command))
    return {"W8/compile": time.monotonic() - begin, "W8/compile_memory": used.ru_maxrss * 1024e-6}, []


def programs(peers, build):
    """(rows, [(peer, its version, a function that measures ours, one that measures theirs)]), twice: what runs, what is compiled."""
    runs, builds = [], []
    for side in peers:
        if side.name.startswith("pytorch"):
            script = [side.command[0], str(HERE / "peers" / "first_step.py"), *side.command[2:]]
            ours = lambda t=side.threads: first_step([str(build / "bench_first_step"), str(t)], t, None)
            runs.append((side.name, side.version, ours, lambda s=side, c=script: first_step(c, s.threads, s.environment)))
    eigen = subprocess.run(["pkg-config", "--cflags", "eigen3"], capture_output=True, text=True).stdout.split()
    command = lambda *words: [os.environ.get("CXX", "g++"), "-O3", "-march=native", *words, "-c", "-o", "/dev/null"]
    graft = lambda: compilation(command("-std=c++20", "-fopenmp", "-I../include", *eigen, "first_step.cpp"))
    for side in peers:
        if side.name in ("dlib", "tiny-dnn"):
            words = {"dlib": ["peers/dlib.cpp"], "tiny-dnn": [f"-I{build}/tiny_dnn", "peers/tiny_dnn.cpp"]}[side.name]
            builds.append((side.name, side.version, graft, lambda w=words: compilation(command("-std=c++17", *w))))
    return [(RUNS, runs), (COMPILED, builds)]
