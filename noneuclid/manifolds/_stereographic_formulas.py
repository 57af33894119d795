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

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds._centroid import Reading, Sums, ambient_sum
from noneuclid.numerics import (
    Row,
    asinck,
    asink_square,
    axis,
    compute,
    cross_square,
    dots,
    gap,
    half_turn,
    largest_norm,
    rows,
    safe_divide,
    safe_sqrt,
    tanck,
    tank,
)


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


def read(K: Tensor, x: Tensor, model: Model) -> Tensor:
    """Return the point that `x` stands for after K may have moved: its projection."""
    return project(K, x, model, x.dtype) if model.moves else x


def written(
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
    x = read(K, x, model)
    X, U, V = rows(x, u, v)
    xx, uv = dots((X, X), (U, V))
    g = gap(K, x, xx)
    return 4 * uv / (g * g)


def rescaled(K: Tensor, x: Tensor, u: Tensor, model: Model, power: int) -> Tensor:
    """Return g^power u: power 2 raises a gradient (times 4), 1 and -1 carry from and to o."""
    x = read(K, x, model)
    X, U = rows(x, u)
    (xx,) = dots((X, X))
    g = gap(K, x, xx)
    factor = {2: g * g / 4, 1: g, -1: 1 / g}[power]
    if power == 2 and model.sign >= 0:  # far out on a sphere it may leave the range of its dtype
        unit = 2.0**-520 if u.dtype == torch.float64 else 1.0  # squares of all there is fit
        (uu,) = dots((unit * U, unit * U))
        length, largest = safe_sqrt(uu), unit * torch.finfo(u.dtype).max / 2
        beyond = factor * length > largest
        factor = torch.where(beyond, largest / torch.where(beyond, length, 1.0), factor)
    return (factor * U).to(u.dtype)


def gap_at(K: Tensor, x: Tensor, model: Model) -> Tensor:
    """Return g = 1 + K|x|^2, (*, 1)."""
    x = read(K, x, model)
    (X,) = rows(x)
    (xx,) = dots((X, X))
    return gap(K, x, xx)


# -- geodesics -------------------------------------------------------------------------------------


def expmap(K: Tensor, x: Tensor, u: Tensor, model: Model, dtype: torch.dtype) -> Tensor:
    """Return x (+) w with w = tan_K(|u| / g) u / |u|, by cosine and sine of |u| / g.

    x (+) w = x + g (w - K|w|^2 x) / D with D = 1 - 2K x.w + K^2|x|^2|w|^2. With c, s the
    (co)sine of the half turn, c^2 D = (c - K s x.u/g)^2 + (K s/g)^2 (|x|^2|u|^2 - (x.u)^2),
    a sum of squares; c - K s x.u/g itself cancels on a long path inward from the rim, where it
    is formed from the gap.
    """
    x = read(K, x, model)
    X, U = rows(x, u)
    xx, xu, uu = dots((X, X), (X, U), (U, U))
    g = gap(K, x, xx)
    bend, z, far = over_gap(K, xx, g, model), K * uu / (g * g), K * xx > 1
    if model.sign >= 0:
        z = torch.where(far, bend * uu * (bend / torch.where(far, K, 1.0)), z)
    c, s, rest, unit = half_turn(z, model.sign)
    cross = cross_square(x, X, U, xx, xu, uu)
    along = c - s * bend * xu
    if model.sign <= 0:
        inward = (xu < 0) & (-4 * K * xx > 1) & (-4 * z > 1)
        along = torch.where(inward, rest + s * _inward(K, xx, xu, uu, cross, g, inward), along)
    D = along * along + (s * bend).square() * cross
    if model.sign >= 0:
        D = away_from_zero(D, c * c, x.dtype)
    on_u = s * c / D
    back = s * s * bend * uu / D
    on_x = 1 - back
    if model.sign >= 0:
        cancels = far & (2 * back > 1)  # else it hardly depends on K, and says so
        on_x = torch.where(cancels, (c * c - s * s * z - 2 * s * c * bend * xu) / D, on_x)
    Y = on_x * X + on_u * U
    return written(K, Y, g * unit / D, model, (x.dtype, dtype), rounded=(uu == 0).to(uu.dtype))


def over_gap(K: Tensor, xx: Tensor, g: Tensor, model: Model) -> Tensor:
    """Return K/g; far out on a sphere, where it hardly depends on K, as 1 / (1/K + |x|^2)."""
    if model.sign < 0:
        return K / g
    far = K * xx > 1
    return torch.where(far, 1 / (xx + 1 / torch.where(far, K, 1.0)), K / g)


def _inward(
    K: Tensor, xx: Tensor, xu: Tensor, uu: Tensor, cross: Tensor, g: Tensor, inward: Tensor
) -> Tensor:
    """Return what c - K s x.u/g has beyond c - h s, over s, for K < 0 and x.u < 0.

    With r = sqrt -K: r|u| / (1 + r|x|) + r^2 (|x||u| + x.u)/g, whose last bracket is the cross
    square over |x||u| - x.u.
    """
    r = torch.where(inward, -K, 1.0).sqrt()
    x_norm = torch.where(inward, xx, 1.0).sqrt()
    u_norm = torch.where(inward, uu, 1.0).sqrt()
    aside = cross / torch.where(inward, x_norm * u_norm - xu, 1.0)
    return r * (u_norm / (1 + r * x_norm) + r * aside / g)


def away_from_zero(D: Tensor, scale: Tensor, dtype: torch.dtype) -> Tensor:
    """Keep a Moebius denominator off 0, its value at the antipode of the origin (K > 0).

    The floor hides positions within eps/10 radians of that antipode, beyond the last shell.
    """
    floor = (torch.finfo(dtype).eps / 10) ** 2
    return torch.maximum(D, floor * (floor + scale))


def midpoint(K: Tensor, x: Tensor, w: Tensor, model: Model, dtype: torch.dtype) -> Tensor:
    """Return the gyromidpoint, as the normalised sum on the hyperboloid or sphere.

    A = sum w 2x/g, B = sum w (2 - g)/g, result A / (B + sqrt(B^2 + K|A|^2)): right beyond the
    equator too, where the usual quotient changes sign. Source: [shimizu2021hyperbolic] sec. 4.
    """
    reading = Reading("stereographic", partial(_ambient, model), model.sign, model.moves)
    total, height, square = ambient_sum(K, x, w, reading)
    scalars = K, height, square
    return compute(_normalised, scalars, (total,), model=model, working=x.dtype, dtype=dtype)


def _ambient(model: Model, K: Tensor, x: Tensor) -> Sums:
    if model.moves:
        x = compute(project, (K,), (x,), model=model, dtype=x.dtype)
    g = compute(gap_at, (K,), (x,), model=Model(model.sign, moves=False))
    return x, 2 / g, 2 / g - 1


def _normalised(
    K: Tensor, height: Tensor, square: Tensor, total: Tensor, model: Model, working: torch.dtype,
    dtype: torch.dtype,
) -> Tensor:  # fmt: skip
    """Return A / (B + N), the point with ambient coordinates (B, A) / N: N^2 is `square`.

    Past the equator of a sphere, where B < 0 cancels with N, it is A (N - B) / (K|A|^2). No weight
    at all gives the origin.
    """
    A, first = rows(total, axis(total, 0))
    length = safe_sqrt(square)
    if model.sign < 0:
        factor = safe_divide(torch.ones_like(length), height + length)
        return project(K, (factor * A).to(working), model, dtype)
    (aa,) = dots((A, A))
    past = (K > 0) & (height < 0)
    top = torch.where(past, length - height, 1.0)
    bottom = torch.where(past, K * aa, height + length)
    # At the antipode of the origin the sum vanishes: any point beyond the last shell will do.
    beyond = (past & (aa == 0)).to(aa.dtype) / torch.finfo(dtype).eps ** 1.5
    point = (safe_divide(top, bottom) * A + beyond * first).to(working)
    return project(K, point, model, dtype)


# -- origin ----------------------------------------------------------------------------------------


def expmap0(K: Tensor, u: Tensor, model: Model, dtype: torch.dtype, line: bool) -> Tensor:
    """Return tan_K(|u|) u / |u|; on a `line`, of dimension 1, tan_K(u): no direction has to cancel.

    Its derivative there is 4 e^-2R of that across, far out for K < 0.
    """
    U, first = rows(u, axis(u, 0))
    if line:
        (along,) = dots((U, first))
        reached = tank(along, K, model.sign)
        Y, square = reached * first, reached * reached
    else:
        (uu,) = dots((U, U))
        stretch = tanck(K * uu, model.sign)
        Y, square = stretch * U, stretch * stretch * uu
    nothing = torch.zeros_like(square)
    return written(K, Y, 1 + K * square, model, (u.dtype, dtype), rounded=nothing)


def logmap0(K: Tensor, y: Tensor, model: Model) -> Tensor:
    """Return artan_K(|y|) y / |y|."""
    y = read(K, y, model)
    (Y,) = rows(y)
    (yy,) = dots((Y, Y))
    return (half_angle0(K, yy, gap(K, y, yy), model.sign) * Y).to(y.dtype)


def half_angle0(K: Tensor, yy: Tensor, g: Tensor, sign: int) -> Tensor:
    """Return artan_K(|y|) / |y|, as asin_K(|y| / sqrt g) because the gap g is exact."""
    return asinck(K * yy / g, 1 / g, sign) / g.sqrt()


def dist02(K: Tensor, x: Tensor, model: Model) -> Tensor:
    """Return d(o, x)^2."""
    x = read(K, x, model)
    (X,) = rows(x)
    (xx,) = dots((X, X))
    g = gap(K, x, xx)
    return 4 * asink_square(xx / g, K * xx / g, K, 1 / g, model.sign)
