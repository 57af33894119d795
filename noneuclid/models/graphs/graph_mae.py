"""GraphMAE: masked features, made again from the graph."""

import torch
from torch import Tensor, nn
from torch_geometric.nn import GAT, GCNConv

from noneuclid.manifolds import Euclidean
from noneuclid.models._checks import check_sizes
from noneuclid.models.graphs.encoder import GraphData, SelfSupervised, weights_of
from noneuclid.numerics import safe_divide, safe_norm


class GraphMAE(SelfSupervised):
    """A graph attention network whose codes tell the features of masked nodes.

    Some nodes have a learned token for features; their codes are set to 0, one graph convolution
    decodes them, and the loss is the mean of (1 - cos(x_i, decoded_i))^gamma over them.

    Args:
        in_features: F.
        dim: of the codes, in R^dim.
        layers: of torch_geometric's GAT.
        heads: of each layer.
        mask: share of the nodes that are masked.
        gamma: exponent of the scaled cosine error.
        dropout: of features and attention in the encoder.

    Source: [hou2022graphmae].
    """

    def __init__(
        self,
        in_features: int,
        dim: int = 256,
        layers: int = 2,
        *,
        heads: int = 4,
        mask: float = 0.5,
        gamma: int = 3,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        check_sizes(in_features=in_features, dim=dim, layers=layers, gamma=gamma)
        if not 0 < mask < 1:
            raise ValueError(f"mask must lie in (0, 1), got {mask}")
        self.in_features, self.manifold = in_features, Euclidean(dim)
        self.network = GAT(in_features, dim, layers, dim, dropout, heads=heads, act="prelu")
        self.token = nn.Parameter(torch.zeros(1, in_features))
        self.bridge = nn.Linear(dim, dim, bias=False)
        self.decoder = GCNConv(dim, in_features)
        self.mask, self.gamma = mask, gamma

    def coordinates(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the codes, (N, dim); the attention does not look at weights of edges."""
        return self.network(x, edge_index)

    def contrast(self, data: GraphData) -> Tensor:
        """Return the scaled cosine error of the masked nodes."""
        x = data.x
        count = max(int(self.mask * len(x)), 1)
        hidden = torch.zeros(len(x), 1, dtype=torch.bool, device=x.device)
        hidden[torch.randperm(len(x), device=x.device)[:count]] = True
        codes = self.coordinates(torch.where(hidden, self.token, x), data.edge_index)
        codes = torch.where(hidden, 0, self.bridge(codes))
        made = self.decoder(codes, data.edge_index, weights_of(data))
        rows = hidden[:, 0]
        u, v = (safe_divide(t, safe_norm(t)) for t in (made[rows], x[rows]))
        return (1 - (u * v).sum(-1)).pow(self.gamma).mean()
