"""All pairwise distances, forward and backward, without anything of size n x m x d.

A manifold supplies a `Chart` of each set: rows p and weights w such that the chord between two
points is w w' |p - p'|; the distance is the arc over the chord. So every model runs through the
same two steps: squared differences by matrix products (`numerics.pairs`), a scalar function.
Both are done on blocks of pairs that stay in the cache; the backward forms them again.
"""

# over 300 lines: forward and backward of one kernel, which share every step
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics import safe_divide, safe_sqrt, wide, with_derivative_of
from noneuclid.numerics.arc import Shape, half_arc, half_arc_block, half_bend, half_tangent_block
from noneuclid.numerics.formula import SMALLEST, may_be_opaque
from noneuclid.numerics.native import pairs as native
from noneuclid.numerics.native import tiles_graph as graph
from noneuclid.numerics.pairs import (
    common_scale,
    direct_distances,
    direct_gradient,
    pair_factors,
    pair_squares,
)

_BLOCK = 2**17  # pairs that are worked on at a time: 1 MiB in float64
_FIELDS = 8  # tensors that describe one factor of all pairs ...
_DIFFERENTIABLE = 5  # ... of which the first carry derivatives

Span = tuple[slice, slice]
Shapes = tuple[Shape, ...]

EVERYTHING: Span = slice(None), slice(None)


@dataclass(frozen=True)
class Chart:
    """One set of points as rows whose straight differences give the chords.

    Attributes:
        points: p (*, n, d), in the points' dtype or float64.
        weight: w (*, n, 1) in float64; the chord is w w' |p - p'|.
        curvature: K (1,) in float64.
        shape: the sign of K.
        opposite: rows (*, n, d) at p - o for the antipode o of each point where K > 0: the chord
            to it tells cos^2 where 1 - sin^2 cancels.
        near: rows (x, r, c), (*, n, any), with the same chord as c c' sqrt(|x - x'|^2 - (r - r')^2)
            / w w', where rounding p would cost near pairs their digits.

    The last two serve float64 only, whose distances are not to be better than its coordinates, and
    carry no derivative.
    """

    points: Tensor
    weight: Tensor
    curvature: Tensor
    shape: Shape
    opposite: Tensor | None = None
    near: Tensor | None = None


def pair_distances(x: Sequence[Chart], y: Sequence[Chart], dtype: torch.dtype) -> Tensor:
    """Return sqrt(sum of d^2 over the factors), in `dtype`: (*, n), (*, m) -> (*, n, m).

    Args:
        x: one chart, or one for each factor of a product.
        y: likewise.
        dtype: float32, by matrix products, or float64, by differences.
    """
    batch = torch.broadcast_shapes(*(c.points.shape[:-2] for c in (*x, *y)))

    def flat(t: Tensor) -> Tensor:
        return t.expand(*batch, *t.shape[-2:]).reshape(math.prod(batch), *t.shape[-2:])

    tensors: list[Tensor | None] = []
    for a, b in zip(x, y, strict=True):
        tensors += map(flat, (a.points, b.points, a.weight, b.weight, a.curvature.reshape(1, 1)))
        extra = (b.opposite, a.near, b.near)
        only = dtype == torch.float64
        tensors += [flat(t.detach()) if only and t is not None else None for t in extra]
    shapes = tuple(chart.shape for chart in x)
    if torch.compiler.is_compiling():
        if may_be_opaque(tuple(t for t in tensors if t is not None)) and _is_built(dtype):
            present = [t is not None for t in tensors]
            table = graph.pair_distances([t for t in tensors if t is not None], present, dtype)
        else:
            table = _plain(dtype, shapes, *tensors)
    else:
        table = _PairDistances.apply(dtype, shapes, *tensors)
    return table.reshape(*batch, *table.shape[-2:])


def _is_built(dtype: torch.dtype) -> bool:
    return not torch._C._are_functorch_transforms_active() and native.has_pairs(dtype)


_is_built._dynamo_marked_constant = True  # type: ignore[attr-defined]  # see numerics/formula.py


