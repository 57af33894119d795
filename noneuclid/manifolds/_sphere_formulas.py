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
from noneuclid.numerics import (
    Row,
    asinck,
    axis,
    compute,
    cosk,
    dots,
    joined,
    rows,
    safe_divide,
    safe_sqrt,
    sinck,
    with_derivative_of,
)


def over_norm(xx: Tensor) -> Tensor:
    """Return 1/|x|, and 0 where x = 0, which stands for no direction."""
    return safe_divide(torch.ones_like(xx), safe_sqrt(xx))


# -- projection and metric -------------------------------------------------------------------------


def project(K: Tensor, x: Tensor, dtype: torch.dtype, working: torch.dtype | None = None) -> Tensor:
    """Return the direction at norm K^-1/2; x itself within rounding of it; the origin for x = 0."""
    X, first = rows(x, axis(x, 0))
    (xx,) = dots((X, X))
    radius = 1 / K.sqrt()
    factor = _norm_kept(K, xx, radius * over_norm(xx), dtype)
    return (factor * X + (radius * (xx == 0)) * first).to(working or x.dtype)


def _norm_kept(K: Tensor, xx: Tensor, factor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return 1, with the derivative of `factor`, where |x| is K^-1/2 within rounding."""
    there = (K * xx - 1).abs() < 4 * torch.finfo(dtype).eps
    return torch.where(there, with_derivative_of(torch.ones_like(factor), factor), factor)


def proju(K: Tensor, x: Tensor, u: Tensor) -> Tensor:
    """Return u - (x^.u) x^."""
    return across(*rows(x, u)).to(u.dtype)


def across(X: Row, U: Row) -> Row:
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
    on_x = cosk(z, sign=1) * ((1 / K.sqrt()) * over_norm(xx))
    on_x = torch.where(z == 0, _norm_kept(K, xx, on_x, dtype), on_x)
    y = (on_x * X + sinck(z, sign=1) * A).to(x.dtype)
    # In float32 the norm is off by one rounding at most, in float64 by several.
    return project(K, y, dtype) if x.dtype == torch.float64 else y


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
    return over_norm(xx)


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
