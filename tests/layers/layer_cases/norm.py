"""Cases of normalisations."""

import torch
import torch.nn.functional as F
from torch import Tensor

from layer_cases.case import Builder, Case, coordinates, dims_of, points
from noneuclid.layers import Layer, TangentLayerNorm
from noneuclid.manifolds import HomogeneousManifold


def _slow_norm(layer: TangentLayerNorm, x: Tensor) -> Tensor:
    m = layer.manifold_in
    c = coordinates(m, x)
    parts, start = [], 0
    for dim in dims_of(m):
        part = c[:, start : start + dim]
        centred = part - part.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + layer.eps).sqrt()
        stop = start + dim
        parts.append(scaled * layer.weight[start:stop] + layer.bias[start:stop])
        start = stop
    return points(m, torch.cat(parts, dim=-1))


def tangent_layer_norm(m: HomogeneousManifold) -> Case:
    """LayerNorm on each factor."""
    dims = dims_of(m)

    def twin(c: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        parts = zip(c.split(dims, dim=-1), weight.split(dims), bias.split(dims), strict=True)
        return torch.cat([F.layer_norm(p, w.shape, w, b) for p, w, b in parts], dim=-1)

    return Case(TangentLayerNorm(m), twin, _slow_norm)


CASES: dict[tuple[type[Layer], str], Builder] = {(TangentLayerNorm, ""): tangent_layer_norm}
