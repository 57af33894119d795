"""Ambient coordinates (T, X) from normal ones and back: where points are added up.

A space of curvature K is T^2 + K |X|^2 = 1, T without unit and X a length: the hyperboloid for
K < 0, a sphere for K > 0, the plane T = 1 for K = 0. The weighted sum of points, read back by its
direction, is the gyromidpoint of the stereographic models, the Lorentz centroid, the Einstein
midpoint and the normalised sum on a sphere: one mean, which is why an attention is two products of
matrices on every model.
"""

import torch
from torch import Tensor

from noneuclid.layers._trigonometry import TRIGONOMETRY
from noneuclid.manifolds import Euclidean, HomogeneousManifold, SpaceForm
from noneuclid.numerics import working_dtype


def to_ambient(
    manifold: HomogeneousManifold, c: Tensor, *, bend: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return (X, T) of points with normal coordinates `c`: (*, dim) -> (*, dim), (*, 1).

    Args:
        manifold: of constant curvature, or Euclidean; a product is taken factor by factor.
        c: normal coordinates, of any dimension.
        bend: the curvature is `bend` K: to scale coordinates by s is to bend the space by s^2.

    Formula: X = sinck(K |c|^2) c, T = cosk(K |c|^2), in the dtype of `c`.

    Raises:
        TypeError: a manifold without ambient coordinates of this kind.
    """
    if isinstance(manifold, Euclidean):
        return c, torch.ones_like(c[..., :1])
    dtype, curvature = _scalars(manifold, c, bend)
    rows = c.to(working_dtype(c.dtype))
    cosines, _ = TRIGONOMETRY[_space_form(manifold).curvature_sign]
    cosine, sine = cosines(curvature * (rows * rows).sum(-1, keepdim=True).to(dtype))
    return (sine.to(rows.dtype) * rows).to(c.dtype), cosine.to(c.dtype)


def from_ambient(
    manifold: HomogeneousManifold, X: Tensor, T: Tensor, *, bend: float = 1.0
) -> Tensor:
    """Return the normal coordinates of the direction of (X, T): (*, dim), (*, 1) -> (*, dim).

    (X, T) need not be normalised; 0 gives the origin. `bend` is that of `to_ambient`.

    Formula: with m^2 = T^2 + K |X|^2 and cos theta = T / m, c = (theta / sin theta) X / m.
    Accuracy: for K < 0 m^2 cancels, and a sum at radius R |K|^-1/2 is right to eps e^2R; in float32
    it reads as radius 8 what lies beyond.
    """
    if isinstance(manifold, Euclidean):
        return X / torch.where(T == 0, 1, T)
    dtype, curvature = _scalars(manifold, X, bend)
    rows, height = X.to(working_dtype(X.dtype)), T.to(working_dtype(T.dtype)).to(dtype)
    square = (rows * rows).sum(-1, keepdim=True).to(dtype)
    length2 = height * height + curvature * square
    # What rounding leaves of m^2 where all of it cancels; no points at all have no direction.
    least = torch.finfo(rows.dtype).eps * height * height
    absent = (height == 0) & (square == 0)
    inverse = torch.where(absent, 1, torch.maximum(length2, least)).rsqrt()
    _, unbend = TRIGONOMETRY[_space_form(manifold).curvature_sign]
    stretch = unbend(height * inverse, curvature * square * inverse * inverse) * inverse
    return (stretch.to(rows.dtype) * rows).to(X.dtype)


def _scalars(manifold: HomogeneousManifold, c: Tensor, bend: float) -> tuple[torch.dtype, Tensor]:
    """Return the dtype of row scalars and `bend` K in it."""
    space = _space_form(manifold)
    # Rows of a free sign need the series through K = 0, which are written for float64.
    dtype = working_dtype(c.dtype) if space.curvature_sign else torch.float64
    return dtype, (bend * space.curvature(c.device)).to(dtype)


def _space_form(manifold: HomogeneousManifold) -> SpaceForm:
    if not isinstance(manifold, SpaceForm):
        raise TypeError(
            "this layer needs a factor of constant curvature or a Euclidean one, got"
            f" {type(manifold).__name__}"
        )
    return manifold
