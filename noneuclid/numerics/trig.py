"""Trigonometry that does not care about the sign of the curvature.

Every function is one analytic function of z = K r^2 (z < 0 hyperbolic, z > 0 circular) and passes
through z = 0 with all its derivatives: near 0 it is its Taylor polynomial, elsewhere the closed
form. All of them expect float64 (row scalars); they are right to a few 1e-16 relative.

`sign` says what is known of z: -1 or +1 where it never has the other sign (0 included), which
leaves out one branch; 0 where it may have either.
"""

import math

import torch
from torch import Tensor

from noneuclid.numerics.safe import safe_sqrt

# |z| below which the series are used. Their first dropped term is < 1e-18 there, that of their
# derivative < 1e-15; outside, the closed forms lose a factor 1/z in the first derivative, to 3e-14
# (of a term that enters every result multiplied by z, or K by the same digits as K itself).
_NEAR = 2.0**-5
Branches = tuple[Tensor | None, Tensor | None]  # circular, hyperbolic; None where left out
_NEITHER: Branches = (None, None)
_SINCK = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(8))
_COSK = tuple((-1) ** k / math.factorial(2 * k) for k in range(8))
_BEND = tuple((-1) ** k / math.factorial(2 * k + 2) for k in range(8))
_LOG1P = tuple((-1) ** k / (k + 1) for k in range(13))
_NEAR_ONE = 2.0**-5  # |u| below which the series of log(1 + u) / u is used, as right as the others
_ASINCK = tuple(math.comb(2 * k, k) / (4**k * (2 * k + 1)) for k in range(13))


