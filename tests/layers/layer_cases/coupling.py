"""Cases of layers that couple the factors of a product, and of mixtures of curvatures."""

import torch
from torch import Tensor, nn

from layer_cases.case import Builder, Case, coordinates, dims_of, points
from noneuclid.layers import (
    Chain,
    CurvatureMixture,
    FactorCoupling,
    InterManifoldAttention,
    Layer,
    Linear,
)
from noneuclid.manifolds import HomogeneousManifold, Product, Stereographic


def _softmax(scores: list[Tensor]) -> list[Tensor]:
    total = sum(score.exp() for score in scores)
    return [score.exp() / total for score in scores]


def _slow_coupling(layer: FactorCoupling, x: Tensor) -> Tensor:
    product, rows = layer.manifold_in, []
    for row in x:
        pairs = zip(product.factors, product.split(row), strict=True)
        parts = [coordinates(f, p) for f, p in pairs]
        u = [weight @ part for weight, part in zip(layer.weights, parts, strict=True)]
        mean = sum(u) / len(u)
        w = _softmax([theta @ (v - mean) for theta, v in zip(layer.theta, u, strict=True)])
        triples = zip(product.factors, w, parts, strict=True)
        rows.append(product.join([points(f, a * p) for f, a, p in triples]))
    return torch.stack(rows)


def factor_coupling(m: HomogeneousManifold) -> Case | None:
    """By weights, of the factors of a product."""
    if not isinstance(m, Product):
        return None
    dims = m.dims

    def twin(c: Tensor, theta: Tensor, **weights: Tensor) -> Tensor:
        parts = c.split(dims, dim=-1)
        u = torch.stack([p @ weights[f"weights_{i}"].mT for i, p in enumerate(parts)])
        w = torch.softmax(((u - u.mean(0)) * theta[:, None]).sum(-1), dim=0)
        return torch.cat([a[:, None] * p for a, p in zip(w, parts, strict=True)], dim=-1)

    return Case(FactorCoupling(m), twin, _slow_coupling)


def _slow_attention(layer: InterManifoldAttention, x: Tensor) -> Tensor:
    """One point and one factor at a time, by the factors' own exp, distance and midpoint."""
    factors, rows = layer.manifold_in.factors, []
    for row in x:
        parts = layer.manifold_in.split(row)
        u = [coordinates(f, part) for f, part in zip(factors, parts, strict=True)]
        gates = [torch.tensor(1 / len(u), dtype=x.dtype)] * len(u)
        if len(layer.gates):
            gates = list(layer.gates[1](layer.gates[0](torch.cat(u)).relu()).softmax(0))
        weights = iter(layer.weights)
        wide = [v if len(v) == layer.width else next(weights) @ v for v in u]
        mu = sum(g * v for g, v in zip(gates, wide, strict=True))
        targets = [li(points(li.manifold_in, mu)) for li in layer.linears]
        triples = list(zip(factors, parts, targets, strict=True))
        shares = _softmax([f.dist(part, target) for f, part, target in triples])
        moved = [
            f.midpoint(torch.stack([part, target]), torch.stack([torch.ones_like(s), s]))
            for (f, part, target), s in zip(triples, shares, strict=True)
        ]
        rows.append(torch.cat(moved))
    return torch.stack(rows)


def _attention(**options: object) -> Builder:
    def build(m: HomogeneousManifold) -> Case | None:
        if not isinstance(m, Product):
            return None
        layer = InterManifoldAttention(m, **options)
        dims, width, gated = m.dims, layer.width, len(layer.gates) > 0

        def twin(c: Tensor, **flat: Tensor) -> Tensor:
            parts, count = c.split(dims, dim=-1), iter(range(len(dims)))
            wide = [p if d == width else p @ flat[f"weights_{next(count)}"].mT
                    for p, d in zip(parts, dims, strict=True)]  # fmt: skip
            g = torch.full((len(c), len(dims)), 1 / len(dims), dtype=c.dtype)
            if gated:
                hidden = torch.relu(c @ flat["gates_0_weight"].mT + flat["gates_0_bias"])
                g = torch.softmax(hidden @ flat["gates_1_weight"].mT + flat["gates_1_bias"], -1)
            mu = (g.mT[..., None] * torch.stack(wide)).sum(0)
            ends = [mu @ flat[f"linears_{i}_weight"].mT + flat[f"linears_{i}_bias"]
                    for i in range(len(dims))]  # fmt: skip
            pairs = list(zip(parts, ends, strict=True))
            s = torch.softmax(torch.stack([(a - b).norm(dim=-1) for a, b in pairs], dim=-1), -1)
            shares = s.split(1, dim=-1)
            return torch.cat(
                [(a + t * b) / (1 + t) for (a, b), t in zip(pairs, shares, strict=True)], dim=-1
            )

        return Case(layer, twin, _slow_attention)

    return build


