"""Lift and Drop: from features of no geometry to a manifold, and back."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import initial_radius, principal
from noneuclid.manifolds import Euclidean, HomogeneousManifold
from noneuclid.manifolds.product import factors_of


def reset_bias(bias: Tensor | None, fan_in: int) -> None:
    """Draw the bias of a flat linear map as torch.nn.Linear does: uniform, |b| <= fan_in^-1/2."""
    if bias is not None:
        bound = 1 / math.sqrt(fan_in)
        nn.init.uniform_(bias, -bound, bound)


class Lift(TangentLayer):
    """Features to points: y = exp_o(s (W x + b)), with a learnable scale s > 0 for each factor.

    Args:
        in_features: F, size of the last axis of the input.
        manifold: M, where the output lives.
        bias: whether b is there.
        device, dtype: of the parameters.

    Shapes: (*, F) -> (*, S). Parameters: `weight` (dim, F), `bias` (dim,), `log_scale` (factors,)
    with s = exp(log_scale).

    Initial values: W is semi-orthogonal and s such that features of zero mean and unit variance
    land at rms radius min(1, |K|^-1/2) on every factor, where no model saturates and no sphere is
    wrapped. (exp_o of raw features puts points at the rim of a ball and winds them around a
    sphere.)

    Flat limit: torch.nn.Linear with s W and s b.
    Source: [woodward2024product] section 4 puts features on each factor by exp_o, without s.
    """

    def __init__(
        self,
        in_features: int,
        manifold: HomogeneousManifold,
        bias: bool = True,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(Euclidean(in_features), manifold)
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.in_features = in_features
        self.dims = tuple(factor.dim for factor in factors_of(manifold))
        self.weight = nn.Parameter(torch.empty(manifold.dim, in_features, **where))
        self.bias = nn.Parameter(torch.empty(manifold.dim, **where)) if bias else None
        self.log_scale = nn.Parameter(torch.empty(len(self.dims), **where))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W, set b to 0 and s to its initial value."""
        for rows in self.weight.split(self.dims):
            nn.init.orthogonal_(rows)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        factors = factors_of(self.manifold_out)
        with torch.no_grad():
            for i, (dim, factor) in enumerate(zip(self.dims, factors, strict=True)):
                radius = initial_radius(factor, self.log_scale.device)
                scale = radius / math.sqrt(min(dim, self.in_features))
                self.log_scale[i : i + 1].copy_(scale.log())

    def _scales(self) -> Tensor:
        """Return s for every row of W: (dim,)."""
        scale = self.log_scale.exp()
        return torch.cat([s.expand(dim) for s, dim in zip(scale.split(1), self.dims, strict=True)])

    def tangent(self, c: Tensor) -> Tensor:
        """Return s (W c + b)."""
        return principal(self.manifold_out, F.linear(c, **self.flat_parameters()))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the weight s W and, if there is one, the bias s b."""
        scale = self._scales()
        flat = {"weight": scale[:, None] * self.weight}
        if self.bias is not None:
            flat["bias"] = scale * self.bias
        return flat


class Drop(TangentLayer):
    """Points to features: y = W log_o x + b in the orthonormal frame at the origin.

    Args:
        manifold: M, where the input lives.
        out_features: size of the last axis of the output.
        bias: whether b is there.
        device, dtype: of the parameters.

    Shapes: (*, S) -> (*, out_features). Initial values are those of torch.nn.Linear.

    Flat limit: torch.nn.Linear with the same W and b.
    Source: [woodward2024product] section 4, the head on concatenated logarithms.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        out_features: int,
        bias: bool = True,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, Euclidean(out_features))
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty(out_features, manifold.dim, **where))
        self.bias = nn.Parameter(torch.empty(out_features, **where)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W and b as torch.nn.Linear does."""
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        reset_bias(self.bias, self.manifold_in.dim)

    def tangent(self, c: Tensor) -> Tensor:
        """Return W c + b."""
        return F.linear(c, self.weight, self.bias)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return W and b."""
        flat: dict[str, Tensor] = {"weight": self.weight}
        if self.bias is not None:
            flat["bias"] = self.bias
        return flat
