"""How wrong results are against the truth on the same rounded inputs, and what is allowed.

Radii and lengths are in units of |K|^-1/2, errors relative to the norm of the true row of numbers.
Values are allowed 2 eps in float32 and 8 in float64, gradients in every argument and in K 8 and
256; where rounding the arguments moves the truth farther, a small multiple of that (`measured.py`).
Distances are measured on every rung of a ladder, on the ball from radius 1e-6 to the last shell,
on the hyperboloid to 30 (float64: 45), on the sphere from 1e-8 to pi; of near pairs on the
hyperboloid they are allowed a few eps max(1, e^R / d).
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold, Lorentz
from noneuclid.testing.cases import Case, Cases, operations_of, radii
from noneuclid.testing.measured import VALUE_BAR
from noneuclid.testing.oracle import Truth
from noneuclid.testing.samples import curvature_of, of_length

Pair = tuple[Tensor, Tensor]
_FARTHEST = 36.0  # radius to which operations are measured; docs/accuracy.md goes farther


class ErrorBudget(NamedTuple):
    """One row: the worst relative error of an operation at a radius, and the error allowed there.

    `operation` is a method's name for its values, "d expmap/du" for a gradient.
    """

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
    """Measure distances along a ladder of radii, and every operation and its gradients on it.

    Args:
        manifold: one that `Truth` knows.
        dtype: of the points.
        generator: source of directions (default: a fixed seed).
        draws: random directions per rung, and random rungs per operation.

    Raises:
        ImportError: mpmath is not installed.
    """
    generator = generator or torch.Generator().manual_seed(0)
    ladder = _Ladder(manifold, dtype, generator, draws)
    with torch.no_grad():
        distances = list(ladder.distances())
    return [*distances, *ladder.operations()]


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
        self.unit = 1 / float(self.truth.rate)
        self.eps = torch.finfo(dtype).eps
        self.bar = VALUE_BAR[dtype] * self.eps

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

    def operations(self) -> Iterator[ErrorBudget]:
        """Measure every operation and its gradients, each at a few random rungs."""
        cases = Cases(self.manifold, self.dtype, self.generator)
        for name in operations_of(self.manifold):
            for _ in range(self.draws):
                yield from self._measured(name, self._draw(cases, name))

    def _draw(self, cases: Cases, operation: str) -> Case:
        """Return a random case at a random radius; there are always some that are regular."""
        ladder = [r for r in radii(self.manifold, self.dtype) if r <= _FARTHEST]
        while True:
            found = list(cases.of(operation, ladder[self._choice(len(ladder))]))
            if found:
                return found[self._choice(len(found))]

    def _choice(self, count: int) -> int:
        return int(torch.randint(count, (), generator=self.generator))

    def _measured(self, operation: str, case: Case) -> Iterator[ErrorBudget]:
        for error in (case.call.value_error(), *case.call.gradient_errors()):
            name = f"d {operation}/d{error.argument}" if error.argument else operation
            relative, allowed = error.error * self.eps, error.allowed * self.eps
            allowed *= self._known_loss(operation, error.argument, case)
            yield ErrorBudget(name, case.name, case.radius, relative, allowed)

    def _known_loss(self, operation: str, argument: str, case: Case) -> float:
        """Return the factor by which an operation is known to lose more; docs/design.md says why.

        - Transport on the hyperboloid: 4.
        - Derivatives by K near the origin: 1/R^2, the ratio of a result to its derivative there.
        - The radial derivative of expmap0 for K < 0: e^2R, the ratio to the tangential one.
        - Derivatives near an antipode: 16 over the square of the distance from it.
        """
        sign = curvature_of(self.manifold)
        is_lorentz = isinstance(self.manifold, Lorentz)
        radius = case.radius
        loss = 4.0 if is_lorentz and operation == "transp" else 1.0
        if not argument:
            return loss
        if argument == "K":
            loss = max(loss, radius**-2)
        if sign < 0 and operation == "expmap0":
            loss = max(loss, math.exp(2 * radius))
        if sign > 0:
            loss = max(loss, 16 * (math.pi - min(radius, math.pi - 1e-5)) ** -2)
        return loss
