"""Cosine and sine of curvature K and their inverse, as cheap as a layer wants them.

Right to a few units in the last place of the radius, in the dtype of the rows; `numerics/trig.py`
has the forms that are exact to the edge.
"""

import math

import torch
from torch import Tensor

from noneuclid.numerics import Row, asinck, rows, safe_divide, safe_sqrt, turn, working_dtype

# Radius, in units of |K|^-1/2, beyond which a translation reads a point as if it were there: next
# to the last shells of the hyperboloid in float64 and float32, so that no cosh overflows.
_LARGEST = 300.0
_LARGEST_SINGLE = 40.0
# |z| below which series stand for functions of any sign of z in float32, right to its eps there;
# beyond, closed forms lose a factor 1/z in their derivative.
_NEAR = 0.125
_SINCK = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(5))
_COSK = tuple((-1) ** k / math.factorial(2 * k) for k in range(5))
_ASINCK = tuple(math.comb(2 * k, k) / (4**k * (2 * k + 1)) for k in range(9))


def reach(dtype: torch.dtype) -> float:
    """Return the radius beyond which nothing is read farther out."""
    return _LARGEST if dtype == torch.float64 else _LARGEST_SINGLE


def unrounded(*tensors: Tensor) -> tuple[Row, ...]:
    """Return rows to compute with, in the dtype that a layer's row scalars have in torch.

    A native kernel has them in float64, which costs it nothing.
    """
    if isinstance(tensors[0], Tensor):
        return tuple(t.to(working_dtype(t.dtype)) for t in tensors)
    return rows(*tensors)


def _hyperbolic(z: Tensor, largest: float | None = None) -> tuple[Tensor, Tensor]:
    """Return cosk z, sinck z for z <= 0, radii beyond `largest` (that of the dtype) read as it.

    sinh(r)/r loses relative accuracy in its derivative as r -> 0, by eps/r^2: it is a coefficient
    of a vector of length r, so the derivative of the result is right to eps.
    """
    curved = z < 0
    r = torch.where(curved, -z, 1).sqrt()
    # One exponential for both: with m = e^r - 1, cosh r = 1 + m^2 / 2e^r, sinh r = (m + m/e^r) / 2.
    m = torch.expm1(r.clamp(max=reach(z.dtype) if largest is None else largest))
    back = m / (m + 1)
    cosine, sine = 1 + m * back / 2, (m + back) / (2 * r)
    return torch.where(curved, cosine, 1), torch.where(curved, sine, 1)


def _circular(z: Tensor, largest: float | None = None) -> tuple[Tensor, Tensor]:
    """Return cosk z, sinck z for z >= 0; see `_hyperbolic` for the derivative near 0."""
    curved = z > 0
    r = torch.where(curved, z, 1).sqrt()
    return torch.where(curved, torch.cos(r), 1), torch.where(curved, torch.sin(r) / r, 1)


def _free(z: Tensor, largest: float | None = None) -> tuple[Tensor, Tensor]:
    """Return cosk z, sinck z for either sign, through z = 0 with their derivatives."""
    largest = reach(z.dtype) if largest is None else largest
    if z.dtype == torch.float64:
        return turn(z, largest)
    near = z.abs() < _NEAR
    small, far = torch.where(near, z, 0), torch.where(near, 1, z)
    # Each of the two is 1 on the other's side.
    pairs = zip(_circular(far), _hyperbolic(far, largest), (_COSK, _SINCK), strict=True)
    cosine, sine = (torch.where(near, _series(small, k), a * b) for a, b, k in pairs)
    return cosine, sine


def _series(z: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    result = torch.full_like(z, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = result * z + coefficient
    return result


def _unbend_hyperbolic(cosine: Tensor, square: Tensor) -> Tensor:
    """Return theta / sinh theta, cosh theta = `cosine`; its cancellation at 0 changes 1 by eps."""
    curved = cosine > 1
    t = torch.where(curved, cosine - 1, 1)
    sine = t.sqrt() * (t + 2).sqrt()
    return torch.where(curved, torch.log1p(t + sine) / sine, 1)


def _unbend_circular(cosine: Tensor, square: Tensor) -> Tensor:
    """Return theta / sin theta, theta in [0, pi], with sin^2 theta = `square`."""
    curved = square > 0
    sine = torch.where(curved, square, 1).sqrt()
    return torch.where(curved, torch.atan2(sine, cosine) / sine, 1)


def _unbend_free(cosine: Tensor, square: Tensor) -> Tensor:
    """Return theta / sin theta for either sign, through `square` = 0 with its derivatives."""
    if cosine.dtype == torch.float64:  # through the half angle
        half, rest = (1 - cosine) / 2, (1 + cosine) / 2
        return safe_divide(asinck(half, rest), safe_sqrt(rest))
    near = (square.abs() < _NEAR) & (cosine > 0)
    small = torch.where(near, square, 0)
    beyond = torch.where(
        square > 0, _unbend_circular(cosine, square), _unbend_hyperbolic(cosine, square)
    )
    return torch.where(near, _series(small, _ASINCK), beyond)


# By the sign K must have: z, largest -> (cosk z, sinck z); (cosine, sine^2) -> theta / sin theta.
# A model of one sign pays a third of what the series through K = 0 cost.
TRIGONOMETRY = {
    -1: (_hyperbolic, _unbend_hyperbolic),
    0: (_free, _unbend_free),
    1: (_circular, _unbend_circular),
}
UNBEND = {sign: unbend for sign, (_, unbend) in TRIGONOMETRY.items()}
