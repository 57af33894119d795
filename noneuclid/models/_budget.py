"""Widths from a parameter budget: how two models of different kinds come to the same size."""

from collections.abc import Callable, Iterable

from torch import nn

BUDGET_TOLERANCE = 0.02  # models within 2 % of each other count as equally large


def count_parameters(model: nn.Module) -> int:
    """Return the number of learnable numbers; shared parameters count once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def fit_widths(
    count: Callable[[int, int], int], parameters: int, widths: Iterable[int], ratio: int
) -> tuple[int, int]:
    """Return (width, head) whose model has `parameters` parameters within 2 %.

    The count is linear in `head`, so two evaluations give the head that fits a width exactly up
    to rounding. Among the widths that fit, the one whose head is nearest to `ratio` times the
    width is taken: a body and a head in proportion.

    Args:
        count: (width, head) -> number of parameters, linear in head.
        parameters: the budget.
        widths: candidates, ascending.
        ratio: the wanted head / width.

    Raises:
        ValueError: no pair of widths meets the budget.
    """
    best: tuple[float, int, int] | None = None
    for width in widths:
        first = count(width, 1)
        if first > parameters:
            break
        slope = count(width, 2) - first
        head = 1 + round((parameters - first) / slope)
        error = abs(first + slope * (head - 1) - parameters) / parameters
        if error > BUDGET_TOLERANCE:
            continue
        distance = abs(head - ratio * width) / (ratio * width)
        if best is None or distance < best[0]:
            best = (distance, width, head)
    if best is None:
        raise ValueError(f"no widths give a model of {parameters} parameters within 2 %")
    return best[1], best[2]
