"""The Moebius linear map between any two manifolds with an origin."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import moved_point, principal, to_normal, translate
from noneuclid.manifolds import HomogeneousManifold, ManifoldParameter

Bias = bool | Literal["point", "tangent"]


class MobiusLinear(TangentLayer):
    """y = exp_o(W log_o x) (+) b: a matrix on tangent vectors, then a translation by the point b.

    x (+) b = exp_x(PT_{o->x} log_o b) is Moebius addition on the stereographic models and the same
    map on their isometric twins. W acts on normal coordinates, so W is the same on every model; on
    products it mixes all factors (`Linear` keeps them apart).

    Args:
        manifold_in: where the input lives.
        manifold_out: where the output lives; any geometry and dimension.
        bias: "point" (or True): b is a `ManifoldParameter` of `manifold_out`. "tangent": b is a
            vector and y = exp_o(W log_o x + b), which is cheaper. False: no b.
        gain: factor of the initial semi-orthogonal W; sqrt 2 makes up for a ReLU.
        device, dtype: of the parameters.

    Shapes: (*, S_in) -> (*, S_out). Parameters: `weight` (dim_out, dim_in); `bias` (S_out,), or
    (dim_out,) in the tangent space.

    Raises:
        ValueError: another `bias`.

    Initial values: W semi-orthogonal times `gain`, b at the origin, so that a ReLU network keeps
    the radius of its activations: after 24 linear and ReLU layers of width 32, radius 1 has become
    0.3 to 1.4 (of width 16: 0.07 to 1; narrower stacks of that depth need a `TangentLayerNorm`).

    Flat limit: torch.nn.Linear with the same W and the normal coordinates of b.
    Source: [ganea2018hyperbolic] Eq. (27) and (28).
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        bias: Bias = True,
        *,
        gain: float = math.sqrt(2),
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out)
        if bias not in (True, False, "point", "tangent"):
            raise ValueError(f'bias must be True, False, "point" or "tangent", got {bias!r}')
        self.gain = gain
        self.weight = nn.Parameter(
            torch.empty(manifold_out.dim, manifold_in.dim, device=device, dtype=dtype)
        )
        self.translates = bias in (True, "point")
        if self.translates:
            place = torch.get_default_device() if device is None else device
            origin = manifold_out.origin(device=place, dtype=dtype)
            self.bias = ManifoldParameter(origin, manifold_out)
        elif bias:
            self.bias = nn.Parameter(torch.empty(manifold_out.dim, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W and put b at the origin."""
        nn.init.orthogonal_(self.weight, self.gain)
        if self.bias is None:
            return
        with torch.no_grad():
            if self.translates:
                self.bias.copy_(self.manifold_out.origin(device=self.bias.device))
            else:
                self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Map points (*, S_in) to points (*, S_out)."""
        if not self.translates:
            return super().forward(x)
        moved = F.linear(self.manifold_in.logmap0(x), self._weight_on_vectors())
        return moved_point(self.manifold_out, moved, self._shift())

    def _weight_on_vectors(self) -> Tensor:
        """Return W after to_frame, (dim_out, S_in): one pass over the rows less each way."""
        weight, (size,) = self.weight, self.manifold_in.point_shape
        unit = torch.eye(size, dtype=weight.dtype, device=weight.device)
        return weight @ self.manifold_in.to_frame(unit).mT

    def tangent(self, c: Tensor) -> Tensor:
        """Return the normal coordinates of exp_o(W c) (+) b, or W c + b."""
        if not self.translates:
            return principal(self.manifold_out, F.linear(c, self.weight, self.bias))
        return translate(self.manifold_out, F.linear(c, self.weight), self._shift())

    def _shift(self) -> Tensor:
        """Return b in normal coordinates, (dim_out,)."""
        assert self.bias is not None
        return to_normal(self.manifold_out, self.bias) if self.translates else self.bias

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the weight and, if there is one, the bias in normal coordinates."""
        flat: dict[str, Tensor] = {"weight": self.weight}
        if self.bias is not None:
            flat["bias"] = self._shift()
        return flat

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        kind = "point" if self.translates else "tangent"
        return f"{super().extra_repr()}, bias={self.bias is not None and kind!r}"
