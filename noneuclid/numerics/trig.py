"""Trigonometry that does not care about the sign of the curvature.

Every function is one analytic function of z = K r^2 (z < 0 hyperbolic, z > 0 circular) and passes
through z = 0 with all its derivatives: near 0 it is its Taylor polynomial, elsewhere the closed
form. All of them expect float64 (row scalars); they are right to a few 1e-16 relative.
"""

import math

import torch
from torch import Tensor

from noneuclid.numerics.safe import safe_sqrt

# |z| below which the series are used. Their first dropped term is < 1e-17 there; outside, the
# closed forms lose a factor 1/z in the first derivative, to 1e-14.
_NEAR = 0.02
_SINCK = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(6))
_COSK = tuple((-1) ** k / math.factorial(2 * k) for k in range(7))
_ASINCK = tuple(math.comb(2 * k, k) / (4**k * (2 * k + 1)) for k in range(10))


def _polynomial(z: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    result = torch.full_like(z, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = result * z + coefficient
    return result


def _regions(z: Tensor, near: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return (z near 0, sqrt(z) where z > near, sqrt(-z) where z < -near, is near), each safe."""
    is_near = z.abs() < near
    small = torch.where(is_near, z, 0)
    circular = torch.where(z >= near, z, 1).sqrt()
    hyperbolic = torch.where(z <= -near, -z, 1).sqrt()
    return small, circular, hyperbolic, is_near


def _pick(
    z: Tensor, is_near: Tensor, series: Tensor, circular: Tensor, hyperbolic: Tensor
) -> Tensor:
    return torch.where(is_near, series, torch.where(z > 0, circular, hyperbolic))


def sinck(z: Tensor) -> Tensor:
    """Return sin(sqrt z)/sqrt z, or sinh(sqrt -z)/sqrt -z for z < 0; sinck(0) = 1."""
    small, s, h, is_near = _regions(z, _NEAR)
    hyperbolic = (torch.expm1(h) - torch.expm1(-h)) / (2 * h)
    return _pick(z, is_near, _polynomial(small, _SINCK), torch.sin(s) / s, hyperbolic)


def cosk(z: Tensor) -> Tensor:
    """Return cos(sqrt z), or cosh(sqrt -z) for z < 0; cosk(0) = 1."""
    small, s, h, is_near = _regions(z, _NEAR)
    hyperbolic = (torch.exp(h) + torch.exp(-h)) / 2
    return _pick(z, is_near, _polynomial(small, _COSK), torch.cos(s), hyperbolic)


def tanck(z: Tensor) -> Tensor:
    """Return tan(sqrt z)/sqrt z, or tanh(sqrt -z)/sqrt -z for z < 0; tanck(0) = 1.

    tanh is written through expm1, whose derivative e^-2h does not cancel as 1 - tanh^2 does.
    """
    small, s, h, is_near = _regions(z, _NEAR)
    falling = torch.expm1(-2 * h)
    hyperbolic = -falling / ((2 + falling) * h)
    series = _polynomial(small, _SINCK) / _polynomial(small, _COSK)
    return _pick(z, is_near, series, torch.tan(s) / s, hyperbolic)


def asinck(z: Tensor, complement: Tensor) -> Tensor:
    """Return asin(sqrt z)/sqrt z, or asinh(sqrt -z)/sqrt -z for z < 0; asinck(0) = 1.

    Args:
        z: at most 1.
        complement: 1 - z, formed by the caller without cancellation (it is cos^2 of the angle);
            read only where z > 0, where asin near 1 would lose half its digits.

    asinh is written through log1p: torch's own is twenty times slower and no more accurate.
    """
    is_near = z.abs() < _NEAR
    series = _polynomial(torch.where(is_near, z, 0), _ASINCK)
    above, below = z >= _NEAR, z <= -_NEAR
    s = torch.where(above, z, 1).sqrt()
    circular = torch.atan2(s, safe_sqrt(torch.where(above, complement, 1))) / s
    square = torch.where(below, -z, 1)
    h = square.sqrt()
    hyperbolic = torch.log1p(h + square / (1 + (1 + square).sqrt())) / h
    return _pick(z, is_near, series, circular, hyperbolic)


def half_turn(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return (c, s, rest), proportional to (cosk z, sinck z, cosh h - sinh h) with h = sqrt -z.

    For formulas homogeneous in (c, s): where z < 0 all three carry the common factor e^-h, so
    nothing overflows. `rest` is exact where c - h s would cancel; it means nothing for z > 0.
    """
    small, s, h, is_near = _regions(z, _NEAR)
    falling = torch.exp(-2 * h)
    cosine = _pick(z, is_near, _polynomial(small, _COSK), torch.cos(s), (1 + falling) / 2)
    sine = -torch.expm1(-2 * h) / (2 * h)
    sine = _pick(z, is_near, _polynomial(small, _SINCK), torch.sin(s) / s, sine)
    rest = torch.where(is_near, torch.exp(-safe_sqrt(-small)), falling)
    return cosine, sine, rest


def turn(z: Tensor, largest: float | Tensor) -> tuple[Tensor, Tensor]:
    """Return (cosk z, sinck z), both scaled by e^(largest - h) where h = sqrt -z > `largest`.

    The direction of cosk(z) x + sinck(z) v is kept and nothing overflows; the caller moves a
    result of that size to the last shell anyway.
    """
    small, s, h, is_near = _regions(z, _NEAR)
    growing = torch.exp(h.clamp(max=largest)) / 2
    falling = torch.exp(-2 * h)
    cosine = _pick(z, is_near, _polynomial(small, _COSK), torch.cos(s), growing * (1 + falling))
    sine = -growing * torch.expm1(-2 * h) / h
    sine = _pick(z, is_near, _polynomial(small, _SINCK), torch.sin(s) / s, sine)
    return cosine, sine
