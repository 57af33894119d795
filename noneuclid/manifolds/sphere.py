"""The sphere of constant curvature K > 0 in R^(n+1)."""

import torch
from torch import Tensor

from noneuclid.manifolds._space_form import SpaceForm
from noneuclid.numerics import (
    asinck,
    cosk,
    direction_chord,
    row_dot,
    safe_divide,
    safe_sqrt,
    sinck,
    wide,
    with_derivative_of,
)


class Sphere(SpaceForm):
    """The sphere S^n of radius K^-1/2; points have n + 1 coordinates, the origin is the first axis.

    A point *is* its direction: formulas read x/|x|, `projx` writes the norm K^-1/2, and points
    stay points when K changes. A tangent vector is the part of its coordinates across x.
    `random` is the uniform law. At antipodes `logmap` returns one of the shortest vectors.
    Accuracy: float32 distances are right to 1e-6 relative from 1e-8 to pi K^-1/2.
    Source: [skopek2020mixed] appendix A for the formulas; the chord forms keep near pairs exact.
    """

    curvature_sign = 1
    default_curvature = 1.0
    _extra_coordinates = 1

    def _direction(self, x: Tensor) -> Tensor:
        """Return x / |x| in float64; the first axis where x = 0, which stands for no direction."""
        x = wide(x)
        square = row_dot(x, x)
        axis = torch.cat([torch.ones_like(x[..., :1]), torch.zeros_like(x[..., 1:])], dim=-1)
        present = square != 0  # true for NaN, which must stay visible
        return torch.where(present, x / torch.where(present, square, 1).sqrt(), axis)

    def _radius(self, x: Tensor) -> Tensor:
        return 1 / self._curvature_at(x).sqrt()

    def _across(self, direction: Tensor, u: Tensor) -> Tensor:
        u = wide(u)
        return u - row_dot(direction, u) * direction

    # -- projection and metric -------------------------------------------------------------------

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the direction at norm K^-1/2; a point within rounding of it is left alone."""
        square = self._curvature_at(x) * row_dot(x, x)
        there = (square - 1).abs() < 4 * torch.finfo(dtype).eps
        moved = (self._radius(x) * self._direction(x)).to(x.dtype)
        return torch.where(there, with_derivative_of(x, moved), moved)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return self._across(self._direction(x), u).to(u.dtype)

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        direction = self._direction(x)
        return row_dot(self._across(direction, u), self._across(direction, v))[..., 0]

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self._proju(x, g)

    # -- geodesics -------------------------------------------------------------------------------

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        """Return cos(a) x + sin(a)/a u with a = sqrt K |u|."""
        across = self._across(self._direction(x), u)
        z = self._curvature_at(x) * row_dot(across, across)
        moved = cosk(z) * (self._radius(x) * self._direction(x)) + sinck(z) * across
        moved = torch.where(z == 0, with_derivative_of(wide(x), moved), moved)
        return self._projx(moved.to(x.dtype), dtype)

    def _chords(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return (sin^2, cos^2) of half the angle between x and y, each to full accuracy."""
        return direction_chord(x, y) / 4, direction_chord(x, -y) / 4

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        """Return d^2 by d = 2 atan2(|x^ - y^|, |x^ + y^|), never by acos."""
        sine2, cosine2 = self._chords(x, y)
        angle = asinck(sine2, cosine2)
        return (4 * sine2 * angle * angle / self._curvature_at(x))[..., 0]

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        """Return theta p/|p|, p the part of y across x: (y - x) + |y - x|^2/2 x in directions.

        Past the equator p is formed from y + x in the same way. At the antipode, where p = 0,
        any tangent direction is shortest: the one of the coordinate axis farthest from x.
        """
        sine2, cosine2 = self._chords(x, y)
        direction, other = self._direction(x), self._direction(y)
        minus, plus = other - direction, other + direction
        near = sine2 <= cosine2
        part = torch.where(near, minus + 2 * sine2 * direction, plus - 2 * cosine2 * direction)
        # What rounding left along x would pass for a direction once the part across is as small.
        part = self._across(direction, part)
        smallest = torch.finfo(torch.float64).eps ** 2
        antipodal = ~near & (row_dot(part, part) <= smallest)
        axis = torch.zeros_like(direction).scatter(
            -1, direction.detach().abs().argmin(-1, keepdim=True), 1.0
        )
        part = torch.where(antipodal, self._across(direction, axis), part)
        angle = 2 * asinck(sine2, cosine2)  # theta / sin(theta/2)
        close = angle / (2 * torch.where(near, cosine2, 1).sqrt())
        length = torch.where(near, 1, row_dot(part, part)).sqrt()
        scale = torch.where(near, close, angle * safe_sqrt(sine2) / length)
        return (scale * self._radius(x) * part).to(x.dtype)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """Return v - (y.v) 2 (x + y)/|x + y|^2 in directions; v itself at the antipode."""
        direction, other = self._direction(x), self._direction(y)
        across = self._across(direction, v)
        both = direction + other
        weight = safe_divide(2 * row_dot(other - direction, across), row_dot(both, both))
        return (across - weight * both).to(v.dtype)

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the direction of sum w x^; the origin where the sum vanishes."""
        total = (w * self._direction(x)).sum(-2)
        return (self._radius(x) * self._direction(total)).to(x.dtype)

    # -- origin ----------------------------------------------------------------------------------

    def _origin(self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        point = torch.zeros(*size, self.dim + 1, dtype=torch.float64, device=device)
        return (self._radius(point) * self._direction(point)).to(dtype)

    def _expmap0(self, u: Tensor, dtype: torch.dtype) -> Tensor:
        across = u[..., 1:]
        z = self._curvature_at(u) * row_dot(across, across)
        moved = torch.cat([cosk(z) * self._radius(u), sinck(z) * wide(across)], dim=-1)
        return moved.to(u.dtype)

    def _logmap0(self, y: Tensor) -> Tensor:
        return self._logmap(self._origin((), y.dtype, y.device), y)

    def _dist02(self, x: Tensor) -> Tensor:
        return self._dist2(self._origin((), x.dtype, x.device), x)

    def _transp0(self, y: Tensor, u: Tensor) -> Tensor:
        return self._transp(self._origin((), y.dtype, y.device), y, u)

    def _transp0back(self, x: Tensor, u: Tensor) -> Tensor:
        return self._transp(x, self._origin((), x.dtype, x.device), u)

    def _from_frame(self, coordinates: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(coordinates[..., :1]), coordinates], dim=-1)

    def _to_frame(self, u: Tensor) -> Tensor:
        return u[..., 1:]

    # -- random and checks -----------------------------------------------------------------------

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        shape = (*size, self.dim + 1)
        normal = torch.randn(shape, generator=generator, dtype=torch.float64, device=device)
        return (self._radius(normal) * self._direction(normal)).to(dtype)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        normal = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return self._proju(x, normal)

    def _violation(self, x: Tensor) -> Tensor:
        return (self._curvature_at(x) * row_dot(x, x) - 1).abs()[..., 0] / 2

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        length = safe_sqrt(row_dot(u, u))
        return safe_divide(row_dot(self._direction(x), u).abs(), length)[..., 0]
