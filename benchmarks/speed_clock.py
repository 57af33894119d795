"""Times of several functions in one process, in turns, so that what slows one slows all."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch


class Spread(NamedTuple):
    """The median of several numbers and their quartiles."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        rounds: at most; in each round every function runs once.
        least: rounds at least.
        budget: seconds after which no further round starts.
        turn: seconds one turn of a function lasts at least: short ones are repeated within it.
        warm_up: calls of each function before the first round; the first may compile a kernel.
    """

    rounds: int = 21
    least: int = 5
    budget: float = 6.0
    turn: float = 1e-3
    warm_up: int = 2


def processor_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the processor time of one call, of all threads; other processes do not count."""
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats


def device_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the time one call takes on the GPU, between two events on its stream."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / repeats


def take_turns(
    calls: Mapping[str, Callable[[], object]],
    effort: Effort,
    clock: Callable[[Callable[[], object], int], float],
    settings: Mapping[str, Callable[[], AbstractContextManager[object]]],
) -> dict[str, list[float]]:
    """Return the seconds of one call for each function and round.

    Args:
        calls: the functions; each round starts with another one.
        effort: how often.
        clock: `processor_seconds` or `device_seconds`.
        settings: contexts to enter around the turns of some functions, outside the time.
    """
    repeats = {}
    for name, call in calls.items():
        with settings.get(name, nullcontext)():
            for _ in range(effort.warm_up):
                call()
            repeats[name] = max(1, math.ceil(effort.turn / max(clock(call, 1), 1e-9)))
    names, start = list(calls), time.monotonic()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for index in range(effort.rounds):
        if index >= effort.least and time.monotonic() - start > effort.budget:
            break
        first = index % len(names)
        for name in names[first:] + names[:first]:
            with settings.get(name, nullcontext)():
                seconds[name].append(clock(calls[name], repeats[name]))
    return seconds


def ratios(seconds: Mapping[str, list[float]], unit: str) -> dict[str, Spread]:
    """Return each function's time over that of `unit`, round by round."""
    return {
        name: spread([t / u for t, u in zip(times, seconds[unit], strict=True)])
        for name, times in seconds.items()
    }


def spread(values: list[float]) -> Spread:
    """Return median and quartiles."""
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)
