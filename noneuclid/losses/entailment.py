"""The loss of pairs of which one should, or should not, entail the other."""

import torch
from torch import Tensor, nn

from noneuclid.losses._reduction import Reduction, check_reduction, reduced
from noneuclid.losses.entailment_cone import EntailmentCone
from noneuclid.manifolds import HomogeneousManifold


class EntailmentLoss(nn.Module):
    """How far y is outside the cone of x, and how far short of a margin where it should be outside.

    With E(x, y) = max(0, exterior_angle(x, y) - aperture(x)) of `EntailmentCone`, a pair costs

        E(x, y) where x entails y,   max(0, margin - E(x, y)) where it does not.

    Args:
        manifold: hyperbolic; see `EntailmentCone`.
        min_radius: of the cones.
        margin: angle by which pairs that do not entail stay outside, in radians.
        reduction: "mean" over the pairs, "sum" or "none".

    Shapes: x, y (*, S); entails (*,) bool -> () or (*,). No pairs cost 0.

    Source: [ganea2018entailment] with the margin; [desai2023hyperbolic] section 3.3 for positive
    pairs alone.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        min_radius: float = 0.1,
        *,
        margin: float = 0.01,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        if margin < 0:
            raise ValueError(f"margin must be at least 0, got {margin}")
        self.cone = EntailmentCone(manifold, min_radius)
        self.margin = margin
        self.reduction: Reduction = reduction

    def forward(self, x: Tensor, y: Tensor, entails: Tensor | None = None) -> Tensor:
        """Return the loss of pairs (x, y); without `entails`, x should entail y in all of them."""
        energy = torch.relu(self.cone(x, y))
        if entails is not None:
            if entails.dtype != torch.bool:
                raise ValueError(f"entails must be a bool tensor, got {entails.dtype}")
            energy = torch.where(entails, energy, torch.relu(self.margin - energy))
        return reduced(energy, self.reduction)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"margin={self.margin:g}, reduction={self.reduction!r}"
