"""Arguments to measure accuracy on: pairs and vectors along a ladder of radii, rounded to a dtype.

Radii and lengths are in units of |K|^-1/2 (1 where K = 0). Everything is made in float64 and
rounded: what counts is the truth on the rounded numbers.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold, Lorentz, Sphere
from noneuclid.testing.measured import Call
from noneuclid.testing.oracle import SIGNATURES
from noneuclid.testing.samples import curvature_of, of_length

PAIRS = ("generic", "uneven", "near")
LENGTHS = {"short": 1e-3, "unit": 1.0}


class Case(NamedTuple):
    """A call at a radius; `name` tells how its points or vectors lie."""

    name: str
    radius: float
    call: Call


def radii(manifold: HomogeneousManifold, dtype: torch.dtype) -> list[float]:
    """Return the radii at which the model is measured in this dtype, up to its reach."""
    small, double = [1e-6, 1e-4, 1e-2, 0.1, 1.0, 2.0], dtype == torch.float64
    curvature = curvature_of(manifold)
    if curvature > 0:
        return [1e-8, *small, 3.0, math.pi - 1e-2, math.pi - 1e-4]
    if curvature == 0:
        return [*small, 10.0, 1e3]
    if isinstance(manifold, Lorentz):
        return [*small, 5.0, 10.0, 16.0, 22.0, 30.0, *([45.0, 100.0, 200.0, 300.0] * double)]
    return [*small, 5.0, 8.0, 10.0, 13.0, 16.0, *([22.0, 30.0, 36.0] * double)]


def operations_of(manifold: HomogeneousManifold) -> list[str]:
    """Return the operations of the oracle that the manifold has."""
    return [name for name in SIGNATURES if hasattr(manifold, name)]


def _names(letters: str) -> tuple[str, ...]:
    if "y" in letters or "p" in letters:
        return PAIRS
    return tuple(LENGTHS) if "u" in letters else ("at radius",)


class Cases:
    """Source of cases for one manifold and dtype."""

    def __init__(
        self, manifold: HomogeneousManifold, dtype: torch.dtype, generator: torch.Generator
    ) -> None:
        self.manifold, self.dtype, self.generator = manifold, dtype, generator
        self.unit = abs(curvature_of(manifold) or 1.0) ** -0.5

    def of(self, operation: str, radius: float) -> Iterator[Case]:
        """Yield each kind of pair or vector once, unless it is not regular."""
        letters = SIGNATURES[operation].arguments
        for name in _names(letters):
            with torch.no_grad():
                arguments = self._arguments(letters, name, radius)
                weight = self._weight(operation)
            call = Call(self.manifold, operation, arguments, weight)
            if call.is_regular():
                yield Case(name, radius, call)

    def _arguments(self, letters: str, name: str, radius: float) -> list[Tensor]:
        manifold = self.manifold
        x = self._base(letters, radius)
        other = self._other(x, name, radius)
        made = {"x": x, "y": other, "p": other}
        if letters == "xypw":
            made["p"] = self._other(x, "uneven", radius)
            made["w"] = (0.1 + torch.rand(3, generator=self.generator)).to(self.dtype)
        if "u" in letters:
            made["u"] = self._vector(x, LENGTHS.get(name, 1.0))
        if "a" in letters:
            made["a"] = self._vector(other, 1.0)
        if letters == "xo":
            made["o"] = self._vector(manifold.origin(dtype=self.dtype), 1.0)
        if letters == "o":
            made["o"] = self._frame(radius).to(self.dtype)
        return [made[letter] for letter in letters]

    def _frame(self, length: float) -> Tensor:
        """Return a vector of this length at the origin, in float64."""
        normal = torch.randn(self.manifold.dim, generator=self.generator, dtype=torch.float64)
        direction = normal / normal.square().sum().sqrt()
        return self.manifold.from_frame(direction * length * self.unit)

    def at(self, radius: float) -> Tensor:
        """Return a point at this distance from the origin, in a random direction."""
        return self.manifold.projx(self.manifold.expmap0(self._frame(radius)).to(self.dtype))

    def _base(self, letters: str, radius: float) -> Tensor:
        """Return x at the radius; on the sphere, where no point is special, anywhere in a pair."""
        if isinstance(self.manifold, Sphere) and letters not in ("x", "xo"):
            return self.manifold.random(generator=self.generator, dtype=self.dtype)
        return self.at(radius)

    def _other(self, x: Tensor, name: str, radius: float) -> Tensor:
        near = 1e-6 if radius <= 2 else 1e-4 if radius <= 5 else 1e-2
        if name == "near":
            return self._beside(x, min(near, radius / 10))
        if isinstance(self.manifold, Sphere):
            return self._beside(x, radius if name == "generic" else 0.3 * radius)
        return self.at((0.9 if name == "generic" else 0.3) * radius)  # never coincident

    def _beside(self, x: Tensor, length: float) -> Tensor:
        """Return a point at this distance from `x` in a random direction, rounded."""
        wide = self.manifold.projx(x.to(torch.float64))
        u = self.manifold.random_tangent(wide, generator=self.generator)
        u = of_length(self.manifold, wide, u, length * self.unit)
        return self.manifold.projx(self.manifold.expmap(wide, u).to(self.dtype))

    def _vector(self, x: Tensor, length: float) -> Tensor:
        """Return a vector whose numbers, once rounded, have this length to within a factor 1.5.

        Far out on the hyperboloid rounding alone makes a vector eps e^R longer: it is scaled by
        a power of two after rounding.
        """
        wide = x.to(torch.float64)
        u = self.manifold.random_tangent(wide, generator=self.generator)
        u = self.manifold.proju(x, u.to(self.dtype))
        actual = float(self.manifold.norm(wide, u.to(torch.float64)))
        power = round(math.log2(length * self.unit / actual))
        return self.manifold.proju(x, torch.ldexp(u, torch.tensor(power)))

    def _weight(self, operation: str) -> Tensor:
        if SIGNATURES[operation].result == "scalar":
            return torch.ones(1, dtype=self.dtype)
        count = self.manifold.point_shape[0] - isinstance(self.manifold, Lorentz)
        return torch.randn(count, generator=self.generator, dtype=self.dtype)
