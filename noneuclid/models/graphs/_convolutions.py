"""Convolutions one after another, in normal coordinates."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._normal import principal
from noneuclid.layers.graph._base import GraphLayer
from noneuclid.manifolds import Euclidean, HomogeneousManifold, manifold
from noneuclid.models._checks import check_sizes
from noneuclid.models.graphs.encoder import GraphEncoder

Build = Callable[[HomogeneousManifold, HomogeneousManifold], GraphLayer]


class Convolutions(GraphEncoder):
    """Graph convolutions on one manifold, with an activation on the tangent space between them.

    Args:
        in_features: F.
        signature: of the manifold; widths may be left out where `dim` gives them.
        dim: dimension of the factors that leave their own out.
        layers: how many convolutions.
        dropout: of features, and of normal coordinates between the convolutions.
        activation: between the convolutions.
        activated: whether it follows the last convolution too.
        build: gives the convolution from one space to another. The first one's exp_o of the
            features and log_o of those points cancel: it maps features.
    """

    convolutions: Sequence[GraphLayer]

    def __init__(
        self,
        in_features: int,
        signature: str,
        dim: int | None,
        layers: int,
        dropout: float,
        activation: Callable[[Tensor], Tensor],
        activated: bool,
        build: Build,
    ) -> None:
        super().__init__()
        check_sizes(in_features=in_features, layers=layers)
        self.in_features, self.signature = in_features, signature
        self.manifold = manifold(signature, dim)
        spaces = [Euclidean(in_features), *[self.manifold] * layers]
        self.convolutions = nn.ModuleList(  # type: ignore[assignment]  # it is a Sequence
            build(spaces[i], spaces[i + 1]) for i in range(layers)
        )
        self.dropout, self.activation, self.activated = dropout, activation, activated

    def coordinates(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the points' normal coordinates, (N, dim)."""
        c = x
        for i, convolution in enumerate(self.convolutions):
            if i:
                c = self.activation(c)
            c = F.dropout(c, self.dropout, self.training)
            if i and (self.dropout or self.activation is not torch.relu):
                c = principal(self.manifold, c)
            c = convolution.tangent(c, edge_index, edge_weight)
        return principal(self.manifold, self.activation(c)) if self.activated else c

    def extra_repr(self) -> str:
        """Return the signature and options."""
        return f"signature={self.signature!r}, dropout={self.dropout}, activated={self.activated}"
