"""The stereographic model of any constant curvature: Poincare ball, R^n, projected sphere.

A point is a vector x of R^n with metric lambda_x^2 <u, v>, lambda_x = 2 / (1 + K|x|^2). At K = 0
the metric is 4 <u, v>, so that every formula is analytic in K through 0.

Every operation is: a few row inner products in float64 (d = y - x rather than y, and the *gap*
g_x = 1 + K|x|^2 rounded once, because those are the small quantities near the rim and for near
pairs), scalar work per row, one linear combination of the rows, rounded once.
Source: [bachmann2020constant] section 2.2, [ganea2018hyperbolic] section 2; the forms below are
algebraically equal to theirs.

Letters: K curvature (1,) in float64; x, y points and u, v vectors (*, n); small letters are
tensors, capitals the same as `Row`; g gap; `model` what is known of K without looking at it.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds._centroid import centroid
from noneuclid.manifolds._pairwise import Chart
from noneuclid.numerics import (
    Row,
    asinck,
    compute,
    cross_square,
    dots,
    gap,
    half_turn,
    largest_norm,
    row_dot,
    rows,
    safe_divide,
    safe_sqrt,
    tanck,
    wide,
)
from noneuclid.numerics.arc import Shape


class Model(NamedTuple):
    """What is known of K: the sign it cannot leave (0: any), and whether it may have moved."""

    sign: int
    moves: bool


# -- the last shell --------------------------------------------------------------------------------


def project(K: Tensor, x: Tensor, model: Model, dtype: torch.dtype) -> Tensor:
    """Return x, moved to the last shell of `dtype` where it lies beyond."""
    (X,) = rows(x)
    (xx,) = dots((X, X))
    factor = _onto_shell(K, gap(K, x, xx), model, dtype, rounded=torch.ones_like(xx))
    return (factor * X).to(x.dtype)


def _onto_shell(K: Tensor, g: Tensor, model: Model, dtype: torch.dtype, rounded: Tensor) -> Tensor:
    """Return the factor that moves a point with gap g to the last shell; 1 where it is within.

    A point that is still to be rounded may have to stay a rounding below the limit: `rounded` is
    0 there, and 1 where the coordinates are stored already.
    """
    ball, ball_target = largest_norm(dtype, "ball")
    sphere, sphere_target = largest_norm(dtype, "sphere")
    square = (g - 1).abs()  # |K| |x|^2
    factors = []
    if model.sign <= 0:
        widest, safe = (1 - ball) * (1 + ball), (1 - ball_target) * (1 + ball_target)
        beyond = (K < 0) & (g < safe + rounded * (widest - safe))
        factors.append(_where_beyond(beyond, square, ball_target))
    if model.sign >= 0:
        beyond = (K > 0) & (square > sphere * sphere)
        factors.append(_where_beyond(beyond, square, sphere_target))
    return factors[0] if len(factors) == 1 else factors[0] * factors[1]


def _where_beyond(beyond: Tensor, square: Tensor, target: float) -> Tensor:
    return target / torch.where(beyond, square, target * target).sqrt()


def _read(K: Tensor, x: Tensor, model: Model) -> Tensor:
    """Return the point that `x` stands for after K may have moved: its projection."""
    return project(K, x, model, x.dtype) if model.moves else x


def _written(
    K: Tensor, Y: Row, g: Tensor, model: Model, dtypes: tuple[torch.dtype, torch.dtype],
    rounded: Tensor,
) -> Tensor:  # fmt: skip
    """Return the point Y, whose gap g is known in closed form, within the last shell."""
    working, stored = dtypes
    if working == torch.float64:  # Y is rounded more than once: look at what came out
        return project(K, Y.to(working), model, stored)
    return (_onto_shell(K, g, model, stored, rounded) * Y).to(working)


# -- metric ----------------------------------------------------------------------------------------


def inner(K: Tensor, x: Tensor, u: Tensor, v: Tensor, model: Model) -> Tensor:
    """Return 4 u.v / g^2."""
    x = _read(K, x, model)
    X, U, V = rows(x, u, v)
    xx, uv = dots((X, X), (U, V))
    g = gap(K, x, xx)
    return 4 * uv / (g * g)


def rescaled(K: Tensor, x: Tensor, u: Tensor, model: Model, power: int) -> Tensor:
    """Return g^power u: power 2 raises a gradient (times 4), 1 and -1 carry from and to o."""
    x = _read(K, x, model)
    X, U = rows(x, u)
    (xx,) = dots((X, X))
    g = gap(K, x, xx)
    factor = {2: g * g / 4, 1: g, -1: 1 / g}[power]
    return (factor * U).to(u.dtype)


def gap_at(K: Tensor, x: Tensor, model: Model) -> Tensor:
    """Return g = 1 + K|x|^2, (*, 1)."""
    x = _read(K, x, model)
    (X,) = rows(x)
    (xx,) = dots((X, X))
    return gap(K, x, xx)


# -- geodesics -------------------------------------------------------------------------------------


def expmap(K: Tensor, x: Tensor, u: Tensor, model: Model, dtype: torch.dtype) -> Tensor:
    """Return x (+) w with w = tan_K(|u| / g) u / |u|, by cosine and sine of |u| / g.

    x (+) w = x + g (w - K|w|^2 x) / D with D = 1 - 2K x.w + K^2|x|^2|w|^2. With c, s the
    (co)sine of the half turn, c^2 D = (c - K s x.u/g)^2 + (K s/g)^2 (|x|^2|u|^2 - (x.u)^2),
    a sum of squares; c - K s x.u/g itself cancels on a path inward from the rim, where it is
    formed from the gap.
    """
    x = _read(K, x, model)
    X, U = rows(x, u)
    xx, xu, uu = dots((X, X), (X, U), (U, U))
    g = gap(K, x, xx)
    c, s, rest, unit = half_turn(K * uu / (g * g), model.sign)
    cross = cross_square(x, X, U, xx, xu, uu)
    along = c - K * s * xu / g
    if model.sign <= 0:
        inward = (K < 0) & (xu < 0)
        along = torch.where(inward, _along_inward(K, xx, xu, uu, cross, g, s, rest, inward), along)
    D = along * along + (K * s / g).square() * cross
    if model.sign >= 0:
        D = _away_from_zero(D, c * c, x.dtype)
    on_u = s * c / D
    on_x = 1 - K * s * s * uu / (g * D)
    if model.sign >= 0:  # far out on a sphere 1 - ... would cancel
        far = (c * c - K * s / g * (s * uu / g + 2 * c * xu)) / D
        on_x = torch.where(K * xx > 1, far, on_x)
    Y = on_x * X + on_u * U
    return _written(K, Y, g * unit / D, model, (x.dtype, dtype), rounded=(uu == 0).to(uu.dtype))


def _along_inward(
    K: Tensor, xx: Tensor, xu: Tensor, uu: Tensor, cross: Tensor, g: Tensor, s: Tensor,
    rest: Tensor, inward: Tensor,
) -> Tensor:  # fmt: skip
    """Return c - K s x.u/g for K < 0, x.u < 0: (c - h s) + h s (1 - h_x) + what is not radial.

    With r = sqrt -K: rest + r s|u| / (1 + r|x|) + r^2 s (|x||u| + x.u)/g, whose last bracket is
    the cross square over |x||u| - x.u.
    """
    r = torch.where(inward, -K, 1.0).sqrt()
    x_norm = torch.where(inward, xx, 1.0).sqrt()
    u_norm = torch.where(inward, uu, 1.0).sqrt()
    aside = cross / torch.where(inward, x_norm * u_norm - xu, 1.0)
    return rest + r * s * (u_norm / (1 + r * x_norm) + r * aside / g)


def _away_from_zero(D: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """Keep a Moebius denominator off 0, its value at the antipode of the origin (K > 0).

    The floor hides positions within eps/10 radians of that antipode, beyond the last shell.
    """
    floor = (torch.finfo(dtype).eps / 10) ** 2
    return torch.maximum(D, floor * (floor + scale))


class _Pair(NamedTuple):
    """Two points, D = y - x, and their row scalars: E = g_x g_y - K|D|^2 is 1 + 2K x.y + ..."""

    X: Row
    Y: Row
    D: Row
    xx: Tensor
    yy: Tensor
    dd: Tensor
    g_x: Tensor
    g_y: Tensor
    both: Tensor  # g_x g_y
    E: Tensor


def _pair(K: Tensor, x: Tensor, y: Tensor, model: Model) -> _Pair:
    X, Y = rows(x, y)
    D = Y - X
    xx, yy, dd = dots((X, X), (Y, Y), (D, D))
    g_x, g_y = gap(K, x, xx), gap(K, y, yy)
    both = g_x * g_y
    E = both - K * dd
    if model.sign >= 0:
        E = torch.where(K > 0, _sum_denominator(K, X, Y, xx, yy), E)
    return _Pair(X, Y, D, xx, yy, dd, g_x, g_y, both, E)


def _sum_denominator(K: Tensor, X: Row, Y: Row, xx: Tensor, yy: Tensor) -> Tensor:
    """Return E = 1 + 2K x.y + K^2|x|^2|y|^2 for K > 0, where g_x g_y - K|d|^2 cancels.

    Near the antipode the sum cancels too; there it is |x/|x| + K|x| y|^2.
    """
    (xy,) = dots((X, Y))
    size = 1 + K * K * xx * yy
    direct = size + 2 * K * xy
    cancels = (direct < size / 16) & (K > 0)
    x_norm = torch.where(cancels, xx, 1.0).sqrt()
    C = (1 / x_norm) * X + (K * x_norm) * Y
    (chord,) = dots((C, C))
    return torch.where(cancels, chord, direct)


def dist2(K: Tensor, x: Tensor, y: Tensor, model: Model) -> Tensor:
    """Return d^2 by d = 2 asin_K(|y - x| / sqrt(g_x g_y)), the chord form.

    It is exact for near pairs and at the rim, where the Moebius difference cancels.
    """
    p = _pair(K, _read(K, x, model), _read(K, y, model), model)
    chord = p.dd / p.both
    angle = asinck(K * chord, p.E / p.both, model.sign)
    return 4 * chord * angle * angle


def logmap(K: Tensor, x: Tensor, y: Tensor, model: Model) -> Tensor:
    """Return g_x asin_K(...) N / sqrt(g_x g_y E), N = g_x (y - x) + K|y - x|^2 x.

    N is the numerator of -x (+) y with its difference formed first; |N|^2 = |y - x|^2 E.
    """
    x, y = _read(K, x, model), _read(K, y, model)
    p = _pair(K, x, y, model)
    angle = p.g_x * asinck(K * p.dd / p.both, p.E / p.both, model.sign)
    N = p.g_x * p.D + (K * p.dd) * p.X
    if model.sign < 0:
        return ((angle / (p.both * p.E).sqrt()) * N).to(x.dtype)
    N, scale = _toward_antipode(K, p, N)
    return ((angle * scale) * N).to(x.dtype)


def _toward_antipode(K: Tensor, p: _Pair, near: Row) -> tuple[Row, Tensor]:
    """Return N for K >= 0, and its scale |y - x| / (sqrt(g_x g_y) |N|).

    Where y - x has lost the digits of y, N is g_x y - (1 + 2K x.y - K|y|^2) x. Near the antipode
    N is a difference of equals: only its direction is used, and where nothing is left of it any
    direction is shortest: the one of x.
    """
    (xy,) = dots((p.X, p.Y))
    far = ((K * p.xx > 1) & (p.yy < p.xx / 4)).to(xy.dtype)
    N = (1 - far) * near + far * (p.g_x * p.Y - (1 + 2 * K * xy - K * p.yy) * p.X)
    (size,) = dots((N, N))
    cancels = p.both / 4 > p.E
    lost = (cancels & (size == 0)).to(xy.dtype)
    N = (1 - lost) * N + lost * p.X
    size = torch.where(cancels, size + lost * p.xx, 1.0)
    length = safe_sqrt(p.dd / p.both)
    return N, torch.where(cancels, length / size.sqrt(), 1 / safe_sqrt(p.both * p.E))


def transp(
    K: Tensor, x: Tensor, y: Tensor, v: Tensor, model: Model, *, rescales: bool = True
) -> Tensor:
    """Return (g_y / g_x) gyr[y, -x] v, the gyration expanded in x and d = y - x.

    Without the first factor (`rescales` false) it is that gyration.

    gyr[y, -x] v = v - 2K [(g_x d.v + K|d|^2 x.v) x - (x.v (g_x + 2K x.d) - K|x|^2 d.v) d] / E:
    every term is of the size of the result, also for near pairs at the rim.
    """
    x, y = _read(K, x, model), _read(K, y, model)
    X, Y, V = rows(x, y, v)
    D = Y - X
    xx, yy, dd, xd, xv, dv = dots((X, X), (Y, Y), (D, D), (X, D), (X, V), (D, V))
    g_x, g_y = gap(K, x, xx), gap(K, y, yy)
    E = g_x * g_y - K * dd
    if model.sign >= 0:
        E = torch.where(K > 0, _sum_denominator(K, X, Y, xx, yy), E)
        inverse = safe_divide(torch.ones_like(E), E)
    else:
        inverse = 1 / E
    factor = g_y / g_x if rescales else torch.ones_like(g_x)
    turned = -2 * K * factor * inverse
    on_x = turned * (g_x * dv + K * dd * xv)
    on_d = -turned * (xv * (g_x + 2 * K * xd) - K * xx * dv)
    if model.sign < 0:
        return (factor * V + on_x * X + on_d * D).to(v.dtype)
    # Far out on a sphere x and d are nearly opposite: there the gyration is expanded in x and y.
    xy, yv = dots((X, Y), (Y, V))
    far = (K * xx > 1).to(xx.dtype)
    far_x = turned * (K * xv * yy + yv)
    far_y = -turned * (xv + K * (2 * xy * xv - xx * yv))
    moved = ((1 - far) * on_x + far * far_x) * X + ((1 - far) * on_d) * D + (far * far_y) * Y
    return (factor * V + moved).to(v.dtype)


def dist2plane(K: Tensor, x: Tensor, p: Tensor, a: Tensor, model: Model) -> Tensor:
    """Return the signed distance of x from the hyperplane through p across a.

    sin_K(d) = 2 N.a / (g_p g_x |a|), N = g_p (x - p) + K|x - p|^2 p; its complement cos^2 is
    (1 - 2K|x - p|^2/(g_p g_x))^2 + 4K |N - (N.a) a/|a|^2|^2 / (g_p g_x)^2.
    """
    q = _pair(K, _read(K, p, model), _read(K, x, model), model)
    (A,) = rows(a)
    N = q.g_x * q.D + (K * q.dd) * q.X
    aa, na = dots((A, A), (N, A))
    sine = 2 * safe_divide(na, q.both * safe_sqrt(aa))
    complement = None
    if model.sign >= 0:
        R = N - safe_divide(na, aa) * A
        (rr,) = dots((R, R))
        complement = (1 - 2 * K * q.dd / q.both).square() + 4 * K * rr / (q.both * q.both)
    return sine * asinck(K * sine * sine, complement, model.sign)


def mobius_add(K: Tensor, x: Tensor, y: Tensor, model: Model, dtype: torch.dtype) -> Tensor:
    """Return x + g_x (y - K|y|^2 x) / E with E = g_x g_y - K|x + y|^2, whose gap is g_x g_y / E."""
    x, y = _read(K, x, model), _read(K, y, model)
    X, Y = rows(x, y)
    S = X + Y
    xx, yy, ss = dots((X, X), (Y, Y), (S, S))
    g_x, g_y = gap(K, x, xx), gap(K, y, yy)
    E = g_x * g_y - K * ss
    if model.sign >= 0:
        E = torch.where(K > 0, _sum_denominator(K, -X, Y, xx, yy), E)
        E = _away_from_zero(E, 1 + K * K * xx * yy, x.dtype)
    on_y = g_x / E
    on_x = 1 - K * yy * on_y
    if model.sign >= 0:  # far out on a sphere 1 - ... would cancel
        (xy,) = dots((X, Y))
        on_x = torch.where(g_x > 2, (1 - K * (2 * xy + yy)) / E, on_x)
    alone = ((xx == 0) | (yy == 0)).to(xx.dtype)
    return _written(K, on_x * X + on_y * Y, g_x * g_y / E, model, (x.dtype, dtype), rounded=alone)


def midpoint(K: Tensor, x: Tensor, w: Tensor, model: Model, dtype: torch.dtype) -> Tensor:
    """Return the gyromidpoint, as the normalised sum on the hyperboloid or sphere.

    A = sum w 2x/g, B = sum w (2 - g)/g, result A / (B + sqrt(B^2 + K|A|^2)): right beyond the
    equator too, where the usual quotient changes sign. Source: [shimizu2021hyperbolic] sec. 4.
    """
    if model.moves:
        x = compute(project, (K,), (x,), model=model, dtype=x.dtype)
    g = compute(gap_at, (K,), (x,), model=Model(model.sign, moves=False))
    point = centroid(K, x, 2 / g, (2 - g) / g, w, model.sign)
    # At the antipode of the origin the sum vanishes: any point beyond the last shell will do.
    beyond = 1 / torch.finfo(dtype).eps ** 1.5
    point = torch.where(point.isfinite(), point, beyond).to(x.dtype)
    return project(K, point, model, dtype)


def charts(K: Tensor, x: Tensor, model: Model) -> tuple[Chart, ...]:
    """Return x with the conformal factor for K < 0; for K > 0 the points of the sphere.

    Those are (lambda x, sqrt K lambda |x|^2), a sphere through 0: analytic at K = 0, and the
    points around the antipode of the origin do not set the scale for all others.
    """
    x = _read(K, x, model)
    factor = 2 / gap(K, x, row_dot(x, x))
    if model.sign < 0:
        return (Chart(x, factor.sqrt(), K, Shape.HYPERBOLIC),)
    positive = K > 0
    unit = torch.where(positive, K, 1.0).sqrt()
    height = torch.where(positive, unit * factor * row_dot(x, x), 0.0)
    points = torch.cat([torch.where(positive, factor, 1.0) * x, height], dim=-1)
    top = torch.cat([torch.zeros_like(x), (2 / unit).expand_as(height)], dim=-1)
    weight = torch.where(positive, 1.0, factor).sqrt()
    shape = Shape.CIRCULAR if model.sign > 0 else Shape.ANY
    stretch = torch.where(positive, factor, 1.0).sqrt()
    near = torch.cat([wide(x), torch.zeros_like(height), stretch], dim=-1)
    return (Chart(points, weight, K, shape, top - points, near),)


# -- origin ----------------------------------------------------------------------------------------


def expmap0(K: Tensor, u: Tensor, model: Model, dtype: torch.dtype) -> Tensor:
    """Return tan_K(|u|) u / |u|."""
    (U,) = rows(u)
    (uu,) = dots((U, U))
    stretch = tanck(K * uu, model.sign)
    g = 1 + K * uu * stretch * stretch
    nothing = torch.zeros_like(uu)
    return _written(K, stretch * U, g, model, (u.dtype, dtype), rounded=nothing)


def logmap0(K: Tensor, y: Tensor, model: Model) -> Tensor:
    """Return artan_K(|y|) y / |y|."""
    y = _read(K, y, model)
    (Y,) = rows(y)
    (yy,) = dots((Y, Y))
    return (_half_angle0(K, yy, gap(K, y, yy), model.sign) * Y).to(y.dtype)


def _half_angle0(K: Tensor, yy: Tensor, g: Tensor, sign: int) -> Tensor:
    """Return artan_K(|y|) / |y|, as asin_K(|y| / sqrt g) because the gap g is exact."""
    return asinck(K * yy / g, 1 / g, sign) / g.sqrt()


def dist02(K: Tensor, x: Tensor, model: Model) -> Tensor:
    """Return d(o, x)^2."""
    x = _read(K, x, model)
    (X,) = rows(x)
    (xx,) = dots((X, X))
    return 4 * xx * _half_angle0(K, xx, gap(K, x, xx), model.sign).square()
