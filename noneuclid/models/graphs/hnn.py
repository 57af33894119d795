"""HNN: a hyperbolic network of features, which sees no edges."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers import Lift, MobiusLinear
from noneuclid.layers._normal import principal
from noneuclid.manifolds import manifold
from noneuclid.models._checks import check_sizes
from noneuclid.models.graphs.encoder import GraphEncoder


class HNN(GraphEncoder):
    """Moebius linear maps with ReLUs between them: what the features alone tell.

    Args:
        in_features: F.
        signature: of the space of the points; widths may be left out where `dim` gives them.
        dim: dimension of the factors that leave their own out.
        layers: how many linear maps, the first of which is a `Lift`.
        dropout: of features, and of normal coordinates between the layers.
        device, dtype: of the parameters.

    Source: [ganea2018hyperbolic].
    """

    linears: Sequence[MobiusLinear]

    def __init__(
        self,
        in_features: int,
        signature: str = "H16*",
        *,
        dim: int | None = None,
        layers: int = 2,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(in_features=in_features, layers=layers)
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.in_features, self.signature, self.dropout = in_features, signature, dropout
        space = self.manifold = manifold(signature, dim)
        self.lift = Lift(in_features, space, **where)
        self.linears = nn.ModuleList(  # type: ignore[assignment]  # it is a Sequence
            MobiusLinear(space, space, "tangent", **where) for _ in range(layers - 1)
        )

    def coordinates(
        self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Return the points' normal coordinates, (N, dim); the edges are not looked at."""
        c = self.lift.tangent(F.dropout(x, self.dropout, self.training))
        for linear in self.linears:
            c = F.dropout(torch.relu(c), self.dropout, self.training)
            c = linear.tangent(principal(self.manifold, c))
        return c
