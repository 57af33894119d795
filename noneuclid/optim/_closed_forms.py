"""Steps along geodesics in closed form, for points of single precision.

All vectors of a step are combinations of a few stored rows: point, gradient, state. So are the
point it reaches and the vectors it carries there. The products of those rows, formed once in
float64, give everything else as row scalars: a step reads its rows twice and writes them once.

Along the geodesic from x with velocity d, in the ambient coordinates of a hyperboloid or a sphere,

    y = c x + s d,    v carried to y = v - K <v, d> (q d + s x),

where c = cosk(z), s = sinck(z), q = (1 - c) / z and z = K <d, d>. In float64 rows these sums lose
too much far out, where `TangentSpace` forms differences of points first; float32 rows lose less
than by the rounding of what is stored, for steps shorter than 10 |K|^-1/2.

Letters: as in `manifolds/_lorentz_formulas.py`; small letters are tensors, capitals rows.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from noneuclid.manifolds import Lorentz, Manifold, PoincareBall, Sphere
from noneuclid.manifolds import _lorentz_formulas as hyperboloid
from noneuclid.manifolds import _stereographic_formulas as ball
from noneuclid.numerics import (
    Row,
    advance,
    combination,
    dots,
    dots_across,
    expanded_dots,
    first,
    half_turn_inward,
    joined,
    largest_norm,
    rest,
    rows,
    safe_divide,
    safe_sqrt,
)
from noneuclid.optim._step import TangentSpace

_LONGEST = 80.0  # steps in units of |K|^-1/2: beyond lies the last shell, from wherever one starts


class _OnBall(TangentSpace):
    """K < 0; the gap g = 1 + K|x|^2 is half the inverse of the conformal factor."""

    manifold: PoincareBall

    def __init__(self, manifold: PoincareBall, x: Tensor) -> None:
        self.K, self.model = manifold._curvature_at(x), manifold._model
        super().__init__(manifold, ball.read(self.K, x, self.model))
        (X,) = rows(self.x)
        (xx,) = dots((X, X))
        self._stand(self.x, xx, 1 + self.K * xx)

    def _stand(self, x: Tensor, xx: Tensor, g: Tensor) -> None:
        self.x, (self.X,), self.xx, self.g, self.inverse = x, rows(x), xx, g, 1 / g

    def gradient(self, g: Tensor) -> Tensor:
        return combination((self.g * self.g / 4, g))

    def square(self, u: Tensor) -> Tensor:
        (U,) = rows(u)
        (uu,) = expanded_dots((U, U))
        return 4 * uu * self.inverse * self.inverse

    def _radius(self) -> tuple[Tensor, Tensor]:
        """Return r|x|, the norm in units of that of the rim, and its atanh."""
        norm = safe_sqrt(1 - self.g)
        return norm, torch.log1p(2 * norm * (1 + norm) / self.g) / 2

    def pull(self) -> Tensor:
        norm, half = self._radius()
        return combination((-self.g * torch.where(norm > 0, safe_divide(half, norm), 1.0), self.x))

    def shrunk(
        self, share: Tensor, vectors: Sequence[Tensor], dtype: torch.dtype
    ) -> tuple[TangentSpace, list[Tensor]]:
        """Return the space at x scaled; a vector scales with the gap."""
        norm, half = self._radius()
        falling = torch.expm1(-2 * (1 - share) * half)
        factor = torch.where(norm > 0, safe_divide(-falling / (2 + falling), norm), 1 - share)
        xx = factor * factor * self.xx
        g = 4 * (1 + falling) / ((2 + falling) * (2 + falling))
        there = copy.copy(self)
        there._stand(combination((factor, self.x)), xx, g)
        return there, [combination((g / self.g, v)) for v in vectors]

    def moved(self, d: Tensor, vectors: Sequence[Tensor], dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Return x (+) w, w = tan_K(|d| / g) d / |d|, and v (g_y / g_x) gyr[y, -x] v.

        Both as in the formulas of the manifold; what they read of y, its gap and the square of
        y - x, is known in closed form.
        """
        K, X, xx, g, inverse = self.K, self.X, self.xx, self.g, self.inverse
        U, *V = rows(d, *vectors)
        xu, uu = expanded_dots((X, U), (U, U))
        h, c, s, falling, unit = half_turn_inward(K * uu * inverse * inverse)
        D = self._denominator((h, c, s, falling), xu, (xx * uu - xu * xu).clamp(min=0))
        both = 1 / (D * c)  # one quotient for two
        over = both * c
        on_u = s * c * over
        bent = K * s * s * uu * over  # K|y - x|^2
        a = -bent * inverse  # y - x = a x + on_u u
        Y = (1 + a) * X + on_u * U
        still, dtypes = (uu == 0).to(uu.dtype), (self.x.dtype, dtype)
        y = ball.written(K, Y, g * unit * over, self.model, dtypes, rounded=still)
        _, target = largest_norm(dtype, "ball")
        # On the last shell, where y is moved to if beyond, the gap is this one.
        unit = torch.maximum(unit, (1 - target) * (1 + target) * inverse * D)
        turned = -2 * K * unit * (inverse * both * D).square()
        twist = g + 2 * K * (a * xx + on_u * xu)
        carried = []
        for vector, W in zip(vectors, V, strict=True):
            xv, uv = expanded_dots((X, W), (U, W))
            dv = a * xv + on_u * uv
            on_x = turned * (g * dv + bent * xv)
            on_d = turned * (K * xx * dv - xv * twist)
            moved = unit * over * W + (on_x + on_d * a) * X + (on_d * on_u) * U
            carried.append(moved.to(vector.dtype))
        return y, *carried

    def _denominator(self, turn: tuple[Tensor, ...], xu: Tensor, cross: Tensor) -> Tensor:
        """Return D of `expmap`, a sum of squares; see there for paths inward from the rim.

        `turn`: h = r|u| / g, and the half turn. Inward, what c - K s x.u/g has beyond c - h s is
        s (h g / (1 + r|x|) + K^2 cross / (g (r^2 |x||u| - K x.u))).
        """
        K, g, inverse = self.K, self.g, self.inverse
        h, c, s, falling = turn
        norm, inward = safe_sqrt(1 - g), xu < 0
        under = torch.where(inward, g * (norm * h * g + K * xu), 1.0)
        step = h * g * under + K * K * cross * (1 + norm)
        slope = K * s * inverse
        along = torch.where(inward, falling + s * (step / ((1 + norm) * under)), c - slope * xu)
        return along * along + slope.square() * cross


