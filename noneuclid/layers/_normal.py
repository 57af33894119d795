"""Normal coordinates: the coordinates of log_o x in the orthonormal frame at the origin.

x = exp_o(c): c has `dim` entries on every model, |c| is the distance from the origin, and on flat
space c is x itself (twice the stereographic coordinates at K = 0, whose metric is 4I). Layers are
written in them once, for every manifold and product.
"""

import math

import torch
from torch import Tensor

from noneuclid.layers._translation import translated
from noneuclid.layers._trigonometry import unrounded
from noneuclid.manifolds import Euclidean, HomogeneousManifold, Product, SpaceForm
from noneuclid.numerics import compute, dots


def to_normal(manifold: HomogeneousManifold, x: Tensor) -> Tensor:
    """Return the normal coordinates of points: (*, S) -> (*, dim)."""
    return manifold.to_frame(manifold.logmap0(x))


def from_normal(manifold: HomogeneousManifold, c: Tensor) -> Tensor:
    """Return the points with normal coordinates `c`: (*, dim) -> (*, S)."""
    return manifold.expmap0(manifold.from_frame(c))


def initial_radius(manifold: HomogeneousManifold, device: torch.device | None = None) -> Tensor:
    """Return min(1, |K|^-1/2), the radius where fresh layers put their outputs: (1,), float64.

    Inside the region where a space of curvature K bends but does not saturate; 1 on flat space.
    """
    if not isinstance(manifold, SpaceForm):
        return torch.ones(1, dtype=torch.float64, device=device)
    size = manifold.curvature(device).detach().abs()
    return 1 / torch.where(size > 1, size, 1).sqrt()


# The three functions below choose by isinstance: torch.compile does not see through singledispatch.


def principal(manifold: HomogeneousManifold, c: Tensor) -> Tensor:
    """Return log_o(exp_o(c)): the shortest coordinates of the same point, (*, dim) -> (*, dim).

    The identity where K <= 0; where K > 0, |c| is brought into [0, pi K^-1/2].
    """
    if isinstance(manifold, Product):
        parts = zip(manifold.factors, c.split(manifold.dims, dim=-1), strict=True)
        return torch.cat([principal(factor, part) for factor, part in parts], dim=-1)
    if isinstance(manifold, SpaceForm):
        return _principal(manifold, c)
    if isinstance(manifold, Euclidean):
        return c
    return to_normal(manifold, from_normal(manifold, c))


def _principal(manifold: SpaceForm, c: Tensor) -> Tensor:
    if manifold.curvature_sign < 0:
        return c
    return compute(_shortest, (manifold.curvature(c.device),), (c,))


def _shortest(K: Tensor, c: Tensor) -> Tensor:
    (C,) = unrounded(c)
    z = K.to(C.dtype) * dots((C, C))[0]
    around = z > math.pi**2
    angle = torch.where(around, z, 1).sqrt()
    shorter = torch.atan2(torch.sin(angle), torch.cos(angle)) / angle
    return (torch.where(around, shorter, 1) * C).to(c.dtype)


def translate(
    manifold: HomogeneousManifold, c: Tensor, b: Tensor, weight: Tensor | None = None
) -> Tensor:
    """Return the normal coordinates of x (+) b = exp_x(PT_{o->x} log_o b), x = exp_o(c).

    Args:
        manifold: any with an origin; spaces of constant curvature have the closed form below.
        c: normal coordinates of x, (*, dim).
        b: normal coordinates of b, (*, dim): of one point, or of one for each row.
        weight: s, (1,), what b is multiplied by; None for 1.

    Formula, with C, S = cosk, sinck of K|c|^2 and C', S' those of K|b|^2:

        y = p c + S' b,  p = C' S - K S' (c.b) S^2 / (1 + C),   cos_y = C C' - K S S' (c.b),

    and c + b at K = 0; the result is y theta / sin theta with cos theta = cos_y, for either sign
    of K. Accuracy: a few eps e^(2|b|) max(1, |c|), lengths in units of |K|^-1/2; within sqrt eps of
    the antipode of the origin a sphere loses the direction.
    Source: [ganea2018hyperbolic] Eq. (28) for x (+) b; the law of cosines for its closed form.
    """
    if isinstance(manifold, Product):
        dims = manifold.dims
        parts = zip(manifold.factors, c.split(dims, dim=-1), b.split(dims, dim=-1), strict=True)
        moved = [translate(factor, part, point, weight) for factor, part, point in parts]
        return torch.cat(moved, dim=-1)
    if isinstance(manifold, SpaceForm):
        return translated(manifold, c, b, weight)
    b = b if weight is None else weight.to(b.dtype) * b
    if isinstance(manifold, Euclidean):
        return c + b
    x = from_normal(manifold, c)
    step = manifold.transp0(x, manifold.from_frame(b).to(x.dtype))
    return to_normal(manifold, manifold.expmap(x, step))


def moved_point(manifold: HomogeneousManifold, c: Tensor, b: Tensor) -> Tensor:
    """Return the points exp_o(c) (+) exp_o(b): `from_normal` of `translate`, in one pass."""
    if isinstance(manifold, Product):
        dims = manifold.dims
        parts = zip(manifold.factors, c.split(dims, dim=-1), b.split(dims, dim=-1), strict=True)
        return manifold.join([moved_point(*part) for part in parts])
    if isinstance(manifold, SpaceForm):
        return translated(manifold, c, b, writes=True)
    return from_normal(manifold, translate(manifold, c, b))
