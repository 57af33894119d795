"""The hyperboloid (Lorentz) model of hyperbolic space.

A point is (t, xs) with t = sqrt(1/|K| + |xs|^2): it *is* its space part xs, and t is derived. So
is the time entry t' = xs.vs / t of a tangent vector. Every formula reads the space parts only, in
units of |K|^-1/2 and in float64, and `projx` writes the derived entry: a point cannot be off its
sheet, and stays on it when K changes.
Source: [chen2022fully] section 3 for the model, [ungar2008analytic] for its gyrovectors; each
method states the form that keeps its digits.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from noneuclid.manifolds._centroid import timelike_sum
from noneuclid.manifolds._space_form import SpaceForm
from noneuclid.numerics import (
    asinck,
    direction_chord,
    largest_norm,
    row_dot,
    safe_divide,
    safe_sqrt,
    turn,
    wide,
)

_NEAR_ORIGIN = 0.01  # |xs|^2 below which radial and tangential parts are not told apart
_SMALL = 4.0  # |xs|^2 below which the plain chord loses at most 4 bits


def _reach(dtype: torch.dtype) -> float:
    """Return a radius beyond the last shell whose coordinates (and, in float64, squares) exist."""
    return 340.0 if dtype == torch.float64 else 80.0


@dataclass(frozen=True)
class _Pair:
    """Two points in units of |K|^-1/2, with the row scalars that the formulas share."""

    x: Tensor
    difference: Tensor  # y - x, formed before any rounding
    x_norm: Tensor
    y_norm: Tensor
    x_time: Tensor
    y_time: Tensor
    growth: Tensor  # |y|^2 - |x|^2 = (y - x).(y + x)
    half: Tensor  # sinh^2(d / 2)


class Lorentz(SpaceForm):
    """The hyperboloid model of H^n, K < 0; points have n + 1 coordinates, time first.

    `random`: exp_o of a normal vector with root mean square length |K|^-1/2. `proju` keeps the
    space part and rewrites the time entry; gradients go through `egrad2rgrad`, which accepts any
    ambient gradient (its time entry may be 0).
    Accuracy: float32 distances are right to 1e-6 relative up to radius 30 |K|^-1/2; of near pairs
    to a few eps max(1, e^R / d), what the coordinates themselves resolve.
    """

    curvature_sign = -1
    default_curvature = -1.0
    _extra_coordinates = 1

    # -- reading and writing ---------------------------------------------------------------------

    def _unit_space(self, x: Tensor) -> Tensor:
        """Return the space part in units of |K|^-1/2: float64, (*, n)."""
        return wide(x[..., 1:]) * (-self._curvature_at(x)).sqrt()

    def _with_time(self, space: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the point with this space part (*, n), moved to the last shell if beyond.

        The time entry belongs to the space part as it will be stored, after rounding to `dtype`.
        """
        curvature = self._curvature_at(space)
        limit, target = largest_norm(dtype, "hyperboloid")
        square = row_dot(space, space)
        beyond = -curvature * square > limit * limit
        factor = target / (-curvature * torch.where(beyond, square, 1)).sqrt()
        space = torch.where(beyond, (wide(space) * factor).to(space.dtype), space)
        space = space.to(dtype).to(space.dtype)
        time = (row_dot(space, space) - 1 / curvature).sqrt()
        return torch.cat([time.to(space.dtype), space], dim=-1)

    def _with_vector_time(self, x: Tensor, space: Tensor) -> Tensor:
        """Return the tangent vector at `x` with this space part: its time entry is xs.vs / t."""
        base = x[..., 1:]
        time = (row_dot(base, base) - 1 / self._curvature_at(x)).sqrt()
        entry = row_dot(wide(base) / time, space).to(space.dtype)  # |base| |space| may overflow
        space = space.expand(*entry.shape[:-1], self.dim)
        return torch.cat([entry, space], dim=-1)

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return self._with_time(x[..., 1:], dtype)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return self._with_vector_time(x, u[..., 1:])

    # -- metric ----------------------------------------------------------------------------------

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self._space_inner(self._unit_space(x), wide(u[..., 1:]), wide(v[..., 1:]))[..., 0]

    def _space_inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Return us.vs - (xs.us)(xs.vs)/t^2, its radial and tangential parts apart.

        The difference cancels by e^2R for radial vectors: far out, with e = xs/|xs|, the
        tangential rest us - (us.e) e is formed first and the radial part enters divided by t^2.
        """
        xx = row_dot(x, x)
        far = xx > _NEAR_ORIGIN
        near = torch.where(far, 0, x)
        plain = row_dot(u, v) - row_dot(near, u) * row_dot(near, v) / (1 + row_dot(near, near))
        outward = x / torch.where(far, xx, 1).sqrt()
        u_out, v_out = row_dot(outward, u), row_dot(outward, v)
        across = row_dot(u - u_out * outward, v - v_out * outward)
        return torch.where(far, across + u_out * v_out / (1 + xx), plain)

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        """Return (1 - K xs xs^T) applied to gs + g_t xs / t: the inverse metric in space parts."""
        space = self._unit_space(x)
        time = (1 + row_dot(space, space)).sqrt()
        gradient = wide(g[..., 1:]) + wide(g[..., :1]) * (space / time)
        result = gradient + row_dot(space, gradient) * space
        return self._with_vector_time(x, result.to(g.dtype))

    # -- geodesics -------------------------------------------------------------------------------

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        """Return cosh(a) xs + sinh(a)/a us with a = sqrt|K| |u|."""
        rate = -self._curvature_at(x)
        unit, space = self._unit_space(x), wide(u[..., 1:])
        square = self._space_inner(unit, space, space).clamp(min=0)
        room = _reach(x.dtype) - torch.log1p(safe_sqrt(row_dot(unit, unit)))
        cosine, sine = (factor.to(x.dtype) for factor in turn(-rate * square, room))
        return self._with_time(cosine * x[..., 1:] + sine * u[..., 1:], dtype)

    def _pair(self, x: Tensor, y: Tensor) -> _Pair:
        """Return the row scalars of a pair; `half` in the form that keeps its digits.

        - both near the origin: 4 sinh^2(d/2) = |y - x|^2 - (t_y - t_x)^2, the chord, with
          t_y - t_x = (|y|^2 - |x|^2) / (t_x + t_y);
        - one near the origin: cosh d = t_x t_y - x.y, whose terms do not cancel then;
        - else sinh^2((r_y - r_x)/2) + |x||y| |x/|x| - y/|y||^2 / 4, with
          sinh(r_y - r_x) = (|y|^2 - |x|^2) / (|x| t_y + |y| t_x): no term cancels.
        """
        rate = (-self._curvature_at(x)).sqrt()
        difference = (wide(y[..., 1:]) - wide(x[..., 1:])) * rate
        x, y = self._unit_space(x), self._unit_space(y)
        xx, yy = row_dot(x, x), row_dot(y, y)
        x_norm, y_norm = safe_sqrt(xx), safe_sqrt(yy)
        x_time, y_time = (1 + xx).sqrt(), (1 + yy).sqrt()
        growth = row_dot(difference, x + y)
        chord = (row_dot(difference, difference) - (growth / (x_time + y_time)).square()) / 4
        mixed = (x_time * y_time - row_dot(x, y) - 1) / 2
        far = torch.minimum(xx, yy) > _NEAR_ORIGIN
        radial = growth / torch.where(far, x_norm * y_time + y_norm * x_time, 1)
        radial = radial / (2 + 2 * (1 + radial * radial).sqrt()) * radial
        angular = direction_chord(x, y, safe_sqrt(x_norm * y_norm) / 2)
        small = torch.maximum(xx, yy) < _SMALL
        half = torch.where(small, chord.clamp(min=0), torch.where(far, radial + angular, mixed))
        return _Pair(x, difference, x_norm, y_norm, x_time, y_time, growth, half)

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        """Return d^2 by d = 2 asinh(sqrt(sinh^2(d/2))), never by acosh."""
        half = self._pair(x, y).half
        angle = asinck(-half, 1 + half)
        return (4 * half * angle * angle / -self._curvature_at(x))[..., 0]

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        """Return d/sinh(d) (ys - cosh(d) xs) as d/sinh(d) ((ys - xs) - 2 sinh^2(d/2) xs)."""
        half = self._pair(x, y).half
        angle, root = asinck(-half, 1 + half), (1 + half).sqrt()
        scale = angle / root
        difference = y[..., 1:] - x[..., 1:]
        pull = (-2 * angle * (half / root)).to(x.dtype)  # half * angle would overflow in backward
        return self._with_vector_time(x, scale.to(x.dtype) * difference + pull * x[..., 1:])

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """Return v + <y, v> / (1 + cosh d) (x + y), Lorentz product in space parts."""
        pair = self._pair(x, y)
        vector = wide(v[..., 1:])
        both = wide(x[..., 1:]) + wide(y[..., 1:])
        rate = (-self._curvature_at(x)).sqrt()
        weight = self._pairing(pair, vector) / (2 * (1 + pair.half)) * rate
        return self._with_vector_time(y, (vector + weight * both).to(v.dtype))

    def _pairing(self, pair: _Pair, vector: Tensor) -> Tensor:
        """Return the Lorentz product <y, v> of y with a vector at x; the plain sum cancels by e^2R.

        With e = xs/|xs|: <y, v> = d_across.v + (e.v) (sinh(r_y - r_x)/t_x - (|y| - y.e)), and
        |y| - y.e = |d_across|^2 / (|y| + y.e) where y.e > 0.
        """
        xv = row_dot(pair.x, vector)
        plain = row_dot(pair.difference, vector)
        plain = plain - xv / pair.x_time * (pair.growth / (pair.x_time + pair.y_time))
        far = torch.minimum(pair.x_norm, pair.y_norm).square() > _NEAR_ORIGIN
        x_norm = torch.where(far, pair.x_norm, 1)
        outward = torch.where(far, pair.x, 0) / x_norm
        outward_step = row_dot(outward, pair.difference)
        across = pair.difference - outward_step * outward
        along = x_norm + outward_step  # y.e
        ahead = along > 0
        shortfall = torch.where(
            ahead,
            row_dot(across, across) / torch.where(ahead, pair.y_norm + along, 1),
            pair.y_norm - along,
        )
        sweep = pair.growth / torch.where(far, x_norm * pair.y_time + pair.y_norm * pair.x_time, 1)
        # The radial part of a vector is e^R long: what rounding left of it in `across` would show.
        radial = row_dot(outward, vector)
        apart = radial * (sweep / pair.x_time - shortfall)
        apart = apart + row_dot(across, vector - radial * outward)
        return torch.where(far, apart, plain)

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the Lorentz centroid sum w x / |sum w x|. Source: [chen2022fully] Eq. (8)."""
        space = self._unit_space(x)
        total, _, length = timelike_sum(space, (1 + row_dot(space, space)).sqrt(), w)
        unit = safe_divide(total, length) / (-self._curvature_at(x)).sqrt()
        return self._with_time(unit.to(x.dtype), dtype)

    # -- origin ----------------------------------------------------------------------------------

    def _origin(self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        return self._with_time(torch.zeros(*size, self.dim, dtype=dtype, device=device), dtype)

    def _expmap0(self, u: Tensor, dtype: torch.dtype) -> Tensor:
        space = u[..., 1:]
        _, sine = turn(self._curvature_at(u) * row_dot(space, space), _reach(u.dtype))
        return self._with_time(sine.to(u.dtype) * space, dtype)

    def _logmap0(self, y: Tensor) -> Tensor:
        """Return asinh(|ys|)/|ys| ys: the distance is read off the space part."""
        unit = self._unit_space(y)
        square = row_dot(unit, unit)
        space = asinck(-square, 1 + square).to(y.dtype) * y[..., 1:]
        return torch.cat([torch.zeros_like(space[..., :1]), space], dim=-1)

    def _dist02(self, x: Tensor) -> Tensor:
        unit = self._unit_space(x)
        square = row_dot(unit, unit)
        angle = asinck(-square, 1 + square)
        return (square * angle * angle / -self._curvature_at(x))[..., 0]

    def _transp0(self, y: Tensor, u: Tensor) -> Tensor:
        """Return us + (ys.us) ys / (1 + t), in units of |K|^-1/2."""
        base = self._unit_space(y)
        vector = wide(u[..., 1:])
        weight = row_dot(base, vector) / (1 + (1 + row_dot(base, base)).sqrt())
        return self._with_vector_time(y, (vector + weight * base).to(u.dtype))

    def _transp0back(self, x: Tensor, u: Tensor) -> Tensor:
        """Return us - (xs.us) xs / (t (1 + t)); far out its radial part apart, (e.u / t) e."""
        base = self._unit_space(x)
        vector = wide(u[..., 1:])
        xx = row_dot(base, base)
        time = (1 + xx).sqrt()
        far = xx > _NEAR_ORIGIN
        outward = base / torch.where(far, xx, 1).sqrt()
        radial = row_dot(outward, vector)
        apart = (vector - radial * outward) + radial / time * outward
        plain = vector - row_dot(base, vector) / (time * (1 + time)) * base
        space = torch.where(far, apart, plain).to(u.dtype)
        return torch.cat([torch.zeros_like(space[..., :1]), space], dim=-1)

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
        normal = torch.randn(*size, self.dim, generator=generator, dtype=dtype, device=device)
        spread = 1 / (self.dim * -self.curvature(device)).sqrt()
        return self._expmap0(self._from_frame(normal * spread.to(dtype)), dtype)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        shape = (*x.shape[:-1], self.dim)
        normal = torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)
        return self._transp0(x, self._from_frame(normal))

    def _violation(self, x: Tensor) -> Tensor:
        time = self._projx(x, x.dtype)[..., 0]
        return (x[..., 0] - time).abs() / time

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        moved = self._proju(x, u)
        return safe_divide((u - moved)[..., 0].abs(), u.abs().amax(-1))