class _OnHyperboloid(TangentSpace):
    """K < 0; points and vectors are their space parts, told apart along x and across it.

    Along x a vector is as long as its part there over t, in units where t^2 = 1 - K|x|^2.
    """

    manifold: Lorentz

    def __init__(self, manifold: Lorentz, x: Tensor) -> None:
        super().__init__(manifold, rest(x))
        self.K = manifold._curvature_at(x)
        (X,) = rows(self.x)
        self._stand(self.x, *dots((X, X)))

    def _stand(self, x: Tensor, xx: Tensor) -> None:
        self.x, (self.X,), self.xx = x, rows(x), xx
        self.time2 = 1 - self.K * xx
        self.outward = safe_divide(torch.ones_like(xx), xx * self.time2)
        self.inverse = self.outward * self.time2

    def vector(self, stored: Tensor) -> Tensor:
        return rest(stored)

    def gradient(self, g: Tensor) -> Tensor:
        """Return g - K (x.g + t g_t) x."""
        (G,) = rows(rest(g))
        (xg,) = dots((self.X, G))
        along = -self.K * xg + (-self.K * self.time2).sqrt() * first(g)
        return combination((1.0, rest(g)), (along, self.x))

    def _inner(self, U: Row, V: Row) -> Tensor:
        (across,) = dots_across(self.X, self.inverse, (U, V))
        xu, xv = expanded_dots((self.X, U), (self.X, V))
        return across + xu * xv * self.outward

    def square(self, u: Tensor) -> Tensor:
        (U,) = rows(u)
        return self._inner(U, U)

    def _radius(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return r|x|, its asinh, and the time entry in the same unit."""
        norm, time = safe_sqrt(self.time2 - 1), self.time2.sqrt()
        return norm, torch.log1p(norm + (self.time2 - 1) / (1 + time)), time

    def pull(self) -> Tensor:
        norm, radius, time = self._radius()
        return combination((-time * torch.where(norm > 0, safe_divide(radius, norm), 1.0), self.x))

    def shrunk(
        self, share: Tensor, vectors: Sequence[Tensor], dtype: torch.dtype
    ) -> tuple[TangentSpace, list[Tensor]]:
        """Return the space at x scaled; of a vector only the part along x changes, as t does."""
        norm, radius, time = self._radius()
        growing = torch.expm1((1 - share) * radius)
        sine = (growing + growing / (1 + growing)) / 2
        factor = torch.where(norm > 0, safe_divide(sine, norm), 1 - share)
        there = copy.copy(self)
        there._stand(combination((factor, self.x)), factor * factor * self.xx)
        stretch = (there.time2.sqrt() / time - 1) * self.inverse
        along = [stretch * expanded_dots((self.X, V))[0] for V in rows(*vectors)]
        pairs = zip(vectors, along, strict=True)
        return there, [combination((1.0, v), (on_x, self.x)) for v, on_x in pairs]

    def moved(self, d: Tensor, vectors: Sequence[Tensor], dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Return y and the vectors, with the time entries of what is stored."""
        K, X = self.K, self.X
        D, *V = rows(d, *vectors)
        c, s, q = advance(K * self._inner(D, D).clamp(min=0), _LONGEST, -1)
        (xd,) = expanded_dots((X, D))
        time = c * self.time2 - s * K * xd  # times that of x, both in units of |K|^-1/2
        over = torch.where(self.xx > 0, self.outward * self.xx, 1.0)  # 1 / t^2 there
        scale = hyperboloid.onto_shell(K, time * time * over * (-1 / K), dtype)
        y = (scale * (c * X + s * D)).to(self.x.dtype).to(dtype).to(self.x.dtype)
        (Y,), entry = rows(y), hyperboloid.time_of_stored(K, y)
        carried = []
        for vector, W in zip(vectors, V, strict=True):
            product = K * self._inner(W, D)
            moved = (scale * (W - product * q * D - product * s * X)).to(vector.dtype)
            (along,) = dots((Y, rows(moved)[0]))
            carried.append(joined(along / entry, moved))
        return joined(entry, y), *carried


class _OnSphere(TangentSpace):
    """K > 0; a point is its direction, a vector its part across x."""

    manifold: Sphere

    def __init__(self, manifold: Sphere, x: Tensor) -> None:
        super().__init__(manifold, x)
        self.K = manifold._curvature_at(x)
        (self.X,) = rows(x)
        (self.xx,) = dots((self.X, self.X))
        self.inverse = safe_divide(torch.ones_like(self.xx), self.xx)

    def gradient(self, g: Tensor) -> Tensor:
        (xg,) = dots((self.X, rows(g)[0]))
        return combination((1.0, g), (-xg * self.inverse, self.x))

    def square(self, u: Tensor) -> Tensor:
        (U,) = rows(u)
        return dots_across(self.X, self.inverse, (U, U))[0]

    def _across(self, U: Row) -> Row:
        (xu,) = expanded_dots((self.X, U))
        return U - (xu * self.inverse) * self.X

    def moved(self, d: Tensor, vectors: Sequence[Tensor], dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Return y and the vectors; y is x itself, bit for bit, where d = 0."""
        K, X = self.K, self.X
        D, *V = rows(d, *vectors)
        z, *products = (K * p for p in dots_across(X, self.inverse, *((W, D) for W in (D, *V))))
        c, s, q = advance(z, _LONGEST, 1)
        norm = (self.inverse * (1 / K)).sqrt()  # of what x is to be, over that of x
        stays = (z <= 0) & ((K * self.xx - 1).abs() < 4 * torch.finfo(dtype).eps)
        A = self._across(D)
        y = (torch.where(stays, 1.0, c * norm) * X + s * A).to(self.x.dtype)
        carried = [
            (self._across(W) - product * q * A - product * s * norm * X).to(vector.dtype)
            for vector, W, product in zip(vectors, V, products, strict=True)
        ]
        return y, *carried


_CLOSED: dict[type[Manifold], Callable[..., TangentSpace]] = {
    PoincareBall: _OnBall,
    Lorentz: _OnHyperboloid,
    Sphere: _OnSphere,
}


def tangent_space(manifold: Manifold, x: Tensor) -> TangentSpace:
    """Return the tangent space at points of a manifold, with closed forms where there are some."""
    closed = _CLOSED.get(type(manifold)) if x.dtype == torch.float32 else None
    return (closed or TangentSpace)(manifold, x)
