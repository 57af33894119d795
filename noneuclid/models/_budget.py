"""Widths from a parameter budget: how two models of different kinds come to the same size."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from torch import nn

BUDGET_TOLERANCE = 0.02  # models within 2 % of each other count as equally large


def count_parameters(model: nn.Module) -> int:
    """Return the number of learnable numbers; shared parameters count once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def fit_widths(
    count: Callable[[int, int], int], parameters: int, widths: Sequence[int], ratio: int
) -> tuple[int, int]:
    """Return (width, head) whose model has `parameters` parameters within 2 %.

    Among the pairs that fit, the one whose head is nearest to `ratio` times the width is taken: a
    body and a head in proportion. The count is linear in `head` and, as the sizes of matrices are,
    quadratic in the width, so six evaluations say where to look; what is found is counted again,
    and where the count is no such polynomial every width is tried.

    Args:
        count: (width, head) -> number of parameters, linear in head.
        parameters: the budget.
        widths: candidates, ascending.
        ratio: the wanted head / width.

    Raises:
        ValueError: no pair of widths meets the budget.
    """
    nodes = sorted({widths[0], widths[len(widths) // 8], widths[len(widths) // 2]})
    counts = [(count(width, 1), count(width, 2)) for width in nodes]

    def guess(width: int) -> tuple[int, int]:
        lines = zip(*counts, strict=True)
        first, second = (_interpolate(nodes, line, width) for line in lines)
        return first, second

    found = _best(guess, parameters, widths, ratio)
    if found is None or abs(count(*found) - parameters) > BUDGET_TOLERANCE * parameters:
        found = _best(lambda w: (count(w, 1), count(w, 2)), parameters, widths, ratio)
    if found is None:
        raise ValueError(f"no widths give a model of {parameters} parameters within 2 %")
    return found


def _best(
    counts: Callable[[int], tuple[int, int]], parameters: int, widths: Sequence[int], ratio: int
) -> tuple[int, int] | None:
    """Return the best pair by the counts at heads 1 and 2 of each width."""
    best: tuple[float, int, int] | None = None
    for width in widths:
        first, second = counts(width)
        if first > parameters:
            break
        slope = second - first
        head = 1 + round((parameters - first) / slope)
        error = abs(first + slope * (head - 1) - parameters) / parameters
        if error > BUDGET_TOLERANCE:
            continue
        distance = abs(head - ratio * width) / (ratio * width)
        if best is None or distance < best[0]:
            best = (distance, width, head)
    return None if best is None else best[1:]


def _interpolate(nodes: Sequence[int], values: Sequence[int], x: int) -> int:
    """Return the polynomial through the nodes at x (Lagrange)."""
    total = Fraction(0)
    for i, value in enumerate(values):
        others = [node for j, node in enumerate(nodes) if j != i]
        weight = Fraction(1)
        for other in others:
            weight *= Fraction(x - other, nodes[i] - other)
        total += value * weight
    return round(total)
