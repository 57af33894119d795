"""Pooling a set of points into one vector."""

import torch
from torch import Tensor

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.manifolds import Euclidean, HomogeneousManifold
from noneuclid.numerics import safe_divide


class TangentMean(TangentLayer):
    """Mean of log_o x over a set, in the orthonormal frame: points to one vector.

    Args:
        manifold: where the points live.

    Shapes: x (*, n, S), mask (*, n) bool, True where a point is -> (*, dim). What stands in masked
    rows, NaN included, has no effect; a set without points gives 0.

    Flat limit: the masked mean; there is no torch.nn twin.
    Source: [woodward2024product] section 4, with a mask.
    """

    takes_mask = True

    def __init__(self, manifold: HomogeneousManifold) -> None:
        super().__init__(manifold, Euclidean(manifold.dim))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map sets of points (*, n, S) to vectors (*, dim)."""
        if mask is not None:
            # The origin stands in for padding before log_o, whose gradient at NaN would be NaN.
            x = torch.where(
                mask[..., None], x, self.manifold_in.origin(dtype=x.dtype, device=x.device)
            )
        return from_normal(self.manifold_out, self.tangent(to_normal(self.manifold_in, x), mask))

    def tangent(self, c: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mean over axis -2 of the rows where `mask` is True."""
        if mask is None:
            return c.mean(-2) if c.shape[-2] else c.sum(-2)  # the mean of nothing would be NaN
        if mask.dtype != torch.bool or mask.shape != c.shape[:-1]:
            raise ValueError(
                f"mask must be a bool tensor of shape {tuple(c.shape[:-1])}, True where a point is,"
                f" got {mask.dtype} of shape {tuple(mask.shape)}"
            )
        total = torch.where(mask[..., None], c, 0).sum(-2)
        return safe_divide(total, mask.sum(-1, keepdim=True).to(c.dtype))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return nothing: a mean has no parameters."""
        return {}
