"""MotifRGC: a kernel in place of exp and log, learned from contrasts and motifs."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GCN

from noneuclid.layers import Lift
from noneuclid.manifolds import Euclidean, HomogeneousManifold, SpaceForm, manifold
from noneuclid.manifolds.product import factors_of
from noneuclid.models._checks import check_sizes
from noneuclid.models.graphs.encoder import GraphData, SelfSupervised, weights_of
from noneuclid.numerics import safe_divide, safe_norm


class KernelFeatures(nn.Module):
    """Random features of points by waves along their Busemann functions.

    With B_j the Busemann function of a random direction v_j, r = |K|^1/2 and n the dimension,

        phi_j(x) = exp(-(n - 1) r B_j(x) / 2) cos(f_j B_j(x) + b_j),

    whose inner products are a kernel: on hyperbolic space they are eigenfunctions of the Laplacian,
    on R^n random Fourier features. Where K > 0 the first factor is left out. A growing factor is
    kept at exp(8) and below.

    Args:
        manifold: of constant curvature, or Euclidean.
        features: how many, divided by the square root of their number.
        scale: standard deviation of the frequencies f_j.
        device, dtype: of the buffers, drawn once.

    Shapes: (*, S) -> (*, features).

    Raises:
        TypeError: another manifold.

    Source: [yu2023random]; [sun2024motif] for the use.
    """

    direction: Tensor
    frequency: Tensor
    phase: Tensor

    def __init__(
        self,
        manifold: HomogeneousManifold,
        features: int = 64,
        scale: float = 1.0,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(features=features)
        if not isinstance(manifold, SpaceForm | Euclidean):
            raise TypeError(
                f"KernelFeatures needs a factor of constant curvature, got {manifold!r}"
            )
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.manifold = manifold
        direction = torch.randn(features, manifold.dim, **where)
        self.register_buffer("direction", safe_divide(direction, safe_norm(direction)))
        self.register_buffer("frequency", scale * torch.randn(features, **where))
        self.register_buffer("phase", 2 * math.pi * torch.rand(features, **where))

    def forward(self, x: Tensor) -> Tensor:
        """Return phi."""
        space = self.manifold
        assert isinstance(space, SpaceForm | Euclidean)
        depth = space.busemann(x[..., None, :], space.from_frame(self.direction))
        wave = torch.cos(self.frequency * depth + self.phase)
        if isinstance(space, SpaceForm):
            rate = (-space.curvature(x.device)).clamp(min=0.0).sqrt().to(x.dtype)
            wave = wave * torch.exp((-(space.dim - 1) * rate * depth / 2).clamp(max=8.0))
        return wave / math.sqrt(len(self.phase))


class MotifRGC(SelfSupervised):
    """A Riemannian kernel encoder in the style of MotifRGC.

    1. `Lift`: features to points p on every factor of a product;
    2. `KernelFeatures` of every factor, side by side: from here on flat;
    3. torch_geometric's GCN on them: the code.

    The loss contrasts the code with that of a GCN on the features (InfoNCE, temperature t), and
    asks the points to tell closed triads from open ones: with s = b - d_ij^2 - d_jk^2 - d_ik^2
    on the product, sigmoid(s) is the probability that the path j - i - k is closed.

    The source learns a point for each node; here points come from features, so that nodes that
    training never saw have codes too.

    Args:
        in_features: F.
        signature: of the product; widths may be left out where `dim` gives them.
        dim: dimension of the factors that leave their own out.
        features: kernel features of each factor.
        hidden: width of the GCNs' hidden layer.
        out: dimension of the codes, in R^out.
        temperature: t.
        motif_weight: weight of the triads' loss.
        triads: how many paths are drawn at every call.
        negatives: how many other nodes a node is told from, drawn anew at every call.

    Source: [sun2024motif], whose motif generator is read freely.
    """

    def __init__(  # noqa: PLR0913 - the options of a method, all but two by keyword
        self,
        in_features: int,
        signature: str = "K8(-1)* x K8(-1)* x K8(-1)*",
        *,
        dim: int | None = None,
        features: int = 64,
        hidden: int = 64,
        out: int = 32,
        temperature: float = 0.2,
        motif_weight: float = 1.0,
        triads: int = 4096,
        negatives: int = 2048,
    ) -> None:
        super().__init__()
        check_sizes(in_features=in_features, hidden=hidden, out=out, triads=triads)
        check_sizes(negatives=negatives)
        self.in_features, self.signature = in_features, signature
        self.manifold: HomogeneousManifold = Euclidean(out)
        self.space = manifold(signature, dim)
        factors = factors_of(self.space)
        self.widths = tuple(factor.point_shape[0] for factor in factors)
        self.lift = Lift(in_features, self.space)
        self.kernels = nn.ModuleList(KernelFeatures(factor, features) for factor in factors)
        self.network = GCN(features * len(factors), hidden, 2, out)
        self.flat_network = GCN(in_features, hidden, 2, out)
        self.closeness = nn.Parameter(torch.ones(1))
        self.temperature, self.motif_weight = temperature, motif_weight
        self.triads, self.negatives = triads, negatives

    def coordinates(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the codes, (N, out)."""
        return self.network(self._kernel(self.lift(x)), edge_index, edge_weight)

    def _kernel(self, points: Tensor) -> Tensor:
        parts = zip(self.kernels, points.split(self.widths, dim=-1), strict=True)
        return torch.cat([kernel(part) for kernel, part in parts], dim=-1)

    def contrast(self, data: GraphData) -> Tensor:
        """Return the contrast of both views, and the loss of the triads."""
        x, edges = data.x, (data.edge_index, weights_of(data))
        points = self.lift(x)
        nodes = torch.randperm(len(x), device=x.device)[: self.negatives + 1]
        codes = self.network(self._kernel(points), *edges), self.flat_network(x, *edges)
        u, v = (safe_divide(z[nodes], safe_norm(z[nodes])) for z in codes)
        logits = u @ v.mT / self.temperature
        own = torch.arange(len(nodes), device=x.device)
        loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.mT, own)) / 2
        center, first, second, closed = drawn_triads(data.edge_index, len(x), self.triads)
        if not len(center):
            return loss
        sides = [(center, first), (center, second), (first, second)]
        square = sum(self.space.dist2(points[a], points[b]) for a, b in sides)
        odds = (self.closeness - square).to(loss.dtype)
        return loss + self.motif_weight * F.binary_cross_entropy_with_logits(odds, closed.to(odds))


def drawn_triads(
    edge_index: Tensor, num_nodes: int, count: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw paths j - i - k, j != k: i, j, k, and whether j - k is an edge, (T,) each, T <= count.

    A path is drawn by an edge into i and another edge into i, uniform among those there are.
    """
    source, target = edge_index
    if not len(source):
        return (*(source.new_zeros(0) for _ in range(3)), torch.zeros(0, dtype=torch.bool))
    order = torch.argsort(target, stable=True)
    degree = torch.zeros(num_nodes, dtype=torch.long, device=target.device)
    degree = degree.index_add(0, target, torch.ones_like(target))
    start = torch.cumsum(degree, 0) - degree
    chosen = torch.randint(len(source), (count,), device=source.device)
    center, first = target[chosen], source[chosen]
    step = (torch.rand(count, device=source.device) * degree[center]).long()
    second = source[order[start[center] + step]]
    kept = (second != first) & (first != center) & (second != center)
    center, first, second = center[kept], first[kept], second[kept]
    closed = torch.isin(first * num_nodes + second, source * num_nodes + target)
    return center, first, second, closed
