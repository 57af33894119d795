"""Which dtype a computation runs in, and how far each dtype reaches."""

import math

import torch
from torch import Tensor


def is_half(dtype: torch.dtype) -> bool:
    """Tell whether `dtype` is computed in float32 and only stored in 16 bits."""
    return dtype in (torch.float16, torch.bfloat16)


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype the formulas run in: float32 for 16-bit points, else the points' own."""
    return torch.float32 if is_half(dtype) else dtype


def wide(x: Tensor) -> Tensor:
    """Return `x` in float64, the dtype of every row scalar.

    A product of two float32 numbers is exact in float64, so a row sum of float32 products
    formed there is right to 1e-16 of its largest term.
    """
    return x.to(torch.float64)


def tolerance(dtype: torch.dtype) -> float:
    """Return the relative error allowed to a well-conditioned result of this dtype.

    It is 2^7 units in the last place in float32 and below, 2^13 in float64; sharper bounds are
    measured against the high-precision oracle, not against this table.
    """
    return torch.finfo(dtype).eps * (2**13 if dtype == torch.float64 else 2**7)


def largest_norm(dtype: torch.dtype, family: str) -> tuple[float, float]:
    """Return `(limit, target)`: the last shell of a dtype, in units of the curvature radius.

    A point with norm above `limit` is moved to norm `target`. Rounding the coordinates of a point
    at `target` changes its norm by at most eps/2, which keeps it below `limit`: so the move is
    idempotent.

    | family | limit | reaches (float16, bfloat16, float32, float64) |
    | --- | --- | --- |
    | ball | 1 - eps/2 | distance 7.6, 5.5, 16.6, 35.6 from the origin |
    | hyperboloid | 2^14, 2^60, 2^60, 2^440 (of the space part) | 10.3, 42.2, 42.2, 305 |
    | projected sphere | 1 / eps | 2 eps short of the antipode of the origin |

    On the hyperboloid float16 ends sooner for |K| < 1/4: space parts reach 32752, half its range.
    """
    eps = torch.finfo(dtype).eps
    if family == "ball":
        # In float64 the scale factor itself is rounded, in the others it is not.
        return 1 - eps / 2, 1 - (3 if dtype == torch.float64 else 1) * eps
    if family == "hyperboloid":
        # Squares of a space part, and their derivatives in K, must not overflow the float64 row
        # scalars, and the coordinates themselves not the storage dtype.
        limit = {torch.float16: 2.0**14, torch.float64: 2.0**440}.get(dtype, 2.0**60)
    elif family == "sphere":
        limit = 1 / eps
    else:
        raise ValueError(f"family must be 'ball', 'hyperboloid' or 'sphere', got {family!r}")
    return limit, limit * (1 - 2 * eps)


def radius_of_shell(dtype: torch.dtype, family: str) -> float:
    """Return the distance from the origin of the last shell, in units of the curvature radius."""
    target = largest_norm(dtype, family)[1]
    if family == "ball":
        return math.log1p(target) - math.log1p(-target)
    if family == "hyperboloid":
        return math.asinh(target) if target < 1e150 else math.log(target) + math.log(2)
    return 2 * math.atan(target)
