"""From one loss for each row to what a training loop wants."""

from typing import Literal

import torch
from torch import Tensor

Reduction = Literal["mean", "sum", "none"]


def check_reduction(reduction: str) -> None:
    """Refuse an unknown reduction."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")


def reduced(values: Tensor, reduction: Reduction, present: Tensor | None = None) -> Tensor:
    """Return the mean or sum of the rows that are `present`, or all rows with 0 in the others.

    The mean of no rows is 0, so that a batch without a pair trains nothing and breaks nothing.
    """
    if present is not None:
        values = torch.where(present, values, 0)
    if reduction == "none":
        return values
    total = values.sum()
    if reduction == "sum":
        return total
    if present is None:
        return total / max(values.numel(), 1)
    count = present.expand(values.shape).sum().to(values.dtype)
    return total / torch.where(count == 0, 1, count)
