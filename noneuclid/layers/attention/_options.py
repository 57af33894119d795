"""What a user may choose, and the checks of it."""

import math
from dataclasses import dataclass
from typing import Literal

from noneuclid.layers.attention._heads import SPLITS, Split
from noneuclid.layers.attention._scores import SCORES, Score
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of

Kind = Literal["fused", "math"]
KINDS = ("fused", "math")


@dataclass(frozen=True)
class Options:
    """What the factors of one layer share; see `MultiheadAttention`."""

    heads: int
    score: Score
    split: Split
    bias: bool
    dropout: float
    attention: Kind
    scale: float | None

    def check(self) -> None:
        """Raise ValueError for what is not among the choices."""
        for name, known in (("score", SCORES), ("split", SPLITS), ("attention", KINDS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {self.dropout}")
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise ValueError(f"scale must be a positive number, got {self.scale}")


def check_heads(manifold: HomogeneousManifold, heads: int) -> None:
    """Raise ValueError unless `heads` divides the dimension of every factor."""
    for factor in factors_of(manifold):
        if heads < 1 or factor.dim % heads:
            raise ValueError(
                f"heads must divide the dimension of every factor, got {heads} heads for"
                f" {factor!r} of dimension {factor.dim}"
            )
