"""The hyperboloid: formulas on the space parts of points and vectors.

Every function reads space parts (*, n) only; scalars are in units of |K|^-1/2 and float64. Each
states the form that keeps its digits.
Source: [chen2022fully] section 3 for the model, [ungar2008analytic] for its gyrovectors.

Letters: K curvature (1,), r = sqrt -K; x, y points and u, v vectors; small letters are tensors,
capitals the same as `Row`; e = x/|x| points outward.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds._centroid import ambient_sum
from noneuclid.manifolds._pairwise import Chart
from noneuclid.numerics import (
    Row,
    asinck,
    dots,
    joined,
    largest_norm,
    row_dot,
    rows,
    safe_divide,
    safe_sqrt,
    turn,
    wide,
)
from noneuclid.numerics.arc import Shape

_NEAR_ORIGIN = 0.01  # |x|^2 below which radial and tangential parts are not told apart
_SMALL = 4.0  # |x|^2 below which the plain chord loses at most 4 bits


def _reach(dtype: torch.dtype) -> float:
    """Return a radius beyond the last shell whose coordinates (and, in float64, squares) exist."""
    return 340.0 if dtype == torch.float64 else 80.0


# -- derived entries -------------------------------------------------------------------------------


def with_time(K: Tensor, space: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the point with this space part (*, n), moved to the last shell if beyond.

    The time entry belongs to the space part as it will be stored, after rounding to `dtype`.
    """
    limit, target = largest_norm(dtype, "hyperboloid")
    (X,) = rows(space)
    (xx,) = dots((X, X))
    beyond = -K * xx > limit * limit
    factor = torch.where(beyond, target / (-K * torch.where(beyond, xx, 1.0)).sqrt(), 1.0)
    moved = (factor * X).to(space.dtype).to(dtype).to(space.dtype)
    (X,) = rows(moved)
    (xx,) = dots((X, X))
    return joined((xx - 1 / K).sqrt(), moved)


def with_vector_time(K: Tensor, x: Tensor, space: Tensor) -> Tensor:
    """Return the tangent vector at x with this space part: its time entry is x.v / t."""
    X, V = rows(x, space)
    (xx,) = dots((X, X))
    (entry,) = dots(((1 / (xx - 1 / K).sqrt()) * X, V))  # |x| |v| may overflow
    return joined(entry, space)


# -- metric ----------------------------------------------------------------------------------------


