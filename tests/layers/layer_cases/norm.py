"""Cases of normalisations."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

import noneuclid as ne
from layer_cases.case import Builder, Case, coordinates, dims_of, points
from noneuclid.layers import (
    GyroBatchNorm,
    Layer,
    MidpointBatchNorm,
    SpaceLayerNorm,
    SpaceRMSNorm,
    TangentLayerNorm,
)
from noneuclid.manifolds import HomogeneousManifold, Product


def factors(m: HomogeneousManifold) -> list[HomogeneousManifold]:
    """Return the factors of a product, or the manifold itself."""
    return list(m.factors) if isinstance(m, Product) else [m]


def on_space(m: HomogeneousManifold, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a function of the space part of points of one factor, by way of the hyperboloid."""
    curvature = float(m.curvature().detach()) if hasattr(m, "curvature") else 0.0
    if curvature >= 0:
        return points(m, function(coordinates(m, x)))
    H = ne.Lorentz(m.dim, curvature)
    to, back = ne.isometry(m, H), ne.isometry(H, m)
    space = function(to(x)[..., 1:])
    return back(H.projx(torch.cat([torch.zeros_like(space[..., :1]), space], -1)))


def _layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
    return scaled * weight + bias


def _rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight


def _slow_norm(layer: TangentLayerNorm, x: Tensor) -> Tensor:
    m = layer.manifold_in
    c = coordinates(m, x)
    parts, start = [], 0
    for dim in dims_of(m):
        own = slice(start, start + dim)
        parts.append(_layer_norm(c[:, own], layer.weight[own], layer.bias[own], layer.eps))
        start += dim
    return points(m, torch.cat(parts, dim=-1))


def _slow_space(layer: SpaceLayerNorm | SpaceRMSNorm, x: Tensor) -> Tensor:
    m = layer.manifold_in
    parts, start = [], 0
    split = m.split(x) if isinstance(m, Product) else [x]
    for factor, part in zip(factors(m), split, strict=True):
        own = slice(start, start + factor.dim)
        if layer.bias is None:
            norm = partial(_rms_norm, weight=layer.weight[own], eps=layer.eps)
        else:
            norm = partial(
                _layer_norm, weight=layer.weight[own], bias=layer.bias[own], eps=layer.eps
            )
        parts.append(on_space(factor, part, norm))
        start += factor.dim
    return torch.cat(parts, dim=-1)


def _flat_layer_norm(dims: tuple[int, ...]) -> Callable[..., Tensor]:
    def twin(c: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        parts = zip(c.split(dims, dim=-1), weight.split(dims), bias.split(dims), strict=True)
        return torch.cat([F.layer_norm(p, w.shape, w, b) for p, w, b in parts], dim=-1)

    return twin


def tangent_layer_norm(m: HomogeneousManifold) -> Case:
    """LayerNorm on each factor."""
    return Case(TangentLayerNorm(m), _flat_layer_norm(dims_of(m)), _slow_norm)


def space_layer_norm(m: HomogeneousManifold) -> Case:
    """LayerNorm of the space part of each factor."""
    return Case(SpaceLayerNorm(m), _flat_layer_norm(dims_of(m)), _slow_space)


def space_rms_norm(m: HomogeneousManifold) -> Case:
    """RMSNorm of the space part of each factor."""
    dims = dims_of(m)

    def twin(c: Tensor, weight: Tensor) -> Tensor:
        parts = zip(c.split(dims, dim=-1), weight.split(dims), strict=True)
        return torch.cat([F.rms_norm(p, w.shape, w, 1e-5) for p, w in parts], dim=-1)

    return Case(SpaceRMSNorm(m), twin, _slow_space)


def _slow_batch_norm(layer: MidpointBatchNorm, x: Tensor, mask: Tensor) -> Tensor:
    """By the manifold's own logarithm, exponential and transports; padding is at the origin."""
    m = layer.manifold_in
    mean = points(m, layer.running_mean)
    x = torch.where(mask[..., None], x, m.origin(dtype=x.dtype))
    v = m.to_frame(m.transp0back(mean, m.logmap(mean, x)))
    spread = layer.running_var + layer.eps
    scale = layer.weight / (spread.sqrt() if layer.spread == "rms" else spread)
    scales = torch.cat([s.expand(d) for s, d in zip(scale.split(1), dims_of(m), strict=True)])
    return m.expmap(layer.bias, m.transp0(layer.bias, m.from_frame(scales * v)))


def _batch_norm(
    m: HomogeneousManifold, norm: type[MidpointBatchNorm] | type[GyroBatchNorm], spread: str
) -> Case:
    layer = norm(m, momentum=0.5, spread=spread)
    layer(points(m, 0.3 + 0.5 * torch.randn(7, m.dim)))
    dims = dims_of(m)

    def twin(c: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, **ran: Tensor) -> Tensor:
        size = ran["running_var"] + layer.eps
        scale = weight / (size.sqrt() if spread == "rms" else size)
        scales = torch.cat([s.expand(d) for s, d in zip(scale.split(1), dims, strict=True)])
        return bias + scales * (torch.where(mask[..., None], c, 0) - ran["running_mean"])

    return Case(layer.eval(), twin, _slow_batch_norm, slots=3, claims={"permutes": True})


CASES: dict[tuple[type[Layer], str], Builder] = {
    (TangentLayerNorm, ""): tangent_layer_norm,
    (SpaceLayerNorm, ""): space_layer_norm,
    (SpaceRMSNorm, ""): space_rms_norm,
    (MidpointBatchNorm, "rms"): partial(_batch_norm, norm=MidpointBatchNorm, spread="rms"),
    (MidpointBatchNorm, "mean"): partial(_batch_norm, norm=MidpointBatchNorm, spread="mean"),
    (GyroBatchNorm, ""): partial(_batch_norm, norm=GyroBatchNorm, spread="rms"),
}
