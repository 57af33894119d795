"""All parameters of an optimizer as one point of one Riemannian product."""

import functools
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds import Euclidean, GeodesicManifold, Manifold, Product, manifold_of
from noneuclid.numerics import wide

_REACH = 0.99  # of the injectivity radius: beyond it the shortest path is another one


class Segment(NamedTuple):
    """The rows of all parameters on one manifold, or on one factor of it, in a flat tensor."""

    manifold: Manifold
    start: int
    stop: int
    row_shape: tuple[int, ...]  # of the whole row, where the manifold is a factor of a product
    columns: slice
    dtype: torch.dtype
    drifts: bool  # its curvature learns and is itself part of the bundle

    def view(self, flat: Tensor) -> Tensor:
        """Return the rows: (*, N) -> (*, rows, S); what is written there is written to `flat`."""
        rows = flat[..., self.start : self.stop].unflatten(-1, (-1, *self.row_shape))
        return rows[..., self.columns]

    def read(self, flat: Tensor) -> Tensor:
        """Return the rows in the dtype of their parameters: (*, N) -> (*, rows, S)."""
        return self.view(flat).to(self.dtype)


class Bundle:
    """The product of R^n, for plain parameters, and of the manifolds of the marked ones.

    A point, a vector or a covector is one flat tensor (N,); (*, N) holds several. Parameters on
    one manifold lie side by side in it, so that one call serves the rows of all of them; the flat
    ones come first, as one vector. Inner products are summed; retraction and transport act part
    by part. The parameters hold the current point, and only `write` and `move` change it.

    A learnable curvature is a plain parameter of unit metric that moves along with the points:
    they follow their curve under the old K, then `projx` reads them under the new one, and its
    derivative takes vectors along. That map is no isometry, and inner products are those of the
    current K. Losses are taken to depend on what a point stands for: on a hyperboloid not on the
    time entry itself, on a sphere not on the norm.

    Args:
        parameters: of all groups; those with `requires_grad=False` stay where they are.

    Raises:
        ValueError: one of them is complex or sharded, or they are on different devices.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        learning = [p for p in parameters if p.requires_grad]
        _check(learning)
        places: dict[object, int] = {}
        for parameter in learning:
            places.setdefault(_place(parameter), len(places) + 1)
        self.parameters = sorted(learning, key=lambda p: places[_place(p)] if _place(p) else 0)
        self.sizes = [parameter.numel() for parameter in self.parameters]
        self.flat_size = sum(p.numel() for p in learning if _place(p) is None)
        self.dtype = functools.reduce(
            torch.promote_types, (p.dtype for p in learning or parameters)
        )
        # load_state_dict casts state to the dtype of its parameter: to keep it, one of the widest.
        self.anchor = next((p for p in learning if p.dtype == self.dtype), parameters[0])
        self.segments = tuple(self._segments())

    def _segments(self) -> Iterator[Segment]:
        known = {id(parameter) for parameter in self.parameters}
        start = stop = self.flat_size
        curved = [p for p in self.parameters if _place(p) is not None]
        for index, parameter in enumerate(curved):
            stop += parameter.numel()
            if index + 1 < len(curved) and _place(curved[index + 1]) == _place(parameter):
                continue
            manifold = manifold_of(parameter)
            assert manifold is not None
            for factor, columns in _factors(manifold, 0, manifold.point_shape[-1]):
                drifts = any(id(p) in known for p in factor.parameters())
                yield Segment(
                    factor, start, stop, manifold.point_shape, columns, parameter.dtype, drifts
                )
            start = stop

    # -- between parameters and flat tensors -----------------------------------------------------

    def flatten(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return tensors of the parameters' shapes as one: -> (N,)."""
        return torch.cat([tensor.detach().reshape(-1).to(self.dtype) for tensor in tensors])

    def split(self, flat: Tensor) -> list[Tensor]:
        """Return the parts of a flat tensor (N,), each like its parameter."""
        parts = zip(self.parameters, flat.split(self.sizes), strict=True)
        return [part.view(p.shape).to(p.dtype) for p, part in parts]

    def point(self) -> Tensor:
        """Return the current point: (N,)."""
        return self.flatten(self.parameters)

    @torch.no_grad()
    def write(self, point: Tensor) -> None:
        """Make (N,) the current point."""
        for parameter, part in zip(self.parameters, self.split(point), strict=True):
            parameter.copy_(part)

    def gradient(self) -> Tensor:
        """Return the ambient gradient that backward left, 0 where it left none: (N,).

        Raises:
            RuntimeError: a sparse gradient.
        """
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        self.check_dense(grads)
        return self.flatten(grads)

    @staticmethod
    def check_dense(gradients: Sequence[Tensor]) -> None:
        """Raise RuntimeError if one of them is sparse."""
        for gradient in gradients:
            if gradient.layout != torch.strided:
                raise RuntimeError(
                    f"a step along a curve moves all rows, so gradients must be dense, got one"
                    f" {tuple(gradient.shape)} of layout {gradient.layout}; build the embedding"
                    " with sparse=False"
                )

    # -- metric ----------------------------------------------------------------------------------

    @torch.no_grad()
    def inner(self, x: Tensor, u: Tensor, v: Tensor) -> float:
        """Return <u, v>_x of vectors (N,)."""
        total = dot(u[: self.flat_size], v[: self.flat_size])
        for segment in self.segments:
            rows = segment.manifold.inner(*map(segment.read, (x, u, v)))
            total = total + wide(rows).sum()
        return float(total)

    def norm(self, x: Tensor, u: Tensor) -> float:
        """Return |u|_x."""
        return max(self.inner(x, u, u), 0.0) ** 0.5

    @torch.no_grad()
    def lower(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the covectors c with c.v = <u, v>_x: (*, N) -> (*, N)."""
        covectors = u.clone()
        for segment in self.segments:
            base, vectors = segment.read(x), segment.read(u)
            with torch.enable_grad():
                other = vectors.clone().requires_grad_()
                total = segment.manifold.inner(base, vectors, other).sum()
            (covector,) = torch.autograd.grad(total, other)
            segment.view(covectors).copy_(covector)
        return covectors

    @torch.no_grad()
    def sharpen(self, x: Tensor, covector: Tensor) -> Tensor:
        """Return the vector u with <u, v>_x = covector.v, such as a gradient: (N,) -> (N,)."""
        vector = covector.clone()
        for segment in self.segments:
            rows = segment.manifold.egrad2rgrad(segment.read(x), segment.read(covector))
            segment.view(vector).copy_(rows)
        return vector

    # -- motion ----------------------------------------------------------------------------------

    @torch.no_grad()
    def reach(self, x: Tensor, u: Tensor) -> float:
        """Return the largest t for which every point stays near enough to carry vectors by t u."""
        reach = inf
        for segment in self.segments:
            manifold = segment.manifold
            radius = manifold.injectivity_radius if isinstance(manifold, GeodesicManifold) else inf
            if float(radius) < inf:
                length = manifold.norm(segment.read(x), segment.read(u)).max()
                if float(radius) < reach * float(length):
                    reach = _REACH * float(radius) / float(length)
        return reach

    @torch.no_grad()
    def move(self, x: Tensor, u: Tensor, step: float, vectors: Tensor) -> Tensor:
        """Make retr_x(step u) the current point; return the vectors transported there, (*, N)."""
        self.write(x)  # K of the start
        y, carried = x.add(u, alpha=step), vectors.clone()
        for segment in self.segments:
            start, shift, rows = (segment.read(flat) for flat in (x, u, vectors))
            reached, moved = segment.manifold.retr_transp(start, step * shift, rows)
            segment.view(y).copy_(reached)
            segment.view(carried).copy_(moved)
        return self._arrive(y, carried)

    @torch.no_grad()
    def advance(self, x: Tensor, u: Tensor, step: float) -> Tensor:
        """Make retr_x(step u) the current point; return the velocity there, d/dt retr_x(t u)."""
        self.write(x)
        y, velocity = x.add(u, alpha=step), u.clone()
        for segment in self.segments:
            reached, moved = _velocity(segment.manifold, segment.read(x), segment.read(u), step)
            segment.view(y).copy_(reached)
            segment.view(velocity).copy_(moved)
        return self._arrive(y, velocity)

    def _arrive(self, y: Tensor, vectors: Tensor) -> Tensor:
        self.write(y)
        for segment in self.segments:
            if segment.drifts:  # the curvature has just been written
                rows = segment.read(vectors)
                base = segment.read(y).expand_as(rows).clone()
                point, pushed = _pushed(segment.manifold.projx, base, rows)
                segment.view(y).copy_(point.reshape(-1, *segment.read(y).shape)[0])
                segment.view(vectors).copy_(pushed)
        self.write(y)
        return vectors


def is_flat(manifold: Manifold | None) -> bool:
    """Tell whether a parameter with this mark moves as a plain one does."""
    if isinstance(manifold, Product):
        return all(is_flat(factor) for factor in manifold.factors)
    return manifold is None or isinstance(manifold, Euclidean)


def _place(parameter: Tensor) -> tuple[int, torch.dtype] | None:
    """Return what parameters share whose rows can be moved by one call; None of flat ones."""
    manifold = manifold_of(parameter)
    return None if is_flat(manifold) else (id(manifold), parameter.dtype)


def _factors(manifold: Manifold, start: int, stop: int) -> Iterator[tuple[Manifold, slice]]:
    if not isinstance(manifold, Product):
        yield manifold, slice(start, stop)
        return
    for factor, width in zip(manifold.factors, manifold.widths, strict=True):
        yield from _factors(factor, start, start + width)
        start += width


def _velocity(manifold: Manifold, x: Tensor, u: Tensor, step: float) -> tuple[Tensor, Tensor]:
    if manifold.retraction_order == inf:  # of a geodesic it is the transported u
        reached, moved = manifold.retr_transp(x, step * u, u)
        return reached, moved
    at = torch.tensor(step, dtype=x.dtype, device=x.device)
    return _pushed(lambda t: manifold.retr(x, t * u), at, torch.ones_like(at))


def _pushed(f: Callable[[Tensor], Tensor], x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Return f(x) and its derivative along u."""
    value, derivative = torch.func.jvp(f, (x,), (u,))[:2]
    return value, derivative


def dot(u: Tensor, v: Tensor) -> Tensor:
    """Return the sum of products of two tensors (N,), in float64: ()."""
    return torch.dot(wide(u), wide(v))


def _check(parameters: Sequence[Tensor]) -> None:
    for parameter in parameters:
        if parameter.is_complex():
            raise ValueError(
                f"parameters must be real, got {parameter.dtype}; use torch.view_as_real"
            )
        if hasattr(parameter, "to_local"):
            raise ValueError(
                f"a parameter {tuple(parameter.shape)} is spread over processes, and this step"
                " takes inner products over all of it; use a first-order optimizer, or"
                " DistributedDataParallel with a closure that returns the loss of all processes"
            )
    devices = sorted({str(parameter.device) for parameter in parameters})
    if len(devices) > 1:
        raise ValueError(f"all parameters must be on one device, got {', '.join(devices)}")
