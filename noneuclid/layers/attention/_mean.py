"""The weighted mean of values: two products of matrices, fused or explicit."""

import torch
import torch.nn.functional as F
from torch import Tensor

from noneuclid.layers.attention._first_order import first_order

_ALIGNMENT = 8  # columns: the fused kernels of accelerators want a multiple


def fused_mean(
    a: Tensor, b: Tensor, values: Tensor, term: Tensor | None, scale: float, dropout: float
) -> Tensor:
    """Return softmax(scale a b^T + term) values by one call, without the table in memory.

    Args:
        a: rows of the queries, (B, H, Q, e).
        b: rows of the keys, (B, H, N, e).
        values: (B, H, N, w).
        term: broadcastable to (B, H, Q, N).
        scale: factor of the inner product.
        dropout: probability that a weight is 0 (the others are divided by 1 - it).
    """
    a, b, values = (first_order(t) for t in (a, b, values))
    if term is not None:
        term = first_order(term).to(a.dtype)
        if term.requires_grad and a.device.type == "cpu":
            # No fused kernel of the CPU has a gradient of the term, and torch's fallback takes 1.5
            # times as long as the two products.
            return explicit_weights(scale * a @ b.mT, term, dropout) @ values
    width = values.shape[-1]
    widest = max(a.shape[-1], width)
    if a.device.type != "cpu":
        widest = -(-widest // _ALIGNMENT) * _ALIGNMENT
    a, b, values = (F.pad(t, (0, widest - t.shape[-1])) for t in (a, b, values))
    mean = F.scaled_dot_product_attention(
        a, b, values, attn_mask=term, dropout_p=dropout, scale=scale
    )
    return mean[..., :width]


def explicit_weights(scores: Tensor, term: Tensor | None, dropout: float = 0.0) -> Tensor:
    """Return softmax(scores + term) over the keys, with dropout: -> (B, H, Q, N)."""
    weights = torch.softmax(scores if term is None else scores + term, dim=-1)
    return F.dropout(weights, dropout) if dropout else weights
