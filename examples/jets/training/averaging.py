"""The exponential average of the weights, along geodesics."""

import torch
from torch import Tensor, nn

from noneuclid.optim import RiemannianAveragedModel

_EARLY = 10  # updates within which the first weights are forgotten


def averaged(model: nn.Module, decay: float) -> RiemannianAveragedModel | None:
    """Return the average of a model, to be updated after each step; None where the decay is 0.

    Points are averaged along geodesics, curvatures that learn before them. After n updates the
    decay is min(decay, (1 + n) / (10 + n)), so that a short run does not end near its beginning.
    """
    if not decay:
        return None

    @torch.no_grad()
    def update(average: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        weight = 1 - torch.clamp((1 + count) / (_EARLY + count), max=decay)
        for old, new in zip(average, current, strict=True):
            old.lerp_(new, weight.to(old))

    return RiemannianAveragedModel(model, multi_avg_fn=update)
