"""The hyperboloid: formulas of two points, and of vectors carried between them.

The letters and the way of writing are those of `_lorentz_formulas.py`. Far from the origin K enters
a formula only by the times t = sqrt(|x|^2 - 1/K) and with what lies across e: the derivative by K
of a radial difference is e^-2R times its size, and would be lost between terms of order 1.

On a `line`, of dimension 1, nothing lies across, and what rounding leaves there is e^2R too large.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds._lorentz_formulas import NEAR_ORIGIN, inner, with_vector_time
from noneuclid.numerics import Row, asinck, asink, asink_square, dots, rows, safe_divide, safe_sqrt

_SMALL = 4.0  # |x|^2 below which the plain chord loses at most 4 bits
_HUGE = 2.0**60  # beyond, asinh(s) is log(2 s), and soon s^2 is out of range


class _Pair(NamedTuple):
    """Two points and their row scalars; D = y - x."""

    X: Row
    Y: Row
    D: Row
    xx: Tensor
    xy: Tensor
    x_time: Tensor
    y_time: Tensor
    growth: Tensor  # |y|^2 - |x|^2 = (y - x).(y + x)
    far: Tensor  # neither is near the origin
    x_norm: Tensor  # |x| where far, else 1; like the next
    y_norm: Tensor
    sweep: Tensor  # sinh(r_y - r_x) where far
    sine2: Tensor  # sinh^2(d / 2)
    half: Tensor  # that over -K, which has a limit at K = 0


def _pair(K: Tensor, X: Row, Y: Row, line: bool) -> _Pair:
    """Return the row scalars of a pair; sinh^2(d/2) in the form that keeps its digits.

    - both near the origin: 4 sinh^2(d/2) = |y - x|^2 - (t_y - t_x)^2, the chord, with
      t_y - t_x = (|y|^2 - |x|^2) / (t_x + t_y);
    - one near the origin: cosh d = t_x t_y - x.y, whose terms do not cancel then;
    - else sinh^2((r_y - r_x)/2) + |x||y| |x/|x| - y/|y||^2 / 4, with
      sinh(r_y - r_x) = (|y|^2 - |x|^2) / (|x| t_y + |y| t_x): no term cancels.
    """
    D, S = Y - X, Y + X
    k, height = -K, -1 / K
    xx, yy, xy, dd, growth = dots((X, X), (Y, Y), (X, Y), (D, D), (D, S))
    x_time, y_time = (xx + height).sqrt(), (yy + height).sqrt()
    chord = (dd - (growth / (x_time + y_time)).square()).clamp(min=0) / 4
    mixed = (x_time * y_time - height - xy) / 2
    far = k * torch.minimum(xx, yy) > NEAR_ORIGIN
    small = k * torch.maximum(xx, yy) < _SMALL
    x_norm, y_norm = (torch.where(far, p, 1.0).sqrt() for p in (xx, yy))
    wider = torch.where(far, growth, 0.0)  # else its square, not asked for, would overflow
    sweep = wider / torch.where(far, x_norm * y_time + y_norm * x_time, 1.0)
    radial = sweep / (2 + 2 * (1 + sweep * sweep).sqrt()) * sweep
    if line:
        aside = torch.where(xy < 0, x_norm * y_norm, 0.0)
    else:
        aside = _angular(X, Y, D, x_norm, y_norm, wider)
    near = torch.where(small, chord, mixed)
    apart = far & ~small
    half = torch.where(apart, radial / k + aside, near)
    sine2 = torch.where(apart, radial + k * aside, k * near)
    return _Pair(X, Y, D, xx, xy, x_time, y_time, growth, far, x_norm, y_norm, sweep, sine2, half)


def _alike(x_norm: Tensor, y_norm: Tensor) -> Tensor:
    """Tell where y - x has not lost digits of the smaller one: its norm is at least half."""
    return (x_norm < 2 * y_norm) & (y_norm < 2 * x_norm)


def _angular(X: Row, Y: Row, D: Row, x_norm: Tensor, y_norm: Tensor, growth: Tensor) -> Tensor:
    """Return |x||y| |x/|x| - y/|y||^2 / 4, for norms that are not 0.

    The difference of directions is ((y - x) - (|y| - |x|)/|x| x) / |y|, which keeps its relative
    accuracy for near ones. Where the norms differ by more than a factor 2, y - x has lost digits of
    the smaller one and it is that difference itself. The outer factor comes in before squaring:
    its square may overflow in a derivative.
    """
    alike = _alike(x_norm, y_norm)
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


def dist2(K: Tensor, x: Tensor, y: Tensor, line: bool) -> Tensor:
    """Return d^2 by d = 2 asinh(sqrt(sinh^2(d/2))), never by acosh."""
    c, K, (X, Y) = _in_range(K, x, y)
    p = _pair(K, X, Y, line)
    return 4 * asink_square(p.half, -p.sine2, K, sign=-1) / c / c


def logmap(K: Tensor, x: Tensor, y: Tensor, line: bool) -> Tensor:
    """Return d/sinh(d) (y - cosh(d) x) as d/sinh(d) ((y - x) - 2 sinh^2(d/2) x)."""
    c, scaled, (X, Y) = _in_range(K, x, y)
    p = _pair(scaled, X, Y, line)
    angle, root = asinck(-p.sine2, sign=-1), (1 + p.sine2).sqrt()
    pull = 2 * angle * (p.sine2 / root)  # sine2 * angle would overflow in backward
    if x.dtype == torch.float64:  # 2 theta tanh(d/2), whose derivative does not cancel by theta
        beyond = p.sine2 > 1
        s = torch.where(beyond, p.sine2, 1.0)
        theta = asink(s.sqrt(), -torch.ones_like(s), sign=-1)
        pull = torch.where(beyond, 2 * theta * (1 - 1 / (1 + s)).sqrt(), pull)
    return with_vector_time(K, x, ((angle / root / c) * p.D - (pull / c) * p.X).to(x.dtype))


def transp(K: Tensor, x: Tensor, y: Tensor, v: Tensor, line: bool) -> Tensor:
    """Return v + w (x + y) with w = -K <y, v> / (1 + cosh d), the Lorentz product in space parts.

    Inward v and w x cancel along e. So far out the part of their sum along e is read as
    ((e.v)(1 + t_y/t_x) - K |x| y.v') / (1 + cosh d), v' the part of v across e. On a line all of
    it is t_y/t_x v.
    """
    _, scaled, (X, Y) = _in_range(K, x, y)
    (V,) = rows(v)
    if line:
        return with_vector_time(K, y, (_stretch(scaled, X, Y) * V).to(v.dtype))
    p = _pair(scaled, X, Y, line)
    q = _pairing(scaled, p, V, line)
    # Where d is that of the directions, w does not depend on K but for e^-2R: K cancels at once.
    turned = p.far & (p.half + 1 / scaled > p.sweep.abs() / -scaled)
    one, rate2 = (torch.where(turned, a, b) for a, b in ((-1 / scaled, 1.0), (1.0, -scaled)))
    whole = 2 * one + 2 * torch.where(turned, p.half, p.sine2)
    on_y = torch.where(turned, q.product, q.in_units) / whole
    along = q.out * ((1 + p.y_time / p.x_time) * one / whole)
    along = along + q.across * (q.x_norm * rate2 / whole)
    outside = -scaled * p.xx > 1  # nearer to the origin its derivative would cancel
    on_x = torch.where(outside, (along - q.out) / q.x_norm, on_y)
    return with_vector_time(K, y, (V + on_x * p.X + on_y * p.Y).to(v.dtype))


def _stretch(K: Tensor, X: Row, Y: Row) -> Tensor:
    """Return t_y / t_x, whose derivatives vanish near the origin."""
    xx, growth, yy = dots((X, X), (Y - X, Y + X), (Y, Y))
    x_time, y_time = (xx - 1 / K).sqrt(), (yy - 1 / K).sqrt()
    near = 1 + growth / (x_time + y_time) / x_time
    return torch.where(-K * xx > 1, y_time / x_time, near)


def dist2plane(K: Tensor, x: Tensor, p: Tensor, a: Tensor, line: bool) -> Tensor:
    """Return the signed distance of x from the hyperplane through p across a: sinh(d) = <x, a>/|a|.

    The Lorentz product is in space parts, a in units of length: r sinh^-1(r <x, a> / |a|_p) / r^2.
    """
    c, scaled, (P, X) = _in_range(K, p, x)
    (A,) = rows(a)
    product = _pairing(scaled, _pair(scaled, P, X, line), A, line).product / c
    sine = safe_divide(product, safe_sqrt(inner(K, p, a, a, line)))
    rate = (-K).sqrt()
    size = (rate * sine).abs()
    beyond = size > _HUGE
    within = torch.where(beyond, 0.0, sine)
    far = (torch.log1p(torch.where(beyond, size, 1.0)) + math.log(2)) / rate
    return torch.where(beyond, torch.where(sine < 0, -far, far), asink(within, K, sign=-1))


class _Pairing(NamedTuple):
    """The Lorentz product of y with a vector v at x, and what it is made of far out."""

    product: Tensor
    in_units: Tensor  # -K times the product
    out: Tensor  # e.v
    across: Tensor  # the product of the parts of y and v across e
    x_norm: Tensor  # |x|, where x is not near the origin


def _pairing(K: Tensor, p: _Pair, V: Row, line: bool) -> _Pairing:
    """Return the Lorentz product <y, v> of y with a vector at x; the plain sum cancels by e^2R.

    With D' the part of y - x, or of y, across e: <y, v> = D'.v + (e.v) (sinh(r_y - r_x)/(-K t_x) -
    (|y| - y.e)), and |y| - y.e = |D'|^2 / (|y| + y.e) where y.e > 0. Where only y is near the
    origin, and |y| may be 0, that bracket is y.e - |x| t_y/t_x.
    """
    k = -K
    xv, dv = dots((p.X, V), (p.D, V))
    plain = dv - xv / p.x_time * (p.growth / (p.x_time + p.y_time))
    outer = k * p.xx > NEAR_ORIGIN  # x is not near the origin; y may be, and has a direction then
    x_norm = torch.where(outer, p.xx, 1.0).sqrt()
    unit = (1 / x_norm).detach()  # keeps derivatives in range
    xx = torch.where(outer, unit * (unit * p.xx), 1.0)
    inverse = torch.where(outer, 1 / xx.sqrt(), 0.0)
    out = inverse * (unit * xv)
    if line:
        across, shortfall = torch.zeros_like(xv), torch.where(p.xy < 0, 2 * p.y_norm, 0.0)
    else:
        across, shortfall = _across(p, V, unit, inverse, out)
        across = torch.where(outer, across, 0.0)
    step = p.sweep / p.x_time
    rise = inverse * (unit * p.xy) - x_norm * (p.y_time / p.x_time)  # does not cancel for small y
    inner = torch.where(outer, across + out * rise, plain)
    product = torch.where(p.far, across + out * (step / k - shortfall), inner)
    in_units = torch.where(p.far, out * (step - k * shortfall) + k * across, k * inner)
    return _Pairing(product, in_units, out, across, x_norm)


def _across(
    p: _Pair, V: Row, unit: Tensor, inverse: Tensor, v_out: Tensor
) -> tuple[Tensor, Tensor]:
    """Return D'.v' and |y| - y.e; `unit` x is about as long as e, which is `inverse` times it."""
    X = unit * p.X
    (xd,) = dots((p.X, p.D))
    alike = (p.far & _alike(p.x_norm, p.y_norm)).to(xd.dtype)
    # y - x has lost the digits of a much smaller y
    y_out = inverse * (unit * (alike * xd + (1 - alike) * p.xy))
    # The radial part of a vector is e^R long: what rounding left of it in D' would show.
    A = alike * p.D + (1 - alike) * p.Y - (y_out * inverse) * X
    B = V - (v_out * inverse) * X
    aa, ab = dots((A, A), (A, B))
    along = alike * p.x_norm + y_out  # y.e
    ahead = along > 0
    shortfall = aa / torch.where(ahead, p.y_norm + along, 1.0)
    return ab, torch.where(ahead, shortfall, p.y_norm - along)
