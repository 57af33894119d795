"""Attention on one factor: projections, scores, means, heads put together."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers.attention._heads import Heads
from noneuclid.layers.attention._mean import explicit_weights, fused_mean
from noneuclid.layers.attention._options import Options
from noneuclid.layers.attention._scores import (
    DISTANCES,
    default_scale,
    distances,
    inner_product_rows,
)
from noneuclid.layers.attention._visible import Visible
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import working_dtype


class FactorAttention(nn.Module):
    """The attention of one factor, in normal coordinates; parameters as torch.nn's twin has them.

    Args:
        manifold: the factor.
        options: those of the layer.
        where: device and dtype of the parameters.
    """

    in_proj_bias: Tensor | None
    log_scale: Tensor | None

    def __init__(
        self, manifold: HomogeneousManifold, options: Options, where: dict[str, Any]
    ) -> None:
        super().__init__()
        self.options = options
        self.heads = Heads(manifold, options.heads, options.split)
        self.dim = manifold.dim
        self.in_proj_weight = nn.Parameter(torch.empty(3 * self.dim, self.dim, **where))
        bias = nn.Parameter(torch.empty(3 * self.dim, **where)) if options.bias else None
        self.register_parameter("in_proj_bias", bias)
        self.out_proj = nn.Linear(self.dim, self.dim, options.bias, **where)
        learns_scale = options.score in DISTANCES
        # A manifold of its own, registered: it shares the factor's curvature.
        self.manifold_of_heads = manifold.like(self.heads.dim) if learns_scale else None
        scales = nn.Parameter(torch.empty(options.heads, **where)) if learns_scale else None
        self.register_parameter("log_scale", scales)
        self.reset_parameters()

    @property
    def scale(self) -> float:
        """Return the factor of the score: as given, or the default one."""
        options = self.options
        given = options.scale
        return default_scale(options.score, self.heads.dim) if given is None else given

    def reset_parameters(self) -> None:
        """Draw orthogonal matrices and set the biases to 0, scales to their initial value."""
        for weight in (*self.in_proj_weight.split(self.dim), self.out_proj.weight):
            nn.init.orthogonal_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                nn.init.zeros_(bias)
        if self.log_scale is not None:
            nn.init.constant_(self.log_scale, math.log(self.scale))

    def forward(self, c: Tensor, context: Tensor | None, seen: Visible) -> Tensor:
        """Return the output, (B, Q, dim); queries without a key give 0."""
        q, k, v, own = self._project(c, context)
        mean = self._mean(q, k, v, own, seen)
        y = self.out_proj(self.heads.merge(mean).to(c.dtype))
        return y if seen.any is None else torch.where(seen.any.squeeze(-3), y, 0)

    def weights(self, c: Tensor, context: Tensor | None, seen: Visible) -> Tensor:
        """Return the weights of the keys, (B, heads, Q, N); 0 for queries without a key."""
        q, k, v, own = self._project(c, context)
        weights = explicit_weights(self._scores(q, k, v, own), seen.term)
        return weights if seen.any is None else torch.where(seen.any, weights, 0)

    def _project(self, c: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return heads of q (B, H, Q, d), k, v (B, H, N, d) and, if needed, of the queries' v."""
        weight, bias = self.in_proj_weight, self.in_proj_bias
        if context is None and not self.heads.is_curved:
            q, k, v = self._cut(F.linear(c, weight, bias), 3)
            return q, k, v, v
        if context is None:
            q, k = self._projected(c, 0, 2)
        else:
            (q,), (k,) = self._projected(c, 0, 1), self._projected(context, 1, 2)
        # By itself: kept for the backward pass, a piece of q, k and v would keep all three.
        (v,) = self._projected(c if context is None else context, 2, 3)
        if context is None or self.options.score != "transported":
            return q, k, v, v
        (own,) = self._projected(c, 2, 3)
        return q, k, v, own

    def _projected(self, c: Tensor, first: int, end: int) -> list[Tensor]:
        """Return the heads of q, k, v number `first` up to `end` of the points `c`."""
        span = slice(first * self.dim, end * self.dim)
        bias = None if self.in_proj_bias is None else self.in_proj_bias[span]
        return self._cut(F.linear(c, self.in_proj_weight[span], bias), end - first)

    def _cut(self, c: Tensor, parts: int) -> list[Tensor]:
        if self.heads.is_curved:  # 16 bits do for matrices, not for sums of ambient coordinates
            c = c.to(working_dtype(c.dtype))
        return self.heads.cut(c, parts)

    def _scores(self, q: Tensor, k: Tensor, v: Tensor, own: Tensor) -> Tensor:
        """Return all scores, (B, H, Q, N)."""
        if self.log_scale is not None and self.manifold_of_heads is not None:
            table = distances(self.options.score, self.heads, self.manifold_of_heads, q, k)
            return -self.log_scale.exp()[:, None, None].to(table.dtype) * table
        a, b, factor = inner_product_rows(self.options.score, self.heads, q, k, v, own)
        return (self.scale * factor * a) @ b.mT

    def _mean(self, q: Tensor, k: Tensor, v: Tensor, own: Tensor, seen: Visible) -> Tensor:
        """Return the mean values of the heads in normal coordinates, (B, H, Q, d)."""
        options, heads = self.options, self.heads
        dropout = options.dropout if self.training else 0.0
        if options.attention == "math":
            weights = explicit_weights(self._scores(q, k, v, own), seen.term, dropout)
            return heads.from_rows(weights.double() @ heads.rows(v.double())).to(v.dtype)
        values = heads.rows(v)
        if self.log_scale is not None:
            scores = self._scores(q, k, v, own)
            sums = explicit_weights(scores, seen.term, dropout) @ values
        else:
            a, b, factor = inner_product_rows(options.score, heads, q, k, v, own)
            sums = fused_mean(a, b, values, seen.term, self.scale * factor, dropout)
        return heads.from_rows(sums)
