"""The hyperboloid: formulas on the space parts of points and vectors.

Every function reads space parts (*, n) only; scalars are in units of |K|^-1/2 and float64. Each
states the form that keeps its digits.
Source: [chen2022fully] section 3 for the model, [ungar2008analytic] for its gyrovectors.

Letters: K curvature (1,), r = sqrt -K; x, y points and u, v vectors; small letters are tensors,
capitals the same as `Row`; e = x/|x| points outward.
"""

# over 300 lines: the formulas of one model, which share how they read a pair

from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds._centroid import Reading, Sums, ambient_sum
from noneuclid.manifolds._pairwise import Chart
from noneuclid.numerics import (
    Row,
    asinck,
    compute,
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


def _shortened(x: Tensor) -> tuple[Tensor | float, Row]:
    """Return a factor, constant for every derivative, and x times it: at most 1 long in float64.

    So products of four coordinates, and their derivatives, stay in range; in float32 they do.
    """
    (X,) = rows(x)
    if x.dtype != torch.float64:
        return 1.0, X
    (xx,) = dots((X, X))
    factor = torch.where(xx > 1, 1 / torch.where(xx > 1, xx, 1.0).sqrt(), 1.0).detach()
    return factor, factor * X


# -- derived entries -------------------------------------------------------------------------------


def with_time(K: Tensor, space: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the point with this space part (*, n), moved to the last shell if beyond.

    The time entry belongs to the space part as it will be stored, after rounding to `dtype`.
    """
    (X,) = rows(space)
    (xx,) = dots((X, X))
    return _moved(K, X, xx, (space.dtype, dtype))


def _written(
    K: Tensor, Y: Row, dtypes: tuple[torch.dtype, torch.dtype], yy: Tensor | None = None
) -> Tensor:
    """Return the point whose space part is the combination Y, as `with_time` does."""
    working, dtype = dtypes
    if working == torch.float64:  # Y is rounded more than once: look at what came out
        return with_time(K, Y.to(working), dtype)
    if yy is None:
        (yy,) = dots((Y, Y))
    return _moved(K, Y, yy, dtypes)


def _moved(K: Tensor, X: Row, xx: Tensor, dtypes: tuple[torch.dtype, torch.dtype]) -> Tensor:
    working, dtype = dtypes
    limit, target = largest_norm(dtype, "hyperboloid")
    # Where |K| is small, float16 ends before the shell does: half its range, and the time fits too.
    rate = (-K).clamp(min=(2 * limit / torch.finfo(dtype).max) ** 2)
    beyond = rate * xx > limit * limit
    factor = torch.where(beyond, target / (rate * torch.where(beyond, xx, 1.0)).sqrt(), 1.0)
    stored = (factor * X).to(working).to(dtype).to(working)
    (S,) = rows(stored)
    (ss,) = dots((S, S))
    return joined((ss - 1 / K).sqrt(), stored)


def with_vector_time(K: Tensor, x: Tensor, space: Tensor) -> Tensor:
    """Return the tangent vector at x with this space part: its time entry is x.v / t."""
    unit, X = _shortened(x)
    (V,) = rows(space)
    (xx,) = dots((X, X))
    (entry,) = dots(((1 / (xx - unit * unit / K).sqrt()) * X, V))
    return joined(entry, space)


# -- metric ----------------------------------------------------------------------------------------


def inner(K: Tensor, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Return u.v - (x.u)(x.v)/t^2.

    The difference cancels by e^2R for radial vectors: far out the tangential rest u - (u.e) e is
    formed first and the radial part enters divided by t^2.
    """
    unit, X = _shortened(x)
    U, V = rows(u, v)
    xx, xu, xv = dots((X, X), (X, U), (X, V))
    time2 = 1 - K * (xx / unit / unit)
    far = time2 - 1 > _NEAR_ORIGIN
    inverse = torch.where(far, 1 / torch.where(far, xx, 1.0).sqrt(), 0.0)
    u_out, v_out = inverse * xu, inverse * xv
    (aside,) = dots((U - (u_out * inverse) * X, V - (v_out * inverse) * X))
    near = K * (xu / unit) * (xv / unit)
    return aside + torch.where(far, u_out * v_out, near) / time2


def egrad2rgrad(K: Tensor, g_time: Tensor, x: Tensor, g: Tensor) -> Tensor:
    """Return g - K (x.g + t g_t) x, the inverse metric 1 - K x x^T applied to g + g_t x / t."""
    X, G = rows(x, g)
    xx, xg = dots((X, X), (X, G))
    time = (xx - 1 / K).sqrt()
    return with_vector_time(K, x, (G - (K * (xg + time * g_time)) * X).to(g.dtype))


# -- geodesics -------------------------------------------------------------------------------------


def expmap(K: Tensor, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
    """Return cosh(a) x + sinh(a)/a u with a = r |u|, as a point with its time."""
    square = inner(K, x, u, u).clamp(min=0)
    X, U = rows(x, u)
    (xx,) = dots((X, X))
    room = _reach(x.dtype) - torch.log1p(safe_sqrt(-K * xx))
    c, s = turn(K * square, room, sign=-1)
    return _written(K, c * X + s * U, (x.dtype, dtype))


class _Pair(NamedTuple):
    """Two points and their row scalars, in units of |K|^-1/2; D = y - x, S = y + x."""

    X: Row
    Y: Row
    D: Row
    S: Row
    xx: Tensor  # not in units, like the next
    xy: Tensor
    x_norm: Tensor
    y_norm: Tensor
    x_time: Tensor
    y_time: Tensor
    growth: Tensor  # |y|^2 - |x|^2 = (y - x).(y + x)
    half: Tensor  # sinh^2(d / 2) / r^2: not in units, so that it has a limit at K = 0


def _pair(K: Tensor, X: Row, Y: Row) -> _Pair:
    """Return the row scalars of a pair; `half` in the form that keeps its digits.

    - both near the origin: 4 sinh^2(d/2) = |y - x|^2 - (t_y - t_x)^2, the chord, with
      t_y - t_x = (|y|^2 - |x|^2) / (t_x + t_y);
    - one near the origin: cosh d = t_x t_y - x.y, whose terms do not cancel then;
    - else sinh^2((r_y - r_x)/2) + |x||y| |x/|x| - y/|y||^2 / 4, with
      sinh(r_y - r_x) = (|y|^2 - |x|^2) / (|x| t_y + |y| t_x): no term cancels.
    """
    D, S = Y - X, Y + X
    k = -K
    xx, yy, xy, dd, growth = dots((X, X), (Y, Y), (X, Y), (D, D), (D, S))
    x_time, y_time = (1 + k * xx).sqrt(), (1 + k * yy).sqrt()
    chord = (dd - k * (growth / (x_time + y_time)).square()) / 4
    mixed = ((x_time * y_time - 1) / k - xy) / 2
    far = k * torch.minimum(xx, yy) > _NEAR_ORIGIN
    x_norm, y_norm = (torch.where(far, p, 1.0).sqrt() for p in (xx, yy))
    radial = growth / torch.where(far, x_norm * y_time + y_norm * x_time, 1.0)
    radial = radial / (2 + 2 * (1 + k * radial * radial).sqrt()) * radial
    apart = radial + _angular(X, Y, D, x_norm, y_norm, growth)
    small = k * torch.maximum(xx, yy) < _SMALL
    half = torch.where(small, chord.clamp(min=0), torch.where(far, apart, mixed))
    r = k.sqrt()
    norms = (r * safe_sqrt(xx), r * safe_sqrt(yy))
    return _Pair(X, Y, D, S, xx, xy, *norms, x_time, y_time, k * growth, half)


def _angular(X: Row, Y: Row, D: Row, x_norm: Tensor, y_norm: Tensor, growth: Tensor) -> Tensor:
    """Return |x||y| |x/|x| - y/|y||^2 / 4, for norms that are not 0.

    The difference of directions is ((y - x) - (|y| - |x|)/|x| x) / |y|, which keeps its relative
    accuracy for near ones. Where the norms differ by more than a factor 2, y - x has lost digits of
    the smaller one and it is that difference itself. The outer factor comes in before squaring:
    its square may overflow in a derivative.
    """
    alike = (x_norm < 2 * y_norm) & (y_norm < 2 * x_norm)
    unlike = (~alike).to(x_norm.dtype)
    outer = (x_norm * y_norm).sqrt() / 2
    stretch = growth / (y_norm + x_norm) / x_norm / y_norm
    on_x = outer * torch.where(alike, -stretch, -1 / x_norm)
    W = (outer * (1 - unlike) / y_norm) * D + (outer * unlike / y_norm) * Y + on_x * X
    (square,) = dots((W, W))
    return square


def _in_range(K: Tensor, *given: Tensor) -> tuple[float, Tensor, list[Row]]:
    """Return a power of two c, K / c^2 and c times the rows: in range, and the same geometry."""
    c = 2.0**-150 if given[0].dtype == torch.float64 else 1.0
    return c, K / c / c, [c * row for row in rows(*given)]


def dist2(K: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return d^2 by d = 2 asinh(sqrt(sinh^2(d/2))), never by acosh."""
    c, K, (X, Y) = _in_range(K, x, y)
    half = _pair(K, X, Y).half
    angle = asinck(K * half, sign=-1)
    return 4 * (half / c / c) * angle * angle


def chart(K: Tensor, x: Tensor) -> Chart:
    """Return the points of the Poincare ball, x / (1 + t), in float64."""
    shifted = 1 + (1 - K * row_dot(x, x)).sqrt()  # 1 + t, the conformal factor on the ball
    return Chart(wide(x) / shifted, shifted.sqrt(), K, Shape.HYPERBOLIC)


def logmap(K: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return d/sinh(d) (y - cosh(d) x) as d/sinh(d) ((y - x) - 2 sinh^2(d/2) x)."""
    c, scaled, (X, Y) = _in_range(K, x, y)
    p = _pair(scaled, X, Y)
    angle, root = asinck(scaled * p.half, sign=-1), (1 - scaled * p.half).sqrt()
    pull = 2 * scaled * angle * (p.half / root)  # half * angle would overflow in backward
    return with_vector_time(K, x, ((angle / root / c) * p.D + (pull / c) * p.X).to(x.dtype))


def transp(K: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
    """Return v + <y, v> / (1 + cosh d) (x + y), with the Lorentz product in space parts."""
    _, scaled, (X, Y) = _in_range(K, x, y)
    (V,) = rows(v)
    p = _pair(scaled, X, Y)
    weight = _pairing(scaled, p, V) * (scaled / (2 * (scaled * p.half - 1)))
    return with_vector_time(K, y, (V + weight * p.S).to(v.dtype))


def dist2plane(K: Tensor, x: Tensor, p: Tensor, a: Tensor) -> Tensor:
    """Return the signed distance of x from the hyperplane through p across a: sinh(d) = <x, a>/|a|.

    The Lorentz product is in space parts, a in units of length: r sinh^-1(r <x, a> / |a|_p) / r^2.
    """
    c, scaled, (P, X) = _in_range(K, p, x)
    (A,) = rows(a)
    product = _pairing(scaled, _pair(scaled, P, X), A) / c
    sine = safe_divide(product, safe_sqrt(inner(K, p, a, a)))
    return sine * asinck(K * sine * sine, sign=-1)


def _pairing(K: Tensor, p: _Pair, V: Row) -> Tensor:
    """Return the Lorentz product <y, v> of y with a vector at x; the plain sum cancels by e^2R.

    With D' the part of y - x, or of y, across e: <y, v> = D'.v + (e.v) (sinh(r_y - r_x)/t_x -
    (|y| - y.e)), and |y| - y.e = |D'|^2 / (|y| + y.e) where y.e > 0. (In the caller's units of
    length.)
    """
    r = (-K).sqrt()
    far = torch.minimum(p.x_norm, p.y_norm).square() > _NEAR_ORIGIN
    x_norm = torch.where(far, p.x_norm, 1.0)
    unit = torch.where(far, r / x_norm, 1.0).detach()  # keeps derivatives in range
    xd, xv, dv = dots((p.X, p.D), (p.X, V), (p.D, V))
    X, xx, xy, xd, xv = (unit * part for part in (p.X, unit * p.xx, p.xy, xd, xv))
    plain = dv - (xv / unit) / p.x_time * (p.growth / (p.x_time + p.y_time))
    alike = ((p.x_norm < 2 * p.y_norm) & (p.y_norm < 2 * p.x_norm)).to(xx.dtype)
    inverse = torch.where(far, 1 / torch.where(far, xx, 1.0).sqrt(), 0.0)
    out = inverse * (alike * xd + (1 - alike) * xy)  # along e; y - x has lost a much smaller y
    v_out = inverse * xv
    # The radial part of a vector is e^R long: what rounding left of it in D' would show.
    A = alike * p.D + (1 - alike) * p.Y - (out * inverse) * X
    B = V - (v_out * inverse) * X
    aa, ab = dots((A, A), (A, B))
    along = alike * x_norm + r * out  # y.e
    ahead = along > 0
    shortfall = -K * aa / torch.where(ahead, p.y_norm + along, 1.0)
    shortfall = torch.where(ahead, shortfall, p.y_norm - along)
    sweep = p.growth / torch.where(far, x_norm * p.y_time + p.y_norm * p.x_time, 1.0)
    return torch.where(far, ab + v_out / r * (sweep / p.x_time - shortfall), plain)


def midpoint(K: Tensor, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the Lorentz centroid sum w x / |sum w x|. Source: [chen2022fully] Eq. (8)."""
    total, _, square = ambient_sum(K, x, w, Reading("hyperboloid", _ambient, sign=-1))
    return compute(_normalised, (K, square), (total,), working=x.dtype, dtype=dtype)


def _normalised(
    K: Tensor, square: Tensor, total: Tensor, working: torch.dtype, dtype: torch.dtype
) -> Tensor:
    """Return total / sqrt(square) as a point with its time; the origin where that is 0."""
    (S,) = rows(total)
    inverse = safe_divide(torch.ones_like(square), safe_sqrt(square))
    return _written(K, inverse * S, (working, dtype))


def _ambient(K: Tensor, x: Tensor) -> Sums:
    time = compute(time_at, (K,), (x,))
    return x, torch.ones_like(time), time


def time_at(K: Tensor, x: Tensor) -> Tensor:
    """Return t = sqrt(1 - K|x|^2), (*, 1)."""
    (X,) = rows(x)
    (xx,) = dots((X, X))
    return (1 - K * xx).sqrt()


# -- origin ----------------------------------------------------------------------------------------


def expmap0(K: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
    """Return sinh(a)/a u with a = r |u|."""
    (U,) = rows(u)
    (uu,) = dots((U, U))
    _, s = turn(K * uu, _reach(u.dtype), sign=-1)
    return _written(K, s * U, (u.dtype, dtype), s * s * uu)


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
    unit, X = _shortened(x)
    (U,) = rows(u)
    xx, xu = dots((X, X), (X, U))
    square = -K * (xx / unit / unit)
    time = (1 + square).sqrt()
    far = square > _NEAR_ORIGIN
    inverse = torch.where(far, 1 / torch.where(far, xx, 1.0).sqrt(), 0.0)
    apart = (1 / time - 1) * (inverse * xu) * inverse
    near = K / (time * (1 + time)) * (xu / unit) / unit
    return joined(torch.zeros_like(xx), (U + torch.where(far, apart, near) * X).to(u.dtype))
