"""Run the grid of the graph benchmarks; what has been run is kept, and is not run again.

    python benchmarks/graphs/run.py --data DIR                     # all of it: a day of 2 cores
    python benchmarks/graphs/run.py --data DIR --only "links/cora" # names that begin so
    python benchmarks/graphs/run.py --data DIR --budget 3600       # start nothing after an hour
    python benchmarks/graphs/run.py --list                         # what is left to do

DIR holds the graphs as .npz files (cora, citeseer, disease_lp, airport, amazon_computers, csphd,
power), as `noneuclid.datasets.graphs.load_npz` reads them. WordNet's nouns are read from its `dict`
directory, --wordnet. Each run writes one JSON file below --out; several processes may share the
work by --only. The page is written by report.py.
"""

import argparse
import os
import platform
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from runs import GRID, Run, pending, store
from tasks import TASKS, OutOfTime, Place

import noneuclid

ROOT = Path(__file__).resolve().parents[2]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the grid of the graph benchmarks.")
    parser.add_argument("--data", type=Path, help="folder of .npz files")
    parser.add_argument("--wordnet", type=Path, help="the dict directory of WordNet 3.0")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "graphs")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="table/graph/model")
    parser.add_argument("--budget", type=float, help="seconds of wall-clock time")
    parser.add_argument("--grid", type=Path, default=GRID, help="folder of TOML files")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print what is left, run nothing")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    options = arguments(argv)
    if options.list:
        print("\n".join(run.name for run in pending(options.out, options.only, options.grid)))
        return
    torch.set_num_threads(options.threads)
    end = time.monotonic() + options.budget if options.budget else None
    given_up: set[str] = set()
    while end is None or time.monotonic() < end:
        left = pending(options.out, options.only, options.grid)
        left = [run for run in left if run.name not in given_up]
        if not left:
            break
        place = Place(options.data, options.wordnet, options.out / f"{left[0].name}.state", end)
        print(f"[{len(left)} left] {left[0].name}", end=" ", flush=True)
        if not carry_out(left[0], place, options.out):
            given_up.add(left[0].name)
    rest = pending(options.out, options.only, options.grid)
    print(f"{len(rest)} runs left, {len(given_up)} of them given up")


def carry_out(run: Run, place: Place, folder: Path) -> bool:
    """Run a run and store its result; tell whether it has ended."""
    start = time.monotonic(), time.process_time()
    try:
        result = TASKS[run.task](run.options, run.seed, place)
    except (OutOfTime, OSError, ArithmeticError, ValueError, RuntimeError) as error:
        print(f"not finished: {error}", flush=True)
        return False
    seconds = time.monotonic() - start[0]
    spent = {"seconds": seconds, "processor_seconds": time.process_time() - start[1]}
    store(folder, run, {"result": result, **spent, **about()})
    place.checkpoint.unlink(missing_ok=True)
    shown = {k: v for k, v in result.get("scores", {}).items() if isinstance(v, float)}
    print(f"{seconds:.0f} s", *(f"{k} {v:.4f}" for k, v in shown.items()), flush=True)
    return True


def about() -> dict[str, Any]:
    """Return the machine, the versions, and the largest resident memory so far."""
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "noneuclid": noneuclid.__version__,
        },
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
    }


if __name__ == "__main__":
    main()
