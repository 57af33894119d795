"""Decoders: from the points of nodes to classes, and from pairs of points to edges."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from noneuclid.layers import Drop, Linear, make_classifier
from noneuclid.manifolds import HomogeneousManifold

Head = Literal["softmax", "hyperplane", "busemann", "prototype"]


class NodeDecoder(nn.Module):
    """Points to logits of classes, for a softmax.

    Args:
        manifold: where the points live.
        classes: C.
        head: "softmax", W log_o x + b, the linear decoder; or a name of `make_classifier`:
            "hyperplane" is kappa-GCN's, by signed distances.
        device, dtype: of the parameters.

    Shapes: (*, S) -> (*, C).
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        classes: int,
        head: Head = "softmax",
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.head = (
            Drop(manifold, classes, **where)
            if head == "softmax"
            else make_classifier(manifold, classes, head=head, **where)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.head(x)


class FermiDiracDecoder(nn.Module):
    """The log-odds of an edge, (r - d(x, y)^2) / t: p = 1 / (exp((d^2 - r) / t) + 1).

    Args:
        manifold: where the points live.
        radius: r, at first.
        temperature: t > 0, at first.
        learnable: whether r and log t are parameters.
        mapped: whether points pass a learned `Linear` before, which a frozen encoder needs.
        device, dtype: of the parameters.

    Shapes: x, y (*, S) -> (*,).

    Raises:
        ValueError: a temperature that is not positive.

    Source: [nickel2017poincare] section 4.2; [chami2019hyperbolic] with r = 2, t = 1.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        radius: float = 2.0,
        temperature: float = 1.0,
        *,
        learnable: bool = True,
        mapped: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.manifold = manifold
        self.map = (
            Linear(manifold, manifold, "tangent", variant="mobius", **where) if mapped else None
        )
        values = torch.tensor([radius, math.log(temperature)], **where)
        self.radius = nn.Parameter(values[:1].clone(), requires_grad=learnable)
        self.log_temperature = nn.Parameter(values[1:].clone(), requires_grad=learnable)

    def moved(self, x: Tensor) -> Tensor:
        """Return the points as they are compared."""
        return x if self.map is None else self.map(x)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log-odds of points that `moved` gave."""
        odds = (self.radius - self.manifold.dist2(x, y)) * (-self.log_temperature).exp()
        return odds.to(x.dtype)
