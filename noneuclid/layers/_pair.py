"""The weighted midpoint of two points in normal coordinates."""

import torch
from torch import Tensor

from noneuclid.layers._normal import principal
from noneuclid.layers._trigonometry import TRIGONOMETRY, reach, unrounded
from noneuclid.manifolds import Euclidean, HomogeneousManifold, SpaceForm
from noneuclid.numerics import asinck, compute, dots, safe_divide, safe_sqrt


def weighted_pair(
    manifold: HomogeneousManifold, c: Tensor, d: Tensor, weight: Tensor, scale: Tensor | None
) -> Tensor:
    """Return the midpoint of exp_o(c) and exp_o(d) with weights 1 and s: (*, dim), twice -> same.

    Args:
        manifold: of constant curvature, or Euclidean; no product.
        c: normal coordinates of the first point.
        d: those of the second.
        weight: s > 0, (1,).
        scale: a > 0, (1,): what multiplies the midpoint's space part where K < 0, its normal
            coordinates elsewhere; None for 1.

    Formula, with (T, X) the sum of the ambient coordinates of c and s times those of d, and
    m^2 = T^2 + K |X|^2 (the correct denominator: lambda - 1 sums to 2 T, not to 2 T - 2):
    asinck(K a^2 |X|^2 / m^2) a X / m for K < 0, a theta / sin theta X / m with cos theta = T / m
    for K > 0. For K < 0, m^2 = 1 + s^2 + 2 s cosh d(x, y), whose terms are positive.
    Antipodes of equal weight on a sphere have the origin.
    """
    if isinstance(manifold, Euclidean):
        s = weight.to(c.dtype)
        mean = (c + s * d) / (1 + s)
        return mean if scale is None else scale.to(c.dtype) * mean
    if not isinstance(manifold, SpaceForm):
        raise TypeError(
            "a midpoint needs factors of constant curvature or Euclidean ones, got"
            f" {type(manifold).__name__}; use kind='mobius'"
        )
    a = torch.ones_like(weight) if scale is None else scale
    scalars = (manifold.curvature(c.device), weight.double(), a.double())
    formula = _hyperbolic if manifold.curvature_sign < 0 else _any_sign
    result = compute(formula, scalars, (c, d), sign=manifold.curvature_sign)
    return result if scale is None else principal(manifold, result)


def _hyperbolic(K: Tensor, s: Tensor, a: Tensor, c: Tensor, d: Tensor, sign: int) -> Tensor:
    C, D = unrounded(c, d)
    K, s, a = K.to(C.dtype), s.to(C.dtype), a.to(C.dtype)
    cc, dd, cd = dots((C, C), (D, D), (C, D))
    (cosine, sine), (d_cosine, d_sine) = (TRIGONOMETRY[sign][0](K * square) for square in (cc, dd))
    # cosh d loses eps e^(r + r') by the law of cosines, little if one of the radii r, r' is below
    # 1; else it is 1 + 2 sinh^2((r - r')/2) + 2 sinh r sinh r' |chord of the directions / 2|^2.
    near = (-K * cc < 1) | (-K * dd < 1)
    r, r_d = (torch.where(near, 1, -K * square).sqrt() for square in (cc, dd))
    root = torch.where(near, 1, -K).sqrt()
    E = (root / r) * C - (root / r_d) * D
    m = torch.expm1((r - r_d).abs().clamp(max=reach(C.dtype)))  # cosh - 1 is m^2 / (2m + 2)
    apart = (m * (m / (m + 1)) + sine * d_sine * r * r_d * dots((E, E))[0]) / 2
    product = torch.where(near, cosine * d_cosine + K * sine * d_sine * cd, 1 + apart)
    inverse = 1 / (1 + s * s + 2 * s * product).sqrt()
    on_c, on_d = a * inverse * sine, a * inverse * s * d_sine
    # From X itself: the square by its dot products would cancel between opposite points.
    X = on_c * C + on_d * D
    (square,) = dots((X, X))
    return (asinck(K * square, sign=-1) * X).to(c.dtype)


def _any_sign(K: Tensor, s: Tensor, a: Tensor, c: Tensor, d: Tensor, sign: int) -> Tensor:
    cosines, unbend = TRIGONOMETRY[sign]
    C, D = unrounded(c, d)
    # Rows of a free sign need the series through K = 0, which are written for float64.
    dtype = C.dtype if sign else torch.float64
    K, s, a = K.to(dtype), s.to(dtype), a.to(dtype)
    cc, dd = (product.to(dtype) for product in dots((C, C), (D, D)))
    (cosine, sine), (d_cosine, d_sine) = cosines(K * cc), cosines(K * dd)
    X = sine.to(C.dtype) * C + (s * d_sine).to(C.dtype) * D
    T = cosine + s * d_cosine
    square = dots((X, X))[0].to(dtype)
    # What rounding leaves of m^2 where all of it cancels, for K < 0.
    least = torch.finfo(torch.float64).eps * T * T
    inverse = safe_divide(torch.ones_like(T), safe_sqrt(torch.maximum(T * T + K * square, least)))
    z = K * square * inverse * inverse
    stretch = a * unbend(T * inverse, z)
    if sign == 0:
        bent = asinck((a * a * z).clamp(max=0.0), sign=-1)
        stretch = torch.where(K < 0, a * bent, stretch)
    return ((stretch * inverse).to(C.dtype) * X).to(c.dtype)
