"""What the parts of a PM-Transformer have in common: every choice of the published ablations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from noneuclid.layers import FactorCoupling, InterManifoldAttention, TangentLayer
from noneuclid.layers.attention._heads import Split as Cut
from noneuclid.layers.attention._scores import Score
from noneuclid.layers.residual import Kind
from noneuclid.manifolds import HomogeneousManifold, Product

COUPLINGS = ("gated", "mean", "sun", "none")


@dataclass(frozen=True)
class Options:
    """How tokens attend, add up and couple.

    Attributes:
        score: of the attention, see `noneuclid.layers.MultiheadAttention`.
        split: of its heads.
        residual: "mobius", "midpoint" or "lorentz", see `noneuclid.layers.Residual`.
        coupling: between factors: "gated", the third form of the source; "mean", its second;
            "sun", its first; "none".
        coupling_period: blocks from one coupling to the next.
        activation: between the feed-forward maps.
        dropout: of attention weights and feed-forward maps in the particle blocks.
    """

    score: Score = "tangent"
    split: Cut = "beta"
    residual: Kind = "mobius"
    coupling: str = "gated"
    coupling_period: int = 2
    activation: Callable[[Tensor], Tensor] = F.gelu
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a coupling that does not exist; the layers check the rest."""
        if self.coupling not in COUPLINGS:
            raise ValueError(f"coupling must be one of {COUPLINGS}, got {self.coupling!r}")
        if self.coupling_period < 1:
            raise ValueError(f"coupling_period must be at least 1, got {self.coupling_period}")

    def coupling_of(self, space: HomogeneousManifold, **where: Any) -> TangentLayer | None:
        """Return what couples the factors of `space`; None where there is nothing to couple."""
        if not isinstance(space, Product) or self.coupling == "none":
            return None
        if self.coupling == "sun":
            return FactorCoupling(space, **where)
        return InterManifoldAttention(space, gate=self.coupling == "gated", **where)
