"""From the token of a jet to a point of the jet's manifold."""

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers import Activation, Lift, MobiusLinear, TangentLayer
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of
from noneuclid.models.pm_transformer.options import Options


class JetEmbedding(nn.Module):
    """A Euclidean MLP for each factor, the way up, two Moebius linear maps, coupling.

    Args:
        width: of the token, all factors together.
        hidden: width of the first map.
        space: the jet's manifold.
        layers: further Euclidean maps, each to the dimension of the factor.
        options: the choices of the model.

    Shapes: (B, width) -> normal coordinates (B, space.dim).

    Source: [woodward2024product] section 4, the jet level.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        space: HomogeneousManifold,
        layers: int,
        options: Options,
        **where: Any,
    ) -> None:
        super().__init__()
        self.maps, self.lifts, self.ends = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for factor in factors_of(space):
            widths = (width, hidden, *layers * (factor.dim,))
            steps: list[nn.Module] = []
            for before, after in itertools.pairwise(widths):
                steps += [nn.Linear(before, after, **where), nn.GELU()]
            self.maps.append(nn.Sequential(*steps))
            self.lifts.append(Lift(widths[-1], factor, **where))
            self.ends.append(MobiusLinear(factor, factor, **where))
        self.activations = nn.ModuleList(
            Activation(factor, options.activation) for factor in factors_of(space)
        )
        self.coupling = options.coupling_of(space, **where)

    def forward(self, token: Tensor) -> Tensor:
        """Return the normal coordinates of the jet."""
        parts = []
        steps = zip(self.maps, self.lifts, self.activations, self.ends, strict=True)
        for euclidean, lift, activation, end in steps:
            c = euclidean(token)
            for layer in (lift, activation, end):
                assert isinstance(layer, TangentLayer)
                c = layer.tangent(c)
            parts.append(c)
        c = torch.cat(parts, dim=-1)
        return c if self.coupling is None else self.coupling.tangent(c)
