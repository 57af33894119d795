"""Weights of edges by attention: a softmax of scores over what each node hears."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers.graph._edges import Edges


class EdgeScores(nn.Module):
    """Scores e_ij = LeakyReLU(a . h_j + b . h_i) of edges j -> i, for each head.

    Args:
        heads: H.
        dim: d, of a head.
        slope: of the LeakyReLU below 0.
        device, dtype: of the parameters `source` (H, d) and `target` (H, d), a and b.

    Source: [velickovic2018graph] Eq. (3), the two halves of its vector a.
    """

    def __init__(
        self,
        heads: int,
        dim: int,
        slope: float = 0.2,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.slope = slope
        self.source = nn.Parameter(torch.empty(heads, dim, device=device, dtype=dtype))
        self.target = nn.Parameter(torch.empty(heads, dim, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw a and b, normal of variance 1 / d."""
        for vector in (self.source, self.target):
            nn.init.normal_(vector, std=vector.shape[-1] ** -0.5)

    def forward(
        self, rows: Tensor, own: Tensor, edges: Edges, dropout: float = 0.0
    ) -> tuple[Tensor, Tensor | None]:
        """Return the weights of edges (E, H) and, if there are any, of the added loops (N, H).

        Args:
            rows: h of the sources, (N_source, H, d).
            own: h of the targets, (N_target, H, d).
            edges: whose weights w_ij, as they are given, multiply exp e_ij before the sum.
            dropout: probability that a weight becomes 0; the others are divided by 1 - it.
        """
        target = edges.ends[1]
        heard = (own * self.target).sum(-1)
        scores = F.leaky_relu(
            _spread((rows * self.source).sum(-1), edges.ends[0]) + _spread(heard, target),
            self.slope,
        )
        top = _largest(scores, edges)
        loop = None
        if edges.loop is not None:
            loop = F.leaky_relu((own * self.source).sum(-1) + heard, self.slope)
            top = torch.maximum(top, loop.detach())
        top = torch.where(top > -torch.inf, top, 0)
        # Above the largest score are those of edges of weight 0 alone, which must not overflow.
        weights = torch.exp((scores - _spread(top, target)).clamp(max=0.0))
        if edges.weight is not None:
            weights = weights * edges.weight[:, None]
        total = torch.zeros_like(heard).index_add(0, target, weights)
        if loop is not None and edges.loop is not None:
            loop = torch.exp(loop - top) * edges.loop
            total = total + loop
        share = torch.where(total > 0, 1 / torch.where(total > 0, total, 1), 0)
        weights = F.dropout(weights * _spread(share, target), dropout)
        return weights, None if loop is None else F.dropout(loop * share, dropout)


def _spread(values: Tensor, index: Tensor) -> Tensor:
    return values.index_select(0, index)


def _largest(scores: Tensor, edges: Edges) -> Tensor:
    """Return the largest score that each target hears, -inf where it hears nothing."""
    scores = scores.detach()
    if edges.weight is not None:
        scores = torch.where(edges.weight[:, None] > 0, scores, -torch.inf)
    index = edges.ends[1][:, None].expand(scores.shape)
    empty = scores.new_full((edges.size[1], scores.shape[1]), -torch.inf)
    return empty.scatter_reduce(0, index, scores, "amax")
