"""The programs that benchmarks/compare.py asks: graft's and its peers'."""
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
OPENBLAS = pathlib.Path("/usr/lib/x86_64-linux-gnu/openblas-openmp")
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592", "MALLOC_TOP_PAD_": "268435456",
               "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def bound(threads, environment):
    """The environment of a program on `threads` threads, each with a core of its own."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_PROC_BIND": "close", "OMP_PLACES": "cores", **(environment or {})}


class Side:
    """A program that answers one line to each command."""

    def __init__(self, name, command, threads, environment=None, lists=True, lacks=()):
        self.name, self.command, self.threads, self.environment = name, command, threads, environment
        cores = sorted(os.sched_getaffinity(0))[:threads]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env=bound(threads, environment), preexec_fn=lambda: os.sched_setaffinity(0, cores))
        self.version = self.line().removeprefix("ready ")
        self.works, self.lacks = self.ask("list").split() if lists else None, lacks

    def line(self):
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name}: the program ended")
        return answer.strip()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.line()

    def numbers(self, work):
        return [float(v) for v in self.ask("numbers", work).split()]

    def takes(self, work):
        return work in self.works if self.works is not None else not work.startswith(tuple(self.lacks))

    def end(self):
        self.process.stdin.close()
        self.process.wait()


# In bf16 (tf32) each layer's output and gradient, some ten in a row, are rounded by 2^-9 (2^-11) of themselves.
TOLERANCE = {"f32": 1e-3, "tf32": 5e-3, "bf16": 2e-2}


def precision(work):
    last = work.split("/")[-1]
    return last if last in TOLERANCE else "f32"


def agree(ours, theirs, tolerance=1e-3):
    """Numbers of one work: each within `tolerance` of the largest."""
    scale = max(map(abs, theirs))
    return len(ours) == len(theirs) and all(abs(a - b) <= tolerance * scale for a, b in zip(ours, theirs))


def tuned_environment():
    environment = dict(KEEP_MEMORY)
    if OPENBLAS.is_dir():
        environment["LD_LIBRARY_PATH"] = str(OPENBLAS)
    else:
        print("no OpenBLAS for OpenMP (Debian: libopenblas0-openmp): the peers are tuned without it")
    return environment


def peers_on_cuda(threads, script):
    """PyTorch as it is, its step captured as a graph, and compiled."""
    python = script[0]
    said = subprocess.run([python, "-c", "import torch; print(torch.cuda.is_available())"], capture_output=True, text=True).stdout.strip()
    if said != "True":
        print(f"{python} has no PyTorch that finds a GPU (GRAFT_PEER_PYTHON names another): its rows are left out")
        return []
    return [Side("pytorch " + mode, script + ["cuda", mode], threads, lists=False) for mode in ("eager", "graph", "compile")]


def peers(threads, build, device):
    """The peers that are there; a line for each that is missing. `build`: the folder of graft's programs."""
    python = os.environ.get("GRAFT_PEER_PYTHON", "/usr/bin/python3")
    script = [python, str(HERE / "peers" / "pytorch.py"), str(threads)]
    if device == "cuda":
        return peers_on_cuda(threads, script)
    tuned = tuned_environment()
    found = []
    imports = lambda module: subprocess.run([python, "-c", f"import {module}"], stderr=subprocess.DEVNULL).returncode == 0
    if imports("torch"):
        lacks = [] if imports("torchvision") else ["W4", "W5"]
        if lacks:
            print("no torchvision (Debian: python3-torchvision): W4 and W5 have no PyTorch rows")
        found += [Side("pytorch installed", script, threads, lists=False, lacks=lacks), Side("pytorch tuned", script + ["tuned"], threads, tuned, lists=False, lacks=lacks)]
    else:
        print("no PyTorch (Debian: python3-torch): its rows are left out")
    for name, program, package in (("dlib", "peer_dlib", "libdlib-dev"), ("tiny-dnn", "peer_tiny_dnn", "tiny-dnn libcereal-dev libgemmlowp-dev")):
        if (build / program).exists():
            found.append(Side(name, [str(build / program)], threads, tuned))
        else:
            print(f"no {name} (Debian: {package}): its rows are left out")
    return found
