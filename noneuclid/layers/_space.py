"""Space coordinates: X of ambient coordinates (T, X), from which T is computed again.

A function of X alone is the cheapest layer on the hyperboloid, whose points are their space parts.
X of a sphere is at most K^-1/2 long, so a function of it may have no point: there, and on flat
space, the normal coordinates stand in for X. So every such layer is the tangent map where K >= 0.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from noneuclid.layers._normal import from_normal, principal, to_normal
from noneuclid.layers._trigonometry import TRIGONOMETRY, unrounded
from noneuclid.manifolds import Euclidean, HomogeneousManifold, Lorentz, SpaceForm
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import asinck, compute, dots


def to_space(manifold: HomogeneousManifold, c: Tensor) -> Tensor:
    """Return X of points with normal coordinates `c`: (*, dim) -> (*, dim).

    Formula: X = sinck(K |c|^2) c where K < 0, c elsewhere; `manifold` is no product.
    """
    space = _bent(manifold)
    if space is None or space.curvature_sign > 0:
        return c
    return compute(_to_space, (space.curvature(c.device),), (c,), sign=space.curvature_sign)


def from_space(manifold: HomogeneousManifold, X: Tensor) -> Tensor:
    """Return the shortest normal coordinates of points with space part `X`: (*, dim) -> (*, dim).

    Formula: c = asinck(K |X|^2) X where K < 0, that is asinh(r|X|) / r|X| with r = sqrt -K.
    """
    space = _bent(manifold)
    if space is None:
        return X
    if space.curvature_sign <= 0:
        X = compute(_from_space, (space.curvature(X.device),), (X,), sign=space.curvature_sign)
    return principal(space, X)


def map_space(
    manifold: HomogeneousManifold, c: Tensor, functions: Sequence[Callable[[Tensor], Tensor]]
) -> Tensor:
    """Return `functions`, one for each factor, of the space parts, in normal coordinates."""
    factors = factors_of(manifold)
    parts = zip(factors, c.split([f.dim for f in factors], dim=-1), functions, strict=True)
    mapped = [from_space(factor, function(to_space(factor, c))) for factor, c, function in parts]
    return mapped[0] if len(mapped) == 1 else torch.cat(mapped, dim=-1)


def map_points(
    manifold: HomogeneousManifold, x: Tensor, functions: Sequence[Callable[[Tensor], Tensor]]
) -> Tensor:
    """Return `map_space` from points to points, on a hyperboloid without leaving its coordinates.

    There it costs the function and one pass that computes the time entry.
    """
    manifold._check(x)
    factors = factors_of(manifold)
    widths = [factor.point_shape[0] for factor in factors]
    mapped = []
    for factor, part, function in zip(factors, x.split(widths, -1), functions, strict=True):
        if isinstance(factor, Lorentz):
            space = function(part[..., 1:])
            mapped.append(factor.projx(torch.cat([torch.ones_like(space[..., :1]), space], -1)))
        else:
            c = map_space(factor, to_normal(factor, part), [function])
            mapped.append(from_normal(factor, c))
    return mapped[0] if len(mapped) == 1 else torch.cat(mapped, dim=-1)


def _bent(manifold: HomogeneousManifold) -> SpaceForm | None:
    """Return the manifold if it has a curvature, None if it is flat."""
    if isinstance(manifold, Euclidean):
        return None
    if isinstance(manifold, SpaceForm):
        return manifold
    raise TypeError(
        "space coordinates exist on manifolds of constant curvature and Euclidean ones, got"
        f" {type(manifold).__name__}"
    )


def _to_space(K: Tensor, c: Tensor, sign: int) -> Tensor:
    (C,) = unrounded(c)
    dtype = C.dtype if sign else torch.float64
    z = K.to(dtype) * dots((C, C))[0].to(dtype)
    _, sine = TRIGONOMETRY[-1][0](z.clamp(max=0.0))
    return (sine.to(C.dtype) * C).to(c.dtype)


def _from_space(K: Tensor, space: Tensor, sign: int) -> Tensor:
    (X,) = unrounded(space)
    dtype = X.dtype if sign else torch.float64
    z = K.to(dtype) * dots((X, X))[0].to(dtype)
    return (asinck(z.clamp(max=0.0), sign=-1).to(X.dtype) * X).to(space.dtype)
