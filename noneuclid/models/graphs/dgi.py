"""DGI: deep graph infomax, on torch_geometric's own discriminator."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import DeepGraphInfomax, GCNConv

from noneuclid.manifolds import Euclidean
from noneuclid.models.graphs.encoder import GraphData, SelfSupervised, weights_of


class DGI(SelfSupervised):
    """One graph convolution, told from itself on shuffled features by a summary of the graph.

    The discriminator is that of `torch_geometric.nn.DeepGraphInfomax`.

    Args:
        in_features: F.
        dim: of the codes, in R^dim.
        cached: whether to keep the normalized graph of the first call.

    Source: [velickovic2019deep].
    """

    def __init__(self, in_features: int, dim: int = 512, *, cached: bool = False) -> None:
        super().__init__()
        self.in_features, self.manifold = in_features, Euclidean(dim)
        self.convolution = GCNConv(in_features, dim, cached=cached)
        self.activation = nn.PReLU(dim)
        self.infomax = DeepGraphInfomax(dim, nn.Identity(), _summary, lambda *_: ())

    def coordinates(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the codes, (N, dim)."""
        return self.activation(self.convolution(x, edge_index, edge_weight))

    def contrast(self, data: GraphData) -> Tensor:
        """Return the loss of telling nodes from those with another node's features."""
        edges = data.edge_index, weights_of(data)
        shuffled = data.x[torch.randperm(len(data.x), device=data.x.device)]
        codes = self.coordinates(data.x, *edges)
        summary = _summary(codes)
        odds = [
            self.infomax.discriminate(z, summary, sigmoid=False)
            for z in (codes, self.coordinates(shuffled, *edges))
        ]
        return F.softplus(-odds[0]).mean() + F.softplus(odds[1]).mean()


def _summary(codes: Tensor) -> Tensor:
    return torch.sigmoid(codes.mean(0))
