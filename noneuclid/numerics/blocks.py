"""Row blocks: in eager mode, do a chain of row-wise operations a piece of the batch at a time."""

from collections.abc import Callable

import torch
from torch import Tensor


def in_row_blocks(formula: Callable[..., Tensor], *tensors: Tensor, elements: int) -> Tensor:
    """Apply a formula that treats rows one by one to blocks of rows, and join the results.

    Fresh memory costs more than arithmetic: a float64 copy of a block stays in the cache, one of
    the whole batch is paged in first. (A compiler fuses the widening away by itself.)

    Args:
        formula: tensors (*, n) -> tensor (*, m), row by row over the batch axes.
        tensors: batch axes broadcast.
        elements: size of a block, in elements of the largest operand.
    """
    shape = torch.broadcast_shapes(*(t.shape[:-1] for t in tensors))
    width = max(t.shape[-1] for t in tensors)
    total = shape.numel() * width
    if total <= elements or not shape or shape[0] < 2:
        return formula(*tensors)
    step = max(1, elements * shape[0] // total)
    whole = (t.expand(*shape, t.shape[-1]) for t in tensors)
    blocks = zip(*(t.split(step) for t in whole), strict=True)
    return torch.cat([formula(*block) for block in blocks])
