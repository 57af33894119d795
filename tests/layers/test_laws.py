"""The laws of layers, on every public layer and manifold."""

import inspect

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import noneuclid as ne
import noneuclid.layers
from noneuclid.layers import (
    Activation,
    Chain,
    Drop,
    FactorCoupling,
    Layer,
    Lift,
    Linear,
    TangentLayer,
    TangentLayerNorm,
    TangentMean,
)
from noneuclid.manifolds import HomogeneousManifold, Product
from noneuclid.testing.check_layer import check_layer

SIGNATURES = {
    "E4": "E4",
    "H4": "H4(-0.7)*",
    "B4": "B4(-1.3)*",
    "S4": "S4(0.8)*",
    "P4": "P4(1.2)",
    "K4 negative": "K4(-0.6)*",
    "K4 flat": "K4(0)*",
    "K4 positive": "K4(0.9)",
    "H3 x E2": "H3* x E2",
    "H2 x S3 x K2": "H2 x S3(0.5)* x K2(0)*",
}
POOLING = {TangentMean}


def oracle_coordinates(manifold: HomogeneousManifold, x: Tensor) -> Tensor:
    return manifold.to_frame(manifold.logmap0(x))


def oracle_points(manifold: HomogeneousManifold, c: Tensor) -> Tensor:
    return manifold.expmap0(manifold.from_frame(c))


def slow_linear(layer: Linear, x: Tensor) -> Tensor:
    """exp_o(W log_o x) (+) b row by row, by the manifold's own exp and transport."""
    m, n = layer.manifold_in, layer.manifold_out
    weight = torch.block_diag(*layer.weights)
    rows = []
    for row in x:
        moved = oracle_points(n, weight @ oracle_coordinates(m, row))
        rows.append(n.expmap(moved, n.transp0(moved, n.logmap0(layer.bias))))
    return torch.stack(rows)


def slow_activation(layer: Activation, x: Tensor) -> Tensor:
    m = layer.manifold_in
    return torch.stack([oracle_points(m, torch.tanh(oracle_coordinates(m, row))) for row in x])


def slow_norm(layer: TangentLayerNorm, x: Tensor) -> Tensor:
    m = layer.manifold_in
    c = oracle_coordinates(m, x)
    dims = m.dims if isinstance(m, Product) else (m.dim,)
    parts, start = [], 0
    for dim in dims:
        part = c[:, start : start + dim]
        centred = part - part.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + layer.eps).sqrt()
        stop = start + dim
        parts.append(scaled * layer.weight[start:stop] + layer.bias[start:stop])
        start = stop
    return oracle_points(m, torch.cat(parts, dim=-1))


def slow_coupling(layer: FactorCoupling, x: Tensor) -> Tensor:
    product, rows = layer.manifold_in, []
    for row in x:
        parts = [
            f.to_frame(f.logmap0(p))
            for f, p in zip(product.factors, product.split(row), strict=True)
        ]
        u = [weight @ part for weight, part in zip(layer.weights, parts, strict=True)]
        mean = sum(u) / len(u)
        scores = [(theta @ (v - mean)).item() for theta, v in zip(layer.theta, u, strict=True)]
        total = sum(torch.tensor(s, dtype=torch.float64).exp() for s in scores)
        w = [float(torch.tensor(s, dtype=torch.float64).exp() / total) for s in scores]
        rows.append(
            product.join(
                [oracle_points(f, a * p) for f, a, p in zip(product.factors, w, parts, strict=True)]
            )
        )
    return torch.stack(rows)


def flat_coupling(dims: tuple[int, ...]):
    def twin(c: Tensor, theta: Tensor, **weights: Tensor) -> Tensor:
        parts = c.split(dims, dim=-1)
        u = torch.stack([p @ weights[f"weights_{i}"].mT for i, p in enumerate(parts)])
        w = torch.softmax(((u - u.mean(0)) * theta[:, None]).sum(-1), dim=0)
        return torch.cat([a[:, None] * p for a, p in zip(w, parts, strict=True)], dim=-1)

    return twin


