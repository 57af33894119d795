"""The stereographic model of any constant curvature: Poincare ball, R^n, projected sphere.

A point is a vector x of R^n with metric lambda_x^2 <u, v>, lambda_x = 2 / (1 + K|x|^2). At K = 0
the metric is 4 <u, v>, so that every formula is analytic in K through 0.

Every operation is: a few row inner products in float64 (d = y - x rather than y, and the *gap*
g_x = 1 + K|x|^2 rounded once, because those are the small quantities near the rim and for near
pairs), scalar work per row, one linear combination of the rows in the points' dtype.
Source: [bachmann2020constant] section 2.2, [ganea2018hyperbolic] section 2; the forms below are
algebraically equal to theirs.
"""

import torch
from torch import Tensor

from noneuclid.manifolds._centroid import centroid
from noneuclid.manifolds._space_form import SpaceForm
from noneuclid.numerics import (
    asinck,
    gap,
    half_turn,
    largest_norm,
    row_dot,
    safe_divide,
    safe_sqrt,
    tanck,
    wide,
)


class StereographicFormulas(SpaceForm):
    """The formulas, for K of any sign."""

    # -- projection and metric -------------------------------------------------------------------

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        curvature = self._curvature_at(x)
        square = curvature.abs() * row_dot(x, x)
        ball, ball_target = largest_norm(dtype, "ball")
        sphere, sphere_target = largest_norm(dtype, "sphere")
        hyperbolic = curvature < 0
        beyond = torch.where(
            hyperbolic, gap(x, curvature) < (1 - ball) * (1 + ball), square > sphere * sphere
        )
        sphere_targets = torch.full_like(curvature, sphere_target)  # float64: a bare where is not
        target = torch.where(hyperbolic, ball_target, sphere_targets)
        factor = target / torch.where(beyond, square, 1).sqrt()
        return torch.where(beyond, (wide(x) * factor).to(x.dtype), x)

    def _read(self, x: Tensor) -> Tensor:
        """Return the point that `x` stands for after K may have moved: its projection."""
        return self._projx(x, x.dtype) if self.curvature.learnable else x

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return u.expand(torch.broadcast_shapes(x.shape, u.shape))

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        gap_x = gap(self._read(x), self._curvature_at(x))
        return (4 * row_dot(u, v) / (gap_x * gap_x))[..., 0]

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        gap_x = gap(self._read(x), self._curvature_at(x))
        return (gap_x * gap_x / 4).to(g.dtype) * g

    def lambda_x(self, x: Tensor) -> Tensor:
        """Return the conformal factor 2 / (1 + K|x|^2): (*, n) -> (*,), in the points' dtype."""

        def formula(x: Tensor) -> Tensor:
            return (2 / gap(self._read(x), self._curvature_at(x)))[..., 0]

        return self._call(formula, x)

    # -- geodesics -------------------------------------------------------------------------------

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        """Return x (+) w with w = tan_K(|u| / g) u / |u|, by cosine and sine of |u| / g.

        x (+) w = x + g (w - K|w|^2 x) / D with D = 1 - 2K x.w + K^2|x|^2|w|^2. With c, s the
        (co)sine of the half turn, c^2 D = (c - K s x.u/g)^2 + (K s/g)^2 (|x|^2|u|^2 - (x.u)^2),
        a sum of squares; c - K s x.u/g itself cancels on a path inward from the rim, where it is
        formed from the gap.
        """
        x = self._read(x)
        curvature = self._curvature_at(x)
        xx, xu, uu = row_dot(x, x), row_dot(x, u), row_dot(u, u)
        gap_x = gap(x, curvature)
        cosine, sine, rest = half_turn(curvature * uu / (gap_x * gap_x))
        along = self._along(curvature, (xx, xu, uu), gap_x, (cosine, sine, rest))
        across = (curvature * sine / gap_x).square() * (xx * uu - xu * xu).clamp(min=0)
        denominator = self._away_from_zero(along * along + across, cosine * cosine, x.dtype)
        step = sine * cosine / denominator
        pull = -curvature * sine * sine * uu / (gap_x * denominator)
        y = x + (step.to(x.dtype) * u + pull.to(x.dtype) * x)
        if self.curvature_sign >= 0:  # far out on a sphere x + ... would cancel
            moved = curvature * sine / gap_x * (sine * uu / gap_x + 2 * cosine * xu)
            far = (cosine * cosine - moved) / denominator * wide(x) + step * wide(u)
            y = torch.where(curvature * xx > 1, far.to(x.dtype), y)
        return self._projx(y, dtype)

    def _along(
        self,
        curvature: Tensor,
        products: tuple[Tensor, Tensor, Tensor],
        gap_x: Tensor,
        half: tuple[Tensor, Tensor, Tensor],
    ) -> Tensor:
        """Return c - K s x.u/g; on an inward path for K < 0 without cancellation."""
        (xx, xu, uu), (cosine, sine, rest) = products, half
        direct = cosine - curvature * sine * xu / gap_x
        inward = (curvature < 0) & (xu < 0)
        rate = safe_sqrt(torch.where(inward, -curvature, 0))
        x_norm = safe_sqrt(torch.where(inward, xx, 0))
        u_norm = safe_sqrt(torch.where(inward, uu, 0))
        toward = rate * rate * sine * (x_norm * u_norm + xu) / gap_x
        radial = rest + gap_x / (1 + rate * x_norm) * (rate * sine * u_norm / gap_x)
        return torch.where(inward, radial + toward, direct)

    def _away_from_zero(self, denominator: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
        """Keep a Moebius denominator off 0, its value at the antipode of the origin (K > 0).

        The floor hides positions within eps/10 radians of that antipode, beyond the last shell.
        """
        if self.curvature_sign < 0:
            return denominator
        floor = (torch.finfo(dtype).eps / 10) ** 2
        return torch.maximum(denominator, floor * (floor + scale))

    def _pair(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return (d, |d|^2, g_x, g_y, D) with d = y - x in float64 and D = g_x g_y - K|d|^2."""
        curvature = self._curvature_at(x)
        difference = wide(y) - wide(x)
        square = row_dot(difference, difference)
        gap_x, gap_y = gap(x, curvature), gap(y, curvature)
        denominator = gap_x * gap_y - curvature * square
        if self.curvature_sign >= 0:
            positive = self._denominator_of_sphere(x, y)
            denominator = torch.where(curvature > 0, positive, denominator)
        return difference, square, gap_x, gap_y, denominator

    def _denominator_of_sphere(self, x: Tensor, y: Tensor) -> Tensor:
        """Return D = 1 + 2K x.y + K^2|x|^2|y|^2 for K > 0, where g_x g_y - K|d|^2 cancels.

        Near the antipode the sum cancels too; there it is |x/|x| + K|x| y|^2.
        """
        curvature = self._curvature_at(x)
        xx, yy = row_dot(x, x), row_dot(y, y)
        size = 1 + curvature * curvature * xx * yy
        direct = size + 2 * curvature * row_dot(x, y)
        cancels = (direct < size / 16) & (curvature > 0)
        x_norm = safe_sqrt(torch.where(cancels, xx, 1))
        chord = wide(x) / x_norm + curvature * x_norm * wide(y)
        return torch.where(cancels, row_dot(chord, chord), direct)

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        """Return d^2 by d = 2 asin_K(|y - x| / sqrt(g_x g_y)), the chord form.

        It is exact for near pairs and at the rim, where the Moebius difference cancels.
        """
        x, y = self._read(x), self._read(y)
        _, square, gap_x, gap_y, denominator = self._pair(x, y)
        chord = square / (gap_x * gap_y)
        z = self._curvature_at(x) * chord
        angle = asinck(z, denominator / (gap_x * gap_y))
        return (4 * chord * angle * angle)[..., 0]

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        """Return g_x asin_K(...) N / sqrt(g_x g_y D), N = g_x (y - x) + K|y - x|^2 x.

        N is the numerator of -x (+) y with its difference formed first; |N|^2 = |y - x|^2 D.
        """
        x, y = self._read(x), self._read(y)
        curvature = self._curvature_at(x)
        difference, square, gap_x, gap_y, denominator = self._pair(x, y)
        both = gap_x * gap_y
        angle = gap_x * asinck(curvature * square / both, denominator / both)
        if self.curvature_sign < 0:
            scale = angle / (both * denominator).sqrt()
            away, back = scale * gap_x, scale * curvature * square
            return away.to(x.dtype) * difference.to(x.dtype) + back.to(x.dtype) * x
        numerator = self._far_numerator(x, y, gap_x * difference + curvature * square * wide(x))
        length = safe_sqrt(square / both)
        # Near the antipode N is a difference of equals: only its direction is used, and where
        # nothing is left of it any direction is shortest: the one of x.
        size = row_dot(numerator, numerator)
        cancels = denominator < both / 4
        numerator = torch.where(cancels & (size == 0), wide(x), numerator)
        size = torch.where(cancels, row_dot(numerator, numerator), 1)
        scale = torch.where(cancels, length / size.sqrt(), 1 / safe_sqrt(both * denominator))
        return (angle * scale * numerator).to(x.dtype)

    def _far_numerator(self, x: Tensor, y: Tensor, near: Tensor) -> Tensor:
        """Return N = g_x y - (1 + 2K x.y - K|y|^2) x where y - x has lost the digits of y."""
        curvature = self._curvature_at(x)
        xx, yy, xy = row_dot(x, x), row_dot(y, y), row_dot(x, y)
        back = 1 + 2 * curvature * xy - curvature * yy
        far = (1 + curvature * xx) * wide(y) - back * wide(x)
        return torch.where((curvature * xx > 1) & (yy < xx / 4), far, near)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """Return (g_y / g_x) gyr[y, -x] v, the gyration expanded in x and d = y - x.

        gyr[y, -x] v = v - 2K [(g_x d.v + K|d|^2 x.v) x - (x.v (g_x + 2K x.d) - K|x|^2 d.v) d] / D:
        every term is of the size of the result, also for near pairs at the rim.
        """
        x, y = self._read(x), self._read(y)
        curvature = self._curvature_at(x)
        difference, square, gap_x, gap_y, denominator = self._pair(x, y)
        xv, dv, xd = row_dot(x, v), row_dot(difference, v), row_dot(x, difference)
        factor = gap_y / gap_x
        turn = -2 * curvature * factor * safe_divide(torch.ones_like(denominator), denominator)
        on_x = turn * (gap_x * dv + curvature * square * xv)
        on_d = -turn * (xv * (gap_x + 2 * curvature * xd) - curvature * row_dot(x, x) * dv)
        moved = (on_x.to(x.dtype) * x) + on_d.to(x.dtype) * difference.to(x.dtype)
        return factor.to(x.dtype) * v + moved

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the gyromidpoint, as the normalised sum on the hyperboloid or sphere.

        A = sum w 2x/g, B = sum w (2 - g)/g, result A / (B + sqrt(B^2 + K|A|^2)): right beyond the
        equator too, where the usual quotient changes sign. Source: [shimizu2021hyperbolic] sec. 4.
        """
        x = self._read(x)
        curvature = self._curvature_at(x)
        gap_x = gap(x, curvature)
        point = centroid(2 / gap_x * wide(x), (2 - gap_x) / gap_x, w, curvature)
        # At the antipode of the origin the sum vanishes: any point beyond the last shell will do.
        beyond = 1 / torch.finfo(dtype).eps ** 1.5
        return self._projx(torch.where(point.isfinite(), point, beyond).to(x.dtype), dtype)

    # -- origin ----------------------------------------------------------------------------------

    def _origin(self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.zeros(*size, self.dim, dtype=dtype, device=device)

    def _expmap0(self, u: Tensor, dtype: torch.dtype) -> Tensor:
        stretch = tanck(self._curvature_at(u) * row_dot(u, u)).to(u.dtype)
        return self._projx(stretch * u, dtype)

    def _logmap0(self, y: Tensor) -> Tensor:
        y = self._read(y)
        return (self._half_angle0(y) * wide(y)).to(y.dtype)

    def _half_angle0(self, y: Tensor) -> Tensor:
        """Return artan_K(|y|) / |y|, as asin_K(|y| / sqrt g) because the gap g is exact."""
        gap_y = gap(y, self._curvature_at(y))
        return asinck(self._curvature_at(y) * row_dot(y, y) / gap_y, 1 / gap_y) / gap_y.sqrt()

    def _dist02(self, x: Tensor) -> Tensor:
        x = self._read(x)
        return (4 * row_dot(x, x) * self._half_angle0(x).square())[..., 0]

    def _transp0(self, y: Tensor, u: Tensor) -> Tensor:
        return gap(self._read(y), self._curvature_at(y)).to(u.dtype) * u

    def _transp0back(self, x: Tensor, u: Tensor) -> Tensor:
        return (1 / gap(self._read(x), self._curvature_at(x))).to(u.dtype) * u

    def _from_frame(self, coordinates: Tensor) -> Tensor:
        return coordinates / 2

    def _to_frame(self, u: Tensor) -> Tensor:
        return 2 * u

    # -- random and checks -----------------------------------------------------------------------

    def _random_near_origin(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        """Draw exp_o of a normal vector whose root mean square length is min(1, |K|^-1/2)."""
        normal = torch.randn(*size, self.dim, generator=generator, dtype=dtype, device=device)
        spread = 1 / (2 * self.dim**0.5 * self.curvature(device).abs().clamp(min=1).sqrt())
        return self._expmap0(normal * spread.to(dtype), dtype)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        normal = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return (gap(self._read(x), self._curvature_at(x)) / 2).to(x.dtype) * normal

    def _violation(self, x: Tensor) -> Tensor:
        moved = self._projx(x, x.dtype)
        return safe_divide((x - moved).abs().amax(-1), moved.abs().amax(-1))

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        return torch.zeros(torch.broadcast_shapes(x.shape, u.shape)[:-1], device=x.device)
