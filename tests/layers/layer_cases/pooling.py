"""Cases of pooling."""

import torch
from torch import Tensor

from layer_cases.case import Builder, Case, coordinates
from noneuclid.layers import Layer, TangentMean
from noneuclid.manifolds import HomogeneousManifold


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


CASES: dict[tuple[type[Layer], str], Builder] = {(TangentMean, ""): tangent_mean}
