"""The arc over a chord: distances in a space of constant curvature from straight ones.

A chord of length s in a space of curvature K spans the arc d = 2 asin_K(s / 2); for K < 0 it is the
chord in Minkowski space, s = 2 sinh(d / 2) at K = -1. The functions take the half chord h in the
unit of length in which K is

    -1 (hyperbolic), 1 (circular), 0 (flat) or, where its sign may change, any number,

and return the half arc in that unit. Knowing the sign saves the branches of `asinck`.
"""

import math
from enum import Enum

import torch
from torch import Tensor

from noneuclid.numerics.safe import safe_sqrt
from noneuclid.numerics.trig import asinck

_NEAR = 0.05  # |z| below which the series of the slope is used; outside, it loses a factor 1/z
SLOPE = tuple(
    (k + 1) * math.comb(2 * k + 2, k + 1) / (4 ** (k + 1) * (2 * k + 3)) for k in range(13)
)


class Shape(Enum):
    """The sign of a curvature, as far as it is known beforehand."""

    HYPERBOLIC = -1
    FLAT = 0
    CIRCULAR = 1
    ANY = 2


def half_arc(h: Tensor, curvature: Tensor, shape: Shape, cosine2: Tensor) -> Tensor:
    """Return asin_K(h), with all derivatives.

    Args:
        h: half chord >= 0.
        curvature: K, read where the shape is any.
        shape: sign of K.
        cosine2: 1 - K h^2, without cancellation; read where K > 0 and needed if it may be.
    """
    if shape is Shape.FLAT:
        return h
    if shape is Shape.HYPERBOLIC:
        square = h * h
        return torch.log1p(h + square / (1 + (1 + square).sqrt()))
    if shape is Shape.CIRCULAR:
        return h * asinck(h * h, cosine2)
    return h * asinck(curvature * h * h, cosine2)


def half_arc_block(
    h: Tensor, curvature: Tensor, shape: Shape, cosine2: Tensor, dtype: torch.dtype
) -> Tensor:
    """Return `half_arc` in `dtype`, without derivative and with few passes over memory.

    All is done in `dtype` but for a sphere of unknown sign; cos^2 is formed in float64, where the
    angle is read off both, so that nothing is lost at the antipode.
    """
    if shape is Shape.ANY:
        return half_arc(h, curvature, shape, cosine2).to(dtype)
    if shape is Shape.FLAT:
        return h.to(dtype, copy=True)
    h = h.to(dtype)
    if shape is Shape.CIRCULAR:
        return torch.atan2(h, safe_sqrt(cosine2).to(dtype))
    square = h * h
    return square.div_((square + 1).sqrt_().add_(1)).add_(h).log1p_()


def half_tangent_block(h: Tensor, shape: Shape, cosine2: Tensor, dtype: torch.dtype) -> Tensor:
    """Return h / sqrt(1 - K h^2), the derivative of the half arc by ln h, in `dtype`.

    It is 0 at the antipode (K > 0), where the arc has no derivative.
    """
    if shape is Shape.FLAT:
        return h.to(dtype, copy=True)
    if shape is Shape.HYPERBOLIC:
        h = h.to(dtype)
        return (h * h).add_(1).rsqrt_().mul_(h)
    inside = torch.where(cosine2 > 0, cosine2, torch.inf)
    return inside.rsqrt_().mul_(h).to(dtype)


def half_bend(h: Tensor, curvature: Tensor) -> Tensor:
    """Return the derivative of asin_K(h) by K: h^3 asinck'(K h^2). Here K is any number."""
    square = h * h
    return h * square * asinck_slope(curvature * square)


def asinck_slope(z: Tensor) -> Tensor:
    """Return the derivative of asinck(z), (1 / sqrt(1 - z) - asinck(z)) / 2z, for z < 1."""
    near = z.abs() < _NEAR
    small = torch.where(near, z, 0)
    series = torch.full_like(z, SLOPE[-1])
    for coefficient in reversed(SLOPE[:-1]):
        series = series * small + coefficient
    far = torch.where(near, 1, z)
    cosine2 = torch.where(near, 1, 1 - z)
    inverse = torch.where(cosine2 > 0, torch.where(cosine2 > 0, cosine2, 1).rsqrt(), 0)
    return torch.where(
        near, series, (inverse - asinck(torch.where(near, 0, z), cosine2)) / (2 * far)
    )
