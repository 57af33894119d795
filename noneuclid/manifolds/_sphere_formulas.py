"""The sphere in R^(n+1): formulas on directions.

A point is read as its direction x^ = x/|x|, a vector as its part across x. Source:
[skopek2020mixed] appendix A for the formulas; the chord forms keep near pairs exact.

Letters: K curvature (1,); x, y points and u, v vectors (*, n + 1); small letters are tensors,
capitals the same as `Row`.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds._centroid import Reading, Sums, ambient_sum
from noneuclid.manifolds._pairwise import Chart
from noneuclid.numerics import (
    Row,
    asinck,
    axis,
    compute,
    cosk,
    dots,
    joined,
    row_dot,
    rows,
    safe_divide,
    safe_sqrt,
    sinck,
    wide,
    with_derivative_of,
)
from noneuclid.numerics.arc import Shape


def _inverse_norm(xx: Tensor) -> Tensor:
    """Return 1/|x|, and 0 where x = 0, which stands for no direction."""
    return safe_divide(torch.ones_like(xx), safe_sqrt(xx))


# -- projection and metric -------------------------------------------------------------------------


def project(K: Tensor, x: Tensor, dtype: torch.dtype, working: torch.dtype | None = None) -> Tensor:
    """Return the direction at norm K^-1/2; x itself within rounding of it; the origin for x = 0."""
    X, first = rows(x, axis(x, 0))
    (xx,) = dots((X, X))
    radius = 1 / K.sqrt()
    factor = _norm_kept(K, xx, radius * _inverse_norm(xx), dtype)
    return (factor * X + (radius * (xx == 0)) * first).to(working or x.dtype)


def _norm_kept(K: Tensor, xx: Tensor, factor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return 1, with the derivative of `factor`, where |x| is K^-1/2 within rounding."""
    there = (K * xx - 1).abs() < 4 * torch.finfo(dtype).eps
    return torch.where(there, with_derivative_of(torch.ones_like(factor), factor), factor)


def proju(K: Tensor, x: Tensor, u: Tensor) -> Tensor:
    """Return u - (x^.u) x^."""
    return _across(*rows(x, u)).to(u.dtype)


def _across(X: Row, U: Row) -> Row:
    xx, xu = dots((X, X), (X, U))
    return U - safe_divide(xu, xx) * X


