"""Cases of pooling."""

import torch
from torch import Tensor

from layer_cases.case import Builder, Case, coordinates, points, represents_its_geometry
from noneuclid.layers import FrechetMeanPool, Layer, MidpointPool, TangentMean
from noneuclid.layers._ambient import from_ambient, to_ambient
from noneuclid.manifolds import HomogeneousManifold, Product


def _slow_mean(layer: TangentMean, x: Tensor, mask: Tensor) -> Tensor:
    rows = []
    for row, present in zip(x, mask, strict=True):
        pairs = zip(row, present, strict=True)
        c = [coordinates(layer.manifold_in, p) for p, here in pairs if here]
        rows.append(sum(c) / len(c) if c else torch.zeros(layer.manifold_in.dim, dtype=x.dtype))
    return torch.stack(rows)


def _flat_mean(c: Tensor, mask: Tensor) -> Tensor:
    count = mask.sum(-1, keepdim=True).clamp(min=1)
    return (c * mask[..., None]).sum(-2) / count


def tangent_mean(m: HomogeneousManifold) -> Case:
    """The mean of logarithms."""
    return Case(TangentMean(m), _flat_mean, _slow_mean, slots=4, claims={"permutes": True})


def _direction(m: HomogeneousManifold, c: Tensor) -> Tensor:
    """Return the normal coordinates of the direction of the sum of points in ambient ones."""
    if isinstance(m, Product):
        parts = zip(m.factors, c.split(m.dims, dim=-1), strict=True)
        return torch.cat([_direction(factor, part) for factor, part in parts], dim=-1)
    X, T = to_ambient(m, c)
    return from_ambient(m, X.sum(0), T.sum(0))


def _slow_midpoint(layer: MidpointPool, x: Tensor, mask: Tensor) -> Tensor:
    m = layer.manifold_in
    rows = [_direction(m, coordinates(m, row[here])) for row, here in zip(x, mask, strict=True)]
    return points(m, torch.stack(rows))


SET_CLAIMS = {"permutes": True, "isometric": "all"}


def midpoint(m: HomogeneousManifold) -> Case:
    """The direction of the sum."""
    return Case(MidpointPool(m), _flat_mean, _slow_midpoint, slots=4, claims=SET_CLAIMS)


def _slow_frechet(layer: FrechetMeanPool, x: Tensor, mask: Tensor) -> Tensor:
    """Go along the mean of the logarithms until it is 0."""
    m, shares = layer.manifold_in, mask.double() / mask.sum(-1, keepdim=True).clamp(min=1)
    with torch.no_grad():
        mean = m.midpoint(x.double(), shares)
        for _ in range(80):
            pull = (shares[..., None] * m.logmap(mean[:, None], x.double())).sum(1)
            mean = m.expmap(mean, 0.7 * pull)
    return mean.to(x.dtype)


def frechet(m: HomogeneousManifold) -> Case | None:
    """The mean in distance, on one model for each geometry: the mean is the manifold's own."""
    if not represents_its_geometry(m):
        return None
    return Case(FrechetMeanPool(m, steps=5), _flat_mean, _slow_frechet, slots=4, claims=SET_CLAIMS)


CASES: dict[tuple[type[Layer], str], Builder] = {
    (TangentMean, ""): tangent_mean,
    (MidpointPool, ""): midpoint,
    (FrechetMeanPool, ""): frechet,
}
