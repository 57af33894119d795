"""Pointwise non-linearity in the tangent space at the origin."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import principal
from noneuclid.manifolds import HomogeneousManifold

# With |f(t)| <= |t| the shortest coordinates of a point stay shortest, which saves a pass.
_CONTRACTIONS = (torch.relu, torch.tanh, F.relu, F.tanh, F.gelu, F.silu)
_CONTRACTING_MODULES = (nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU)


class Activation(TangentLayer):
    """y = exp_o(f(log_o x)), f applied to each coordinate in the orthonormal frame at the origin.

    The frame makes f mean the same on every model: on the ball it sees lengths, not the halves of
    lengths that ball coordinates are.

    Args:
        manifold: where input and output live.
        function: f, elementwise: torch.relu, torch.tanh, a module such as torch.nn.GELU(). With
            f(0) = 0 the origin stays where it is.

    Shapes: (*, S) -> (*, S).

    Flat limit: f. Source: [ganea2018hyperbolic] Eq. (26).
    """

    def __init__(self, manifold: HomogeneousManifold, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__(manifold, manifold)
        if not callable(function):
            raise TypeError(f"Activation needs a function, got {type(function).__name__}")
        self.function = function
        self.contracts = function in _CONTRACTIONS or type(function) in _CONTRACTING_MODULES

    def tangent(self, c: Tensor) -> Tensor:
        """Return f(c)."""
        c = self.function(c)
        return c if self.contracts else principal(self.manifold_out, c)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the parameters of f, if it is a module that has any."""
        return {
            name.removeprefix("function."): parameter
            for name, parameter in self.named_parameters()
            if name.startswith("function.")
        }

    def extra_repr(self) -> str:
        """Return the manifold and the function."""
        return f"{self.manifold_in!r}, {getattr(self.function, '__name__', self.function)}"
