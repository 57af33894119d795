"""Cases of graph layers: on sets of nodes with the same edges, where the laws of layers hold.

`CASES` is not among those of `layer_cases`: graph layers are not exported by `noneuclid.layers`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv

from layer_cases.case import Builder, Case, coordinates, dims_of, points
from noneuclid.layers import Layer
from noneuclid.layers._beta import beta_ratio
from noneuclid.layers.graph import (
    AttentionalConcat,
    HGCNConv,
    KappaGCNConv,
    LorentzGCNConv,
    MixedCurvatureAttention,
)
from noneuclid.layers.graph._base import GraphLayer
from noneuclid.manifolds import Euclidean, HomogeneousManifold, Product
from noneuclid.manifolds.product import factors_of

NODES = 5
# Both ways, one way, twice, to oneself; node 3 sends only, node 4 is alone.
EDGES = torch.tensor([[0, 1, 0, 2, 2, 3, 1], [1, 0, 2, 0, 0, 1, 1]])
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 0.25, 1.5, 1.0, 0.75])


class OnSets(Layer):
    """A graph layer on (B, n, S): B graphs of n nodes with the same edges."""

    def __init__(self, layer: GraphLayer) -> None:
        super().__init__(layer.manifold_in, layer.manifold_out)
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        rows, nodes = x.shape[:2]
        index = (EDGES[:, None] + nodes * torch.arange(rows)[:, None]).flatten(1)
        y = self.layer(x.flatten(0, 1), index, WEIGHTS.repeat(rows))
        return y.unflatten(0, (rows, nodes))

    def flat_parameters(self) -> dict[str, Tensor]:
        return self.layer.flat_parameters()

    def reset_parameters(self) -> None:
        self.layer.reset_parameters()


def dense(normalization: str, dtype: torch.dtype) -> Tensor:
    """Return the weights A of the edges above, entry by entry."""
    a = torch.zeros(NODES, NODES, dtype=dtype)
    for (j, i), w in zip(EDGES.T.tolist(), WEIGHTS.tolist(), strict=True):
        a[i, j] += w
    for i in range(NODES):
        if a[i, i] == 0:
            a[i, i] = 1
    degree = a.sum(1)
    if normalization == "symmetric":
        return a / (degree[:, None] * degree).sqrt()
    return a / degree[:, None] if normalization == "row" else a


def moved(space: HomogeneousManifold, y: Tensor, bias: Tensor) -> Tensor:
    """Return y (+) exp_o(bias), by the manifold's own exp and transport."""
    return space.expmap(y, space.transp0(y, space.from_frame(bias).expand(y.shape)))


def midpoints(space: HomogeneousManifold, h: Tensor, a: Tensor) -> Tensor:
    """Return the midpoints of the points h (n, S) with the weights a (n, n), one by one."""
    return torch.stack([space.midpoint(h, row) for row in a])


def slow_mean(space: HomogeneousManifold, h: Tensor, a: Tensor, aggregation: str) -> Tensor:
    """Return the mean of what every node hears, pair by pair."""
    if aggregation == "midpoint":
        totals = a.sum(1, keepdim=True)
        return points(space, totals * coordinates(space, midpoints(space, h, a)))
    if aggregation == "origin":
        return points(space, a @ coordinates(space, h))
    means = []
    for i, center in enumerate(h):
        steps = [a[i, j] * space.logmap(center, other) for j, other in enumerate(h)]
        means.append(space.expmap(center, sum(steps)))
    return torch.stack(means)


