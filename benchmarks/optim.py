"""Run every optimizer on problems whose solution is known, beside geoopt's and pymanopt's.

    python benchmarks/optim.py            # half an hour of one processor; what is stored is kept
    python benchmarks/optim.py --quick    # two problems, few steps: seconds

First-order methods take a fixed number of steps at a rate that decays to 0 along a cosine; the
first rate is chosen from a grid by the first seed alone. The others end by their own
tolerances. Every row is stored in --out when it is there; --page is written from what is stored, so
several processes may share the work by --problems.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optim_figure as figure
import optim_page as page
import torch
from optim_methods import METHODS, Method, wanted
from optim_problems import PROBLEMS
from optim_run import descend
from optim_store import about
from speed import ROOT, stored, write
from tqdm import tqdm

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
STEPS = 600
STEPS_OF = {"tree of 15 nodes, H^2": 2000}  # what is worse conditioned gets more
QUICK = ("Frechet mean, S^8", "Procrustes, Stiefel 10 x 4")
Row = dict[str, Any]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run every optimizer on problems of known answer.")
    parser.add_argument("--quick", action="store_true", help="two problems, few steps, one seed")
    parser.add_argument("--out", type=Path, help="folder of the results (runs/optim)")
    parser.add_argument("--page", type=Path, help="the page to write (docs/optim.md)")
    parser.add_argument("--figure", type=Path, help="the figure (docs/figures/optim.png)")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, help="all by default")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, help="data and starts to take the median of (3)")
    parser.add_argument("--steps", type=int, help="steps of first-order methods (600; tree: 2000)")
    parser.add_argument("--stored", action="store_true", help="run nothing, write the page")
    options = parser.parse_args(argv)
    folder = ROOT / "runs" / ("optim-quick" if options.quick else "optim")
    options.out = options.out or folder
    home = options.out if options.quick else ROOT / "docs"
    options.page = options.page or home / "optim.md"
    options.figure = options.figure or (
        home / "optim.png" if options.quick else home / "figures" / "optim.png"
    )
    options.problems = options.problems or list(QUICK if options.quick else PROBLEMS)
    options.seeds = options.seeds or (1 if options.quick else 3)
    options.steps = options.steps or (60 if options.quick else None)
    return options


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what results depend on: a stored row of other settings is run again."""
    return {
        **about(("geoopt", "pymanopt")),
        "seeds": options.seeds,
        "steps": options.steps,
        "rates": list(RATES),
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Run what is not stored yet and return all rows, by problem and method."""
    known = settings(options)
    results: dict[str, Any] = {"settings": known, "rows": {}}
    missing = []
    for problem in options.problems:
        rows = stored(_path(options, problem), known)
        results["rows"][problem] = rows
        methods = wanted(options.methods, problem)
        missing += [(problem, name, methods[name]) for name in methods if name not in rows]
    missing = [] if options.stored else missing
    for problem, name, method in (bar := tqdm(missing, disable=not sys.stderr.isatty())):
        bar.set_description(f"{problem} | {name}")
        rows = results["rows"][problem]
        rows[name] = measure(problem, method, options)
        write(_path(options, problem), json.dumps({"settings": known, "rows": rows}, indent=1))
    for problem in PROBLEMS:  # those of other processes, if they have the same settings
        if problem not in results["rows"] and (rows := stored(_path(options, problem), known)):
            results["rows"][problem] = rows
    results["rows"] = {name: results["rows"][name] for name in PROBLEMS if name in results["rows"]}
    return results


def _path(options: argparse.Namespace, problem: str) -> Path:
    words = "".join(c if c.isalnum() else " " for c in problem).split()
    return options.out / f"{'-'.join(words)}.json"


def measure(problem: str, method: Method, options: argparse.Namespace) -> Row:
    """Run a method on a problem for every seed, at the best rate of the grid where it has one.

    Returns:
        runs: what `descend` returns, for each seed. rate: the first learning rate, or None.
        tried: rate -> relative gap at the end, for the first seed. lacks: why nothing was run.
    """
    first = PROBLEMS[problem](0)
    if method.library == "pymanopt" and not first.pymanopt:
        return {"runs": [], "rate": None, "tried": {}, "lacks": "pymanopt has no such manifold"}
    steps = options.steps or STEPS_OF.get(problem, STEPS)
    rates = RATES if method.descends else (None,)
    tried = {rate: descend(first, method, rate, steps) for rate in rates}
    rate = min(tried, key=lambda rate: _rank(tried[rate]))
    runs = [tried[rate]]
    runs += [descend(PROBLEMS[problem](s), method, rate, steps) for s in range(1, options.seeds)]
    gaps = {str(r): result["gap"] for r, result in tried.items()} if method.descends else {}
    lacks = runs[0]["fault"]
    return {"runs": [] if lacks else runs, "rate": rate, "tried": gaps, "lacks": lacks}


def _rank(result: Row) -> tuple[float, float]:
    """Order runs of one seed: first those that end at 1e-6, soonest first; then by the gap."""
    gap, reached = result["gap"], result["reached"]["1e-06"]
    if not math.isfinite(gap):
        return math.inf, math.inf
    return (float(reached[0]), gap) if reached and gap <= 1e-6 else (math.inf, gap)


def command(options: argparse.Namespace) -> str:
    """Return the command that makes this page."""
    words = ["python benchmarks/optim.py", *(["--quick"] if options.quick else [])]
    default = arguments(["--quick"] if options.quick else [])
    for name in ("seeds", "steps"):
        if getattr(options, name) != getattr(default, name):
            words += [f"--{name}", str(getattr(options, name))]
    return " ".join(words)


def main(argv: Sequence[str] | None = None) -> None:
    options = arguments(argv)
    torch.set_num_threads(1)
    os.environ.setdefault("NONEUCLID_NATIVE", "1")  # kernels for single points too
    results = run(options)
    picture = None
    if figure.can_draw():
        picture = figure.draw(results, options.figure)
        print(f"wrote {picture}")
    else:
        print("no figure: matplotlib is not installed (pip install 'noneuclid[viz]')")
    where = picture and os.path.relpath(picture, options.page.parent)
    write(options.page, page.text(results, command(options), where))
    print(f"wrote {options.page}")


if __name__ == "__main__":
    main()