class _Factor:
    """One factor of all pairs: from rows to half chords in its unit, for any block of pairs."""

    def __init__(self, tensors: Sequence[Any], shape: Shape, direct: bool) -> None:
        x, y, self.x_weight, self.y_weight, self.curvature = tensors[:5]
        self.opposite, *self.near = tensors[5:]
        self.shape, self.direct, self.dim = shape, direct, x.shape[-1]
        known = shape in (Shape.HYPERBOLIC, Shape.CIRCULAR)
        self.unit = self.curvature.abs().sqrt() if known else torch.ones_like(self.curvature)
        rows, n = wide(torch.cat([x, y], dim=-2)), x.shape[-2]
        self.scale = torch.ones_like(self.unit) if direct else common_scale(rows.detach())
        rows = rows / self.scale
        self.x, self.y = rows[..., :n, :], rows[..., n:, :]
        self.x_lengths = self.x_weight * (self.scale * self.unit / 2)
        if not direct:
            self.x_factors, self.y_factors = pair_factors(rows.detach(), n)

    def squares(self, span: Span) -> Tensor:
        """Return |p - p'|^2 over the squared scale, in float64, without derivative."""
        batch, rows = span
        if self.direct and self.near[0] is not None:
            return _near_squares(self.near[0][batch, rows], self.near[1][batch])
        if self.direct:
            x, y = self.x.detach()[batch, rows], self.y.detach()[batch]
            return direct_distances(x, y).square()
        left = self.x_factors[0][batch, rows], self.x_factors[1][batch, rows]
        right = self.y_factors[0][batch], self.y_factors[1][batch]
        return pair_squares(left, right, self.dim)

    def half_chords(self, squares: Tensor, span: Span) -> Tensor:
        """Return w w' |p - p'| / 2 in the unit of the factor, without derivative."""
        batch, rows = span
        return squares.sqrt().mul_(self.x_lengths[batch, rows]).mul_(self.y_weight[batch].mT)

    def cosine2(self, h: Tensor, span: Span) -> Tensor:
        """Return 1 - K h^2 where the arc needs it, by the chord to the antipode if given."""
        if self.shape in (Shape.FLAT, Shape.HYPERBOLIC):
            return h  # never read
        batch, rows = span
        curvature = self.curvature[batch]
        plain = 1 - (h * h if self.shape is Shape.CIRCULAR else curvature * h * h)
        if self.opposite is None:
            return plain
        x, y = self.x.detach()[batch, rows], self.opposite.detach()[batch]
        exact = curvature / 4 * direct_distances(x, y).square()
        return with_derivative_of(torch.where(curvature > 0, exact, plain), plain)

    def block(self, h: Tensor, span: Span, dtype: torch.dtype) -> Tensor:
        """Return the distances on the manifold, without derivative."""
        curvature = self.curvature[span[0]]
        angle = half_arc_block(h, curvature, self.shape, self.cosine2(h, span), dtype)
        return angle.mul_((2 / self.unit[span[0]]).to(dtype))

    def whole(self, dtype: torch.dtype) -> Tensor:
        """Return all distances, by differentiable operations on all pairs at once.

        The square has the exact value and the derivatives of its expansion, which do not cancel.
        """
        x, y = self.x, self.y
        expansion = (x * x).sum(-1, keepdim=True) + (y * y).sum(-1).unsqueeze(-2) - 2 * (x @ y.mT)
        root = safe_sqrt(with_derivative_of(self.squares(EVERYTHING), expansion))
        h = root * self.x_lengths * self.y_weight.mT
        if self.shape is Shape.HYPERBOLIC and not self.curvature.requires_grad:
            h = h.to(dtype)  # the derivative by K alone would cancel in float32
        angle = half_arc(h, self.curvature, self.shape, self.cosine2(h, EVERYTHING))
        return angle * (2 / self.unit).to(angle.dtype)


def _near_squares(x: Tensor, y: Tensor) -> Tensor:
    """Return the squared chords of `Chart.near`."""
    apart = direct_distances(x[..., :-2].contiguous(), y[..., :-2].contiguous()).square()
    radial = x[..., -2:-1] - y[..., -2].unsqueeze(-2)
    weight = x[..., -1:] * y[..., -1].unsqueeze(-2)
    return (apart - radial * radial).clamp(min=0) * weight.square()


def _factors(dtype: torch.dtype, shapes: Shapes, tensors: Sequence[Any]) -> list[_Factor]:
    groups = [tensors[i : i + _FIELDS] for i in range(0, len(tensors), _FIELDS)]
    direct = dtype == torch.float64
    return [_Factor(group, shape, direct) for group, shape in zip(groups, shapes, strict=True)]


def _total(arcs: Sequence[Tensor]) -> Tensor:
    """Return sqrt(sum d^2) over the factors of a product; one factor's d itself."""
    if len(arcs) == 1:
        return arcs[0]
    return safe_sqrt(sum((d * d for d in arcs[1:]), arcs[0] * arcs[0]))


def _plain(dtype: torch.dtype, shapes: Shapes, *tensors: Any) -> Tensor:
    """Return the distances by differentiable operations on all pairs at once."""
    return _total([factor.whole(dtype) for factor in _factors(dtype, shapes, tensors)]).to(dtype)


