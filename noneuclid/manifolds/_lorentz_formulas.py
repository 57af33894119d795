"""The hyperboloid: formulas on the space parts of points and vectors.

Every function reads space parts (*, n) only; scalars are in units of |K|^-1/2 and float64. Each
states the form that keeps its digits.
Source: [chen2022fully] section 3 for the model, [ungar2008analytic] for its gyrovectors.

Letters: K curvature (1,), r = sqrt -K; x, y points and u, v vectors; small letters are tensors,
capitals the same as `Row`; e = x/|x| points outward.
"""

import torch
from torch import Tensor

from noneuclid.manifolds._centroid import Reading, Sums, ambient_sum
from noneuclid.manifolds._pairwise import Chart
from noneuclid.numerics import (
    Row,
    asinck,
    asink_square,
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

NEAR_ORIGIN = 0.01  # |x|^2 below which radial and tangential parts are not told apart


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
    unit = 2.0**-520 if space.dtype == torch.float64 else 1.0  # squares of all there is fit
    short = unit * X
    (square,) = dots((short, short))
    return _moved(K, X, square, (space.dtype, dtype), unit)


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


def _moved(
    K: Tensor, X: Row, xx: Tensor, dtypes: tuple[torch.dtype, torch.dtype], unit: float = 1.0
) -> Tensor:
    """Return the point X, whose square is `xx` / `unit`^2, or that of the last shell toward it."""
    working, dtype = dtypes
    stored = (onto_shell(K, xx, dtype, unit) * X).to(working).to(dtype).to(working)
    return joined(time_of_stored(K, stored), stored)


def onto_shell(K: Tensor, xx: Tensor, dtype: torch.dtype, unit: float = 1.0) -> Tensor:
    """Return the factor that moves a point to the last shell; 1 if it is within.

    Args:
        K: negative.
        xx: the square of `unit` times the point's space part.
        dtype: of the point.
        unit: keeps the square within range.
    """
    limit, target = largest_norm(dtype, "hyperboloid")
    # Where |K| is small, float16 ends before the shell does: half its range, and the time fits too.
    rate = (-K).clamp(min=(2 * limit / torch.finfo(dtype).max) ** 2)
    beyond = rate * xx > (unit * limit) ** 2
    length = (rate * torch.where(beyond, xx, 1.0)).sqrt()
    return torch.where(beyond, unit * target / length, 1.0)


def time_of_stored(K: Tensor, x: Tensor) -> Tensor:
    """Return t = sqrt(|x|^2 + 1/|K|) of coordinates as they are stored."""
    (X,) = rows(x)
    (xx,) = dots((X, X))
    return (xx - 1 / K).sqrt()


def with_vector_time(K: Tensor, x: Tensor, space: Tensor) -> Tensor:
    """Return the tangent vector at x with this space part: its time entry is x.v / t."""
    unit, X = _shortened(x)
    (V,) = rows(space)
    (xx,) = dots((X, X))
    (entry,) = dots(((1 / (xx - unit * unit / K).sqrt()) * X, V))
    return joined(entry, space)


# -- metric ----------------------------------------------------------------------------------------


def inner(K: Tensor, x: Tensor, u: Tensor, v: Tensor, line: bool) -> Tensor:
    """Return u.v - (x.u)(x.v)/t^2.

    The difference cancels by e^2R for radial vectors: far out the tangential rest u - (u.e) e is
    formed first and the radial part enters divided by t^2. On a `line`, of dimension 1, there is
    no rest.
    """
    unit, X = _shortened(x)
    U, V = rows(u, v)
    xx, xu, xv = dots((X, X), (X, U), (X, V))
    time2 = 1 - K * (xx / unit / unit)
    if line:
        (uv,) = dots((U, V))
        return uv / time2
    far = time2 - 1 > NEAR_ORIGIN
    inverse = torch.where(far, 1 / torch.where(far, xx, 1.0).sqrt(), 0.0)
    u_out, v_out = inverse * xu, inverse * xv
    A, B = U - (u_out * inverse) * X, V - (v_out * inverse) * X
    # What rounding left of the radial parts is taken out again: it may be all there is.
    aside, a_out, b_out = dots((A, B), (A, X), (B, X))
    aside = aside - (inverse * a_out) * (inverse * b_out)
    near = K * (xu / unit) * (xv / unit)
    return aside + torch.where(far, u_out * v_out, near) / time2


def egrad2rgrad(K: Tensor, g_time: Tensor, x: Tensor, g: Tensor) -> Tensor:
    """Return g - K (x.g + t g_t) x, the inverse metric 1 - K x x^T applied to g + g_t x / t.

    It is e^2R as long as g in coordinates; beyond the range of its dtype it keeps its direction.
    """
    X, G = rows(x, g)
    xx, xg = dots((X, X), (X, G))
    time = (xx - 1 / K).sqrt()
    on_x = K * (xg + time * g_time)
    largest = torch.finfo(g.dtype).max / 4
    beyond = on_x.abs() * time > largest  # |x| < t
    size, t = (torch.where(beyond, part, 1.0) for part in (on_x.abs(), time))
    within = torch.where(beyond, largest / t / size, 1.0)
    return with_vector_time(K, x, (within * G - (within * on_x) * X).to(g.dtype))


# -- geodesics -------------------------------------------------------------------------------------


def expmap(K: Tensor, x: Tensor, u: Tensor, dtype: torch.dtype, line: bool) -> Tensor:
    """Return cosh(a) x + sinh(a)/a u with a = r |u|, as a point with its time.

    On a line a is |u|/t in coordinates: far out the derivative of r |u| by K would cancel.
    """
    X, U = rows(x, u)
    xx, uu = dots((X, X), (U, U))
    z = -uu / (xx - 1 / K) if line else K * inner(K, x, u, u, line).clamp(min=0)
    room = _reach(x.dtype) - torch.log1p(safe_sqrt(-K * xx))
    c, s = turn(z, room, sign=-1)
    return _written(K, c * X + s * U, (x.dtype, dtype))


def chart(K: Tensor, x: Tensor) -> Chart:
    """Return the points of the Poincare ball, x / (1 + t), in float64."""
    shifted = 1 + (1 - K * row_dot(x, x)).sqrt()  # 1 + t, the conformal factor on the ball
    return Chart(wide(x) / shifted, shifted.sqrt(), K, Shape.HYPERBOLIC)


def midpoint(K: Tensor, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the Lorentz centroid sum w x / |sum w x|. Source: [chen2022fully] Eq. (8)."""
    reading = Reading("hyperboloid", _ambient, sign=-1, in_lengths=True)
    total, _, square = ambient_sum(K, x, w, reading)
    return compute(_normalised, (K, square), (total,), working=x.dtype, dtype=dtype)


def _normalised(
    K: Tensor, square: Tensor, total: Tensor, working: torch.dtype, dtype: torch.dtype
) -> Tensor:
    """Return total / sqrt(square) as a point with its time; the origin where that is 0."""
    (S,) = rows(total)
    inverse = safe_divide(torch.ones_like(square), safe_sqrt(square))
    return _written(K, inverse * S, (working, dtype))


def _ambient(K: Tensor, x: Tensor) -> Sums:
    time = compute(time_of_stored, (K,), (x,))
    return x, torch.ones_like(time), time


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
    return asink_square(xx, K * xx, K, sign=-1)


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
    far = square > NEAR_ORIGIN
    inverse = torch.where(far, 1 / torch.where(far, xx, 1.0).sqrt(), 0.0)
    apart = (1 / time - 1) * (inverse * xu) * inverse
    near = K / (time * (1 + time)) * (xu / unit) / unit
    return joined(torch.zeros_like(xx), (U + torch.where(far, apart, near) * X).to(u.dtype))
