"""Cases of residual connections."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from layer_cases.case import Builder, Case, coordinates, dims_of
from layer_cases.norm import factors, on_space
from noneuclid.layers import Activation, Chain, Layer, Linear, Residual
from noneuclid.manifolds import HomogeneousManifold, Product


def _slow_residual(layer: Residual, x: Tensor, mask: Tensor | None = None) -> Tensor:
    m = layer.manifold_in
    if mask is not None:
        x = torch.where(mask[..., None], x, m.origin(dtype=x.dtype))
    split = m.split if isinstance(m, Product) else lambda x: [x]
    result = []
    for i, (f, a, b) in enumerate(zip(factors(m), split(x), split(layer.layer(x)), strict=True)):
        weight = layer.sum.log_weight[i].exp()
        if layer.sum.kind == "mobius":
            step = f.from_frame(weight * coordinates(f, b))
            result.append(f.expmap(a, f.transp0(a, step)))
            continue
        middle = f.midpoint(torch.stack([a, b], -2), torch.stack([torch.ones(()), weight]))
        if layer.sum.kind == "lorentz":
            scale = layer.sum.log_scale[i].exp()
            middle = on_space(f, middle, lambda space, scale=scale: scale * space)
        result.append(middle)
    return torch.cat(result, dim=-1)


def _twin(
    c: Tensor, kind: str, dims: tuple[int, ...], y: Tensor, flat: dict[str, Tensor]
) -> Tensor:
    parts = []
    for i, (a, b) in enumerate(zip(c.split(dims, -1), y.split(dims, -1), strict=True)):
        weight = flat["sum_weight"][i]
        total = a + weight * b
        if kind != "mobius":
            total = total / (1 + weight)
        parts.append(flat["sum_scale"][i] * total if kind == "lorentz" else total)
    return torch.cat(parts, dim=-1)


def residual(m: HomogeneousManifold, kind: str) -> Case:
    """Around a linear map."""

    def twin(c: Tensor, **flat: Tensor) -> Tensor:
        y = F.linear(c, flat["layer_weight"], flat["layer_bias"])
        return _twin(c, kind, dims_of(m), y, flat)

    return Case(Residual(Linear(m, m), kind, gain=0.5), twin, _slow_residual)


def block(m: HomogeneousManifold) -> Case:
    """Around a chain, with padding."""

    def twin(c: Tensor, mask: Tensor, **flat: Tensor) -> Tensor:
        c = torch.where(mask[..., None], c, 0)
        y = torch.tanh(F.linear(c, flat["layer_0_weight"], flat["layer_0_bias"]))
        return _twin(c, "mobius", dims_of(m), y, flat)

    layer = Residual(Chain(Linear(m, m), Activation(m, torch.tanh)), gain=0.5)
    return Case(layer, twin, _slow_residual, slots=3, claims={"permutes": True})


CASES: dict[tuple[type[Layer], str], Builder] = {
    **{(Residual, k): partial(residual, kind=k) for k in ("mobius", "midpoint", "lorentz")},
    (Residual, "block"): block,
}
