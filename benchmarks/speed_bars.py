"""What the exact kernels must reach at 65536 x 32, forward and backward, and why where they do not.

Bars are multiples of the Euclidean twin for times; bytes for what is kept.
"""

from typing import Any, NamedTuple

ROWS, DIM, CLASSES = 65536, 32, 10
BARS = {
    "native": {
        "dist": 2.5, "exp": 14.0, "mobius_add": 14.0, "log": 10.0, "exp0": 4.0, "log0": 4.0,
        "transp": 20.0, "midpoint": 4.0, "mlr": 2.0, "cdist": 3.0,
    },
    "compiled": {
        "dist": 1.2, "exp": 5.0, "mobius_add": 5.0, "log": 5.0, "exp0": 2.0, "log0": 2.0,
        "transp": 8.0, "midpoint": 1.5, "mlr": 1.5, "cdist": 1.2,
    },
}  # fmt: skip
ROW_SCALAR, ENTRY = 8, 4  # bytes: a row scalar is float64, a logit float32
KEPT = 4  # row scalars
KEPT_ONCE = 1024  # bytes that do not grow with the rows, K and the like, are not counted
_KERNEL = (
    "the twin is bound by memory alone; the kernel's stages of row products and scalars are not"
)
_SAME = "the compiled graph holds the kernel of eager mode, whose own time this is"
REASONS: dict[tuple[str, str], str] = {  # (path, operation) -> why its bar is out of reach
    **{("native", name): _KERNEL for name in BARS["native"]},
    **{("compiled", name): _SAME for name in BARS["compiled"]},
    ("native", "mlr"): "float64 products and one arsinh for each point and class",
    ("compiled", "mlr"): "float64 products and one arsinh for each point and class",
    ("native", "cdist"): "differences in float64 instead of a float32 matrix product",
    ("compiled", "cdist"): "differences in float64 instead of a float32 matrix product",
}


class Miss(NamedTuple):
    """A bar that is not reached, with the number measured instead."""

    model: str
    operation: str
    path: str
    value: float
    bar: float

    @property
    def reason(self) -> str:
        """Say why, as far as it is known."""
        return REASONS.get((self.path, self.operation), "not explained yet")


def bar(path: str, operation: str) -> float | None:
    """Return the bar for the time of an operation, None where there is none."""
    return BARS.get(path, {}).get(operation)


def kept_bar(operation: str, rows: int) -> int:
    """Return the bytes that an operation may keep for its backward pass."""
    if operation == "cdist":
        return 0
    return ENTRY * CLASSES * rows if operation == "mlr" else KEPT * ROW_SCALAR * rows


def applies(row: dict[str, Any]) -> bool:
    """Tell whether the bars are for a row: those of 65536 points, and the product's."""
    return row["rows"] == ROWS and (row["dim"] == DIM or " x " in row["model"])


def misses(rows: list[dict[str, Any]]) -> list[Miss]:
    """Return the times beyond their bars, the worst first."""
    found = []
    for row in filter(applies, rows):
        for path in BARS:
            limit = bar(path, row["operation"])
            if limit is not None and path in row["both"] and row["both"][path][0] > limit:
                value = row["both"][path][0]
                found.append(Miss(row["model"], row["operation"], path, value, limit))
    return sorted(found, key=lambda miss: -miss.value / miss.bar)
