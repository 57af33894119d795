"""Layer: a map between manifolds; TangentLayer: one that is written in normal coordinates."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.manifolds import HomogeneousManifold


class Layer(nn.Module, ABC):
    """A map from points of `manifold_in` to points of `manifold_out`.

    Args:
        manifold_in: where the input lives; features of no geometry live in `Euclidean(n)`.
        manifold_out: where the output lives.

    Every layer has a flat limit: in normal coordinates it becomes an ordinary layer as K -> 0, and
    `flat_parameters` gives that twin's parameters. Points are plain tensors (*, S); a layer never
    mixes rows unless its docstring says over which axis.

    Raises:
        TypeError: an argument is not a manifold with an origin.
    """

    takes_mask: bool = False  # whether forward has the argument `mask`
    flat_order: float = 1.0  # p: as K -> 0 the layer differs from its flat limit by |K|^p

    def __init__(self, manifold_in: HomogeneousManifold, manifold_out: HomogeneousManifold) -> None:
        super().__init__()
        for manifold in (manifold_in, manifold_out):
            if not isinstance(manifold, HomogeneousManifold):
                raise TypeError(
                    f"{type(self).__name__} needs a manifold with an origin, such as"
                    f" noneuclid.Lorentz(16), got {type(manifold).__name__}"
                )
        self.manifold_in = manifold_in
        self.manifold_out = manifold_out

    @abstractmethod
    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the parameters of the flat twin, named as in its state dict."""

    def reset_parameters(self) -> None:
        """Draw fresh parameters; a layer without any has nothing to do."""
        return

    def extra_repr(self) -> str:
        """Return the manifolds, which are also printed as sub-modules."""
        return f"{self.manifold_in!r} -> {self.manifold_out!r}"


class TangentLayer(Layer):
    """A layer that acts on normal coordinates: x -> exp_o(tangent(log_o x)).

    A concrete layer supplies `tangent`. `Chain` composes several without the exp_o and log_o
    between them, which cancel.
    """

    prefers_points: bool = False  # whether forward on points costs less than tangent and exp, log

    @abstractmethod
    def tangent(self, c: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Return the output's normal coordinates from the input's: (*, dim_in) -> (*, dim_out).

        For K > 0 the result is the shortest of its kind: |c| <= pi K^-1/2.
        """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Map points (*, S_in) to points (*, S_out)."""
        c = self.tangent(to_normal(self.manifold_in, x), *args, **kwargs)
        return from_normal(self.manifold_out, c)
