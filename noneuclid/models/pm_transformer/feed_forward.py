"""The feed-forward maps of a block, in normal coordinates."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers._normal import factors_of, principal
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.models.pm_transformer.options import Options


class FeedForward(nn.Module):
    """c -> W2 f(W1 c + b1) + b2 on the normal coordinates of every factor by itself.

    The Moebius linear maps of the source with biases in the tangent space, where both maps and the
    activation between them act without exp and log.

    Args:
        space: where tokens live.
        ratio: hidden width over the width, factor by factor.
        options: the choices of the model.
        dropout: after the activation.

    Shapes: (*, dim) -> (*, dim).
    """

    def __init__(
        self,
        space: HomogeneousManifold,
        ratio: int,
        options: Options,
        dropout: float,
        **where: Any,
    ) -> None:
        super().__init__()
        self.space = space
        self.dims = tuple(factor.dim for factor in factors_of(space))
        self.up = nn.ModuleList(nn.Linear(dim, ratio * dim, **where) for dim in self.dims)
        self.down = nn.ModuleList(nn.Linear(ratio * dim, dim, **where) for dim in self.dims)
        self.activation = options.activation
        self.dropout = nn.Dropout(dropout)
        for maps, gain in ((self.up, math.sqrt(2)), (self.down, 1.0)):
            for step in maps:
                assert isinstance(step, nn.Linear)
                nn.init.orthogonal_(step.weight, gain)
                nn.init.zeros_(step.bias)

    def forward(self, c: Tensor) -> Tensor:
        """Return the coordinates of the output."""
        parts = [
            second(self.dropout(self.activation(first(part))))
            for part, first, second in zip(
                c.split(self.dims, dim=-1), self.up, self.down, strict=True
            )
        ]
        return principal(self.space, torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0])