def inner(K: Tensor, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Return the product of the parts across x."""
    X, U, V = rows(x, u, v)
    xx, xu, xv = dots((X, X), (X, U), (X, V))
    (product,) = dots((U - safe_divide(xu, xx) * X, V - safe_divide(xv, xx) * X))
    return product


# -- geodesics -------------------------------------------------------------------------------------


def expmap(K: Tensor, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
    """Return cos(a) x^ K^-1/2 + sin(a)/a u with a = sqrt K |u|."""
    X, U = rows(x, u)
    xx, xu = dots((X, X), (X, U))
    A = U - safe_divide(xu, xx) * X
    (aa,) = dots((A, A))
    z = K * aa
    on_x = cosk(z, sign=1) * ((1 / K.sqrt()) * _inverse_norm(xx))
    on_x = torch.where(z == 0, _norm_kept(K, xx, on_x, dtype), on_x)
    y = (on_x * X + sinck(z, sign=1) * A).to(x.dtype)
    # In float32 the norm is off by one rounding at most, in float64 by several.
    return project(K, y, dtype) if x.dtype == torch.float64 else y


class _Pair(NamedTuple):
    """Two directions: M = y^ - x^ and P = -(y^ + x^), whose squares are 4 sin^2, 4 cos^2."""

    X: Row
    M: Row
    P: Row
    sine2: Tensor  # sin^2 of half the angle
    cosine2: Tensor
    inverse: Tensor  # 1/|x|


def _pair(X: Row, Y: Row) -> _Pair:
    """Return both chords, each to full accuracy.

    y^ - x^ is ((y - x) - (|y| - |x|) x^) / |y|, and y^ + x^ likewise with y + x: near directions
    keep their relative accuracy. Where the norms differ by more than a factor 2 it is plain.
    """
    D, S = Y - X, Y + X
    xx, yy, growth = dots((X, X), (Y, Y), (D, S))
    x_inverse, y_inverse = _inverse_norm(xx), _inverse_norm(yy)
    alike = ((xx < 4 * yy) & (yy < 4 * xx)).to(xx.dtype)
    stretch = safe_divide(growth, safe_sqrt(xx) + safe_sqrt(yy)) * x_inverse * y_inverse
    on_x = -alike * stretch - (1 - alike) * x_inverse
    near, far = alike * y_inverse, (1 - alike) * y_inverse
    M = near * D + far * Y + on_x * X
    P = on_x * X - near * S - far * Y
    mm, pp = dots((M, M), (P, P))
    return _Pair(X, M, P, mm / 4, pp / 4, x_inverse)


def dist2(K: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return d^2 by d = 2 atan2(|x^ - y^|, |x^ + y^|), never by acos."""
    p = _pair(*rows(x, y))
    angle = asinck(p.sine2, p.cosine2, sign=1)
    return 4 * p.sine2 * angle * angle / K


def chart(K: Tensor, x: Tensor) -> Chart:
    """Return the directions at norm K^-1/2 in float64."""
    norm, radius = safe_sqrt(row_dot(x, x)), 1 / K.sqrt()
    points = project(K, wide(x), torch.float64)
    near = torch.cat([wide(x), norm, safe_sqrt(safe_divide(radius, norm))], dim=-1)
    return Chart(points, torch.ones_like(norm), K, Shape.CIRCULAR, -points, near)


def logmap(K: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return theta a/|a|, a the part of y across x: (y - x) + |y - x|^2/2 x in directions.

    Past the equator a is formed from y + x in the same way. At the antipode, where a = 0, any
    tangent direction is shortest: that of the first axis, or of the second where x is on it.
    """
    X, Y, first, second = rows(x, y, axis(x, 0), axis(x, 1))
    p = _pair(X, Y)
    near = (p.sine2 <= p.cosine2).to(p.sine2.dtype)
    bend = 2 * (near * p.sine2 - (1 - near) * p.cosine2) * p.inverse
    # What rounding left along x would pass for a direction once the part across is as small.
    A = _across(X, near * p.M - (1 - near) * p.P + bend * X)
    aa, along_first, along_second = dots((A, A), (X, first), (X, second))
    smallest = torch.finfo(torch.float64).eps ** 2
    antipodal = ((near == 0) & (aa <= smallest)).to(aa.dtype)
    on_first = ((along_first * p.inverse).square() <= 0.5).to(aa.dtype)
    along = (on_first * along_first + (1 - on_first) * along_second) * p.inverse
    fallback = on_first * first + (1 - on_first) * second - (along * p.inverse) * X
    A = (1 - antipodal) * A + antipodal * fallback
    aa = torch.where(antipodal > 0, 1 - along * along, aa)
    angle = 2 * asinck(p.sine2, p.cosine2, sign=1)  # theta / sin(theta/2)
    close = angle / (2 * torch.where(near > 0, p.cosine2, 1.0).sqrt())
    apart = angle * safe_sqrt(p.sine2) / torch.where(near > 0, 1.0, aa).sqrt()
    return ((torch.where(near > 0, close, apart) / K.sqrt()) * A).to(x.dtype)


def transp(K: Tensor, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
    """Return v - (y.v) 2 (x + y)/|x + y|^2 in directions; v itself at the antipode."""
    X, Y, V = rows(x, y, v)
    p = _pair(X, Y)
    A = _across(X, V)
    (sweep,) = dots((p.M, A))
    weight = safe_divide(sweep, 2 * p.cosine2)
    # Near the antipode the weight is large: what rounding left along y is taken out again.
    return _across(Y, A + weight * p.P).to(v.dtype)


def dist2plane(K: Tensor, x: Tensor, p: Tensor, a: Tensor) -> Tensor:
    """Return the signed distance of x from the great sphere through p across a.

    sin(d) = (x^ - p^).a/|a|, cos(d) = |x^ - (x^.a) a/|a|^2|, in units of K^-1/2.
    """
    P, X, V = rows(p, x, a)
    q = _pair(P, X)
    A = _across(P, V)
    (xx,) = dots((X, X))
    aa, along = dots((A, A), (q.M, A))
    sine = safe_divide(along, safe_sqrt(aa))
    R = _inverse_norm(xx) * X - safe_divide(along, aa) * A
    (cosine2,) = dots((R, R))
    return sine * asinck(sine * sine, cosine2, sign=1) / K.sqrt()


def midpoint(K: Tensor, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the direction of sum w x^; the origin where the sum vanishes."""
    total, *_ = ambient_sum(K, x, w, Reading("direction", _ambient, sign=1))
    return compute(_direction, (K,), (total,), working=x.dtype)


def _direction(K: Tensor, total: Tensor, working: torch.dtype) -> Tensor:
    """Return the direction of a sum, taken twice, and so twice in backward.

    What rounding leaves along it of a gradient would show in those by weights, which are its
    products with points close by.
    """
    return project(K, project(K, total, torch.float64), torch.float64, working)


def _ambient(K: Tensor, x: Tensor) -> Sums:
    inverse = compute(inverse_norm, (), (x,))
    return x, inverse, torch.zeros_like(inverse)


def inverse_norm(x: Tensor) -> Tensor:
    """Return 1/|x|, (*, 1), and 0 where x = 0."""
    (X,) = rows(x)
    (xx,) = dots((X, X))
    return _inverse_norm(xx)


# -- origin: the first coordinate y0 apart, y the others -------------------------------------------


class _Height(NamedTuple):
    """A point by its first coordinate: |y|, |y| + y0 and |y| - y0, none of which cancels."""

    norm: Tensor
    plus: Tensor
    minus: Tensor


def _height(y0: Tensor, yy: Tensor) -> _Height:
    norm = safe_sqrt(yy + y0 * y0)
    other = safe_divide(yy, norm + y0.abs())
    north = y0 >= 0
    return _Height(norm, torch.where(north, norm + y0, other), torch.where(north, other, norm - y0))


def expmap0(K: Tensor, u: Tensor) -> Tensor:
    """Return (cos a, sin(a)/a u) with a = sqrt K |u|."""
    (U,) = rows(u)
    (uu,) = dots((U, U))
    pole = cosk(K * uu, sign=1) / K.sqrt()
    return joined(pole, (sinck(K * uu, sign=1) * U).to(u.dtype))


def _half_angle0(h: _Height) -> tuple[Tensor, Tensor, Tensor]:
    """Return sin^2 and cos^2 of half the angle from the origin, and that half over its sine."""
    twice = torch.where(h.norm > 0, 2 * h.norm, 1.0)
    sine2, cosine2 = h.minus / twice, h.plus / twice
    return sine2, cosine2, asinck(sine2, cosine2, sign=1)


def apart(x: Tensor) -> tuple[Tensor, Row]:
    """Return the first coordinate, as a row scalar, and the row with 0 in its place."""
    X, first = rows(x, axis(x, 0))
    (x0,) = dots((X, first))
    return x0, X - x0 * first


def logmap0(K: Tensor, y: Tensor) -> Tensor:
    """Return theta y/|y|; at the antipode of the origin along the first axis there is."""
    y0, Y = apart(y)
    (second,) = rows(axis(y, 1))
    (yy,) = dots((Y, Y))
    h = _height(y0, yy)
    _, cosine2, angle = _half_angle0(h)
    scale = safe_divide(angle, h.norm * safe_sqrt(cosine2))
    antipodal = ((yy == 0) & (y0 < 0)).to(yy.dtype)
    rate = K.sqrt()
    U = (scale / rate) * Y + (math.pi * antipodal / rate) * second
    if y.dtype == torch.float64:
        # Its first entry is 0. Taken out of a row of its own, it is 0 in the gradient too, where
        # terms would cancel that dwarf the others as y nears the origin.
        _, U = apart(U.to(y.dtype))
    return U.to(y.dtype)


def dist02(K: Tensor, y: Tensor) -> Tensor:
    """Return (theta / sqrt K)^2."""
    y0, Y = apart(y)
    (yy,) = dots((Y, Y))
    sine2, _, angle = _half_angle0(_height(y0, yy))
    return 4 * sine2 * angle * angle / K


def transp0(K: Tensor, y: Tensor, u: Tensor) -> Tensor:
    """Return u - y.u / (|y| (|y| + y0)) y, first entry -y.u/|y|; u itself at the antipode."""
    y0, Y = apart(y)
    _, U = apart(u)
    (first,) = rows(axis(y, 0))
    yy, yu = dots((Y, Y), (Y, U))
    h = _height(y0, yy)
    entry = -safe_divide(yu, h.norm)
    return (U - safe_divide(yu, h.norm * h.plus) * Y + entry * first).to(u.dtype)


def transp0back(K: Tensor, x: Tensor, u: Tensor) -> Tensor:
    """Return u - u0 / (|x| + x0) x, of the part of u across x; u itself at the antipode."""
    (x0, X), (u0, U) = apart(x), apart(u)
    xx, xu = dots((X, X), (X, U))
    h = _height(x0, xx)
    along = safe_divide(xu + x0 * u0, h.norm * h.norm)
    weight = along + safe_divide(u0 - along * x0, h.plus)
    return (U - weight * X).to(u.dtype)
