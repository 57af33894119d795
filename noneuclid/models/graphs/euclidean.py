"""Euclidean baselines: torch_geometric's own networks as encoders."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GAT, GCN, MLP, SGConv

from noneuclid.manifolds import Euclidean
from noneuclid.models.graphs.encoder import GraphEncoder


class EuclideanEncoder(GraphEncoder):
    """A network of features and edges as an encoder to R^n.

    Args:
        network: called with (x, edge_index, edge_weight), or with x alone if `edges` is False.
        in_features: F.
        dim: n.
        edges: whether the network sees edges.
        weights: whether it takes the weights of edges; they are left out otherwise.
        dropout: of the features, in addition to what the network does.
    """

    def __init__(
        self,
        network: nn.Module,
        in_features: int,
        dim: int,
        *,
        edges: bool = True,
        weights: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.in_features, self.manifold = in_features, Euclidean(dim)
        self.edges, self.weights, self.dropout = edges, weights, dropout

    def coordinates(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return what the network gives, (N, n)."""
        x = F.dropout(x, self.dropout, self.training)
        if not self.edges:
            return self.network(x)
        return self.network(x, edge_index, edge_weight if self.weights else None)


def gcn(
    in_features: int, dim: int = 16, layers: int = 2, dropout: float = 0.0, **options: Any
) -> EuclideanEncoder:
    """Return torch_geometric.nn.GCN as an encoder. Source: [kipf2017semi]."""
    network = GCN(in_features, dim, layers, dim, dropout, **options)
    return EuclideanEncoder(network, in_features, dim, dropout=dropout)


def gat(
    in_features: int,
    dim: int = 16,
    layers: int = 2,
    heads: int = 4,
    dropout: float = 0.0,
    **options: Any,
) -> EuclideanEncoder:
    """Return torch_geometric.nn.GAT as an encoder. Source: [velickovic2018graph]."""
    network = GAT(in_features, dim, layers, dim, dropout, heads=heads, **options)
    return EuclideanEncoder(network, in_features, dim, weights=False, dropout=dropout)


def sgc(
    in_features: int, dim: int = 16, hops: int = 2, dropout: float = 0.0, **options: Any
) -> EuclideanEncoder:
    """Return torch_geometric.nn.SGConv as an encoder. Source: [wu2019simplifying]."""
    network = SGConv(in_features, dim, hops, **options)
    return EuclideanEncoder(network, in_features, dim, dropout=dropout)


def mlp(
    in_features: int, dim: int = 16, layers: int = 2, dropout: float = 0.0, **options: Any
) -> EuclideanEncoder:
    """Return torch_geometric.nn.MLP, which sees no edges, as an encoder."""
    options = {"norm": None, **options}
    network = MLP([in_features, *[dim] * layers], dropout=dropout, plain_last=True, **options)
    return EuclideanEncoder(network, in_features, dim, edges=False, dropout=dropout)
