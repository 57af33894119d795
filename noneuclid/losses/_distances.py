"""All pairs of points: distances by factor, and the chords below them."""

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold, SpaceForm
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import sinck, wide


def factor_distances(manifold: HomogeneousManifold, x: Tensor, y: Tensor) -> list[Tensor]:
    """Return one table of distances for each factor: (*, n, S), (*, m, S) -> [(*, n, m), ...]."""
    factors = factors_of(manifold)
    widths = [factor.point_shape[0] for factor in factors] if len(factors) > 1 else [x.shape[-1]]
    parts = zip(factors, x.split(widths, dim=-1), y.split(widths, dim=-1), strict=True)
    return [factor.cdist(*pair) for factor, *pair in parts]


def half_square_chord(manifold: HomogeneousManifold, distance: Tensor) -> Tensor:
    """Return (1 - cos_K d) / K from d, half the square of the chord; d^2 / 2 on R^n.

    In ambient coordinates of squared length 1/K it is 1/K - <x, y>: one minus the cosine on the
    unit sphere, -1 - <x, y>_L on the hyperboloid of curvature -1.
    """
    if not isinstance(manifold, SpaceForm):
        return distance * distance / 2
    d = wide(distance)
    half = d / 2
    arc = sinck(manifold.curvature(d.device) * half * half, manifold.curvature_sign)
    return (d * d / 2 * arc * arc).to(distance.dtype)


def without_padding(manifold: HomogeneousManifold, x: Tensor, mask: Tensor | None) -> Tensor:
    """Return `x` with the origin in the rows where `mask` is False, whatever stands there."""
    if mask is None:
        return x
    if mask.dtype != torch.bool or mask.shape != x.shape[: mask.dim()] or mask.dim() != x.dim() - 1:
        raise ValueError(
            f"mask must be a bool tensor of shape {tuple(x.shape[:-1])}, True where a point is, got"
            f" {mask.dtype} of shape {tuple(mask.shape)}"
        )
    return torch.where(mask[..., None], x, manifold.origin(dtype=x.dtype, device=x.device))