def flat_norm(dims: tuple[int, ...]):
    def twin(c: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        parts = zip(c.split(dims, dim=-1), weight.split(dims), bias.split(dims), strict=True)
        return torch.cat([F.layer_norm(p, w.shape, w, b) for p, w, b in parts], dim=-1)

    return twin


def slow_mean(layer: TangentMean, x: Tensor, mask: Tensor) -> Tensor:
    rows = []
    for points, present in zip(x, mask, strict=True):
        c = [
            oracle_coordinates(layer.manifold_in, p)
            for p, here in zip(points, present, strict=True)
            if here
        ]
        rows.append(sum(c) / len(c) if c else torch.zeros(layer.manifold_in.dim, dtype=x.dtype))
    return torch.stack(rows)


def flat_mean(c: Tensor, mask: Tensor) -> Tensor:
    count = mask.sum(-1, keepdim=True).clamp(min=1)
    return (c * mask[..., None]).sum(-2) / count


def case(cls: type[Layer], m: HomogeneousManifold):
    """Return (layer, twin, oracle) of a class on a manifold, or None if it does not live there."""
    dims = m.dims if isinstance(m, Product) else (m.dim,)
    if cls is Lift:
        return Lift(5, m), nn.Linear(5, m.dim), None
    if cls is Drop:
        return Drop(m, 3), nn.Linear(m.dim, 3), None
    if cls is Linear:
        return Linear(m, m.like(m.dim + 1)), nn.Linear(m.dim, m.dim + 1), slow_linear
    if cls is Activation:
        return Activation(m, torch.tanh), nn.Tanh(), slow_activation
    if cls is TangentLayerNorm:
        return TangentLayerNorm(m), flat_norm(dims), slow_norm
    if cls is TangentMean:
        return TangentMean(m), flat_mean, slow_mean
    if cls is FactorCoupling:
        if not isinstance(m, Product):
            return None
        return FactorCoupling(m), flat_coupling(dims), slow_coupling
    if cls is Chain:
        inner = m.like(m.dim + 1)
        steps = (Linear(m, inner), Activation(inner, torch.tanh), Drop(inner, 2))
        twins = (nn.Linear(m.dim, m.dim + 1), nn.Tanh(), nn.Linear(m.dim + 1, 2))
        return (
            Chain(*steps),
            nn.Sequential(*twins),
            lambda layer, x: nn.Sequential(*layer.layers)(x),
        )
    raise AssertionError(f"{cls.__name__} has no case here: give it one, with twin and oracle")


PUBLIC = [
    thing
    for name in noneuclid.layers.__all__
    if inspect.isclass(thing := getattr(noneuclid.layers, name))
    and thing not in (Layer, TangentLayer)
]


def points(m: HomogeneousManifold, cls: type[Layer], dtype: torch.dtype) -> tuple[Tensor, dict]:
    if cls not in POOLING:
        return 0.7 * torch.randn(6, m.dim, dtype=dtype), {}
    mask = torch.tensor([[1, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    return 0.7 * torch.randn(4, 4, m.dim, dtype=dtype), {"mask": mask}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_laws(cls: type[Layer], signature: str, dtype: torch.dtype) -> None:
    """Every public layer keeps every law on every kind of manifold."""
    found = case(cls, ne.manifold(signature))
    if found is None:
        return
    layer, twin, oracle = found
    c, extra = points(layer.manifold_in, cls, dtype)
    with torch.no_grad():
        x = oracle_points(layer.manifold_in.to(dtype), c)
    compiled = dtype == torch.float32 and signature in {"H4(-0.7)*", "H3* x E2"}
    check_layer(layer, x, twin=twin, oracle=oracle, compiled=compiled, **extra)


def test_every_layer_is_a_layer() -> None:
    """What `noneuclid.layers` exports are layers; the two interfaces among them are abstract."""
    assert all(issubclass(cls, Layer) for cls in PUBLIC)
    assert inspect.isabstract(Layer)
    assert inspect.isabstract(TangentLayer)


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_flat_limit_at_zero_curvature(cls: type[Layer]) -> None:
    """At K = 0 in float32 a layer on the stereographic model is its twin: the metric is 4 I."""
    m = ne.manifold("K4(0) x K4(0)" if cls is FactorCoupling else "K4(0)")
    layer, twin, _ = case(cls, m)
    c, extra = points(layer.manifold_in, cls, torch.float32)
    y = oracle_coordinates(layer.manifold_out, layer(oracle_points(layer.manifold_in, c), **extra))
    flat = {name: value.detach() for name, value in layer.flat_parameters().items()}
    if isinstance(twin, nn.Module):
        twin.load_state_dict(flat)
        expected = twin(c)
    else:
        expected = twin(c, **extra, **{k.replace(".", "_"): v for k, v in flat.items()})
    torch.testing.assert_close(y, expected, atol=1e-6, rtol=1e-6)
