"""What every graph encoder is: features and edges to points of a manifold."""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from noneuclid.layers._normal import from_normal
from noneuclid.manifolds import HomogeneousManifold


class GraphData(Protocol):
    """A graph: features (N, F) and edges (2, E), as torch_geometric's Data has them.

    `edge_weight` (E,) is read where there is one.
    """

    @property
    def x(self) -> Any:
        """Return the features."""

    @property
    def edge_index(self) -> Any:
        """Return the edges."""


class GraphEncoder(nn.Module, ABC):
    """Features and edges to points: (N, F), (2, E) -> (N, S) on `manifold`.

    A concrete encoder supplies `coordinates`, and sets `manifold` and `in_features`.

    Attributes:
        manifold: where the points live.
        in_features: F.
    """

    manifold: HomogeneousManifold
    in_features: int

    @abstractmethod
    def coordinates(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the points' normal coordinates: features (N, F) -> (N, dim)."""

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Return the points of the nodes.

        Args:
            x: features, (N, F).
            edge_index: (2, E), messages go from row 0 to row 1; both directions of undirected
                edges.
            edge_weight: (E,), >= 0; 1 by default.
        """
        self._check(x)
        return from_normal(self.manifold, self.coordinates(x, edge_index, edge_weight))

    def _check(self, x: Tensor) -> None:
        if x.dim() != 2 or x.shape[1] != self.in_features:
            raise ValueError(
                f"{type(self).__name__} expects features of shape (N, {self.in_features}), got"
                f" {tuple(x.shape)}"
            )

    def embed(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Return the points of the frozen encoder: in evaluation mode and without gradients."""
        training = self.training
        self.eval()
        try:
            with torch.no_grad():
                return self(x, edge_index, edge_weight)
        finally:
            self.train(training)


class SelfSupervised(GraphEncoder):
    """An encoder that has a loss of its own, without labels."""

    @abstractmethod
    def contrast(self, data: GraphData) -> Tensor:
        """Return the loss of a graph; what is random in it is drawn from torch's generator."""


def weights_of(data: GraphData) -> Tensor | None:
    """Return the weights of the edges, if there are any."""
    return getattr(data, "edge_weight", None)