def inner(K: Tensor, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Return u.v - (x.u)(x.v)/t^2.

    The difference cancels by e^2R for radial vectors: far out the tangential rest u - (u.e) e is
    formed first and the radial part enters divided by t^2.
    """
    X, U, V = rows(x, u, v)
    xx, xu, xv = dots((X, X), (X, U), (X, V))
    far = -K * xx > _NEAR_ORIGIN
    square = torch.where(far, xx, 1.0)
    taken = torch.where(far, 1 / square, 0.0)
    (aside,) = dots((U - (taken * xu) * X, V - (taken * xv) * X))
    along = torch.where(far, 1 / square, K * torch.ones_like(xx)) / (1 - K * xx)
    return aside + along * xu * xv


def egrad2rgrad(K: Tensor, g_time: Tensor, x: Tensor, g: Tensor) -> Tensor:
    """Return (1 - K x x^T) (g + g_t x / t): the inverse metric in space parts."""
    X, G = rows(x, g)
    xx, xg = dots((X, X), (X, G))
    lifted = g_time / (xx - 1 / K).sqrt()
    return with_vector_time(K, x, (G + (lifted - K * (xg + lifted * xx)) * X).to(g.dtype))


# -- geodesics -------------------------------------------------------------------------------------


def expmap(K: Tensor, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
    """Return cosh(a) x + sinh(a)/a u with a = r |u|, as a point with its time."""
    square = inner(K, x, u, u).clamp(min=0)
    X, U = rows(x, u)
    (xx,) = dots((X, X))
    room = _reach(x.dtype) - torch.log1p(safe_sqrt(-K * xx))
    c, s = turn(K * square, room, sign=-1)
    return with_time(K, (c * X + s * U).to(x.dtype), dtype)


class _Pair(NamedTuple):
    """Two points and their row scalars, in units of |K|^-1/2; D = y - x, S = y + x."""

    X: Row
    D: Row
    S: Row
    x_norm: Tensor
    y_norm: Tensor
    x_time: Tensor
    y_time: Tensor
    growth: Tensor  # |y|^2 - |x|^2 = (y - x).(y + x)
    half: Tensor  # sinh^2(d / 2)


def _pair(K: Tensor, X: Row, Y: Row) -> _Pair:
    """Return the row scalars of a pair; `half` in the form that keeps its digits.

    - both near the origin: 4 sinh^2(d/2) = |y - x|^2 - (t_y - t_x)^2, the chord, with
      t_y - t_x = (|y|^2 - |x|^2) / (t_x + t_y);
    - one near the origin: cosh d = t_x t_y - x.y, whose terms do not cancel then;
    - else sinh^2((r_y - r_x)/2) + |x||y| |x/|x| - y/|y||^2 / 4, with
      sinh(r_y - r_x) = (|y|^2 - |x|^2) / (|x| t_y + |y| t_x): no term cancels.
    """
    D, S = Y - X, Y + X
    xx, yy, xy, dd, growth = (-K * p for p in dots((X, X), (Y, Y), (X, Y), (D, D), (D, S)))
    x_norm, y_norm = safe_sqrt(xx), safe_sqrt(yy)
    x_time, y_time = (1 + xx).sqrt(), (1 + yy).sqrt()
    chord = (dd - (growth / (x_time + y_time)).square()) / 4
    mixed = (x_time * y_time - xy - 1) / 2
    far = torch.minimum(xx, yy) > _NEAR_ORIGIN
    radial = growth / torch.where(far, x_norm * y_time + y_norm * x_time, 1.0)
    radial = radial / (2 + 2 * (1 + radial * radial).sqrt()) * radial
    angular = _angular(K, X, Y, D, x_norm, y_norm, growth, far)
    small = torch.maximum(xx, yy) < _SMALL
    half = torch.where(small, chord.clamp(min=0), torch.where(far, radial + angular, mixed))
    return _Pair(X, D, S, x_norm, y_norm, x_time, y_time, growth, half)


def _angular(
    K: Tensor, X: Row, Y: Row, D: Row, x_norm: Tensor, y_norm: Tensor, growth: Tensor, far: Tensor
) -> Tensor:
    """Return |x||y| |x/|x| - y/|y||^2 / 4 where both are `far` from the origin.

    The difference of directions is ((y - x) - (|y| - |x|)/|x| x) / |y|, which keeps its relative
    accuracy for near ones. Where the norms differ by more than a factor 2, y - x has lost digits of
    the smaller one and it is that difference itself. The outer factor comes in before squaring:
    its square may overflow in a derivative.
    """
    x_norm, y_norm = torch.where(far, x_norm, 1.0), torch.where(far, y_norm, 1.0)
    alike = (x_norm < 2 * y_norm) & (y_norm < 2 * x_norm)
    unlike = (~alike).to(x_norm.dtype)
    outer = (-K * x_norm * y_norm).sqrt() / 2  # coordinates are not in units of |K|^-1/2
    stretch = growth / (y_norm + x_norm) / x_norm / y_norm
    on_x = outer * torch.where(alike, -stretch, -1 / x_norm)
    W = (outer * (1 - unlike) / y_norm) * D + (outer * unlike / y_norm) * Y + on_x * X
    (square,) = dots((W, W))
    return square


def dist2(K: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return d^2 by d = 2 asinh(sqrt(sinh^2(d/2))), never by acosh."""
    half = _pair(K, *rows(x, y)).half
    angle = asinck(-half, sign=-1)
    return 4 * half * angle * angle / -K


def chart(K: Tensor, x: Tensor) -> Chart:
    """Return the points of the Poincare ball, x / (1 + t), in float64."""
    shifted = 1 + (1 - K * row_dot(x, x)).sqrt()  # 1 + t, the conformal factor on the ball
    return Chart(wide(x) / shifted, shifted.sqrt(), K, Shape.HYPERBOLIC)


def logmap(K: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return d/sinh(d) (y - cosh(d) x) as d/sinh(d) ((y - x) - 2 sinh^2(d/2) x)."""
    p = _pair(K, *rows(x, y))
    angle, root = asinck(-p.half, sign=-1), (1 + p.half).sqrt()
    pull = -2 * angle * (p.half / root)  # half * angle would overflow in backward
    return with_vector_time(K, x, ((angle / root) * p.D + pull * p.X).to(x.dtype))


def transp(K: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
    """Return v + <y, v> / (1 + cosh d) (x + y), with the Lorentz product in space parts."""
    X, Y, V = rows(x, y, v)
    p = _pair(K, X, Y)
    weight = -K * _pairing(K, p, V) / (2 * (1 + p.half))
    return with_vector_time(K, y, (V + weight * p.S).to(v.dtype))


def _pairing(K: Tensor, p: _Pair, V: Row) -> Tensor:
    """Return the Lorentz product <y, v> of y with a vector at x; the plain sum cancels by e^2R.

    With D' = D - (e.D) e: <y, v> = D'.v + (e.v) (sinh(r_y - r_x)/t_x - (|y| - y.e)), and
    |y| - y.e = |D'|^2 / (|y| + y.e) where y.e > 0. (In the caller's units of length.)
    """
    xx, xd, xv, dv = dots((p.X, p.X), (p.X, p.D), (p.X, V), (p.D, V))
    plain = dv - xv / p.x_time * (p.growth / (p.x_time + p.y_time))
    far = torch.minimum(p.x_norm, p.y_norm).square() > _NEAR_ORIGIN
    inverse = torch.where(far, 1 / torch.where(far, xx, 1.0), 0.0)
    # The radial part of a vector is e^R long: what rounding left of it in D' would show.
    A, B = p.D - (inverse * xd) * p.X, V - (inverse * xv) * p.X
    aa, ab = dots((A, A), (A, B))
    x_norm = torch.where(far, p.x_norm, 1.0)
    along = x_norm - K * xd / x_norm  # y.e
    ahead = along > 0
    shortfall = -K * aa / torch.where(ahead, p.y_norm + along, 1.0)
    shortfall = torch.where(ahead, shortfall, p.y_norm - along)
    sweep = p.growth / torch.where(far, x_norm * p.y_time + p.y_norm * p.x_time, 1.0)
    return torch.where(far, ab + xv / x_norm * (sweep / p.x_time - shortfall), plain)


def midpoint(K: Tensor, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the Lorentz centroid sum w x / |sum w x|. Source: [chen2022fully] Eq. (8)."""
    (X,) = rows(x)
    (xx,) = dots((X, X))
    rate = (-K).sqrt()
    total, _, length = ambient_sum(x, rate.expand_as(xx), (1 - K * xx).sqrt(), w)
    unit = safe_divide(total, length) / rate
    return with_time(K, unit[..., 0, :].to(x.dtype), dtype)


# -- origin ----------------------------------------------------------------------------------------


def expmap0(K: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
    """Return sinh(a)/a u with a = r |u|."""
    (U,) = rows(u)
    (uu,) = dots((U, U))
    _, s = turn(K * uu, _reach(u.dtype), sign=-1)
    return with_time(K, (s * U).to(u.dtype), dtype)


def logmap0(K: Tensor, y: Tensor) -> Tensor:
    """Return asinh(r|y|)/(r|y|) y: the distance is read off the space part."""
    (Y,) = rows(y)
    (yy,) = dots((Y, Y))
    return joined(torch.zeros_like(yy), (asinck(K * yy, sign=-1) * Y).to(y.dtype))


def dist02(K: Tensor, x: Tensor) -> Tensor:
    """Return (asinh(r|x|) / r)^2."""
    (X,) = rows(x)
    (xx,) = dots((X, X))
    angle = asinck(K * xx, sign=-1)
    return xx * angle * angle


def transp0(K: Tensor, y: Tensor, u: Tensor) -> Tensor:
    """Return u + (y.u) y / (1 + t)."""
    Y, U = rows(y, u)
    yy, yu = dots((Y, Y), (Y, U))
    weight = -K * yu / (1 + (1 - K * yy).sqrt())
    return with_vector_time(K, y, (U + weight * Y).to(u.dtype))


def transp0back(K: Tensor, x: Tensor, u: Tensor) -> Tensor:
    """Return u - (x.u) x / (t (1 + t)); far out its radial part apart, (e.u / t) e."""
    X, U = rows(x, u)
    xx, xu = dots((X, X), (X, U))
    square = -K * xx
    time = (1 + square).sqrt()
    far = square > _NEAR_ORIGIN
    apart = (1 / time - 1) / torch.where(far, xx, 1.0)
    weight = torch.where(far, apart, K / (time * (1 + time))) * xu
    return joined(torch.zeros_like(xx), (U + weight * X).to(u.dtype))
