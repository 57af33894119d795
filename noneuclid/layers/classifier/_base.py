"""Classifier: from points to logits, with features that may be kept near the origin."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from noneuclid.layers._base import Layer
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.manifolds import Euclidean, HomogeneousManifold
from noneuclid.manifolds.product import factors_of


class Classifier(Layer):
    """Points (*, S) of a manifold to logits (*, classes).

    Args:
        manifold: where the points live.
        classes: C, number of classes, at least 1.
        clip: rho > 0, in length units, or None. Points farther than rho from the origin of a
            factor are moved back to that distance along their geodesic. (Far out a curved head
            saturates and its gradient vanishes; rho = 1 |K|^-1/2 is the published choice.)
        device, dtype: of the parameters.

    Raises:
        ValueError: `classes` < 1 or `clip` <= 0.

    A concrete head supplies `_add_parameters` and `logits`.
    Source: [guo2022clipped] Eq. (5) for clipping.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        classes: int,
        *,
        clip: float | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if classes < 1:
            raise ValueError(f"{type(self).__name__} needs at least one class, got {classes}")
        if clip is not None and not clip > 0:
            raise ValueError(f"clip is a distance > 0 or None, got {clip}")
        super().__init__(manifold, Euclidean(classes))
        self.classes, self.clip = classes, clip
        factors = factors_of(manifold)
        self.dims = tuple(factor.dim for factor in factors)
        # One number for each class and factor: (C,), or (C, factors) on a product.
        self.factor_shape = (classes, len(factors)) if factors != (manifold,) else (classes,)
        self._add_parameters({"device": device, "dtype": dtype})
        self.reset_parameters()

    @abstractmethod
    def _add_parameters(self, where: dict[str, Any]) -> None:
        """Make room for the parameters, on `where`: device and dtype."""

    def forward(self, x: Tensor) -> Tensor:
        """Map points (*, S) to logits (*, classes)."""
        if self.clip is not None:
            x = clipped(self.manifold_in, x, self.clip)
        return self.logits(x)

    @abstractmethod
    def logits(self, x: Tensor) -> Tensor:
        """Return the logits of points that are within the clipping distance."""

    def extra_repr(self) -> str:
        """Return the manifold, classes and clipping distance."""
        return f"{self.manifold_in!r}, classes={self.classes}, clip={self.clip}"


def clipped(manifold: HomogeneousManifold, x: Tensor, radius: float) -> Tensor:
    """Return the points, at most `radius` from the origin of each factor: (*, S) -> (*, S)."""
    dims = [factor.dim for factor in factors_of(manifold)]
    parts = to_normal(manifold, x).split(dims, dim=-1)
    return from_normal(manifold, torch.cat([shortened(c, radius) for c in parts], dim=-1))


def shortened(c: Tensor, radius: float) -> Tensor:
    """Return vectors with their length cut off at `radius`: (*, n) -> (*, n)."""
    square = (c * c).sum(-1, keepdim=True)
    beyond = square > radius * radius
    return torch.where(beyond, radius / torch.where(beyond, square, 1).sqrt(), 1) * c
