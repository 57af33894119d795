"""How wrong results are against the truth on the same rounded inputs, and what is allowed.

Radii and lengths are in units of |K|^-1/2. Distances have hard bars: in float32 1e-6 relative on
the ball from radius 1e-6 to the last shell and on the hyperboloid to radius 30, on the sphere from
1e-8 to pi; of near pairs on the hyperboloid a few eps max(1, e^R / d). Points and vectors are
allowed a few roundings of their own coordinates, which are eps e^R long in negative curvature
(vectors on the ball, whose metric is conformal, eps alone).
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold, Lorentz
from noneuclid.manifolds.stereographic import GyrovectorSpace
from noneuclid.testing.oracle import Truth
from noneuclid.testing.samples import curvature_of, of_length

Pair = tuple[Tensor, Tensor]


class ErrorBudget(NamedTuple):
    """One row: the worst error of an operation at a radius, and the error allowed there."""

    operation: str
    case: str
    radius: float
    error: float
    allowed: float


def error_budget(
    manifold: HomogeneousManifold,
    dtype: torch.dtype,
    *,
    generator: torch.Generator | None = None,
    draws: int = 3,
) -> list[ErrorBudget]:
    """Measure distances, exp, log, transport and Moebius sums along a ladder of radii.

    Args:
        manifold: one that `Truth` knows.
        dtype: of the points.
        generator: source of directions (default: a fixed seed).
        draws: random directions per rung.

    Raises:
        ImportError: mpmath is not installed.
    """
    generator = generator or torch.Generator().manual_seed(0)
    with torch.no_grad():
        ladder = _Ladder(manifold, dtype, generator, draws)
        return [*ladder.distances(), *ladder.maps()]


def rungs(manifold: HomogeneousManifold, dtype: torch.dtype) -> list[float]:
    """Return the radii of the ladder for distances."""
    small = [1e-6, 1e-4, 1e-2, 0.1, 1.0, 2.0]
    if curvature_of(manifold) > 0:
        return [1e-8, *small, 3.0, math.pi - 1e-4, math.pi]
    double = dtype == torch.float64
    if isinstance(manifold, Lorentz):
        return [*small, 5.0, 10.0, 16.0, 22.0, 30.0, *([45.0] if double else [])]
    return [*small, 5.0, 8.0, 10.0, 13.0, 16.0, *([22.0, 30.0, 35.0] if double else [])]


class _Ladder:
    """The rungs of one manifold in one dtype."""

    def __init__(
        self,
        manifold: HomogeneousManifold,
        dtype: torch.dtype,
        generator: torch.Generator,
        draws: int,
    ) -> None:
        self.manifold, self.dtype, self.generator, self.draws = manifold, dtype, generator, draws
        self.truth = Truth(manifold)
        self.sign = self.truth.sign
        self.unit = 1 / float(self.truth.rate)
        self.eps = torch.finfo(dtype).eps
        self.bar = 1e-6 if dtype == torch.float32 else 1e-14

    def _at(self, radius: float) -> Tensor:
        """Return points at this radius in random directions, made in float64 and rounded."""
        shape = (self.draws, self.manifold.dim)
        direction = torch.randn(shape, generator=self.generator, dtype=torch.float64)
        direction = direction / direction.square().sum(-1, keepdim=True).sqrt()
        frame = self.manifold.from_frame(direction * radius * self.unit)
        return self.manifold.projx(self.manifold.expmap0(frame).to(self.dtype))

    def _beside(self, x: Tensor, length: float) -> Tensor:
        """Return points at this distance from `x` in random directions, rounded."""
        wide = self.manifold.projx(x.to(torch.float64))
        u = self.manifold.random_tangent(wide, generator=self.generator)
        u = of_length(self.manifold, wide, u, length * self.unit)
        return self.manifold.projx(self.manifold.expmap(wide, u).to(self.dtype))

    def distances(self) -> Iterator[ErrorBudget]:
        """Measure dist and dist0: from the origin, of generic, uneven, near and equal pairs."""
        for radius in rungs(self.manifold, self.dtype):
            x = self._at(radius)
            origin = self.manifold.origin(self.draws, dtype=self.dtype)
            yield self._distance("from the origin", radius, (origin, x))
            yield self._from_origin(radius, x)
            yield self._distance("generic", radius, (x, self._at(radius)))
            yield self._distance("uneven", radius, (x, self._at(0.3 * radius)))
            near = 1e-6 if radius <= 2 else 1e-4 if radius <= 5 else 1e-2
            yield self._distance("near", radius, (x, self._beside(x, min(near, radius / 10))))
            yield self._distance("equal", radius, (x, x.clone()))

    def _distance(self, case: str, radius: float, pair: Pair) -> ErrorBudget:
        measured = self.manifold.dist(*pair)
        worst, allowed = 0.0, self.bar
        for value, x, y in zip(measured, *pair, strict=True):
            true = self.truth.dist(x, y)
            # at 100 digits the truth of equal points is 1e-50 to 1e-36 (by acosh)
            distinct = true > 1e-30 * self.unit
            error = float(abs(float(value) - true) / true) if distinct else abs(float(value))
            worst = max(worst, error if math.isfinite(error) else math.inf)
            if case == "near" and isinstance(self.manifold, Lorentz) and distinct:
                separation = math.exp(radius) / float(true / self.unit)
                allowed = max(allowed, 4 * self.eps * max(1.0, separation))
        return ErrorBudget("dist", case, radius, worst, 0.0 if case == "equal" else allowed)

    def _from_origin(self, radius: float, x: Tensor) -> ErrorBudget:
        worst = 0.0
        for value, point in zip(self.manifold.dist0(x), x, strict=True):
            true = self.truth.dist0(point)
            worst = max(worst, float(abs(float(value) - true) / true))
        return ErrorBudget("dist0", "from the origin", radius, worst, self.bar)

    def maps(self) -> Iterator[ErrorBudget]:
        """Measure exp, log, transport and the maps at the origin at moderate radii."""
        largest = [3.0] if self.sign > 0 else [3.0, 6.0]
        if self.dtype == torch.float64 and self.sign <= 0:
            largest.append(14.0)
        for radius in (1e-4, 0.3, 1.0, *largest):
            x = self._at(radius)
            y, u = self._beside(x, 1.0), self.manifold.random_tangent(x, generator=self.generator)
            u = of_length(self.manifold, x, u, self.unit)
            yield self._points("expmap", radius, self.manifold.expmap(x, u), (x, u))
            yield self._vectors("logmap", radius, x, self.manifold.logmap(x, y), (x, y))
            yield self._vectors("transp", radius, y, self.manifold.transp(x, y, u), (x, y, u))
            origin = self.manifold.origin(self.draws, dtype=self.dtype)
            log = self.manifold.logmap0(x)
            yield self._points("expmap0", radius, self.manifold.expmap0(log), (log,))
            yield self._vectors("logmap0", radius, origin, log, (x,))
            yield self._vectors("transp0", radius, x, self.manifold.transp0(x, log), (x, log))
            if isinstance(self.manifold, GyrovectorSpace):
                total = self.manifold.mobius_add(x, y)
                yield self._points("mobius_add", radius, total, (x, y))

    def _base_growth(self, radius: float) -> float:
        """Return 1 + K|x|^2 at this radius on the projected sphere, else 1."""
        if self.sign > 0 and isinstance(self.manifold, GyrovectorSpace):
            return 1 / math.cos(radius / 2) ** 2
        return 1.0

    def _growth(self, ambient: list[Any]) -> float:
        """Return cosh R, and 1 + K|x|^2 on the projected sphere: what a relative eps is worth."""
        if self.sign > 0 and isinstance(self.manifold, GyrovectorSpace):
            return float(2 / (1 + ambient[0]))
        return float(abs(ambient[0]))

    def _points(
        self, name: str, radius: float, result: Tensor, arguments: tuple[Tensor, ...]
    ) -> ErrorBudget:
        """Allow the distance that a few roundings of the largest coordinate move a point."""
        operation, worst = getattr(self.truth, name), 0.0
        growth = self._base_growth(radius)
        for row, *given in zip(result, *arguments, strict=True):
            true = operation(*given)
            worst = max(worst, self.truth.point_error(row, true) / self.unit)
            growth = max(growth, self._growth(true))
        size = max(1.0, radius) if self.sign == 0 else 1.0
        return ErrorBudget(name, "absolute", radius, worst, 8 * self.eps * growth * size)

    def _vectors(
        self, name: str, radius: float, base: Tensor, result: Tensor, arguments: tuple[Tensor, ...]
    ) -> ErrorBudget:
        """Allow a few roundings of the vector's coordinates, relative to its length."""
        operation, worst = getattr(self.truth, name), 0.0
        growth = self._base_growth(radius)
        for point, row, *given in zip(base, result, *arguments, strict=True):
            true = operation(*given)
            size = float(self.truth.length(true))
            worst = max(worst, self.truth.vector_error(point, row, true) / size)
            if isinstance(self.manifold, Lorentz) or self.sign > 0:
                growth = max(growth, self._growth(self.truth.lift(point)))
        return ErrorBudget(name, "relative", radius, worst, 8 * self.eps * growth)
