"""Row sums that keep their relative accuracy: inner products, 1 + K|x|^2, angles between rows.

All take (..., n) and return float64 row scalars (..., 1), which broadcast against the rows.
"""

from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics.blocks import in_row_blocks
from noneuclid.numerics.precision import wide
from noneuclid.numerics.safe import safe_divide, safe_sqrt

_SPLITTER = 2.0**27 + 1  # Veltkamp's constant for float64: 53 bits into 26 + 26 and a sign
_BLOCK = 2**15  # elements that are widened at a time: 256 KiB, which stays in the cache


def row_dot(x: Tensor, y: Tensor) -> Tensor:
    """Return x.y over the last axis in float64: (..., n), (..., n) -> (..., 1).

    Accuracy: products of float32 rows are exact, so the error is that of a float64 sum.
    """
    if torch.compiler.is_compiling():
        return (wide(x) * wide(y)).sum(-1, keepdim=True)
    return _RowDot.apply(x, y)


def gap(x: Tensor, curvature: Tensor) -> Tensor:
    """Return 1 + K|x|^2, rounded once: (..., n), (1,) -> (..., 1) in float64.

    Near the rim of the ball the sum cancels: at distance R it is about 4 e^-R. So |x|^2 and its
    product with K must enter unrounded. For float32 rows a float64 sum does that (error 1e-16
    absolute, 5e-10 of the result at the last shell); float64 rows use error-free products and
    sums (error 1e-32 absolute).
    Source: [ogita2005accurate] Algorithms 3.1 to 5.3 (TwoSum, TwoProduct, Dot2).
    """
    plain = 1 + curvature * row_dot(x, x)
    if x.dtype != torch.float64:
        return plain
    # The correction is a rounding error, constant for every derivative.
    with torch.no_grad():
        correction = _unrounded_gap(x, curvature) - plain
        # The error-free product overflows beyond 1e146, far off any ball.
        correction = torch.where(correction.isfinite(), correction, 0)
    return plain + correction.detach()


def direction_chord(x: Tensor, y: Tensor, scale: Tensor | float = 1.0) -> Tensor:
    """Return |scale (x/|x| - y/|y|)|^2, a squared chord between two directions: -> (..., 1).

    Formula: |w|^2 with w = ((y - x) - (|y| - |x|)/|x| x) / |y| and
    |y| - |x| = (y - x).(y + x) / (|y| + |x|): near directions keep their relative accuracy, where
    the difference of the two unit vectors would cancel. Where the norms differ by more than a
    factor 2, y - x has lost digits of the smaller one and w is that difference of unit vectors.
    The chord is 0 where x or y is 0. (`scale` comes in before squaring: its square may overflow in
    a derivative.)
    """
    x, y = wide(x), wide(y)
    difference = y - x
    x_norm, y_norm = safe_sqrt(row_dot(x, x)), safe_sqrt(row_dot(y, y))
    growth = safe_divide(row_dot(difference, y + x), y_norm + x_norm)
    x_unit, y_unit = safe_divide(x, x_norm), safe_divide(y, y_norm)
    alike = (x_norm < 2 * y_norm) & (y_norm < 2 * x_norm)
    across = safe_divide(difference - growth * x_unit, y_norm)
    across = scale * torch.where(alike, across, y_unit - x_unit)
    return torch.where((x_norm > 0) & (y_norm > 0), row_dot(across, across), 0)


def _dot(x: Tensor, y: Tensor) -> Tensor:
    return (wide(x) * wide(y)).sum(-1, keepdim=True)


class _RowDot(torch.autograd.Function):
    """Row products; its derivative is `_RowScale`, and the other way round, to any order."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, y: Tensor) -> Tensor:
        return in_row_blocks(_dot, x, y, elements=_BLOCK)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = ctx.saved_tensors
        needs_x, needs_y = ctx.needs_input_grad
        return (
            _RowScale.apply(g, y, x.dtype).sum_to_size(x.shape) if needs_x else None,
            _RowScale.apply(g, x, y.dtype).sum_to_size(y.shape) if needs_y else None,
        )

    @staticmethod
    def jvp(ctx: Any, x_dot: Tensor, y_dot: Tensor) -> Tensor:
        x, y = ctx.saved_tensors
        return _RowDot.apply(x_dot, y) + _RowDot.apply(x, y_dot)


class _RowScale(torch.autograd.Function):
    """s y for float64 row scalars s (..., 1), rounded once to a given dtype."""

    generate_vmap_rule = True

    @staticmethod
    def forward(s: Tensor, y: Tensor, dtype: torch.dtype) -> Tensor:
        return in_row_blocks(lambda s, y: (s * y).to(dtype), s, y, elements=_BLOCK)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Any], output: Tensor) -> None:
        s, y, ctx.dtype = inputs
        ctx.save_for_backward(s, y)
        ctx.save_for_forward(s, y)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        s, y = ctx.saved_tensors
        needs_s, needs_y, _ = ctx.needs_input_grad
        return (
            _RowDot.apply(g, y).sum_to_size(s.shape) if needs_s else None,
            _RowScale.apply(s, g, y.dtype).sum_to_size(y.shape) if needs_y else None,
            None,
        )

    @staticmethod
    def jvp(ctx: Any, s_dot: Tensor, y_dot: Tensor, _: None) -> Tensor:
        s, y = ctx.saved_tensors
        return _RowScale.apply(s_dot, y, ctx.dtype) + _RowScale.apply(s, y_dot, ctx.dtype)


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
