"""The accuracy measurements as Markdown: a summary, the broken rows, details by model."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

import torch
from accuracy_draws import MODELS, Measured

from noneuclid.testing.measured import CONDITION, GRADIENT_BAR, VALUE_BAR

K_BAR = {torch.float32: 1e-5, torch.float64: 1e-12}  # of d/dK through zero, relative
THROUGH_ZERO_VALUE_BAR = 8.0
REGIMES = ("R to 2", "near pairs", "R to 10", "to the reach", "to the antipode")
HELD, NEEDED, BROKEN = "", "*", "**"


def name(dtype: torch.dtype) -> str:
    """Return "float32" for torch.float32."""
    return str(dtype).removeprefix("torch.")


def number(value: float | None) -> str:
    """Return about two digits, or a dash for nothing."""
    if value is None:
        return "-"
    if math.isinf(value) or math.isnan(value):
        return "inf"
    if value < 1000:
        return f"{value:.1f}" if value < 100 else f"{value:.0f}"
    return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")


def held(row: Measured) -> bool:
    """Tell whether an error is within what is allowed."""
    return row.ours.error <= row.ours.allowed


def cell(rows: list[Measured]) -> str:
    """Return "ours / peer": the worst ulp where the plain bar applies.

    A star: in some draws rounding the arguments alone exceeds the bar, and the error was within
    the bound that allows. Bold: an error beyond what is allowed, then as it is.
    """
    if not rows:
        return ""
    broken = [row.ours.error for row in rows if not held(row)]
    plain = [row for row in rows if not row.ours.conditioned]
    peers = [row.peer for row in plain if row.peer is not None]
    theirs = number(max(peers) if peers else None)
    if broken:
        return f"**{number(max(broken))}** / {theirs}"
    star = "\\*" if len(plain) < len(rows) else ""
    ours = number(max((row.ours.error for row in plain), default=None))
    return f"{ours}{star} / {theirs}"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    header = list(header)
    yield "| " + " | ".join(header) + " |"
    yield "| " + " | ".join("---" for _ in header) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def summary(measured: list[Measured], gradients: bool) -> Iterator[str]:
    """Yield the summary: a row per operation and dtype, a column per model."""
    groups = defaultdict(list)
    for row in measured:
        if bool(row.ours.argument) == gradients:
            groups[row.operation, row.dtype, row.model].append(row)
    pairs = list(dict.fromkeys((operation, dtype) for operation, dtype, _ in groups))
    bars = GRADIENT_BAR if gradients else VALUE_BAR
    yield from table(
        ["operation", "dtype", "bar", *MODELS],
        (
            [
                f"`{operation}`",
                name(dtype),
                f"{bars[dtype]:g}",
                *(cell(groups[operation, dtype, model]) for model in MODELS),
            ]
            for operation, dtype in sorted(pairs, key=lambda pair: str(pair[1]))
        ),
    )


def broken(measured: list[Measured]) -> Iterator[str]:
    """Yield the errors beyond what is allowed: the worst of each operation, dtype and argument.

    `conditioning` is how far rounding the arguments by half an ulp moves the truth, in ulp.
    """
    worst: dict[tuple, Measured] = {}
    for row in measured:
        key = row.model, row.operation, row.dtype, row.ours.argument
        excess = row.ours.error / row.ours.allowed
        if not held(row) and (
            key not in worst or excess > worst[key].ours.error / worst[key].ours.allowed
        ):
            worst[key] = row
    yield from table(
        ["model", "operation", "dtype", "of", "ulp", "conditioning", "allowed", "where"],
        (
            [
                model,
                f"`{operation}`",
                name(dtype),
                f"d/d{argument}" if argument else "value",
                number(row.ours.error),
                number(row.ours.moved),
                number(row.ours.allowed),
                f"{row.regime}, R = {row.radius:g}, K = {row.curvature:g}, n = {row.dim}",
            ]
            for (model, operation, dtype, argument), row in worst.items()
        ),
    )


def details(measured: list[Measured], model: str) -> Iterator[str]:
    """Yield one row per operation and dtype of a model, a column per regime: values, gradients."""
    groups = defaultdict(list)
    for row in measured:
        if row.model == model:
            kind = "gradients" if row.ours.argument else "values"
            groups[row.operation, row.dtype, kind, row.regime].append(row)
    keys = dict.fromkeys(key[:3] for key in groups)
    regimes = [regime for regime in REGIMES if any(key[3] == regime for key in groups)]
    yield from table(
        ["operation", "dtype", "of", *regimes, "most allowed"],
        (
            [
                f"`{operation}`",
                name(dtype),
                kind,
                *(cell(groups[operation, dtype, kind, regime]) for regime in regimes),
                number(
                    max(
                        row.ours.allowed
                        for regime in regimes
                        for row in groups[operation, dtype, kind, regime]
                    )
                ),
            ]
            for operation, dtype, kind in sorted(keys, key=lambda k: (k[2], str(k[1])))
        ),
    )


def through_zero(measured: list[Measured]) -> Iterator[str]:
    """Yield, per K, the worst value in ulp and the worst relative error of d/dK."""
    groups = defaultdict(list)
    for row in measured:
        if row.ours.argument in ("", "K"):
            groups[row.curvature, row.dtype, row.ours.argument].append(row)
    yield from table(
        ["K", *(f"{what}, {name(d)}" for d in K_BAR for what in ("value (ulp)", "d/dK"))],
        (
            [f"{k:g}", *(_of_k(groups[k, d, what], d) for d in K_BAR for what in ("", "K"))]
            for k in sorted({k for k, _, _ in groups})
        ),
    )


def _of_k(rows: list[Measured], dtype: torch.dtype) -> str:
    """Return the worst error where the plain bar applies; bold if one is beyond its bound."""
    if not rows:
        return ""
    slope = bool(rows[0].ours.argument)
    unit = torch.finfo(dtype).eps if slope else 1.0
    bar = K_BAR[dtype] if slope else THROUGH_ZERO_VALUE_BAR

    def excess(row: Measured) -> float:
        bound = row.ours.allowed * unit if row.ours.conditioned else bar
        return row.ours.error * unit / max(bar, bound)

    worst = max(rows, key=excess)
    if excess(worst) > 1:
        return f"**{worst.ours.error * unit:.0e}** (`{worst.operation}`)"
    plain = max(row.ours.error * unit for row in rows if not row.ours.conditioned)
    star = "\\*" if any(row.ours.conditioned for row in rows) else ""
    return (f"{plain:.0e}" if slope else number(plain)) + star


NOTES = f"""\
Each cell is *ours / geoopt*: the largest error of a few thousand random draws, in ulp:
|result - truth| / |truth| over the coordinates of a row, in units of the dtype's eps. The truth is
mpmath at 100 digits or more on the same rounded numbers. Dimensions are 1 to 128, |K| is 1e-4 to
100, radii R are in units of |K|^-1/2: to 16 (float32) and 36 (float64) on the ball, 30 and 300 on
the hyperboloid, from 1e-8 to pi - 1e-4 on the sphere; near pairs are 1e-6 apart to radius 2, 1e-4
to radius 5, 1e-2 beyond. Gradients are those of a random linear functional of the result, in every
argument and in K, in the chart in which the contract reads points: a Lorentz point is its space
part, a sphere point its direction.

The bar is {VALUE_BAR[torch.float32]:g} ulp for float32 values and {VALUE_BAR[torch.float64]:g} for
float64, {GRADIENT_BAR[torch.float32]:g} and {GRADIENT_BAR[torch.float64]:g} for gradients.

- **\\*** In some draws rounding the arguments by half an ulp moves the true result by more than the
  bar. There the error is allowed {CONDITION[torch.float32]:g} times that movement (float64:
  {CONDITION[torch.float64]:g} times), the largest of eight random roundings in
  mpmath, and was within it. These draws are left out of both numbers.
- **Bold** An error beyond what is allowed; it is listed below, beside how far that rounding moves
  the true result (`conditioning`). docs/design.md says where it comes from.
- **-** The peer has no such operation. Its sphere is the unit sphere; its transport there is a
  projection, which is not parallel transport. Results that are NaN or infinite count as inf.
"""
