"""Two linear maps with a non-linearity between them, on a space between two others."""

import torch
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import from_normal, initial_radius
from noneuclid.layers.activation import Activation
from noneuclid.layers.linear import MobiusLinear
from noneuclid.manifolds import HomogeneousManifold


class Perceptron(TangentLayer):
    """y = MobiusLinear(relu(MobiusLinear(x))), the inner points on `space`.

    Initial values: those of `MobiusLinear`, but for the first translation, which goes to a random
    point at radius r / 2, r = min(1, |K|^-1/2) of `space`: from the origin the map would not depend
    on the curvature of `space`, and its gradient there would be 0.
    """

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        space: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out)
        self.first = MobiusLinear(manifold_in, space, device=device, dtype=dtype)
        self.activation = Activation(space, torch.relu)
        self.second = MobiusLinear(space, manifold_out, gain=1.0, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw both matrices and the first translation; put the second at the origin."""
        self.first.reset_parameters()
        self.second.reset_parameters()
        space, bias = self.first.manifold_out, self.first.bias
        assert bias is not None
        direction = nn.init.normal_(torch.empty(space.dim, device=bias.device, dtype=bias.dtype))
        direction = nn.functional.normalize(direction, dim=0)
        radius = initial_radius(space, bias.device).to(bias.dtype)
        with torch.no_grad():
            bias.copy_(from_normal(space, radius / 2 * direction))

    def tangent(self, c: Tensor) -> Tensor:
        """Return the normal coordinates of the output."""
        return self.second.tangent(self.activation.tangent(self.first.tangent(c)))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the weights and biases of both maps."""
        return {
            f"{name}.{key}": value
            for name, layer in (("first", self.first), ("second", self.second))
            for key, value in layer.flat_parameters().items()
        }