def _slow_mixture(layer: CurvatureMixture, x: Tensor) -> Tensor:
    """One point at a time, experts by their layers one after another."""
    out, rows = layer.manifold_out, []

    def steps(expert: nn.Module) -> nn.Module:
        if not hasattr(expert, "first"):
            return expert
        return nn.Sequential(expert.first, expert.activation, expert.second)

    for row in x:
        scores = layer.router.weight @ coordinates(layer.manifold_in, row) + layer.router.bias
        order = sorted(range(len(scores)), key=scores.tolist().__getitem__, reverse=True)
        chosen = order[: layer.router.top_k]
        weights = dict(zip(chosen, _softmax([scores[e] for e in chosen]), strict=True))
        ends = [(w, steps(layer.experts[e])(row)) for e, w in weights.items()]
        if layer.shared is not None:
            half = torch.tensor(0.5, dtype=x.dtype)
            ends = [(w / 2, y) for w, y in ends] + [(half, steps(layer.shared)(row))]
        w, y = (torch.stack(list(each)) for each in zip(*ends, strict=True))
        if layer.mean == "midpoint":
            rows.append(out.midpoint(y, w))
        else:
            rows.append(points(out, (w[:, None] * coordinates(out, y)).sum(0)))
    return torch.stack(rows)


def _perceptron(c: Tensor, flat: dict[str, Tensor], name: str) -> Tensor:
    first, second = (f"{name}_{which}" for which in ("first", "second"))
    hidden = torch.relu(c @ flat[f"{first}_weight"].mT + flat[f"{first}_bias"])
    return hidden @ flat[f"{second}_weight"].mT + flat[f"{second}_bias"]


def _is_flat(m: HomogeneousManifold) -> bool:
    """Tell whether the flat limit is reached by K = 0 itself: then that of the experts is, too."""
    return isinstance(m, Stereographic) and float(m.curvature) == 0


def _weights(c: Tensor, flat: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Two of three: all but the least."""
    scores = c @ flat["router_weight"].mT + flat["router_bias"]
    least = scores.amin(-1, keepdim=True)
    return scores.masked_fill(scores == least, -torch.inf).softmax(-1).split(1, dim=-1)


def curvature_mixture(m: HomogeneousManifold) -> Case:
    """Of two curvatures and a layer, with the mean of logarithms."""
    out = m.like(m.dim + 1)
    signs = (0.0, 0.0) if _is_flat(m) else (-1.0, 1.0)
    layer = CurvatureMixture(m, out, [*signs, Linear(m, out, mixing=True)])

    def twin(c: Tensor, **flat: Tensor) -> Tensor:
        w = _weights(c, flat)
        last = c @ flat["experts_2_weight"].mT + flat["experts_2_bias"]
        return sum(w[e] * _perceptron(c, flat, f"experts_{e}") for e in range(2)) + w[2] * last

    return Case(layer, twin, _slow_mixture)


def midpoint_mixture(m: HomogeneousManifold) -> Case | None:
    """Of two layers and a curvature, with a shared expert and the gyromidpoint.

    Where the sign of K is free and on a product of three: elsewhere the one above does.
    """
    if not isinstance(m, Stereographic) and len(dims_of(m)) < 3:
        return None
    experts = [Linear(m, m), 0.0, Chain(Linear(m, m))]
    layer = CurvatureMixture(m, m, experts, mean="midpoint", shared=True, width=8)

    def twin(c: Tensor, **flat: Tensor) -> Tensor:
        w, shared = _weights(c, flat), _perceptron(c, flat, "shared")
        ends = [
            c @ flat["experts_0_weight"].mT + flat["experts_0_bias"],
            _perceptron(c, flat, "experts_1"),
            c @ flat["experts_2_0_weight"].mT + flat["experts_2_0_bias"],
        ]
        return (sum(a * y for a, y in zip(w, ends, strict=True)) + shared) / 2

    return Case(layer, twin, _slow_mixture)


CASES: dict[tuple[type[Layer], str], Builder] = {
    (FactorCoupling, ""): factor_coupling,
    (InterManifoldAttention, ""): _attention(),
    (InterManifoldAttention, "no gate, width 4"): _attention(gate=False, width=4),
    (CurvatureMixture, ""): curvature_mixture,
    (CurvatureMixture, "midpoint, shared"): midpoint_mixture,
}
