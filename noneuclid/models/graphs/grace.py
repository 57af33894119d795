"""GRACE: two corrupted views of a graph, node against node."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GCN
from torch_geometric.utils import dropout_edge, mask_feature

from noneuclid.manifolds import Euclidean
from noneuclid.models._checks import check_sizes
from noneuclid.models.graphs.encoder import GraphData, SelfSupervised, weights_of
from noneuclid.numerics import safe_divide, safe_norm


class GRACE(SelfSupervised):
    """Graph convolutions that recognize a node without some of its edges and features.

    With u, v the projected codes of the two views and theta the cosine over the temperature,
    the loss of a node is -log e^theta(u_i, v_i) / (sum_j e^theta(u_i, v_j) + sum_(j != i)
    e^theta(u_i, u_j)), both ways round.

    Args:
        in_features: F.
        dim: of the codes, in R^dim.
        layers: graph convolutions, of torch_geometric.
        edge_drop: probabilities that an edge is left out, in the first and the second view.
        feature_mask: likewise for a column of features.
        temperature: t.
        negatives: how many other nodes a node is told from, drawn anew at every call.

    Source: [zhu2020deep].
    """

    def __init__(
        self,
        in_features: int,
        dim: int = 128,
        layers: int = 2,
        *,
        edge_drop: tuple[float, float] = (0.2, 0.4),
        feature_mask: tuple[float, float] = (0.3, 0.4),
        temperature: float = 0.4,
        negatives: int = 2048,
    ) -> None:
        super().__init__()
        check_sizes(in_features=in_features, dim=dim, layers=layers, negatives=negatives)
        self.in_features, self.manifold = in_features, Euclidean(dim)
        self.network = GCN(in_features, 2 * dim, layers, dim)
        self.projector = nn.Sequential(nn.Linear(dim, dim), nn.ELU(), nn.Linear(dim, dim))
        self.edge_drop, self.feature_mask = edge_drop, feature_mask
        self.temperature, self.negatives = temperature, negatives

    def coordinates(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the codes, (N, dim)."""
        return self.network(x, edge_index, edge_weight)

    def contrast(self, data: GraphData) -> Tensor:
        """Return the loss between two corrupted views."""
        nodes = torch.randperm(len(data.x), device=data.x.device)[: self.negatives + 1]
        views = []
        for drop, mask in zip(self.edge_drop, self.feature_mask, strict=True):
            edge_index, kept = dropout_edge(data.edge_index, drop)
            weight = weights_of(data)
            x, _ = mask_feature(data.x, mask)
            codes = self.coordinates(x, edge_index, None if weight is None else weight[kept])
            u = self.projector(codes[nodes])
            views.append(safe_divide(u, safe_norm(u)))
        return (self._one_way(*views) + self._one_way(*reversed(views))) / 2

    def _one_way(self, u: Tensor, v: Tensor) -> Tensor:
        across, within = u @ v.mT / self.temperature, u @ u.mT / self.temperature
        own = torch.eye(len(u), dtype=torch.bool, device=u.device)
        logits = torch.cat([across, within.masked_fill(own, -torch.inf)], dim=-1)
        return F.cross_entropy(logits, torch.arange(len(u), device=u.device))
