"""Measure the step of every optimizer against torch.optim.Adam(foreach=True), and geoopt's.

    python benchmarks/optim_speed.py            # an hour, most of it in the compiler of torch
    python benchmarks/optim_speed.py --quick    # tiny tensors, few rounds: seconds

One thread; all take turns on the same tensors in one process, and a ratio is formed in each round.
What runs without a C compiler (NONEUCLID_NATIVE=0) is measured in a process of its own. Each row is
stored in --out when it is measured; --page is written from what is stored.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optim_speed_page as page
import torch
from optim_speed_measure import (
    METHODS,
    MODELS,
    PATHS,
    PLAIN,
    SIZES,
    TINY,
    measure,
    sparse,
    wall_seconds,
)  # fmt: skip
from optim_store import about
from speed import ROOT, stored, write
from speed_clock import Effort, processor_seconds
from tqdm import tqdm

EFFORT = Effort(rounds=31, least=7, budget=4.0, turn=2e-3, warm_up=2)
QUICK_EFFORT = Effort(rounds=2, least=1, budget=0.05, turn=0.0, warm_up=1)
TOUCHED = 1000
Row = dict[str, Any]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the step of every optimizer.")
    parser.add_argument("--quick", action="store_true", help="tiny tensors, nothing compiled")
    parser.add_argument("--large", action="store_true", help="a sparse table of 10 million rows")
    parser.add_argument("--wall", action="store_true", help="wall clock, not processor time")
    parser.add_argument("--out", type=Path, help="folder of the results (runs/optim_speed)")
    parser.add_argument("--page", type=Path, help="the page to write (docs/optim_speed.md)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--paths", nargs="+", choices=PATHS, help="what is compared")
    parser.add_argument(
        "--compiled", nargs="+", choices=METHODS, default=list(METHODS), help="what is compiled"
    )
    parser.add_argument("--stored", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    name = "optim_speed-quick" if options.quick else "optim_speed"
    options.out = options.out or ROOT / "runs" / name
    options.page = options.page or (options.out if options.quick else ROOT / "docs") / (
        "optim_speed.md"
    )
    without = ("compiled",) if options.quick else ()
    options.paths = options.paths or [path for path in PATHS if path not in without]
    return options


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what results depend on: a stored row of other settings is measured again."""
    return {
        **about(("geoopt",)),
        "quick": options.quick,
        "clock": "wall clock" if options.wall else "processor time",
        "paths": list(options.paths),
        "compiled": list(options.compiled),
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the rows that are not stored yet and return all of them; compiled ones come last."""
    store = options.out / ("no_compiler.json" if options.alone else "results.json")
    known, sizes = settings(options), TINY if options.quick else SIZES
    rows = stored(store, known)
    effort = QUICK_EFFORT if options.quick else EFFORT
    timer = wall_seconds if options.wall else processor_seconds

    def keep(key: str, row: Row) -> None:
        rows[key] = row
        write(store, json.dumps({"settings": known, "rows": rows}, indent=1))

    table = 10_000 if options.quick else 10_000_000 if options.large else 1_000_000
    if not (options.alone or options.stored or f"sparse {table}" in rows):
        keep(f"sparse {table}", {"sparse": sparse(table, TOUCHED, effort, timer), "table": table})
    missing = [job for job in jobs(options, list(sizes)) if " | ".join(job) not in rows]
    missing = [] if options.stored else missing
    for size, model, method, *compiled in (bar := tqdm(missing, disable=not sys.stderr.isatty())):
        key = " | ".join((size, model, method, *compiled))
        bar.set_description(key)
        torch.compiler.reset()
        paths = compiled or [path for path in options.paths if path != "compiled"]
        row = measure(model, method, sizes[size], paths, effort, timer)
        keep(key, {"size": size, "model": model, "method": method, **row})
    return {"settings": known, "rows": rows}


def jobs(options: argparse.Namespace, sizes: list[str]) -> list[tuple[str, ...]]:
    """Return size, model and method of each row, and of those with a compiled step once more."""
    models = [*options.models, *([] if options.alone else [PLAIN])]
    first = [(s, m, n) for s in sizes for m in models for n in options.methods]
    if "compiled" not in options.paths:
        return first
    chosen = [job for job in first if job[2] in options.compiled and job[1] != PLAIN]
    return [*first, *((*job, "compiled") for job in chosen)]


def without_compiler(options: argparse.Namespace) -> dict[str, Any]:
    """Return the rows of a process that has no C compiler."""
    words = ["--alone", "--paths", "eager", "--out", str(options.out), "--models", *options.models]
    words += ["--methods", *options.methods, *(["--quick"] if options.quick else [])]
    words += ["--wall"] if options.wall else []
    environment = {**os.environ, "NONEUCLID_NATIVE": "0"}
    if not options.stored:
        subprocess.run([sys.executable, __file__, *words], env=environment, check=True)
    path = options.out / "no_compiler.json"
    return json.loads(path.read_text(encoding="utf-8"))["rows"]


def command(options: argparse.Namespace) -> str:
    """Return the command that makes this page, without where it writes."""
    words = ["python benchmarks/optim_speed.py"]
    words += [f"--{flag}" for flag in ("quick", "large", "wall") if getattr(options, flag)]
    default = arguments(["--quick"] if options.quick else [])
    for name in ("models", "methods", "paths", "compiled"):
        if (value := getattr(options, name)) != getattr(default, name):
            words += [f"--{name}", *(f"'{word}'" if " " in word else word for word in value)]
    return " ".join(words)


def main(argv: Sequence[str] | None = None) -> None:
    options = arguments(argv)
    torch.set_num_threads(1)
    if options.alone:
        run(options)
        return
    without = without_compiler(options)
    results = run(options)
    write(options.page, page.text(results, without, command(options)))
    print(f"wrote {options.page}")


if __name__ == "__main__":
    main()
