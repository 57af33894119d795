"""Measure the accuracy of every operation against mpmath, beside geoopt; write docs/accuracy.md.

`python benchmarks/accuracy.py` takes about ten minutes on one core; with `--quick` it takes under
one, prints and does not write.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import accuracy_table as tables
import torch
from accuracy_draws import MODELS, Measured, measure, measure_through_zero
from accuracy_exact import checks, shells
from accuracy_peers import geoopt

import noneuclid as ne

PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"
EXPECTED = ("busemann", "dist2plane", "midpoint", "mobius_add")


def page(measured: list[Measured], zero: list[Measured], draws: int, seed: int) -> Iterator[str]:
    """Yield the lines of the report."""
    yield "# Accuracy\n"
    yield (
        f"Written by `python benchmarks/accuracy.py --draws {draws} --seed {seed}` (noneuclid"
        f" {ne.__version__}, torch {torch.__version__.split('+')[0]}, {len(measured)} errors).\n"
    )
    yield tables.NOTES
    yield "## Values\n"
    yield from tables.summary(measured, gradients=False)
    yield "\n## Gradients\n"
    yield from tables.summary(measured, gradients=True)
    yield "\n## Beyond what is allowed\n"
    if all(map(tables.held, measured)):
        yield "Nothing."
    else:
        yield from tables.broken(measured)
    yield "\n## Through K = 0\n"
    yield (
        "`Stereographic` at radius 1 (at length 1 where |K| < 1), all operations; the bar is 8 ulp"
        " for values, and 1e-5 (float32) and 1e-12 (float64) relative for d/dK. Star and bold as"
        " above.\n"
    )
    yield from tables.through_zero(zero)
    yield "\n## Exact statements\n"
    yield "Checked in float32 and float64 on every model, from radius 0 to the reach.\n"
    for text, failures in checks().items():
        yield f"- {text}: {'yes' if not failures else '**no**, ' + '; '.join(failures[:3])}"
    yield "\n## Where results saturate\n"
    yield (
        "A result beyond the range of its dtype stops at the last shell: this norm, in units of"
        " |K|^-1/2, at this distance from the origin (of the point nearest to it that the dtype"
        " holds). Operations between such points, and their gradients, are never NaN.\n"
    )
    yield from tables.table(
        ["model", "dtype", "norm", "distance", "never NaN"],
        (
            [family, tables.name(dtype), f"{norm:.10g}", f"{reach:.7g}", "yes" if ok else "**no**"]
            for family, dtype, norm, reach, ok in shells()
        ),
    )
    for model in MODELS:
        yield f"\n## Details: {model}\n"
        yield from tables.details(measured, model)


def main() -> int:
    """Run from the command line; the exit status tells whether every bar held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2, help="draws per radius and kind of pair")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", choices=MODELS, help="only this column; prints, does not write")
    parser.add_argument("--operation", help="only this operation; prints, does not write")
    parser.add_argument("--quick", action="store_true", help="few radii; prints, does not write")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for operation in EXPECTED:
        if not hasattr(ne.PoincareBall(2), operation):
            print(f"note: no method {operation} yet, its rows are left out", file=sys.stderr)
    if geoopt is None:
        print("note: geoopt is not installed, its numbers are left out", file=sys.stderr)
    start = time.perf_counter()
    measured = measure(given.draws, given.seed, given.model, given.operation, given.quick)
    zero = measure_through_zero(given.seed, given.operation, given.quick)
    text = "\n".join(page(measured, zero, given.draws, given.seed)) + "\n"
    print(text)
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    if not (given.quick or given.model or given.operation):
        PAGE.write_text(text, encoding="utf-8")
    return 0 if all(map(tables.held, measured)) else 1


if __name__ == "__main__":
    sys.exit(main())
