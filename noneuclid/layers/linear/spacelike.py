"""The linear map whose weights are spacelike vectors: the default between hyperboloids."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers.linear._ambient_linear import REACH, AmbientLinear, curvature_below
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import safe_divide, turn, wide


class SpacelikeLinear(AmbientLinear):
    """X_out,k = f(<V_k, x>): products with spacelike vectors are the space part of the output.

    With u_k the rows of the weight, b_k the bias and r_k = -b_k / |u_k|, the vector V_k is normal
    to the hyperplane at the signed distance r_k from the origin along u_k:

        <V_k, x> = cosk(K r_k^2) u_k.X + sinck(K r_k^2) b_k T = |u_k| sin_K(distance to it),

    (T, X) the ambient coordinates of x and K where it is negative, else 0; time from the
    constraint. Points of the hyperboloid are read and written as they are: one product of
    matrices, then the time.

    Args:
        manifold_in, manifold_out: of constant curvature, or Euclidean; any dimensions.
        bias: whether b is there (-b is the source's).
        activation: f, elementwise on the space part, with f(0) = 0; none by default.
        gain: factor of the initial semi-orthogonal weight; sqrt 2 makes up for a ReLU.
        device, dtype: of the parameters.

    Shapes: (*, S_in) -> (*, S_out). Parameters: `weight` (dim_out, dim_in), `bias` (dim_out,), a
    length.

    Raises:
        TypeError: a product (`Linear` takes those), or a manifold without constant curvature.

    Initial values: the weight semi-orthogonal times `gain`, the bias 0.

    Where K >= 0 it is the tangent map exp_o(f(W log_o x + b)): continuous in K through 0, where
    dK has a kink. Flat limit: torch.nn.Linear with the same weight and bias, then f.
    Accuracy: X.u and T cancel by e^(R + r) for a point at radius R and a hyperplane at r. Beyond
    r = 40 |K|^-1/2 a hyperplane is read as if it were there.
    Source: [vanderklis2026fast], the spacelike weights.
    """

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        bias: bool = True,
        *,
        activation: Callable[[Tensor], Tensor] | None = None,
        gain: float = math.sqrt(2),
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out, bias, gain=gain, device=device, dtype=dtype)
        if activation is not None and not callable(activation):
            raise TypeError(f"activation must be a function, got {type(activation).__name__}")
        self.activation = activation

    def _add_parameters(self, where: dict[str, Any]) -> None:
        rows, columns = self.manifold_out.dim, self.manifold_in.dim
        self.weight = nn.Parameter(torch.empty(rows, columns, **where))
        self.bias = nn.Parameter(torch.empty(rows, **where)) if self.has_bias else None

    def reset_parameters(self) -> None:
        """Draw the weight and set the bias to 0."""
        nn.init.orthogonal_(self.weight, self.gain)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _matrix(self) -> tuple[Tensor, Tensor | None]:
        weight = wide(self.weight)
        if self.bias is None:
            return torch.cat([torch.zeros_like(weight[:, :1]), weight], dim=-1), None
        bias = wide(self.bias)[:, None]
        curvature = curvature_below(self.manifold_in, weight.device)
        square = (weight * weight).sum(-1, keepdim=True)
        cosine, sine = turn(curvature * safe_divide(bias * bias, square), REACH, sign=-1)
        return torch.cat([sine * bias, cosine * weight], dim=-1), None

    def _response(self, v: Tensor) -> Tensor:
        return v if self.activation is None else self.activation(v)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return weight and, if there is one, bias."""
        flat: dict[str, Tensor] = {"weight": self.weight}
        if self.bias is not None:
            flat["bias"] = self.bias
        return flat

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        text = super().extra_repr()
        name = getattr(self.activation, "__name__", self.activation)
        return text if self.activation is None else f"{text}, activation={name}"
