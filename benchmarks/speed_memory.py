"""What autograd keeps of a forward pass besides the arguments and the result."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def kept_bytes(call: Callable[[], Tensor], known: Sequence[Tensor]) -> int:
    """Return the bytes of distinct storages that the graph of call() keeps.

    Storages of `known` (arguments, parameters, buffers) and of the result are not counted: they
    are there anyway. Nor are those that an autograd function keeps past `save_for_backward`.
    """
    kept: dict[int, Tensor] = {}  # the tensors too: a freed address would be used again

    def pack(tensor: Tensor) -> Tensor:
        kept[_address(tensor)] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = call()
    there = {_address(tensor) for tensor in (*known, result)}
    return sum(t.untyped_storage().nbytes() for a, t in kept.items() if a not in there)


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
