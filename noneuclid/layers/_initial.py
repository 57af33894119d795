"""Fresh points: where parameters that are points start."""

from typing import Literal

import torch
from torch import Tensor

from noneuclid.layers._normal import from_normal, initial_radius
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of

SMALL = 0.1  # scale of points that are added to others: a tenth of the radius of activations
NARROW = 1e-3  # half the side of the cube about the origin in which Poincare embeddings start

Law = Literal["normal", "uniform"]


def draw_points(
    points: Tensor, manifold: HomogeneousManifold, scale: float = 1.0, law: Law = "normal"
) -> None:
    """Fill `points` (*, S) with fresh points, in place.

    With r = min(1, |K|^-1/2) of each factor, the normal coordinates there are

    - "normal": normal of standard deviation scale r / sqrt(dim), which is rms radius scale r;
    - "uniform": uniform in [-0.001 scale r, 0.001 scale r].
    """
    if points.is_meta:  # nothing to fill, and a curvature that is elsewhere
        return
    with torch.no_grad():
        parts = []
        for factor in factors_of(manifold):
            c = points.new_empty(*points.shape[:-1], factor.dim)
            size = scale * initial_radius(factor, points.device).to(c.dtype)
            drawn = c.normal_() / factor.dim**0.5 if law == "normal" else c.uniform_(-1, 1) * NARROW
            parts.append(size * drawn)
        points.copy_(from_normal(manifold, torch.cat(parts, dim=-1)))


def put_at_origin(points: Tensor, manifold: HomogeneousManifold) -> None:
    """Fill `points` (*, S) with the origin, in place."""
    if points.is_meta:
        return
    with torch.no_grad():
        points.copy_(manifold.origin(dtype=points.dtype, device=points.device))
