"""How the learning rate goes from the first step to the last."""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

END = 0.01  # of the peak, where the rate ends
FLAT = 0.7  # share of the steps before "flat-decay" falls


def scheduler(
    optimizer: Optimizer,
    name: str,
    steps: int,
    warmup: float,
    place: Callable[[int], float] = float,
) -> LambdaLR:
    """Return a scheduler that multiplies the rates of the optimizer.

    After a linear rise over `warmup` of the steps: "cosine" falls to 1 % along a cosine,
    "flat-decay" stays for 70 % of the steps and falls exponentially to 1 % (the schedule of
    [qu2022particle]), "constant" stays.

    Args:
        optimizer: whose rates are multiplied.
        name: of the schedule.
        steps: from the first to the last.
        warmup: share of the rise.
        place: the step at which the schedule is read, from the one at hand; it is further on where
            time runs out before the steps do.
    """
    rise = round(warmup * steps)
    return LambdaLR(optimizer, lambda step: factor(place(step), name, steps, rise))


def factor(step: float, name: str, steps: int, rise: int) -> float:
    """Return the rate of a step over the peak."""
    if step < rise:
        return (step + 1) / (rise + 1)
    if name == "cosine":
        done = min(1.0, (step - rise) / max(1, steps - rise))
        return END + (1 - END) * (1 + math.cos(math.pi * done)) / 2
    if name == "flat-decay":
        return END ** max(0.0, min(1.0, (step / steps - FLAT) / (1 - FLAT)))
    return 1.0
