"""Midpoints of neighbours: the columns that are added up, and how their sums are read."""

import torch
from torch import Tensor

from noneuclid.layers._ambient import from_ambient, to_ambient
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.manifolds import HomogeneousManifold, Lorentz, SpaceForm
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import working_dtype


def to_columns(manifold: HomogeneousManifold, c: Tensor) -> Tensor:
    """Return what is summed up for points with normal coordinates `c`: (N, dim) -> (N, n).

    (X, T) of every curved factor, the coordinates themselves of a flat one; 16 bits as float32.
    """
    c = c.to(working_dtype(c.dtype))
    columns: list[Tensor] = []
    factors = factors_of(manifold)
    for factor, part in zip(factors, c.split([f.dim for f in factors], dim=-1), strict=True):
        columns += to_ambient(factor, part) if isinstance(factor, SpaceForm) else [part]
    return columns[0] if len(columns) == 1 else torch.cat(columns, dim=-1)


def from_columns(manifold: HomogeneousManifold, sums: Tensor, total: Tensor) -> Tensor:
    """Return total (x) the midpoint, in normal coordinates: (N, n), (N, 1) -> (N, dim).

    Args:
        manifold: where the points are.
        sums: weighted sums of the columns.
        total: sums of the weights, > 0; where it is 0 nothing was heard, and the origin is given.

    On a sphere the result is not the shortest of its kind, if `total` is above 1.
    """
    factors = factors_of(manifold)
    widths = [f.dim + 1 if isinstance(f, SpaceForm) else f.dim for f in factors]
    parts = []
    for factor, part in zip(factors, sums.split(widths, dim=-1), strict=True):
        if isinstance(factor, SpaceForm):
            part = total * from_ambient(factor, part[..., :-1], part[..., -1:])
        parts.append(part)
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def columns_of_points(manifold: HomogeneousManifold, x: Tensor) -> Tensor:
    """Return `to_columns` of points (N, S); a point of the hyperboloid is its own columns."""
    columns: list[Tensor] = []
    factors = factors_of(manifold)
    for factor, part in zip(factors, x.split([f.point_shape[0] for f in factors], -1), strict=True):
        if isinstance(factor, Lorentz):
            part = part.to(working_dtype(x.dtype))
            columns += [part[..., 1:], _rate(factor, part) * part[..., :1]]
        elif isinstance(factor, SpaceForm):
            columns.append(to_columns(factor, to_normal(factor, part)))
        else:
            columns += [part, torch.ones_like(part[..., :1])]
    return torch.cat(columns, dim=-1)


def points_of_columns(manifold: HomogeneousManifold, sums: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the midpoints that sums of `columns_of_points` tell, as points (N, S)."""
    parts: list[Tensor] = []
    factors = factors_of(manifold)
    for factor, part in zip(factors, sums.split([f.dim + 1 for f in factors], -1), strict=True):
        X, T = part[..., :-1], part[..., -1:]
        if isinstance(factor, Lorentz):
            parts.append(_on_hyperboloid(factor, X, T).to(dtype))
        else:
            parts.append(from_normal(factor, from_ambient(factor, X, T).to(dtype)))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _on_hyperboloid(manifold: Lorentz, X: Tensor, T: Tensor) -> Tensor:
    """Return the point in the direction of (X, T), the origin for 0."""
    square = (_rate(manifold, X) * X).square().sum(-1, keepdim=True)
    # What rounding leaves of the length where all of it cancels, as in `from_ambient`.
    least = torch.finfo(X.dtype).eps * T * T
    length2 = torch.where(T > 0, torch.maximum(T * T - square, least), 1)
    space = length2.rsqrt() * X
    return manifold.projx(torch.cat([torch.ones_like(T), space], dim=-1))


def _rate(manifold: Lorentz, like: Tensor) -> Tensor:
    """Return |K|^1/2."""
    return (-manifold.curvature(like.device)).sqrt().to(like.dtype)
