"""Call compiled functions on spans of rows, each span in a thread of its own.

They are void f(table, scratch, begin, end): the rows begin to end of what the table describes.
"""

import array
import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

Span = tuple[int, int]
Table = array.array  # of 64-bit integers: sizes, strides and addresses

_LEAST = 2**18  # numbers below which another thread costs more than it saves


def spans_of(count: int, grain: int, work: int) -> list[Span]:
    """Cut `count` rows into as many spans as torch has threads; fewer where that does not pay.

    Args:
        count: rows in all.
        grain: rows that are worked on together; spans hold multiples of it.
        work: numbers touched in all.
    """
    threads = max(1, min(torch.get_num_threads(), work // _LEAST))
    step = max(1, grain * -(-count // (grain * threads)))
    return [(start, min(start + step, count)) for start in range(0, count, step)]


def in_threads(
    function: Any, calls: Sequence[tuple[Any, int, int]], scratch: int, alive: Any = None
) -> None:
    """Call `function` with (table, begin, end) and its own `scratch` of that many float64.

    Each call holds `alive`, the tensors, should an interrupt end the caller first.
    """
    if len(calls) <= 1:
        for call in calls:
            _run(function, scratch, alive, *call)
        return
    pieces = [_threads().submit(_run, function, scratch, alive, *call) for call in calls]
    for piece in pieces:
        piece.result()


def _run(function: Any, scratch: int, alive: Any, table: Any, begin: int, end: int) -> None:
    space = torch.empty(scratch, dtype=torch.float64, device="cpu")  # whatever the default is
    function(table.buffer_info()[0], space.data_ptr(), begin, end)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="noneuclid")  # ctypes releases the interpreter


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_threads.cache_clear)
