"""Points in hyperbolic space from their distances, without learning: hyperbolic MDS."""

import torch
from torch import Tensor

from noneuclid.manifolds import SpaceForm
from noneuclid.numerics import safe_sqrt, wide


def hyperbolic_mds(distances: Tensor, manifold: SpaceForm) -> Tensor:
    """Find points of hyperbolic space from a table of distances, by one eigendecomposition.

    On the hyperboloid of curvature -1 the products -<x_i, x_j>_L = t_i t_j - x_i.x_j are
    cosh d_ij. The matrix of these has one positive eigenvalue, of the times t, and those of the
    space parts, all negative: the eigenvectors of the n most negative ones, times the roots of
    their sizes, are the space parts. A point is its space part, its time follows. Exact distances
    of points of H^n give these points back, up to an isometry; of others, the space parts are the
    best of rank n in the least-squares sense.

    Args:
        distances: (m, m), symmetric, finite, in the unit of the manifold.
        manifold: hyperbolic: Lorentz, PoincareBall, or Stereographic at a fixed K < 0.

    Returns:
        (m, S) in float64; coordinates beyond the rank of the table are 0.

    Accuracy: cosh d spans e^d, of which float64 keeps 1e-16: distances are lost at a diameter of
    about 18 |K|^-1/2. Take a scale at which the diameter is below 12.
    Source: [sala2018representation] section 4.

    Raises:
        TypeError: a manifold that is not hyperbolic. ValueError: a table that is not square.
    """
    if not isinstance(manifold, SpaceForm) or not float(manifold.curvature) < 0:
        raise TypeError(f"hyperbolic MDS needs a hyperbolic space, got {manifold!r}")
    if distances.dim() != 2 or distances.shape[0] != distances.shape[1]:
        raise ValueError(f"distances must have shape (m, m), got {tuple(distances.shape)}")
    rate = (-manifold.curvature(distances.device)).sqrt().detach()
    values, vectors = torch.linalg.eigh(torch.cosh(rate * wide(distances)))
    width = min(manifold.dim, max(len(distances) - 1, 0))
    space = vectors[:, :width] * safe_sqrt(-values[:width])  # by rising eigenvalue
    space = torch.nn.functional.pad(space, (0, manifold.dim - width))
    length = (space * space).sum(-1, keepdim=True).sqrt()
    radius = torch.asinh(length) / rate
    direction = space / torch.where(length > 0, length, 1)
    return manifold.expmap0(manifold.from_frame(radius * direction))
