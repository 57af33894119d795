"""The page of the convergence results: what was run, the bars, and a table for each problem."""

import inspect
import math
import statistics
import textwrap
from collections.abc import Iterator
from typing import Any

from optim_methods import METHODS
from optim_problems import PROBLEMS
from optim_run import GAPS
from speed_page import _grid as grid

Row = dict[str, Any]
HOW = f"""\
A relative gap is (f - f*) / f*, where f* is known by other means: an eigenvalue solver, a singular
value decomposition, `frechet_mean`, a fixed point, and for the tree the best of 30 descents by
`torch.optim.LBFGS` in normal coordinates from drawn starts (`benchmarks/optim_tree.py`, which holds
the seed). Everything is float64.

- **First-order methods** take the number of steps that stands with the problem, at a learning rate
  that falls to 0 along half a cosine (`CosineAnnealingLR`). The first rate is the one of
  {{rates}} that reaches 1e-6 soonest for the first seed, and ends below; it is in the
  table. They are to end at a gap of {GAPS[0]:g}.
- **L-BFGS, CG** (Hestenes-Stiefel) **and trust region** end by their own tolerances. They are to
  end at a gap of {GAPS[1]:g} and a gradient of norm 1e-7; with the line search of approximate Wolfe
  conditions ("approximate") 1e-10.
- *induced* is `InducedMetric` around SGD: xi = 0 is the ablation, and must equal SGD.
- An *evaluation* is one value of the loss, with its gradient or without, or one product with its
  Hessian. *Steps / evaluations* count up to the first that reached a gap; for first-order methods
  they are the same. Seconds are processor time, in all; ours use their kernels for single points
  too (`NONEUCLID_NATIVE=1`), which saves the time of many small operations.
- Each number is the median over {{seeds}} seed(s), which draw the data and the start (of the tree:
  the start). A dash: never reached. **Bold**: the bar is missed."""


def text(results: dict[str, Any], command: str, figure: str | None) -> str:
    """Return the page; `figure` is the path from the page to the figure."""
    settings, rows = results["settings"], results["rows"]
    rates = ", ".join(f"{rate:g}" for rate in settings["rates"])
    parts = ["# Convergence of the optimizers", _header(settings, command)]
    parts.append(HOW.format(rates=rates, seeds=settings["seeds"]))
    if figure:
        parts.append(f"![Relative gap against evaluations for each problem]({figure})")
    parts += ["## Bars", *_bars(rows)]
    parts += ["## Evaluations to a gap", *_overview(rows)]
    for problem, methods in rows.items():
        parts += [f"## {problem}", *_problem(problem, methods)]
    return "\n\n".join(parts) + "\n"


def _header(settings: dict[str, Any], command: str) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in settings["versions"].items())
    words = (
        f"Written by `{command}` on {settings['machine']}, {settings['system']}, one thread:"
        f" noneuclid {settings['noneuclid']}, {versions}, Python {settings['python']}."
    )
    return textwrap.fill(words, 120, break_long_words=False, break_on_hyphens=False)


def misses(rows: dict[str, dict[str, Row]]) -> Iterator[tuple[str, str, str]]:
    """Yield problem, method and what is missed, of our methods."""
    for problem, methods in rows.items():
        for name, row in methods.items():
            method = METHODS[name]
            if method.library != "noneuclid":
                continue
            if row["lacks"]:
                yield problem, name, row["lacks"]
                continue
            limit = GAPS[0] if method.descends else GAPS[1]
            if not (gap := _median(row, "gap")) <= limit:
                yield problem, name, f"ends at a gap of {gap:.1e} instead of {limit:g}"
            if method.flat and not (norm := _median(row, "norm")) <= method.flat:
                yield problem, name, f"ends at a gradient of {norm:.1e} instead of {method.flat:g}"


def _bars(rows: dict[str, dict[str, Row]]) -> Iterator[str]:
    counted = sum(
        METHODS[name].library == "noneuclid" for methods in rows.values() for name in methods
    )
    missed = list(misses(rows))
    if not missed:
        yield f"All {counted} pairs of a problem and an optimizer of ours reach their bars."
        return
    pairs = len({(problem, name) for problem, name, _ in missed})
    reach = counted - pairs
    yield f"{reach} of {counted} pairs of a problem and an optimizer of ours reach theirs; not so:"
    yield "\n".join(f"- {name} on {problem} {what}." for problem, name, what in missed)


def _overview(rows: dict[str, dict[str, Row]]) -> Iterator[str]:
    for gap in GAPS:
        names = [n for n in METHODS if any(n in methods for methods in rows.values())]
        lines = []
        for name in names:
            cells = [_evaluations(methods.get(name), f"{gap:g}") for methods in rows.values()]
            if any(cell not in ("-", "") for cell in cells):
                lines.append([name, *cells])
        yield grid([f"gap {gap:g}", *rows], lines)


def _problem(problem: str, methods: dict[str, Row]) -> Iterator[str]:
    yield inspect.getdoc(PROBLEMS[problem]) or ""
    head = [
        "method", "first rate", "steps / evaluations to 1e-6", "to 1e-12", "gap at the end",
        "norm of the gradient", "evaluations", "seconds",
    ]  # fmt: skip
    yield grid(head, [_line(name, row) for name, row in methods.items() if not row["lacks"]])
    lacking = [f"- {name}: {row['lacks']}." for name, row in methods.items() if row["lacks"]]
    absent = {m.library for m in METHODS.values() if not m.needs and not m.is_there()}
    lacking += [f"- {library}: it is not installed." for library in sorted(absent)]
    if lacking:
        yield "\n".join(["Not run:", "", *lacking])


def _line(name: str, row: Row) -> list[str]:
    method = METHODS[name]
    ours = method.library == "noneuclid"
    gap, norm = _median(row, "gap"), _median(row, "norm")
    limit = GAPS[0] if method.descends else GAPS[1]
    return [
        name,
        f"{row['rate']:g}" if row["rate"] else "",
        *(_reached(row, f"{gap:g}", both=not method.descends) for gap in GAPS),
        _judged(gap, ours and not gap <= limit),
        _judged(norm, ours and bool(method.flat) and not norm <= method.flat),
        f"{_median(row, 'evaluations'):.0f}",
        f"{_median(row, 'seconds'):.2f}",
    ]


def _judged(value: float, missed: bool) -> str:
    return f"**{value:.1e}**" if missed else f"{value:.1e}"


def _median(row: Row, name: str) -> float:
    values = [run[name] for run in row["runs"]]
    return statistics.median(math.inf if value != value else value for value in values)


def _reached(row: Row, gap: str, both: bool) -> str:
    """Return the median steps and evaluations; one that is never reached counts as infinite."""
    pairs = [run["reached"][gap] or (math.inf, math.inf) for run in row["runs"]]
    evaluations, steps = (statistics.median(values) for values in zip(*pairs, strict=True))
    if math.isinf(evaluations):
        return "-"
    return f"{steps:.0f} / {evaluations:.0f}" if both else f"{evaluations:.0f}"


def _evaluations(row: Row | None, gap: str) -> str:
    if row is None or row["lacks"]:
        return ""
    return _reached(row, gap, both=False)
