"""One block of a PM-Transformer, in normal coordinates."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers import MultiheadAttention, ResidualSum, TangentLayerNorm
from noneuclid.layers._normal import initial_radius
from noneuclid.layers.attention._visible import Visible
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of
from noneuclid.models._reset import reset_children
from noneuclid.models.pm_transformer.feed_forward import FeedForward
from noneuclid.models.pm_transformer.options import Options


class Block(nn.Module):
    """Attention and feed-forward maps on every factor, each after a norm and with a residual.

        c <- c (+) MHA(LN c),   c <- c (+) W2 f(W1 LN c)

    For class attention the query is the token as it is, and the norm acts on token and particles.

    Args:
        space: where tokens live.
        heads: of the attention on every factor.
        ratio: hidden width of the feed-forward maps over the width, factor by factor.
        options: the choices of the model.
        dropout: of attention weights and feed-forward maps.
        gain: initial weight of what a residual adds.

    Shapes: c (B, Q, dim), context (B, N, dim) or None -> (B, Q, dim).

    Initial values: those of the layers, but for queries and keys, sqrt(dim) / radius larger: a norm
    puts tokens at radius min(1, |K|^-1/2), where scores of orthogonal maps would hardly differ.
    """

    def __init__(
        self,
        space: HomogeneousManifold,
        heads: int,
        ratio: int,
        options: Options,
        dropout: float,
        gain: float,
        **where: Any,
    ) -> None:
        super().__init__()
        self.norm1 = TangentLayerNorm(space, **where)
        self.attention = MultiheadAttention(
            space, heads, score=options.score, split=options.split, dropout=dropout, **where
        )
        self.residual1 = ResidualSum(space, options.residual, gain=gain, **where)
        self.norm2 = TangentLayerNorm(space, **where)
        self.ffn = FeedForward(space, ratio, options, dropout, **where)
        self.residual2 = ResidualSum(space, options.residual, gain=gain, **where)
        self._sharpen()

    def reset_parameters(self) -> None:
        """Draw fresh parameters in all layers."""
        reset_children(self)
        self._sharpen()

    @torch.no_grad()
    def _sharpen(self) -> None:
        """Scale queries and keys so that fresh scores have unit variance."""
        for factor, part in zip(
            factors_of(self.attention.manifold_in), self.attention.parts, strict=True
        ):
            gain = math.sqrt(factor.dim) / initial_radius(factor, part.in_proj_weight.device)
            part.in_proj_weight[: 2 * factor.dim].mul_(gain)

    def forward(self, c: Tensor, context: Tensor | None, seen: Visible) -> Tensor:
        """Return the tokens after both halves; `seen` tells which tokens each one asks."""
        if context is None:
            given = self.attention.attend(self.norm1.tangent(c), None, seen)
        else:
            given = self.attention.attend(c, self.norm1.tangent(context), seen)
        c = self.residual1.tangent(c, given)
        return self.residual2.tangent(c, self.ffn.parts(self.norm2.tangent(c)))
