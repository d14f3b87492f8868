"""graft against its peers on the same work, in turn: see benchmarks/run --help."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
OPENBLAS = pathlib.Path("/usr/lib/x86_64-linux-gnu/openblas-openmp")
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592", "MALLOC_TOP_PAD_": "268435456",
               "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


class Side:
    """A program that answers one line to each command."""

    def __init__(self, command, threads, environment=None):
        bound = {"OMP_NUM_THREADS": str(threads), "OMP_PROC_BIND": "close", "OMP_PLACES": "cores"}
        cores = sorted(os.sched_getaffinity(0))[:threads]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env={**os.environ, **bound, **(environment or {})}, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        self.version = self.line().removeprefix("ready ")

    def line(self):
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the program ended")
        return answer.strip()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.line()


def agree(ours, theirs):
    """Numbers of one work: each within 1e-3 of the largest."""
    scale = max(map(abs, theirs))
    return len(ours) == len(theirs) and all(abs(a - b) <= 1e-3 * scale for a, b in zip(ours, theirs))


def peers(threads):
    """Name, command, environment; and a line for each that is missing."""
    python = os.environ.get("GRAFT_PEER_PYTHON", "/usr/bin/python3")
    script = [python, str(HERE / "peers" / "pytorch.py"), str(threads)]
    if subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode != 0:
        print("no PyTorch (Debian: python3-torch): its rows are left out")
        return []
    found = [("pytorch installed", script, None)]
    environment = dict(KEEP_MEMORY)
    if OPENBLAS.is_dir():
        environment["LD_LIBRARY_PATH"] = str(OPENBLAS)
    else:
        print("no OpenBLAS for OpenMP (Debian: libopenblas0-openmp): PyTorch is tuned without it")
    return found + [("pytorch tuned", script + ["tuned"], environment)]


def main():
    parser = argparse.ArgumentParser(prog="benchmarks/run", description=__doc__)
    parser.add_argument("--only", default="", help="works whose names begin so, separated by commas: W1,W6/2048")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--pairs", type=int, default=7, help="how often each side is timed, in turn (default 7)")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each timing; its median counts (default 0.3)")
    parser.add_argument("--device", choices=["cpu"], default="cpu")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows there, too")
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.pairs < 1 or not 1 <= o.threads <= len(os.sched_getaffinity(0)):
        parser.error(f"--pairs must be at least 1 and --threads between 1 and {len(os.sched_getaffinity(0))}")

    graft = Side([o.program, str(o.threads)], o.threads)
    chosen = [w for w in graft.ask("list").split() if not o.only or any(w.startswith(p) for p in o.only.split(","))]
    if not chosen:
        parser.error(f"nothing begins with {o.only}; there are: {graft.ask('list')}")
    others = [(name, Side(command, o.threads, environment)) for name, command, environment in peers(o.threads)]
    peak = float(graft.ask("peak"))
    print(f"graft {graft.version}, {o.threads} threads, measured FMA peak {peak:.0f} GFLOP/s; " + ", ".join(f"{n} ({s.version})" for n, s in others))
    print(f"{'work':28} {'peer':28} {'graft ms':>9} {'peer ms':>9} {'ratio':>6} {'spread':>13} {'GFLOP/s':>8} {'peak':>5}")
    rows, wrong = [], 0
    for work in chosen:
        ours = [float(v) for v in graft.ask("numbers", work).split()]
        operations = float(graft.ask("operations", work))
        runs = [(name, side, work) for name, side in others]
        if work.startswith("W6"):
            runs += [(name + ", by hand", side, work + "/derived") for name, side in others if name.endswith("tuned")]
        for name, side, theirs in runs:
            if not agree(ours, [float(v) for v in side.ask("numbers", theirs).split()]):
                print(f"{work:28} {name:28} the numbers differ; not timed")
                wrong += 1
                continue
            pairs = [(float(graft.ask("time", work, o.seconds)), float(side.ask("time", theirs, o.seconds))) for _ in range(o.pairs)]
            side.ask("free", theirs)
            ratios = [b / a for a, b in pairs]
            ms, peer_ms, ratio = statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), statistics.median(ratios)
            gflops = operations / ms * 1e-6
            rows.append({"work": work, "peer": name, "peer_version": side.version, "threads": o.threads, "device": o.device, "precision": "f32", "ms": ms, "peer_ms": peer_ms,
                         "ratio": ratio, "ratio_min": min(ratios), "ratio_max": max(ratios), "gflops": gflops, "peak_share": gflops / peak})
            print(f"{work:28} {name:28} {ms:9.3f} {peer_ms:9.3f} {ratio:6.2f} {min(ratios):6.2f}-{max(ratios):6.2f} {gflops:8.0f} {100 * gflops / peak:4.0f}%", flush=True)
        graft.ask("free", work)
        if not runs:
            ms = statistics.median(float(graft.ask("time", work, o.seconds)) for _ in range(o.pairs))
            print(f"{work:28} {'-':28} {ms:9.3f} {'':9} {'':6} {'':13} {operations / ms * 1e-6:8.0f} {100 * operations / ms * 1e-6 / peak:4.0f}%", flush=True)
    if o.json:
        o.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(1 if wrong else 0)


main()
