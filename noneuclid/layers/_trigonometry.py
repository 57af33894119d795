"""Cosine and sine of curvature K and their inverse, as cheap as a layer wants them.

Right to a few units in the last place of the radius, in the dtype of the rows; `numerics/trig.py`
has the forms that are exact to the edge.
"""

import torch
from torch import Tensor

from noneuclid.numerics import asinck, safe_divide, safe_sqrt, turn

# Radius, in units of |K|^-1/2, beyond which a translation reads a point as if it were there: next
# to the last shells of the hyperboloid in float64 and float32, so that no cosh overflows.
_LARGEST = 300.0
_LARGEST_SINGLE = 40.0


def reach(dtype: torch.dtype) -> float:
    """Return the radius beyond which nothing is read farther out."""
    return _LARGEST if dtype == torch.float64 else _LARGEST_SINGLE


def _hyperbolic(z: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosk z, sinck z for z <= 0, radii beyond the last shells read as that of e^300, e^40.

    sinh(r)/r loses relative accuracy in its derivative as r -> 0, by eps/r^2: it is a coefficient
    of a vector of length r, so the derivative of the result is right to eps.
    """
    curved = z < 0
    r = torch.where(curved, -z, 1).sqrt()
    # One exponential for both: with m = e^r - 1, cosh r = 1 + m^2 / 2e^r, sinh r = (m + m/e^r) / 2.
    m = torch.expm1(r.clamp(max=reach(z.dtype)))
    back = m / (m + 1)
    cosine, sine = 1 + m * back / 2, (m + back) / (2 * r)
    return torch.where(curved, cosine, 1), torch.where(curved, sine, 1)


def _circular(z: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosk z, sinck z for z >= 0; see `_hyperbolic` for the derivative near 0."""
    curved = z > 0
    r = torch.where(curved, z, 1).sqrt()
    return torch.where(curved, torch.cos(r), 1), torch.where(curved, torch.sin(r) / r, 1)


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
    """Return theta / sin theta for either sign, through the half angle."""
    half, rest = (1 - cosine) / 2, (1 + cosine) / 2
    return safe_divide(asinck(half, rest), safe_sqrt(rest))


# By the sign K must have: z -> (cosk z, sinck z), and (cosine, sine^2) -> theta / sin theta.
# A model of one sign pays a third of what the series through K = 0 cost.
TRIGONOMETRY = {
    -1: (_hyperbolic, _unbend_hyperbolic),
    0: (lambda z: turn(z, _LARGEST), _unbend_free),
    1: (_circular, _unbend_circular),
}
UNBEND = {sign: unbend for sign, (_, unbend) in TRIGONOMETRY.items()}
