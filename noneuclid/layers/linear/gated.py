"""The linear map of HyboNet: a direction, and a gate that says how far to go."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._normal import initial_radius
from noneuclid.layers.linear._ambient_linear import AmbientLinear, curvature_below
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.numerics import safe_divide, safe_norm


class GatedLinear(AmbientLinear):
    """Direction and distance of the output apart: a unit vector, and a gate for the time.

    With v = W (T, X) + b, (T, X) the ambient coordinates of x and K where it is negative, else 0:

        q = lambda sigmoid(v_0),   T_out = 1 - K q / 2,   X_out = sqrt(q (1 - K q / 4)) v_s / |v_s|,

    a point for any K. At K = -1 the time is the source's lambda' sigmoid(v_0) + epsilon with
    lambda' = lambda / 2 and epsilon = 1, the time of the origin; q, a squared length, has a flat
    limit, and needs no larger epsilon: sqrt q is formed from log sigmoid.

    Args:
        manifold_in, manifold_out: of constant curvature, or Euclidean; any dimensions.
        bias: whether b is there.
        device, dtype: of the parameters.

    Shapes: (*, S_in) -> (*, S_out). Parameters: `weight`, W (1 + dim_out, 1 + dim_in), the row of
    the gate and the column of T first; `bias`, b (1 + dim_out,); `log_scale` (1,), log lambda.

    Raises:
        TypeError: a product (`Linear` takes those), or a manifold without constant curvature.

    Initial values: W semi-orthogonal with 0 for T, b = 0, and lambda = 2 R^2 with R = min(1,
    |K|^-1/2): every output starts near radius R, whatever the depth, and none gets beyond
    2 asinh(sqrt(-K lambda) / 2) |K|^-1/2. v_s = 0, the image of the origin at first, gives the
    origin; the direction is not continuous there.

    Where K >= 0 it is the tangent map sqrt(q) v_s / |v_s|, v = W (1, log_o x) + b: continuous in K
    through 0, where dK has a kink. Flat limit: that map; there is no torch.nn twin.
    Source: [chen2022fully] section 3.1.
    """

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        bias: bool = True,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out, bias, device=device, dtype=dtype)

    def _add_parameters(self, where: dict[str, Any]) -> None:
        rows, columns = self.manifold_out.dim, self.manifold_in.dim
        self.weight = nn.Parameter(torch.empty(1 + rows, 1 + columns, **where))
        self.bias = nn.Parameter(torch.empty(1 + rows, **where)) if self.has_bias else None
        self.log_scale = nn.Parameter(torch.empty(1, **where))

    def reset_parameters(self) -> None:
        """Draw W, set b to 0 and lambda to twice the square of the initial radius."""
        nn.init.orthogonal_(self.weight)
        radius = initial_radius(self.manifold_out, self.log_scale.device)
        with torch.no_grad():
            self.weight[:, 0].zero_()
            self.log_scale.copy_(math.log(2) + 2 * radius.log())
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _matrix(self) -> tuple[Tensor, Tensor | None]:
        return self.weight, self.bias

    def _response(self, v: Tensor) -> Tensor:
        gate, space = v[..., :1], v[..., 1:]
        root = torch.exp((self.log_scale.to(v.dtype) + F.logsigmoid(gate)) / 2)
        curvature = curvature_below(self.manifold_out, v.device).to(v.dtype)
        radius = root * (1 - curvature * root * root / 4).sqrt()
        return safe_divide(radius, safe_norm(space)) * space

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return weight and bias of v = weight c + bias, and log lambda."""
        shift = self.weight[:, 0] if self.bias is None else self.weight[:, 0] + self.bias
        return {"weight": self.weight[:, 1:], "bias": shift, "log_scale": self.log_scale}
