"""LorentzGCN: graph convolutions on the hyperboloid that never leave it."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers import Dropout, Lift
from noneuclid.layers._normal import to_normal
from noneuclid.layers._space import map_points
from noneuclid.layers.graph import LorentzGCNConv
from noneuclid.manifolds import manifold
from noneuclid.manifolds.product import factors_of
from noneuclid.models._checks import check_sizes
from noneuclid.models.graphs.encoder import GraphEncoder


class LorentzGCN(GraphEncoder):
    """Lorentz graph convolutions, with a ReLU on the space part between them.

    Features are lifted by one exp_o at the start; from there on points stay points.

    Args:
        in_features: F.
        signature: of the space of the points; widths may be left out where `dim` gives them.
        dim: dimension of the factors that leave their own out.
        layers: how many `LorentzGCNConv`.
        dropout: of features, and of space parts between the layers.
        variant: the linear map of the convolutions: "htc", "gated" (HyboNet's), "spacelike".
        cached: see `LorentzGCNConv`.
        device, dtype: of the parameters.

    Source: [zhang2021lorentzian], [chen2022fully].
    """

    def __init__(  # noqa: PLR0913 - the options of a network, by keyword
        self,
        in_features: int,
        signature: str = "H16*",
        *,
        dim: int | None = None,
        layers: int = 2,
        dropout: float = 0.0,
        variant: str = "htc",
        cached: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(in_features=in_features, layers=layers)
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.in_features, self.signature, self.dropout = in_features, signature, dropout
        space = self.manifold = manifold(signature, dim)
        self.lift = Lift(in_features, space, **where)
        self.drop = Dropout(space, dropout, "space")
        self.convolutions = nn.ModuleList(
            LorentzGCNConv(space, space, variant=variant, cached=cached, **where)
            for _ in range(layers)
        )

    def coordinates(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the points' normal coordinates, (N, dim)."""
        return to_normal(self.manifold, self.points(x, edge_index, edge_weight))

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Return the points of the nodes; see `GraphEncoder.forward`."""
        self._check(x)
        return self.points(x, edge_index, edge_weight)

    def points(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Return the points of the nodes, (N, S)."""
        y = self.lift(F.dropout(x, self.dropout, self.training))
        relu = [torch.relu] * len(factors_of(self.manifold))
        for i, convolution in enumerate(self.convolutions):
            if i:
                y = self.drop(map_points(self.manifold, y, relu))
            y = convolution(y, edge_index, edge_weight)
        return y