def _spans(batch: int, n: int, m: int) -> Iterator[Span]:
    """Cut all pairs into blocks: some batches, or some rows of one batch."""
    if n * m <= _BLOCK:
        step = max(1, _BLOCK // max(1, n * m))
        for start in range(0, batch, step):
            yield slice(start, start + step), slice(0, n)
        return
    step = max(1, _BLOCK // m)
    for index in range(batch):
        for start in range(0, n, step):
            yield slice(index, index + 1), slice(start, start + step)


class _Gradients:
    """Sums over blocks of the gradients by the rows and weights of one factor."""

    def __init__(self, factor: _Factor, needed: Sequence[bool]) -> None:
        self.factor, self.needed = factor, needed
        self.pieces: list[dict[Any, Tensor]] = [{} for _ in needed]

    def add(self, g: Tensor, squares: Tensor, h: Tensor, span: Span) -> None:
        """Add what one block contributes, for the gradient `g` by its distances."""
        factor, (batch, rows) = self.factor, span
        outer = 2 / factor.unit[batch]
        cosine2 = factor.cosine2(h, span)
        pull = wide(half_tangent_block(h, factor.shape, cosine2, g.dtype).mul_(g))
        if self.needed[2]:
            sums = pull.sum(-1, keepdim=True)
            self._put(2, span, sums * outer / factor.x_weight[batch, rows])
        if self.needed[3]:
            sums = pull.sum(-2).unsqueeze(-1)
            self._put(3, batch.start, sums * outer / factor.y_weight[batch])
        if self.needed[4]:
            self._put(4, batch.start, self._by_curvature(g, h, batch))
        if any(self.needed[:2]):
            self._add_points(pull, squares, outer / factor.scale[batch], span)

    def _by_curvature(self, g: Tensor, h: Tensor, batch: slice) -> Tensor:
        """Return the sum of g times the derivative of the arcs by K at fixed chords."""
        factor = self.factor
        if factor.shape is Shape.FLAT:
            return torch.zeros_like(factor.curvature[batch])
        bends = wide(g) * half_bend(h / factor.unit[batch], factor.curvature[batch])
        return 2 * bends.sum((-2, -1), keepdim=True)

    def _add_points(self, pull: Tensor, squares: Tensor, outer: Tensor, span: Span) -> None:
        """Add sum_j W_ij (x_i - y_j) to x_i and its negative to y_j: W = pull / |x - y|^2."""
        factor, (batch, rows) = self.factor, span
        x, y = factor.x[batch, rows], factor.y[batch]
        if factor.direct:
            distances = squares.sqrt()
            weight = safe_divide(pull, distances)
            if self.needed[0]:
                self._put(0, span, outer * direct_gradient(weight, x, y, distances))
            if self.needed[1]:
                moved = direct_gradient(weight.mT, y, x, distances.mT)
                self._put(1, batch.start, outer * moved)
            return
        apart = torch.nn.functional.threshold(squares, 0.0, torch.inf, inplace=True)
        weight = pull.div_(apart)
        if self.needed[0]:
            self._put(0, span, outer * _pulled(x, weight, y))
        if self.needed[1]:
            self._put(1, batch.start, outer * _pulled(y, weight.mT, x))

    def _put(self, index: int, place: Any, piece: Tensor) -> None:
        place = (place[0].start, place[1].start) if isinstance(place, tuple) else place
        table = self.pieces[index]
        table[place] = table[place] + piece if place in table else piece

    def result(self, tensors: Sequence[Any]) -> list[Tensor | None]:
        """Return the gradients in the shape and dtype of the factor's tensors."""
        gradients: list[Tensor | None] = []
        for tensor, table, needed in zip(tensors, self.pieces, self.needed, strict=True):
            if not needed or tensor is None:
                gradients.append(None)
            elif not table:
                gradients.append(torch.zeros_like(tensor))
            else:
                pieces = [piece.flatten(-3, -2) for piece in table.values()]
                gradients.append(torch.cat(pieces, dim=-2).view(tensor.shape).to(tensor.dtype))
        return gradients


def _pulled(x: Tensor, weight: Tensor, y: Tensor) -> Tensor:
    """Return sum_j W_ij (x_i - y_j); the column of ones sums W in the same product."""
    sums = weight @ torch.nn.functional.pad(y, (0, 1), value=1.0)
    return sums[..., -1:] * x - sums[..., :-1]


def _backward(
    dtype: torch.dtype,
    shapes: Shapes,
    tensors: Sequence[Any],
    g: Tensor,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients by `tensors`, forming the distances once more, block by block."""
    factors = _factors(dtype, shapes, tensors)
    parts = [slice(i, i + _FIELDS) for i in range(0, len(tensors), _FIELDS)]
    sums = [_Gradients(f, needed[part]) for f, part in zip(factors, parts, strict=True)]
    for span in _spans(*g.shape):
        squares = [factor.squares(span) for factor in factors]
        halves = [f.half_chords(s, span) for f, s in zip(factors, squares, strict=True)]
        shares = [g[span]]
        if len(factors) > 1:
            arcs = [f.block(h, span, dtype) for f, h in zip(factors, halves, strict=True)]
            total = _total(arcs)
            shares = [g[span] * safe_divide(arc, total) for arc in arcs]
        for part, share, square, h in zip(sums, shares, squares, halves, strict=True):
            part.add(share, square, h, span)
    return [grad for s, part in zip(sums, parts, strict=True) for grad in s.result(tensors[part])]


def _plain_of(
    dtype: torch.dtype, shapes: Shapes, tensors: Sequence[Any]
) -> tuple[Callable[..., Tensor], list[int]]:
    """Return `_plain` as a function of the tensors that carry derivatives, and their places."""
    places = [i for i in range(len(tensors)) if i % _FIELDS < _DIFFERENTIABLE]

    def formula(*moved: Tensor) -> Tensor:
        merged = list(tensors)
        for place, tensor in zip(places, moved, strict=True):
            merged[place] = tensor
        return _plain(dtype, shapes, *merged)

    return formula, places


def _has_native(dtype: torch.dtype, tensors: Sequence[Tensor | None]) -> bool:
    x, y = tensors[:2]
    assert x is not None
    assert y is not None
    n, m = x.shape[1], y.shape[1]
    return (
        n * m * len(tensors) >= SMALLEST
        and torch._C._len_torch_dispatch_stack() == 0
        and all(t is None or t.device.type == "cpu" for t in tensors)
        and native.has_pairs(dtype)
    )


class _PairDistances(torch.autograd.Function):
    """All distances; keeps its inputs only. Derivatives of derivatives go through `_plain`."""

    @staticmethod
    def forward(dtype: torch.dtype, shapes: Shapes, *tensors: Any) -> Tensor:
        if _has_native(dtype, tensors):
            return native.distances(tensors, dtype)
        x, y = tensors[:2]
        out = x.new_empty((*x.shape[:2], y.shape[1]), dtype=dtype)
        factors = _factors(dtype, shapes, tensors)
        for span in _spans(*out.shape):
            halves = [f.half_chords(f.squares(span), span) for f in factors]
            arcs = [f.block(h, span, dtype) for f, h in zip(factors, halves, strict=True)]
            out[span] = _total(arcs)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.dtype, ctx.shapes, *tensors = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        tensors, needed = ctx.saved_tensors, ctx.needs_input_grad[2:]
        if not torch.is_grad_enabled() and _has_native(ctx.dtype, tensors):
            found = native.gradients(tensors, needed, g)
            kept = zip(found, tensors, strict=True)
            return None, None, *(None if f is None else f.to(t.dtype) for f, t in kept)
        if not torch.is_grad_enabled():
            return None, None, *_backward(ctx.dtype, ctx.shapes, tensors, g, needed)
        formula, places = _plain_of(ctx.dtype, ctx.shapes, tensors)
        pulled = torch.func.vjp(formula, *(tensors[i] for i in places))[1](g)
        gradients: list[Tensor | None] = [None] * len(tensors)
        for place, gradient in zip(places, pulled, strict=True):
            gradients[place] = gradient
        return None, None, *gradients

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        tensors, moved = ctx.saved_tensors, tangents[2:]
        formula, places = _plain_of(ctx.dtype, ctx.shapes, tensors)
        primals = tuple(tensors[i].contiguous() for i in places)  # K of a batch is expanded
        directions = tuple(
            torch.zeros_like(tensors[i]) if moved[i] is None else moved[i] for i in places
        )
        return torch.func.jvp(formula, primals, directions)[1]

    @staticmethod
    def vmap(info: Any, in_dims: tuple, dtype: Any, shapes: Any, *tensors: Any) -> Any:
        """Fold the new axis into the batch axis."""
        folded = []
        for tensor, axis in zip(tensors, in_dims[2:], strict=True):
            if tensor is not None and axis is None:
                tensor = tensor.unsqueeze(0).expand(info.batch_size, *tensor.shape)
            elif tensor is not None:
                tensor = tensor.movedim(axis, 0)
            folded.append(None if tensor is None else tensor.flatten(0, 1))
        table = _PairDistances.apply(dtype, shapes, *folded)
        return table.unflatten(0, (info.batch_size, -1)), 0
