"""Particle features to one Euclidean vector each: the front of every particle transformer."""

from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.models.particles.masked_norm import MaskedBatchNorm


class FeatureEmbedding(nn.Module):
    """BatchNorm, then `depth` times [LayerNorm, Linear, GELU], on each particle.

    Args:
        in_features: F.
        width: D, of every layer.
        depth: number of linear maps, at least 1.
        device, dtype: of the parameters.

    Shapes: (B, P, F), mask (B, P) bool -> (B, P, D), 0 where no particle is. Statistics are those
    of real particles.

    Source: [woodward2024product] section 4, [qu2022particle] section 4.
    """

    def __init__(
        self,
        in_features: int,
        width: int,
        depth: int = 3,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.norm = MaskedBatchNorm(in_features, **where)
        steps: list[nn.Module] = []
        for before in (in_features, *(depth - 1) * (width,)):
            steps += [nn.LayerNorm(before, **where), nn.Linear(before, width, **where), nn.GELU()]
        self.steps = nn.Sequential(*steps)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the vectors (B, P, D); `features` is finite everywhere."""
        h = self.steps(self.norm(features, mask))
        return h if mask is None else torch.where(mask[..., None], h, 0)
