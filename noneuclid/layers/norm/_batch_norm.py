"""What the batch norms share: centring, scaling, and statistics that run along."""

from abc import abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._masking import coordinates_only, points_only
from noneuclid.layers._normal import from_normal, initial_radius, to_normal, translate
from noneuclid.manifolds import HomogeneousManifold, ManifoldParameter
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import safe_divide, safe_norm, working_dtype

Spread = Literal["rms", "mean"]


class BatchNorm(TangentLayer):
    """Centre at the batch mean, scale by its spread; see `MidpointBatchNorm` for the formula.

    A concrete norm supplies `_mean`.
    """

    takes_mask = True
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        manifold: HomogeneousManifold,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        *,
        spread: Spread = "rms",
        track_running_stats: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, manifold)
        self._check(eps, momentum, spread)
        self.eps, self.momentum, self.spread = eps, momentum, spread
        self.track_running_stats = track_running_stats
        self.dims = tuple(factor.dim for factor in factors_of(manifold))
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        place = torch.get_default_device() if device is None else device
        self.weight = nn.Parameter(torch.empty(len(self.dims), **where))
        self.bias = ManifoldParameter(manifold.origin(device=place, dtype=dtype), manifold)
        statistics: dict[str, Tensor | None] = dict.fromkeys(
            ("running_mean", "running_var", "num_batches_tracked")
        )
        if track_running_stats:
            statistics["running_mean"] = torch.empty(manifold.dim, **where)
            statistics["running_var"] = torch.empty(len(self.dims), **where)
            statistics["num_batches_tracked"] = torch.empty((), dtype=torch.long, device=device)
        for name, value in statistics.items():
            self.register_buffer(name, value)
        self.reset_parameters()

    def _check(self, eps: float, momentum: float | None, spread: str) -> None:
        name = type(self).__name__
        if eps <= 0:
            raise ValueError(f"{name} needs eps > 0, by which it divides one point, got {eps}")
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(
                f"{name} needs a momentum from 0 to 1, or None for the mean of all batches, got"
                f" {momentum}"
            )
        if spread not in ("rms", "mean"):
            raise ValueError(f"spread must be 'rms' or 'mean', got {spread!r}")

    def reset_parameters(self) -> None:
        """Set gamma to its initial radius and beta to the origin, and forget the statistics."""
        with torch.no_grad():
            for i, factor in enumerate(factors_of(self.manifold_in)):
                self.weight[i : i + 1].copy_(initial_radius(factor, self.weight.device))
            self.bias.copy_(self.manifold_out.origin(device=self.bias.device))
        self.reset_running_stats()

    def reset_running_stats(self) -> None:
        """Put the running mean at the origin and the running spread at that of fresh layers."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.running_mean.zero_()
        self.num_batches_tracked.zero_()
        for i, factor in enumerate(factors_of(self.manifold_in)):
            radius = initial_radius(factor, self.running_var.device)
            self.running_var[i : i + 1].copy_(radius**2 if self.spread == "rms" else radius)

    @abstractmethod
    def _mean(self, factor: HomogeneousManifold, c: Tensor, w: Tensor) -> Tensor:
        """Return the mean of (N, dim_i) normal coordinates with weights (N,) of 0 and 1: (dim_i,).

        Without a point it is 0.
        """

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map points (B, S) or (B, n, S) to points of the same shape."""
        x = points_only(self.manifold_in, x, mask)
        c = self.tangent(to_normal(self.manifold_in, x), mask)
        return from_normal(self.manifold_out, c)

    def tangent(self, c: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return beta (+) gamma / spread (x) (-mean (+) x) in normal coordinates."""
        rows = coordinates_only(c, mask).to(working_dtype(c.dtype))
        present = torch.ones_like(rows[..., 0]) if mask is None else mask.to(rows.dtype)
        if self.training or self.running_mean is None:
            mean, centred, spread = self._of_batch(rows, present)
        else:
            assert self.running_var is not None
            mean, spread = self.running_mean.to(rows.dtype), self.running_var.to(rows.dtype)
            centred = self._centred(rows, mean)
        if self.training and self.running_mean is not None:
            with torch.no_grad():
                self._track(mean, spread, present.sum())
        root = (spread + self.eps).sqrt() if self.spread == "rms" else spread + self.eps
        scales = zip((self.weight.to(rows.dtype) / root).split(1), self.dims, strict=True)
        scaled = centred * torch.cat([scale.expand(dim) for scale, dim in scales])
        beta = to_normal(self.manifold_out, self.bias).to(rows.dtype)
        return translate(self.manifold_out, beta, scaled).to(c.dtype)

    def _centred(self, c: Tensor, mean: Tensor) -> Tensor:
        """Return log_mean x carried to the origin, which is log_o(-mean (+) x): (*, dim)."""
        return translate(self.manifold_in, -mean, c)

    def _of_batch(self, c: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean (dim,), the centred points (*, dim), and the spread (factors,)."""
        w = present.reshape(-1)
        parts = zip(factors_of(self.manifold_in), c.split(self.dims, dim=-1), strict=True)
        mean = torch.cat(
            [self._mean(factor, part.reshape(-1, factor.dim), w) for factor, part in parts]
        )
        centred = self._centred(c, mean)
        spreads = []
        for part in centred.reshape(-1, centred.shape[-1]).split(self.dims, dim=-1):
            size = (part * part).sum(-1) if self.spread == "rms" else safe_norm(part)[..., 0]
            spreads.append(safe_divide((w * size).sum(), w.sum()))
        return mean, centred, torch.stack(spreads)

    def _track(self, mean: Tensor, spread: Tensor, count: Tensor) -> None:
        """Move the running mean along the geodesic to the batch's, and the running spread."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        some = count > 0
        self.num_batches_tracked.add_(some)
        share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        t = torch.where(some, share, 0.0).to(mean.dtype)
        space = self.manifold_in
        before = from_normal(space, self.running_mean.to(mean.dtype))
        after = to_normal(space, space.geodesic(before, from_normal(space, mean), t))
        self.running_mean.copy_(torch.where(some, after, self.running_mean))
        if self.spread == "rms":  # as torch does: the unbiased variance runs along
            spread = spread * safe_divide(count, torch.where(count > 1, count - 1, count))
        self.running_var.lerp_(spread.to(self.running_var.dtype), t.to(self.running_var.dtype))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return gamma and the normal coordinates of beta, and the running statistics."""
        flat: dict[str, Tensor] = {
            "weight": self.weight,
            "bias": to_normal(self.manifold_out, self.bias),
        }
        if self.running_mean is not None and self.running_var is not None:
            flat |= {"running_mean": self.running_mean, "running_var": self.running_var}
        return flat

    def extra_repr(self) -> str:
        """Return the manifold and options."""
        options = ("eps", "momentum", "spread", "track_running_stats")
        return ", ".join(
            [repr(self.manifold_in), *(f"{name}={getattr(self, name)!r}" for name in options)]
        )
