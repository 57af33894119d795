"""What all manifolds wrapped from geoopt share: float64 inside, broadcasting, repr, comparison."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.manifolds._base import Manifold
from noneuclid.manifolds._calling import round_back, without_autocast
from noneuclid.numerics import safe_divide


class Wrapper(Manifold):
    """A manifold that stands for a geoopt one, which it keeps as `source`.

    Formulas run in float64 whatever the points' dtype, and broadcast: geoopt's own leave the
    manifold in float32 and do not broadcast everywhere.

    Args:
        source: the geoopt manifold.
        shape: geoopt's shape of one point, which it does not know itself.
    """

    def __init__(self, source: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.source = source
        self.shape = shape
        self.point_shape = shape

    def same_as(self, other: nn.Module) -> bool:
        """Tell whether `other` stands for a geoopt manifold of the same class, shape and state."""
        if not (isinstance(other, Wrapper) and repr(self) == repr(other)):
            return False
        mine, theirs = self.source.state_dict(), other.source.state_dict()
        return mine.keys() == theirs.keys() and all(
            mine[name].shape == theirs[name].shape
            and torch.allclose(mine[name], theirs[name].to(mine[name]))
            for name in mine
        )

    def __repr__(self) -> str:
        return f"from_geoopt(geoopt.{self._constructor()}, {self.shape})"

    @abstractmethod
    def _constructor(self) -> str:
        """Return the call that builds `source`, without its module."""

    def _call(self, formula: Callable[..., Tensor], *tensors: Tensor, returns: str = "") -> Tensor:
        dtype = self._check(*tensors)
        rest = (dtype,) if returns == "point" else ()
        wide = [tensor.to(torch.float64) for tensor in tensors]
        with without_autocast(tensors[0].device.type):
            return round_back(formula(*wide, *rest), dtype)

    def _normal(
        self, size: tuple[int, ...], generator: torch.Generator | None, device: torch.device
    ) -> Tensor:
        """Return standard normal coordinates (*size, S) in float64."""
        options: dict[str, Any] = {"dtype": torch.float64, "device": device}
        return torch.randn(*size, *self.point_shape, generator=generator, **options)


def across(x: Tensor, u: Tensor) -> Tensor:
    """Return `u` expanded over the batch axes of `x`."""
    return u.expand(torch.broadcast_shapes(x.shape, u.shape))


def largest(matrix: Tensor) -> Tensor:
    """Return the largest absolute entry: (*, n, m) -> (*,)."""
    return matrix.abs().amax((-1, -2))


def relative(error: Tensor, to: Tensor) -> Tensor:
    """Return the largest entry of `error` over that of `to`, 0 if both are: (*, n, m) -> (*,)."""
    return safe_divide(largest(error), largest(to))


def square_side(shape: tuple[int, ...], owner: str) -> int:
    """Return n of a shape (n, n), or raise ValueError."""
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 1:
        raise ValueError(f"points of {owner} are square matrices, got point_shape {shape}")
    return shape[0]
