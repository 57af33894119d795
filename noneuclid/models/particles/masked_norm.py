"""Batch normalisation whose statistics come from real rows alone."""

from typing import Any

import torch
from torch import Tensor, nn


class MaskedBatchNorm(nn.Module):
    """torch.nn.BatchNorm1d on the last axis, with statistics of the rows that a mask names.

    Args:
        width: C, size of the last axis.
        eps: added to the variance.
        momentum: weight of a new batch in the running statistics.
        device, dtype: of the parameters.

    Shapes: (*, C), mask (*) bool -> (*, C). Rows outside the mask are normalised too and mean
    nothing. A batch without a row leaves the running statistics alone.

    Equals torch.nn.BatchNorm1d, bit for bit but for the order of sums, on the rows of the mask.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self,
        width: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.empty(width, **where))
        self.bias = nn.Parameter(torch.empty(width, **where))
        self.register_buffer("running_mean", torch.empty(width, **where))
        self.register_buffer("running_var", torch.empty(width, **where))
        count = torch.empty((), dtype=torch.int64, device=device)
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as the identity on features of zero mean and unit variance."""
        for ones in (self.weight, self.running_var):
            nn.init.ones_(ones)
        for zeros in (self.bias, self.running_mean, self.num_batches_tracked):
            nn.init.zeros_(zeros)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise by the statistics of this batch in training, by running ones else."""
        if self.training:
            mean, variance = self._statistics(x, mask)
        else:
            mean, variance = self.running_mean, self.running_var
        scale = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(self.bias - mean * scale, x, scale)

    def _statistics(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return mean and variance over the rows, and move the running ones towards them."""
        rows = x.reshape(-1, x.shape[-1])
        if mask is None:
            here = torch.ones_like(rows[:, :1])
        else:
            here = mask.reshape(-1, 1).to(rows.dtype)
        count = here.sum()
        share = here / torch.where(count > 0, count, 1)
        mean = (share * rows).sum(0)
        variance = (share * (rows - mean).square()).sum(0)
        with torch.no_grad():
            rate = self.momentum * (count > 0).to(mean.dtype)
            unbiased = variance * count / torch.where(count > 1, count - 1, 1)
            self.running_mean.lerp_(mean.detach().to(self.running_mean.dtype), rate)
            self.running_var.lerp_(unbiased.detach().to(self.running_var.dtype), rate)
            self.num_batches_tracked += 1
        return mean, variance

    def extra_repr(self) -> str:
        """Return the width and the options."""
        return f"{self.weight.numel()}, eps={self.eps}, momentum={self.momentum}"
