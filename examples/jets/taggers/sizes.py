"""Sizes: presets by number of parameters, and the widths that meet a budget within 2 %."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn

from noneuclid.models import count_parameters, fit_widths
from noneuclid.models.particles import LEARNING_RATES, Sizes
from noneuclid.models.particles import PRESETS as TRANSFORMERS

PRESETS = {
    "1k": 1_000,
    "5k": 5_000,
    "25k": 25_000,
    "45k": 45_000,
    "250k": 250_000,
    "1M": 1_000_000,
    "2M": 2_000_000,
}
_RATIO = 2  # of the hidden width of a head to the width of the body
_WIDTHS = range(2, 513)


def nearest_transformer(parameters: int) -> str:
    """Return the preset of the library's transformers nearest to a budget, by ratio."""
    return min(TRANSFORMERS, key=lambda name: abs(math.log(TRANSFORMERS[name][0] / parameters)))


def transformer_sizes(parameters: int) -> Sizes:
    """Return depth, heads and pair widths that a transformer of this budget has."""
    return TRANSFORMERS[nearest_transformer(parameters)][1]


def learning_rate(parameters: int) -> float:
    """Return the learning rate at which taggers of this budget train with Adam."""
    return LEARNING_RATES[nearest_transformer(parameters)]


def fit(
    make: Callable[[int, int], nn.Module],
    parameters: int,
    *,
    widths: Iterable[int] = _WIDTHS,
    ratio: int = _RATIO,
) -> nn.Module:
    """Return the network `make(width, head)` with `parameters` parameters within 2 %.

    Args:
        make: (width of the body, hidden width of the head) -> network; the number of parameters is
            linear in the second.
        parameters: the budget.
        widths: candidates, ascending.
        ratio: the wanted head / width.

    Raises:
        ValueError: no pair of widths meets the budget.
    """

    def count(width: int, head: int) -> int:
        with torch.device("meta"):
            return count_parameters(make(width, head))

    return make(*fit_widths(count, parameters, list(widths), ratio))
