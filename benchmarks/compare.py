"""graft against its peers on the same work, in turn: see benchmarks/run --help."""
import argparse
import json
import os
import pathlib
import statistics
import sys

import sides
import whole_program


class Table:
    """The rows, printed as they come."""

    def __init__(self, threads, device, peak):
        self.rows, self.wrong, self.threads, self.device, self.peak = [], 0, threads, device, peak
        print(f"{'work':28} {'peer':28} {'graft':>9} {'peer':>9} {'unit':4} {'ratio':>6} {'spread':>13} {'GFLOP/s':>8} {'peak':>5}")

    def differs(self, work, peer):
        print(f"{work:28} {peer:28} the numbers differ; not timed", flush=True)
        self.wrong += 1

    def add(self, work, peer, version, pairs, unit="ms", operations=0.0, runs=True):
        """`pairs`: (ours, theirs or None) in turn; a field without a meaning is null. `runs`: not a compiler's row."""
        median = lambda values: statistics.median(values) if values else None
        ours, theirs = median([a for a, _ in pairs]), median([b for _, b in pairs if b is not None])
        ratios = [b / a for a, b in pairs if b is not None]
        gflops = operations / ours * 1e-6 if operations else None
        milliseconds = unit == "ms"
        self.rows.append({"work": work, "peer": peer, "peer_version": version, "threads": self.threads if runs else None, "device": self.device if runs else None,
                          "precision": sides.precision(work) if runs else None, "unit": unit, "value": ours, "peer_value": theirs, "ms": ours if milliseconds else None,
                          "peer_ms": theirs if milliseconds else None, "ratio": median(ratios), "ratio_min": min(ratios, default=None), "ratio_max": max(ratios, default=None),
                          "gflops": gflops, "peak_share": gflops / self.peak if gflops and self.peak else None})
        text = f"{work:28} {peer or '-':28} {ours:9.3f} "
        text += f"{theirs:9.3f} {unit:4} {median(ratios):6.2f} {min(ratios):6.2f}-{max(ratios):6.2f}" if ratios else f"{'':9} {unit:4} {'':6} {'':13}"
        text += f" {gflops:8.0f}" if gflops else ""
        print(text + (f" {100 * gflops / self.peak:4.0f}%" if gflops and self.peak else ""), flush=True)


def compare_works(table, works, graft, others, pairs, seconds):
    for work in works:
        ours = graft.numbers(work)
        operations = float(graft.ask("operations", work))
        runs = [(side.name, side, work) for side in others if side.takes(work)]
        if work.startswith("W6"):
            runs += [(side.name + ", by hand", side, work + "/derived") for side in others if side.name == "pytorch tuned"]
        for name, side, theirs in runs:
            try:
                numbers = side.numbers(theirs)
            except RuntimeError as gone:  # a peer that is new to a machine may fail at one work: the others go on without it
                print(f"{work:28} {name:28} {gone}; its rows are left out from here", flush=True)
                if side in others:
                    others.remove(side)
                continue
            if not sides.agree(ours, numbers, sides.TOLERANCE[sides.precision(work)]):
                table.differs(work, name)
                continue
            table.add(work, name, side.version, [(float(graft.ask("time", work, seconds)), float(side.ask("time", theirs, seconds))) for _ in range(pairs)], operations=operations)
            side.ask("free", theirs)
        if not runs:
            table.add(work, None, None, [(float(graft.ask("time", work, seconds)), None) for _ in range(pairs)], operations=operations)
        graft.ask("free", work)


def compare_programs(table, chosen, others, build, pairs):
    """W8: each program is started anew for every value, once before those that count."""
    for rows, runs in whole_program.programs(others, build):
        wanted = [row for row in rows if row in chosen]
        for name, version, ours, theirs in runs if wanted else []:
            (_, our_losses), (_, their_losses) = ours(), theirs()
            if our_losses and not sides.agree(our_losses, their_losses):
                table.differs(wanted[0], name)
                continue
            measured = [(ours()[0], theirs()[0]) for _ in range(pairs)]
            for row in wanted:
                table.add(row, name, version, [(a[row], b[row]) for a, b in measured], whole_program.UNITS[row], runs=rows is whole_program.RUNS)


def main():
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(prog="benchmarks/run", description=__doc__)
    parser.add_argument("--only", default="", help="works whose names begin so, separated by commas: W1,W6/2048")
    parser.add_argument("--threads", type=int, default=cores)
    parser.add_argument("--pairs", type=int, default=7, help="how often each side is timed, in turn (default 7)")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each timing; its median counts (default 0.3)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows there, too")
    parser.add_argument("--program", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.pairs < 1 or not 1 <= o.threads <= cores:
        parser.error(f"--pairs must be at least 1 and --threads between 1 and {cores}")

    graft = sides.Side("graft", [str(o.program), str(o.threads), o.device], o.threads)
    has = graft.ask("device")
    if has != "ok":
        sys.exit(f"--device {o.device}: {has}")
    known = graft.works + (list(whole_program.UNITS) if o.device == "cpu" else [])
    chosen = [w for w in known if not o.only or any(w.startswith(p) for p in o.only.split(","))]
    if not chosen:
        parser.error(f"nothing begins with {o.only}; there are: {' '.join(known)}")
    others = sides.peers(o.threads, o.program.parent, o.device)
    peak = float(graft.ask("peak"))
    print(f"graft {graft.version}, {o.threads} threads, " + (f"measured FMA peak {peak:.0f} GFLOP/s; " if peak else "on the GPU; ") + ", ".join(f"{s.name} ({s.version})" for s in others))
    table = Table(o.threads, o.device, peak)
    compare_works(table, [w for w in chosen if w in graft.works], graft, others, o.pairs, o.seconds)
    for side in [graft, *others]:
        side.end()
    if o.device == "cpu":
        compare_programs(table, chosen, others, o.program.parent, o.pairs)
    if o.json:
        o.json.write_text(json.dumps(table.rows, indent=1) + "\n")
    sys.exit(1 if table.wrong else 0)


main()
