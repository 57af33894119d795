"""What the benchmark was asked to show, and whether it does."""

import numpy as np
from comparisons import CURVED, FLAT, Comparison
from measured import Measured, label

GOAL = 0.982  # AUC wanted of a PM-Transformer of 45,000 parameters
COLLAPSE = 0.01  # of the AUC, that a tagger with spheres may lack to its flat twin
PACE = 0.6  # of ParT's jets per second
SPHERICAL = ("pm-transformer-s-e", "pm-transformer-s")
Row = tuple[str, str, str]
OPEN = "not measured yet"


PAIRS = ((CURVED, FLAT), ("pm-mlp", "euclidean-mlp"), ("pm-mlp-h", "euclidean-mlp"))
WAYS = {"main": "equal seconds", "epochs": "equal epochs"}


def bars(
    measured: Measured, sizes: tuple[str, ...], found: dict[str, list[Comparison]]
) -> list[Row]:
    """Return what was asked, what was measured, and the verdict.

    Args:
        measured: the results.
        sizes: blocks of the main grid, ascending.
        found: comparisons by grid and block, such as "main 1k".
    """
    first, last = sizes[0], sizes[-1]
    return [
        *(_not_below(found, grid, last) for grid in ("epochs", "main")),
        _goal(measured, last),
        *(_better(found, grid, first, *pair) for pair in PAIRS for grid in WAYS),
        *(_collapse(measured, size) for size in sizes),
        *(_pace(measured, size) for size in sizes),
    ]


def _find(
    found: dict[str, list[Comparison]], grid: str, block: str, one: str, other: str
) -> Comparison | None:
    known = found.get(f"{grid} {block}", [])
    return next((each for each in known if (each.one, each.other) == (one, other)), None)


def _not_below(found: dict[str, list[Comparison]], grid: str, block: str) -> Row:
    asked = f"{block}: AUC of PM-Transformer not below ParT's, {WAYS[grid]}"
    each = _find(found, grid, block, CURVED, "part")
    if each is None:
        return asked, "", OPEN
    value, low, high, _ = (1e4 * number for number in each.paired)
    verdict = "missed" if high < 0 else "met: not told apart" if low <= 0 else "met: above"
    return asked, f"({value:+.0f} [{low:+.0f}, {high:+.0f}]) 1e-4 of AUC", verdict


def _goal(measured: Measured, size: str) -> Row:
    asked = f"{size}: AUC of a PM-Transformer of {GOAL}"
    own = measured.values("main", size, CURVED, "auc")
    if not len(own):
        return asked, "", OPEN
    verdict = "met" if own.mean() >= GOAL else "missed: see the learning curves"
    return asked, f"{own.mean():.4f}, best {own.max():.4f}", verdict


def _better(found: dict[str, list[Comparison]], grid: str, block: str, one: str, other: str) -> Row:
    asked = f"{block}: {label(one)} over {label(other)} by two standard errors, {WAYS[grid]}"
    each = _find(found, grid, block, one, other)
    if each is None or not np.isfinite(each.welch[1]):
        return asked, "", OPEN
    difference, error = (1e4 * number for number in each.welch)
    verdict = "met" if difference > 2 * error else "missed"
    return asked, f"({difference:+.0f} ± {error:.0f}) 1e-4 of AUC", verdict


def _collapse(measured: Measured, size: str) -> Row:
    asked = f"{size}: with spheres within {COLLAPSE:.0%} of the flat twin, no collapse"
    flat = measured.values("main", size, FLAT, "auc")
    own = {name: measured.values("main", size, name, "auc") for name in SPHERICAL}
    there = {name: values.mean() for name, values in own.items() if len(values)}
    if not there or not len(flat):
        return asked, "", OPEN
    ratios = {label(name): value / flat.mean() - 1 for name, value in there.items()}
    verdict = "met" if min(ratios.values()) >= -COLLAPSE else "missed"
    return asked, "; ".join(f"{name}: {ratio:+.2%}" for name, ratio in ratios.items()), verdict


def _pace(measured: Measured, size: str) -> Row:
    asked = f"{size}: PM-Transformer trains at {PACE} of ParT's pace or faster"
    own, part = (
        measured.values("main", size, name, "jets_per_cpu_second") for name in (CURVED, "part")
    )
    if not len(own) or not len(part):
        return asked, "", OPEN
    ratio = np.median(own) / np.median(part)
    return asked, f"{ratio:.2f}", "met" if ratio >= PACE else "missed"
