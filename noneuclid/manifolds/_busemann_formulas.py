"""Busemann functions: how far a point lies before the horospheres around an ideal point.

The ray gamma(t) = exp_o(t v), |v| = 1, ends at the ideal point v, and B(x) is the limit of
d(x, gamma(t)) - t. With (T, X) the ambient coordinates of x, s = <X, v> and r = sqrt -K:

    K < 0: B = log(T - r s) / r,    K = 0: B = -s.

A sphere has no ideal points: there t stops at pi/2 K^-1/2, where gamma is farthest from turning
back, and B = -asin(sqrt K s) / sqrt K, the signed distance from the great sphere across v at the
origin. That is -s as K -> 0 from above; from below B = -s + r (|X|^2 - s^2) / 2 + O(K), so B is
continuous in K at 0 and its derivative by K is not: at K = 0 it is taken from above.
Source: [chen2026hyperbolic] for the ball and the hyperboloid.

Letters: K curvature (1,); x points and v vectors at the origin of any length (*, n), of which the
direction counts; small letters are tensors, capitals the same as `Row`.
"""

import torch
from torch import Tensor

from noneuclid.manifolds._sphere_formulas import apart
from noneuclid.manifolds._stereographic_formulas import Model, half_angle0, read
from noneuclid.numerics import (
    Row,
    asinck,
    asink,
    dots,
    gap,
    log1p_ratio,
    rows,
    safe_divide,
    safe_sqrt,
)

_SMALL = 2.0**-4  # |K||x|^2 on the ball below which B is read as a logarithm of 1 + u


def on_hyperboloid(K: Tensor, x: Tensor, v: Tensor, line: bool) -> Tensor:
    """Return log(T - r s) / r from space parts, without the cancellation of T - r s for s > 0.

    T - r s = (1 + r^2 q) / (T + r s) with q = |x - s v|^2, the square of the part across v. On a
    `line`, of dimension 1, nothing is across: B = -asinh(r s) / r.
    """
    X, V = rows(x, v)
    xx, vv, xv = dots((X, X), (V, V), (X, V))
    if line:
        along = safe_divide(xv, safe_sqrt(vv))
        return -asink(along, K, sign=-1)
    r = (-K).sqrt()
    A = X - safe_divide(xv, vv) * V
    (aa,) = dots((A, A))
    ahead = xv > 0
    side = torch.where(ahead, 1.0, -1.0).to(xx.dtype)
    rise = r * xx / (1 + (1 - K * xx).sqrt())  # (T - 1) / r
    across = _log1p_over(r, r * aa)
    along = _log1p_over(r, rise + side * safe_divide(xv, safe_sqrt(vv)))
    return torch.where(ahead, across, 0.0) - side * along


def _log1p_over(r: Tensor, w: Tensor) -> Tensor:
    """Return log(1 + r w) / r for w >= 0, whose derivative by r does not cancel near 0."""
    u = r * w
    near = u < _SMALL
    return torch.where(near, w * log1p_ratio(torch.where(near, u, 0.0)), torch.log1p(u) / r)


def on_ball(K: Tensor, x: Tensor, v: Tensor, model: Model, line: bool) -> Tensor:
    """Return B in stereographic coordinates, K of any sign.

    K < 0: log(|v - r x|^2 / g) / r, g = 1 + K|x|^2. Of it |v - r x|^2 is the sum of (1 - r|x|)^2,
    which is (g / (1 + r|x|))^2, and r|x| |v - x/|x||^2; near the origin it is log(1 + u) / r with
    u = 2 r (r|x|^2 - x.v) / g. On a line, of dimension 1, it is -2 artanh(r x.v) / r.
    """
    x = read(K, x, model)
    X, V = rows(x, v)
    xx, vv, xv = dots((X, X), (V, V), (X, V))
    inverse = safe_divide(torch.ones_like(vv), safe_sqrt(vv))
    g = gap(K, x, xx)
    if model.sign > 0:
        return _below(K, X, inverse * V, g, sign=1)
    if line:
        inside = torch.where(K < 0, g, 1.0)
        hyperbolic = -2 * inverse * xv * half_angle0(torch.where(K < 0, K, 0.0), xx, inside, -1)
    else:
        hyperbolic = _before_rim(K, X, inverse * V, xx, inverse * xv, g)
    if model.sign < 0:
        return hyperbolic
    return torch.where(K < 0, hyperbolic, _below(K, X, inverse * V, g, sign=0))


def _before_rim(K: Tensor, X: Row, E: Row, xx: Tensor, along: Tensor, g: Tensor) -> Tensor:
    r = torch.where(K < 0, -K, 1.0).sqrt()
    near = -K * xx < _SMALL
    w = 2 * (r * xx - along) / torch.where(near, g, 1.0)
    u = r * torch.where(near, w, 0.0)
    tiny = u.abs() < _SMALL / 2
    close = torch.where(tiny, w * log1p_ratio(torch.where(tiny, u, 0.0)), torch.log1p(u) / r)
    x_norm = torch.where(near, 1.0, xx).sqrt()
    D = E - (1 / x_norm) * X
    (dd,) = dots((D, D))
    size = r * x_norm
    apart = g / (1 + size).square() + size * dd / g
    return torch.where(near, close, torch.log(torch.where(near, 1.0, apart)) / r)


def _below(K: Tensor, X: Row, E: Row, g: Tensor, sign: int) -> Tensor:
    """Return -asin_K(s), s = 2 x.v / g, with 1 - K s^2 = ((2 - g)^2 + 4K|x - (x.v) v|^2) / g^2."""
    (along,) = dots((X, E))
    A = X - along * E
    (aa,) = dots((A, A))
    sine = 2 * along / g
    return -asink(sine, K, ((2 - g).square() + 4 * K * aa) / (g * g), sign=sign)


def on_sphere(K: Tensor, x: Tensor, v: Tensor) -> Tensor:
    """Return -asin(x^.v) / sqrt K, x^ = x/|x|, with the cosine |x^ - (x^.v) v|."""
    (X,) = rows(x)
    _, V = apart(v)
    xx, vv, xv = dots((X, X), (V, V), (X, V))
    norms = safe_sqrt(xx) * safe_sqrt(vv)
    sine = safe_divide(xv, norms)
    inverse = safe_divide(torch.ones_like(xx), safe_sqrt(xx))
    C = inverse * X - safe_divide(xv * inverse, vv) * V
    (cosine2,) = dots((C, C))
    return -sine * asinck(sine * sine, cosine2, sign=1) / K.sqrt()