def _polynomial(z: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    result = z * coefficients[-1] + coefficients[-2]
    for coefficient in reversed(coefficients[:-2]):
        result = result * z + coefficient
    return result


class _Regions:
    """z near 0, sqrt(z) beyond on one side, sqrt(-z) on the other; each finite everywhere."""

    def __init__(self, z: Tensor, sign: int) -> None:
        self.z, self.sign = z, sign
        self.is_near = ~(z.abs() >= _NEAR)  # NaN too: it comes out of the series as NaN
        self.near = torch.where(self.is_near, z, 0.0)
        if sign >= 0:
            self.circular = torch.where(z >= _NEAR, z, 1.0).sqrt()
        if sign <= 0:
            self.hyperbolic = torch.where(z <= -_NEAR, -z, 1.0).sqrt()

    def pick(self, series: Tensor, circular: Tensor | None, hyperbolic: Tensor | None) -> Tensor:
        """Return each branch where it holds; None for one that `sign` excludes."""
        if circular is None or hyperbolic is None:
            beyond = hyperbolic if circular is None else circular
        else:
            beyond = torch.where(self.z > 0, circular, hyperbolic)
        assert beyond is not None
        return torch.where(self.is_near, series, beyond)


def sinck(z: Tensor, sign: int = 0) -> Tensor:
    """Return sin(sqrt z)/sqrt z, or sinh(sqrt -z)/sqrt -z for z < 0; sinck(0) = 1."""
    at = _Regions(z, sign)
    circular = torch.sin(at.circular) / at.circular if sign >= 0 else None
    hyperbolic = _sinh(at.hyperbolic) / at.hyperbolic if sign <= 0 else None
    return at.pick(_polynomial(at.near, _SINCK), circular, hyperbolic)


def _sinh(h: Tensor) -> Tensor:
    return (torch.expm1(h) - torch.expm1(-h)) / 2


def cosk(z: Tensor, sign: int = 0) -> Tensor:
    """Return cos(sqrt z), or cosh(sqrt -z) for z < 0; cosk(0) = 1."""
    at = _Regions(z, sign)
    circular = torch.cos(at.circular) if sign >= 0 else None
    hyperbolic = None
    if sign <= 0:
        hyperbolic = (torch.exp(at.hyperbolic) + torch.exp(-at.hyperbolic)) / 2
    return at.pick(_polynomial(at.near, _COSK), circular, hyperbolic)


def tanck(z: Tensor, sign: int = 0) -> Tensor:
    """Return tan(sqrt z)/sqrt z, or tanh(sqrt -z)/sqrt -z for z < 0; tanck(0) = 1.

    tanh is (1 - e^-2h) / (1 + e^-2h), whose derivative does not cancel as 1 - tanh^2 does.
    """
    at = _Regions(z, sign)
    circular, hyperbolic = _tangents(at)
    if circular is not None:
        circular = circular / at.circular
    if hyperbolic is not None:
        hyperbolic = hyperbolic / at.hyperbolic
    return at.pick(_near_tangent(at), circular, hyperbolic)


def tank(s: Tensor, curvature: Tensor, sign: int = 0) -> Tensor:
    """Return tan(r s) / r with r = sqrt K, or tanh(r s) / r with r = sqrt -K; s at K = 0.

    It is s tanck(K s^2) for s of either sign, of which the derivative by s would cancel by e^2rs.
    """
    at = _Regions(curvature * s * s, sign)
    return _odd(s, curvature, at, _tangents(at), _near_tangent(at))


def _tangents(at: _Regions) -> Branches:
    """Return tan(sqrt z) and tanh(sqrt -z), each where z is beyond on its side."""
    circular = hyperbolic = None
    if at.sign >= 0:
        circular = torch.tan(at.circular)
    if at.sign <= 0:
        falling = torch.exp(-2 * at.hyperbolic)
        hyperbolic = (1 - falling) / (1 + falling)
    return circular, hyperbolic


def _near_tangent(at: _Regions) -> Tensor:
    return _polynomial(at.near, _SINCK) / _polynomial(at.near, _COSK)


def _odd(s: Tensor, curvature: Tensor, at: _Regions, beyond: Branches, near: Tensor) -> Tensor:
    """Return f(r s) / r for an odd f: s times its series near 0, and f of the root beyond."""
    rate = torch.where(at.is_near, 1.0, curvature.abs()).sqrt()
    far = at.pick(torch.ones_like(at.z), *beyond) / rate
    return torch.where(
        at.is_near, torch.where(at.is_near, s, 0.0) * near, torch.where(s < 0, -far, far)
    )


def asinck(z: Tensor, complement: Tensor | None = None, sign: int = 0) -> Tensor:
    """Return asin(sqrt z)/sqrt z, or asinh(sqrt -z)/sqrt -z for z < 0; asinck(0) = 1.

    Args:
        z: at most 1.
        complement: 1 - z, formed by the caller without cancellation (it is cos^2 of the angle);
            read only where z > 0, where asin near 1 would lose half its digits.
        sign: what is known of z; -1 makes the complement needless.

    asinh is written through log1p: torch's own is twenty times slower and no more accurate.
    """
    at = _Regions(z, sign)
    circular, hyperbolic = _angles(at, complement)
    if circular is not None:
        circular = circular / at.circular
    if hyperbolic is not None:
        hyperbolic = hyperbolic / at.hyperbolic
    return at.pick(_polynomial(at.near, _ASINCK), circular, hyperbolic)


def _angles(at: _Regions, complement: Tensor | None) -> Branches:
    """Return asin(sqrt z) and asinh(sqrt -z), each where z is beyond on its side."""
    circular = hyperbolic = None
    if at.sign >= 0:
        assert complement is not None
        cosine = safe_sqrt(torch.where(at.z >= _NEAR, complement, 1.0))
        circular = torch.atan2(at.circular, cosine)
    if at.sign <= 0:
        h = at.hyperbolic
        square = h * h
        hyperbolic = torch.log1p(h + square / (1 + (1 + square).sqrt()))
    return circular, hyperbolic


def asink(
    sine: Tensor, curvature: Tensor, complement: Tensor | None = None, sign: int = 0
) -> Tensor:
    """Return asin(r s) / r with r = sqrt K, or asinh(r s) / r with r = sqrt -K; s at K = 0.

    It is s asinck(K s^2), of which the derivative by s would cancel: by r s / asinh(r s) far out
    and by the cosine near a quarter turn.

    Args:
        sine: s, of either sign.
        curvature: K.
        complement: 1 - K s^2, as for `asinck`.
        sign: of K, as there.
    """
    at = _Regions(curvature * sine * sine, sign)
    near = _polynomial(at.near, _ASINCK)
    return _odd(sine, curvature, at, _angles(at, complement), near)


def asink_square(
    square: Tensor, z: Tensor, curvature: Tensor, complement: Tensor | None = None, sign: int = 0
) -> Tensor:
    """Return `asink`(sqrt q)^2, analytic in q = `square` through 0; `z` is K q."""
    at = _Regions(z, sign)
    angle = at.pick(_polynomial(at.near, _ASINCK), *_angles(at, complement))
    scale = torch.where(at.is_near, square, 1 / torch.where(at.is_near, 1.0, curvature.abs()))
    return scale * angle * angle


def half_turn(z: Tensor, sign: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return (c, s, rest, unit), proportional to (cosk z, sinck z, cosh h - sinh h, 1).

    For formulas homogeneous in (c, s), with h = sqrt -z: where z < 0 they carry a common factor
    e^-h (its square is in `unit`, c^2 - h^2 s^2 = unit), so nothing overflows. `rest` is exact
    where c - h s would cancel; it means nothing near 0 and for z > 0.
    """
    at = _Regions(z, sign)
    circular = hyperbolic = _NEITHER
    rest = unit = torch.ones_like(z)
    if sign >= 0:
        circular = torch.cos(at.circular), torch.sin(at.circular) / at.circular
    if sign <= 0:
        falling = torch.exp(-2 * at.hyperbolic)
        sine = -torch.expm1(-2 * at.hyperbolic) / (2 * at.hyperbolic)
        hyperbolic = (1 + falling) / 2, sine
        rest = falling
        unit = torch.where(at.is_near | (z > 0), 1.0, falling)
    cosine = at.pick(_polynomial(at.near, _COSK), circular[0], hyperbolic[0])
    sine = at.pick(_polynomial(at.near, _SINCK), circular[1], hyperbolic[1])
    return cosine, sine, rest, unit


def half_turn_inward(z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return h = sqrt -z and `half_turn(z, -1)` by one exponential, right to 1e-15; z <= 0."""
    h = safe_sqrt(-z)
    is_near = z > -_NEAR
    near = torch.where(is_near, z, 0.0)
    falling = torch.exp(-2 * h)
    cosine = torch.where(is_near, _polynomial(near, _COSK), (1 + falling) / 2)
    beyond = (1 - falling) / torch.where(is_near, 1.0, 2 * h)
    sine = torch.where(is_near, _polynomial(near, _SINCK), beyond)
    rest = torch.where(is_near, cosine - h * sine, falling)
    return h, cosine, sine, rest, torch.where(is_near, 1.0, falling)


def advance(z: Tensor, largest: float, sign: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return (cosk z, sinck z, (1 - cosk z) / z) by a single elementary function; sign is 1 or -1.

    They move a point and the vectors there along a geodesic. Right to 1e-15, 1e-15 and 1e-13
    relative. Beyond h = sqrt -z = `largest` the first two grow no further: they keep the direction
    of cosk(z) x + sinck(z) v. A z of the other sign counts as 0.
    """
    is_near = sign * z < _NEAR
    near = torch.where(is_near, z, 0.0)
    h = torch.where(is_near, 1.0, sign * z).sqrt()
    if sign < 0:
        growing = torch.exp(h.clamp(max=largest)) / 2
        both = 1 / (growing * h)
        falling, inverse = both * h / 4, both * growing  # one quotient for two
        cosine, sine = growing + falling, (growing - falling) * inverse
        bend = (cosine - 1) * inverse * inverse
    else:
        tangent = torch.tan(h / 2)
        square = tangent * tangent
        both = 1 / (h * (1 + square))
        sine, cosine = 2 * tangent * both, (1 - square) * h * both
        bend = sine * tangent * (1 + square) * both
    bend = torch.where(is_near, _polynomial(near, _BEND), bend)
    cosine = torch.where(is_near, 1 - near * bend, cosine)
    return cosine, torch.where(is_near, _polynomial(near, _SINCK), sine), bend


def turn(z: Tensor, largest: float | Tensor, sign: int = 0) -> tuple[Tensor, Tensor]:
    """Return (cosk z, sinck z), both scaled by e^(largest - h) where h = sqrt -z > `largest`.

    The direction of cosk(z) x + sinck(z) v is kept and nothing overflows; the caller moves a
    result of that size to the last shell anyway.
    """
    at = _Regions(z, sign)
    circular = hyperbolic = _NEITHER
    if sign >= 0:
        circular = torch.cos(at.circular), torch.sin(at.circular) / at.circular
    if sign <= 0:
        growing = torch.exp(at.hyperbolic.clamp(max=largest)) / 2
        sine = -growing * torch.expm1(-2 * at.hyperbolic) / at.hyperbolic
        hyperbolic = growing * (1 + torch.exp(-2 * at.hyperbolic)), sine
    cosine = at.pick(_polynomial(at.near, _COSK), circular[0], hyperbolic[0])
    return cosine, at.pick(_polynomial(at.near, _SINCK), circular[1], hyperbolic[1])


def log1p_ratio(u: Tensor) -> Tensor:
    """Return log(1 + u) / u for u > -1; 1 at u = 0."""
    is_near = u.abs() < _NEAR_ONE
    beyond = torch.where(is_near, 1.0, u)
    series = _polynomial(torch.where(is_near, u, 0.0), _LOG1P)
    return torch.where(is_near, series, torch.log1p(beyond) / beyond)
