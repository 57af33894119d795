"""Row sums that cancel: 1 + K|x|^2, |x|^2|u|^2 - (x.u)^2, and the inner product they are made of.

All return float64 row scalars (..., 1), which broadcast against the rows.
"""

from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics.formula import compute, is_plain
from noneuclid.numerics.native import Rounded
from noneuclid.numerics.precision import wide
from noneuclid.numerics.rows import Row, dots, rows

_SPLITTER = 2.0**27 + 1  # Veltkamp's constant for float64: 53 bits into 26 + 26 and a sign

_BLOCK = 2**15  # numbers that are widened at a time: 256 KiB, which stays in the cache


def row_dot(x: Tensor, y: Tensor) -> Tensor:
    """Return x.y over the last axis in float64: (..., n), (..., n) -> (..., 1).

    Accuracy: products of float32 rows are exact, so the error is that of a float64 sum.
    """
    return (wide(x) * wide(y)).sum(-1, keepdim=True)


def gap(curvature: Tensor, x: Tensor, square: Tensor) -> Tensor:
    """Return 1 + K|x|^2, rounded once: (1,), (..., n), |x|^2 -> (..., 1) in float64.

    Near the rim of the ball the sum cancels: at distance R it is about 4 e^-R. So |x|^2 and its
    product with K must enter unrounded. For float32 rows a float64 sum does that (error 1e-16
    absolute, 5e-10 of the result at the last shell); float64 rows use error-free products and
    sums (error 1e-32 absolute).
    Source: [ogita2005accurate] Algorithms 3.1 to 5.3 (TwoSum, TwoProduct, Dot2).
    """
    if x.dtype != torch.float64:
        return 1 + curvature * square
    if isinstance(x, Rounded):
        (X,) = rows(x)
        return X.trace.node("gap", curvature, square, X.trace.node("residue", X))
    plain = 1 + curvature * square
    # The correction is a rounding error, constant for every derivative.
    with torch.no_grad():
        correction = _unrounded_gap(x, curvature) - plain
        # The error-free product overflows beyond 1e146, far off any ball.
        correction = torch.where(correction.isfinite(), correction, 0)
    return plain + correction.detach()


def cross_square(x: Tensor, X: Row, U: Row, xx: Tensor, xu: Tensor, uu: Tensor) -> Tensor:
    """Return |x|^2|u|^2 - (x.u)^2 >= 0, the squared area that two rows span.

    For float32 rows the difference of exact products; for float64 rows |x|^2 times the square of
    the part of u across x, which loses no more than rounding u itself does.
    """
    if x.dtype != torch.float64:
        return (xx * uu - xu * xu).clamp(min=0)
    A = U - (xu / torch.where(xx > 0, xx, 1.0)) * X
    (aa,) = dots((A, A))
    return xx * aa


def weighted_sum(c: Tensor, x: Tensor) -> Tensor:
    """Return sum_i c_i x_i over the axis -2, kept: (*, m, 1), (*, m, n) -> (*, 1, n) in float64."""
    shape = torch.broadcast_shapes(c.shape[:-1], x.shape[:-1])
    c, x = c.expand(*shape, 1), x.expand(*shape, x.shape[-1])
    if is_plain() or not x.dim() > 2:
        return c.mT @ wide(x)
    return _WeightedSum.apply(c.flatten(0, -3), x.flatten(0, -3)).unflatten(0, shape[:-1])


class _WeightedSum(torch.autograd.Function):
    """(b, m, 1), (b, m, n) -> (b, 1, n); widens no more than a block of x at a time."""

    @staticmethod
    def forward(ctx: Any, c: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(c, x)
        step = max(1, _BLOCK // max(1, x[:1].numel()))
        pairs = zip(c.split(step), x.split(step), strict=True)
        return torch.cat([a.mT @ wide(b) for a, b in pairs])

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        c, x = ctx.saved_tensors
        needs_c, needs_x = ctx.needs_input_grad
        by_c = compute(_product, (), (x, g)) if needs_c else None
        by_x = compute(_multiple, (c,), (g,), dtype=x.dtype) if needs_x else None
        return by_c, by_x


def _product(x: Tensor, g: Tensor) -> Tensor:
    X, G = rows(x, g)
    return dots((X, G))[0]


def _multiple(c: Tensor, g: Tensor, dtype: torch.dtype) -> Tensor:
    return (c * rows(g)[0]).to(dtype)


def _unrounded_gap(x: Tensor, curvature: Tensor) -> Tensor:
    """Return 1 + K|x|^2 of float64 rows with the accuracy of twice the working precision."""
    product, error = _two_product(x, x)
    total, residue = _sum_rows(product)
    residue = residue + error.sum(-1, keepdim=True)
    scaled, scaled_error = _two_product(curvature, total)
    one_plus, lost = _two_sum(torch.ones_like(scaled), scaled)
    return one_plus + (lost + scaled_error + curvature * residue)


def _two_sum(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return (s, e) with s = fl(a + b) and s + e = a + b exactly (Knuth)."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


def _two_product(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return (p, e) with p = fl(a b) and p + e = a b exactly (Dekker, Veltkamp split)."""
    a_high, b_high = _high_part(a), _high_part(b)
    a_low, b_low = a - a_high, b - b_high
    product = a * b
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


def _high_part(a: Tensor) -> Tensor:
    scaled = a * _SPLITTER
    return scaled - (scaled - a)


def _sum_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pairwise sum of each row and the sum of all its rounding errors."""
    residue = torch.zeros_like(x[..., :1])
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        total, lost = _two_sum(x[..., :half], x[..., half : 2 * half])
        residue = residue + lost.sum(-1, keepdim=True)
        x = torch.cat([total, x[..., 2 * half :]], dim=-1)
    return x.sum(-1, keepdim=True), residue
