"""The Riemannian projector: from a mixed-curvature code to one view of constant curvature each."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers._normal import from_normal
from noneuclid.manifolds import HomogeneousManifold, SpaceForm
from noneuclid.manifolds.product import factors_of


class RiemannianProjector(nn.Module):
    """h_i^m = exp_o(MLP_m(log_o z_i)), one view for every curved factor m.

    Args:
        manifold: where the codes z live.
        width: dimension of the views.
        depth: of each MLP: 0, the part of z in factor m as it is, for factors of dimension `width`;
            1, a linear map of the whole of z; 2, two with an ELU in between.
        flat: whether flat factors have a view too; they have one where there is no curved factor.
        device, dtype: of the parameters.

    Shapes: normal coordinates of z (N, dim) -> those of the views, (views, N, width); the views are
    on `manifolds`, which share the curvatures of the factors.

    Raises:
        ValueError: a depth other than 0, 1, 2, or depth 0 with factors of another dimension.

    Source: [sun2022self], which leaves the maps open.
    """

    manifolds: Sequence[HomogeneousManifold]

    def __init__(
        self,
        manifold: HomogeneousManifold,
        width: int,
        depth: int = 2,
        *,
        flat: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factors = factors_of(manifold)
        curved = [i for i, factor in enumerate(factors) if isinstance(factor, SpaceForm)]
        self.seen = list(range(len(factors))) if flat or not curved else curved
        if depth not in (0, 1, 2):
            raise ValueError(f"depth must be 0, 1 or 2, got {depth}")
        if depth == 0 and any(factors[i].dim != width for i in self.seen):
            raise ValueError(
                f"depth=0 takes the factors as they are, which must have dimension {width}, got"
                f" {[factors[i].dim for i in self.seen]}; use depth=1"
            )
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.depth = depth
        self.dims = tuple(factor.dim for factor in factors)
        self.manifolds = nn.ModuleList(  # type: ignore[assignment]  # it is a Sequence
            factors[i].like(width) for i in self.seen
        )
        self.maps = nn.ModuleList(
            _perceptron(manifold.dim, width, depth, where) for _ in self.seen if depth
        )

    def forward(self, c: Tensor) -> Tensor:
        """Return the views' normal coordinates."""
        if not self.depth:
            parts = c.split(self.dims, dim=-1)
            return torch.stack([parts[i] for i in self.seen])
        return torch.stack([mapped(c) for mapped in self.maps])

    def points(self, c: Tensor) -> list[Tensor]:
        """Return the views as points, (N, S_m) each."""
        return [from_normal(m, h) for m, h in zip(self.manifolds, self(c), strict=True)]


def _perceptron(dim: int, width: int, depth: int, where: dict[str, Any]) -> nn.Module:
    if depth == 1:
        return nn.Linear(dim, width, **where)
    return nn.Sequential(nn.Linear(dim, width, **where), nn.ELU(), nn.Linear(width, width, **where))
