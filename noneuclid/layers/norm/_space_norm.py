"""What the norms on space parts share."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import initial_radius
from noneuclid.layers._space import map_points, map_space
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of


class SpaceNorm(TangentLayer):
    """A norm of the space part X of every factor by itself; see `SpaceLayerNorm`.

    A concrete norm supplies `_norm`. It has a weight for each coordinate, and a bias or None.
    """

    bias: Tensor | None

    def __init__(
        self,
        manifold: HomogeneousManifold,
        eps: float = 1e-5,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, manifold)
        if eps < 0:
            raise ValueError(f"{type(self).__name__} needs eps >= 0, got {eps}")
        self.eps = eps
        self.dims = tuple(factor.dim for factor in factors_of(manifold))
        self.weight = nn.Parameter(torch.empty(manifold.dim, device=device, dtype=dtype))
        self.register_parameter("bias", None)

    def reset_parameters(self) -> None:
        """Set the weight to its initial radius and the bias, if there is one, to 0."""
        parts = zip(factors_of(self.manifold_out), self.weight.split(self.dims), strict=True)
        with torch.no_grad():
            for factor, part in parts:
                part.copy_(initial_radius(factor, part.device) / factor.dim**0.5)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @abstractmethod
    def _norm(self, X: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the norm of the space part of one factor: (*, dim_i) -> (*, dim_i)."""

    def _norms(self) -> list[Callable[[Tensor], Tensor]]:
        weights = self.weight.split(self.dims)
        biases: Sequence[Tensor | None]
        biases = [None] * len(self.dims) if self.bias is None else self.bias.split(self.dims)
        return [
            partial(self._norm, weight=weight, bias=bias)
            for weight, bias in zip(weights, biases, strict=True)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Map points (*, S) to points (*, S)."""
        return map_points(self.manifold_in, x, self._norms())

    def tangent(self, c: Tensor) -> Tensor:
        """Return the norm of the space parts of exp_o(c), in normal coordinates."""
        return map_space(self.manifold_in, c, self._norms())

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the weight and, if there is one, the bias, to be split over the factors."""
        flat: dict[str, Tensor] = {"weight": self.weight}
        if self.bias is not None:
            flat["bias"] = self.bias
        return flat

    def extra_repr(self) -> str:
        """Return the manifold and eps."""
        return f"{self.manifold_in!r}, eps={self.eps}"
