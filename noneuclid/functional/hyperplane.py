"""Logits from signed distances to hyperplanes: multinomial regression on any constant curvature.

With K the curvature and (T, X) the ambient coordinates of x, T without unit and X a length, the
distance d of x to the hyperplane at r along the unit vector e obeys
    sin_K(d) = s,  s = cos_K(r) X.e - sin_K(r) T,
the sines of curvature K. X and T are functions of the coordinates and their square, so the whole
map is one product of matrices and scalar work on (*, classes).
"""

from __future__ import annotations

import torch
from torch import Tensor

from noneuclid.functional._per_class import logits_per_class
from noneuclid.functional._signed_distance import signed_distance_logits
from noneuclid.manifolds import (
    Euclidean,
    GyrovectorSpace,
    HomogeneousManifold,
    Lorentz,
    SpaceForm,
    Sphere,
)
from noneuclid.numerics import cosk, safe_divide, safe_norm, sinck, wide


def hyperplane_logits(
    manifold: HomogeneousManifold, x: Tensor, normals: Tensor, offsets: Tensor
) -> Tensor:
    """Return |z_k| times the signed distance of x to the k-th totally geodesic hyperplane.

    Hyperplane k meets the geodesic from the origin along z_k at right angles, at the signed
    distance r_k; the logit is positive on the side that z_k points to. Where K > 0 it is a great
    hypersphere. Isometric models give the same logits. A product adds the logits of its factors.

    Args:
        manifold: Euclidean, of constant curvature, or a product of such.
        x: points, (*, S).
        normals: z, (C, dim), in the orthonormal frame at the origin; z_k = 0 gives the logit 0.
        offsets: r, (C,), lengths; on a product (C, number of factors), those of nested products
            counted one by one.

    Returns:
        (*, C), in the common dtype of the arguments.

    Raises:
        TypeError: the manifold has no totally geodesic hyperplanes known here.
        ValueError: a shape that does not fit.

    Flat limit: z.x - |z| r, which is torch.nn.functional.linear (at K = 0 the frame coordinates
    of a stereographic point are 2x).
    Accuracy: float32 logits are right to 4 units in the last place of max(|logit|, |z| |K|^-1/2)
    out to radius 15 and |r| to 3, in those units. For K > 0 the derivative is cut off where x is
    the pole of a hyperplane: the distance has a ridge there.
    Source: [shimizu2021hyperbolic] Eq. (6), in ambient coordinates.
    """
    names = ("hyperplane_logits", "normals", "offsets")
    return logits_per_class(_logits, manifold, x, normals, offsets, names)


def _logits(manifold: HomogeneousManifold, x: Tensor, normals: Tensor, offsets: Tensor) -> Tensor:
    normals, offsets = wide(normals), wide(offsets)
    length = safe_norm(normals)
    if isinstance(manifold, Euclidean):
        bias = (-length[:, 0] * offsets).to(x.dtype)
        return torch.nn.functional.linear(x, normals.to(x.dtype), bias)
    if not isinstance(manifold, SpaceForm):
        raise TypeError(f"hyperplane_logits needs constant curvature, got {manifold!r}")
    curvature = manifold._curvature_at(x)
    z = curvature * offsets * offsets
    planes = (
        cosk(z)[:, None] * safe_divide(normals, length),
        sinck(z) * offsets,
        length[:, 0],
    )
    if isinstance(manifold, Sphere):
        normal, shift, length = planes
        ambient = torch.cat([-shift[:, None], normal / curvature.sqrt()], dim=-1)
        planes = ambient, torch.zeros_like(shift), length
        return signed_distance_logits(x, planes, curvature, "direction", 1)
    if isinstance(manifold, Lorentz):
        return signed_distance_logits(x[..., 1:], planes, curvature, "hyperboloid", -1)
    if isinstance(manifold, GyrovectorSpace):
        sign = manifold.curvature_sign
        read = None
        if manifold.curvature.learnable:  # K may have moved: read the point that x stands for

            def read(K: Tensor, x: Tensor) -> Tensor:
                return manifold.at(K)._projx(x, x.dtype)

        return signed_distance_logits(x, planes, curvature, "stereographic", sign, read)
    raise TypeError(f"hyperplane_logits does not know the coordinates of {manifold!r}")
