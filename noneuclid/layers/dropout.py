"""Dropout of coordinates."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import principal
from noneuclid.layers._space import map_points, map_space
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of


class Dropout(TangentLayer):
    """In training, put each coordinate to 0 with probability p and multiply the others by 1/(1-p).

    Args:
        manifold: where input and output live.
        p: probability, 0 <= p < 1.
        kind: which coordinates: "tangent" for those of log_o x in the orthonormal frame; "space"
            for the space part of ambient coordinates, from which the time is computed again
            (the tangent ones where K >= 0). The first keeps the mean of log_o x.

    Shapes: (*, S) -> (*, S). In evaluation the identity. No parameters.

    Raises:
        ValueError: p outside [0, 1), an unknown kind. TypeError: "space" on a factor that is
            neither of constant curvature nor Euclidean.

    Flat limit: torch.nn.Dropout.
    Source: [yang2024hypformer], HRC, for "space".
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        p: float = 0.5,
        kind: Literal["tangent", "space"] = "tangent",
    ) -> None:
        super().__init__(manifold, manifold)
        if not 0 <= p < 1:
            raise ValueError(f"Dropout needs a probability p with 0 <= p < 1, got {p}")
        if kind not in ("tangent", "space"):
            raise ValueError(f"kind must be 'tangent' or 'space', got {kind!r}")
        self.p, self.kind = p, kind

    def _drop(self, c: Tensor) -> Tensor:
        return F.dropout(c, self.p, self.training)

    def forward(self, x: Tensor) -> Tensor:
        """Map points (*, S) to points (*, S)."""
        if not self.training or self.p == 0:
            return x
        if self.kind == "tangent":
            return super().forward(x)
        return map_points(self.manifold_in, x, [self._drop] * len(factors_of(self.manifold_in)))

    def tangent(self, c: Tensor) -> Tensor:
        """Return the coordinates that are kept, times 1 / (1 - p), and 0 for the others."""
        if not self.training or self.p == 0:
            return c
        if self.kind == "tangent":
            return principal(self.manifold_out, self._drop(c))
        return map_space(self.manifold_in, c, [self._drop] * len(factors_of(self.manifold_in)))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return nothing: dropout has no parameters."""
        return {}

    def extra_repr(self) -> str:
        """Return the manifold and options."""
        return f"{self.manifold_in!r}, p={self.p}, kind={self.kind!r}"
