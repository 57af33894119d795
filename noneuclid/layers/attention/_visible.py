"""Which keys a query sees: padding, order and a given bias as one term added to the scores."""

from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold


class Visible(NamedTuple):
    """What is added to the scores, and which queries have a key at all.

    Attributes:
        term: added to the scores, broadcast to (B, heads, Q, N); 0 all along the row of a query
            without any key, so that no softmax runs over nothing; None: nothing to add.
        any: bool, (B or 1, 1, Q or 1, 1): whether the query has a key; None: all have.
    """

    term: Tensor | None
    any: Tensor | None


def visible(
    shape: tuple[int, int, int],
    mask: Tensor | None,
    bias: Tensor | None,
    causal: bool,
    like: Tensor,
) -> Visible:
    """Return the term of padding `mask`, `bias` and order for scores of shape (B, *, Q, N).

    Args:
        shape: (B, Q, N).
        mask: (B, N) bool, True where a key is.
        bias: broadcastable to (B, heads, Q, N).
        causal: whether query i sees keys up to i only.
        like: gives device and, without a bias, dtype.
    """
    _, queries, keys = shape
    seen = None if mask is None else mask[:, None, None, :]
    if causal:
        order = torch.ones(queries, keys, dtype=torch.bool, device=like.device).tril()
        seen = order[None, None] if seen is None else seen & order
    if keys == 0:
        return Visible(bias, torch.zeros(1, 1, 1, 1, dtype=torch.bool, device=like.device))
    if seen is None:
        return Visible(bias, None)
    has_key = seen.any(-1, keepdim=True)
    hidden = torch.zeros((), dtype=like.dtype if bias is None else bias.dtype, device=like.device)
    term = torch.where(seen | ~has_key, hidden, -torch.inf)
    return Visible(term if bias is None else bias + term, has_key)


def check_sets(c: Tensor, asked: Tensor) -> None:
    """Raise ValueError unless both are sets of points with one batch axis."""
    if c.dim() != 3 or asked.dim() != 3:
        raise ValueError(
            "attention is between sets of points (B, n, S), got shapes"
            f" {tuple(c.shape)} and {tuple(asked.shape)}"
        )


def _check_mask(mask: Tensor, asked: Tensor) -> None:
    if mask.dtype != torch.bool or mask.shape != asked.shape[:-1]:
        raise ValueError(
            f"mask must be a bool tensor of shape {tuple(asked.shape[:-1])}, True where a key is,"
            f" got {mask.dtype} of shape {tuple(mask.shape)}"
        )


def without_padding(
    c: Tensor, context: Tensor | None, mask: Tensor | None, filler: Tensor | float = 0.0
) -> tuple[Tensor, Tensor | None]:
    """Return both sets with `filler` in masked places of the one that is asked.

    Raises:
        ValueError: a mask of another shape or dtype.
    """
    if mask is None:
        return c, context
    _check_mask(mask, c if context is None else context)
    if context is None:
        return torch.where(mask[..., None], c, filler), None
    return c, torch.where(mask[..., None], context, filler)


def without_padding_points(
    manifold: HomogeneousManifold, x: Tensor, context: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Return both sets with the origin in masked places: log_o of NaN has gradient NaN."""
    if mask is None:
        return x, context
    return without_padding(x, context, mask, manifold.origin(dtype=x.dtype, device=x.device))