def _softmax(h: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Return the weights of an attention on h (n, d) with the vectors `source`, `target` (d,)."""
    scores = nn.functional.leaky_relu(h @ source + (h @ target)[:, None], 0.2)
    a = dense("none", h.dtype) * scores.exp()
    return a / a.sum(1, keepdim=True)


def _slow_convolution(wrapped: OnSets, x: Tensor) -> Tensor:
    """A linear map, a mean over all pairs of nodes, a translation."""
    layer, space = wrapped.layer, wrapped.manifold_out
    aggregation = getattr(layer, "aggregation", "midpoint")
    weight = layer.flat_parameters()["lin.weight"]
    outputs = []
    for nodes in x:
        h = points(space, coordinates(wrapped.manifold_in, nodes) @ weight.mT)
        if getattr(layer, "shifts_before", False):
            h = moved(space, h, layer.bias)
        a = dense(layer.normalization, x.dtype)
        if getattr(layer, "scores", None) is not None:
            a = _softmax(coordinates(space, h), layer.scores.source[0], layer.scores.target[0])
        y = slow_mean(space, h, a, aggregation)
        after = layer.bias is not None and not getattr(layer, "shifts_before", False)
        outputs.append(moved(space, y, layer.bias) if after else y)
    return torch.stack(outputs)


def _slow_lorentz(wrapped: OnSets, x: Tensor) -> Tensor:
    """The linear map point by point, then the centroids."""
    layer, a = wrapped.layer, dense(wrapped.layer.normalization, x.dtype)
    mapped = [torch.stack([layer.linear(point) for point in nodes]) for nodes in x]
    return torch.stack([midpoints(wrapped.manifold_out, h, a) for h in mapped])


def _slow_attention(wrapped: OnSets, x: Tensor) -> Tensor:
    """Factor by factor and head by head, heads as points of a smaller space."""
    layer, space = wrapped.layer, wrapped.manifold_out
    weight = layer.flat_parameters()["lin.weight"]
    outputs = []
    for nodes in x:
        h = (coordinates(wrapped.manifold_in, nodes) @ weight.mT).split(dims_of(space), dim=-1)
        means = []
        for factor, scores, part in zip(factors_of(space), layer.scores, h, strict=True):
            part = coordinates(factor, points(factor, part))
            dim = scores.source.shape[1]
            small, unit = factor.like(dim), beta_ratio(factor.dim, dim)
            for k, piece in enumerate(part.split(dim, dim=-1)):
                a = _softmax(piece, scores.source[k], scores.target[k])
                mean = midpoints(small, points(small, unit * piece), a)
                means.append(coordinates(small, mean) / unit)
        y = points(space, torch.cat(means, dim=-1))
        outputs.append(moved(space, y, layer.bias))
    return torch.stack(outputs)


def _flat(build: Callable[[int, int], nn.Module], normalization: str | None) -> nn.Module:
    """Return the torch_geometric twin on (B, n, dim) coordinates."""

    class Twin(nn.Module):
        def forward(self, c: Tensor) -> Tensor:
            if normalization is None:
                return torch.stack([self.twin(nodes, EDGES) for nodes in c])
            a = dense(normalization, c.dtype)
            target, source = a.nonzero().T
            index = torch.stack([source, target])
            return torch.stack([self.twin(nodes, index, a[target, source]) for nodes in c])

        def load_state_dict(self, state: dict[str, Tensor]) -> None:
            out, inside = state["lin.weight"].shape
            self.twin = build(inside, out).to(state["lin.weight"].dtype)
            self.twin.load_state_dict(state)

    return Twin()


def _gcn(inside: int, out: int) -> nn.Module:
    return GCNConv(inside, out, normalize=False)


def _kappa(**options: object) -> Builder:
    def build(m: HomogeneousManifold) -> Case:
        layer = KappaGCNConv(m, m, **options)
        return Case(OnSets(layer), _flat(_gcn, layer.normalization), _slow_convolution, NODES)

    return build


def _hgcn(**options: object) -> Builder:
    def build(m: HomogeneousManifold) -> Case:
        layer = HGCNConv(m, m, **options)
        twin = _flat(_gcn, layer.normalization) if layer.scores is None else None
        # The twin of "local" leaves out that its center is moved by a bias before the mean.
        return Case(OnSets(layer), twin, _slow_convolution, NODES)

    return build


def _lorentz(variant: str) -> Builder:
    def build(m: HomogeneousManifold) -> Case:
        layer = LorentzGCNConv(m, m, variant=variant)
        twin = _flat(_gcn, "row") if variant == "htc" else None
        return Case(OnSets(layer), twin, _slow_lorentz, NODES)

    return build


def _attention(heads: int) -> Builder:
    def build(m: HomogeneousManifold) -> Case | None:
        if any(dim % heads for dim in dims_of(m)):
            return None
        layer = MixedCurvatureAttention(m, m, heads)
        return Case(OnSets(layer), None, _slow_attention, NODES)

    return build


def _slow_concat(layer: AttentionalConcat, x: Tensor) -> Tensor:
    """Node by node and factor by factor."""
    outputs, factors = [], factors_of(layer.manifold_in)
    for nodes in x:
        parts = coordinates(layer.manifold_in, nodes).split(layer.dims, dim=-1)
        u = [part @ w.mT for part, w in zip(parts, layer.weights, strict=True)]
        rows = []
        for i in range(len(nodes)):
            within = sum(v[i] for v in u) / len(u)
            centers = [within if layer.center == "factors" else v.mean(0) for v in u]
            pairs = zip(u, centers, strict=True)
            scores = torch.stack([torch.sigmoid(layer.theta @ (v[i] - mu)) for v, mu in pairs])
            b = scores.exp() / scores.exp().sum()
            spaces = [f.like(layer.width) for f in factors]
            rows.append(torch.cat([points(f, b[m] * u[m][i]) for m, f in enumerate(spaces)]))
        outputs.append(torch.stack(rows))
    return torch.stack(outputs)


def _concat(center: str) -> Builder:
    def build(m: HomogeneousManifold) -> Case | None:
        if not isinstance(m, Product):
            return None
        layer = AttentionalConcat(m, center=center)

        def twin(c: Tensor, theta: Tensor, **weights: Tensor) -> Tensor:
            parts = c.split(layer.dims, dim=-1)
            u = torch.stack([p @ weights[f"weights_{k}"].mT for k, p in enumerate(parts)], dim=-2)
            mu = u.mean(-2 if center == "factors" else -3, keepdim=True)
            b = torch.softmax(torch.sigmoid((u - mu) @ theta), dim=-1)
            return (b[..., None] * u).flatten(-2)

        claims = {"permutes": True, "isometric": ""}
        return Case(layer, twin, _slow_concat, NODES, claims)

    return build


def flat_only(m: HomogeneousManifold) -> bool:
    """Tell whether a space has no curvature to bend."""
    return all(isinstance(f, Euclidean) for f in factors_of(m))


CASES: dict[tuple[type[Layer], str], Builder] = {
    (KappaGCNConv, ""): _kappa(),
    (KappaGCNConv, "row"): _kappa(normalization="row", mixing=True),
    (HGCNConv, ""): _hgcn(),
    (HGCNConv, "local"): _hgcn(aggregation="local", bias="before"),
    (HGCNConv, "attention"): _hgcn(aggregation="midpoint", attention=True),
    (LorentzGCNConv, ""): _lorentz("htc"),
    (LorentzGCNConv, "gated"): _lorentz("gated"),
    (MixedCurvatureAttention, ""): _attention(1),
    (MixedCurvatureAttention, "heads"): _attention(2),
    (AttentionalConcat, ""): _concat("factors"),
    (AttentionalConcat, "nodes"): _concat("nodes"),
}
__all__ = ["CASES", "EDGES", "NODES", "WEIGHTS", "GATConv", "OnSets", "dense", "midpoints", "moved"]
