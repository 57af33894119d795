"""The sphere in R^(n+1): formulas of two points, and of vectors carried between them.

The letters and the way of writing are those of `_sphere_formulas.py`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds._pairwise import Chart
from noneuclid.manifolds._sphere_formulas import across, over_norm, project
from noneuclid.numerics import (
    Row,
    asinck,
    axis,
    dots,
    row_dot,
    rows,
    safe_divide,
    safe_sqrt,
    wide,
)
from noneuclid.numerics.arc import Shape


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
    x_inverse, y_inverse = over_norm(xx), over_norm(yy)
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
    A = across(X, near * p.M - (1 - near) * p.P + bend * X)
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
    A = across(X, V)
    (sweep,) = dots((p.M, A))
    weight = safe_divide(sweep, 2 * p.cosine2)
    # Near the antipode the weight is large: what rounding left along y is taken out again.
    return across(Y, A + weight * p.P).to(v.dtype)


def dist2plane(K: Tensor, x: Tensor, p: Tensor, a: Tensor) -> Tensor:
    """Return the signed distance of x from the great sphere through p across a.

    sin(d) = (x^ - p^).a/|a|, cos(d) = |x^ - (x^.a) a/|a|^2|, in units of K^-1/2.
    """
    P, X, V = rows(p, x, a)
    q = _pair(P, X)
    A = across(P, V)
    (xx,) = dots((X, X))
    aa, along = dots((A, A), (q.M, A))
    sine = safe_divide(along, safe_sqrt(aa))
    R = over_norm(xx) * X - safe_divide(along, aa) * A
    (cosine2,) = dots((R, R))
    return sine * asinck(sine * sine, cosine2, sign=1) / K.sqrt()
