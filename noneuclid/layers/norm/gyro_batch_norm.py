"""Batch normalisation about the Frechet mean."""

from typing import Literal

import torch
from torch import Tensor

from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.layers.norm._batch_norm import BatchNorm
from noneuclid.manifolds import HomogeneousManifold


class GyroBatchNorm(BatchNorm):
    """Centre a batch at its Frechet mean, scale by its spread, move to a learned point.

    `MidpointBatchNorm` with mu = argmin_m sum_i d(m, x_i)^2 in the place of the midpoint, the mean
    that its variance belongs to; dearer by the Newton steps that find it. Formula, shapes, masks,
    running statistics and initial values are those described there.

    [lou2020differentiating] carries v from mu straight to beta; here it goes by way of the origin,
    as in [chen2025gyrobn]: the two differ by a rotation about beta, none where beta = o.

    Args:
        manifold, eps, momentum, spread, track_running_stats, device, dtype: as there.
        steps: Newton steps to the mean, as for `frechet_mean`.

    Raises:
        ValueError: as there, and steps < 1.

    Flat limit: that of `MidpointBatchNorm`: both means are the mean.
    Source: [chen2025gyrobn]; [lou2020differentiating].
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        *,
        steps: int = 12,
        spread: Literal["rms", "mean"] = "rms",
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            manifold,
            eps,
            momentum,
            spread=spread,
            track_running_stats=track_running_stats,
            device=device,
            dtype=dtype,
        )
        if steps < 1:
            raise ValueError(f"GyroBatchNorm needs at least one Newton step, got {steps}")
        self.steps = steps

    def _mean(self, factor: HomogeneousManifold, c: Tensor, w: Tensor) -> Tensor:
        points = from_normal(factor, c)
        return to_normal(factor, factor.frechet_mean(points, w, steps=self.steps))
