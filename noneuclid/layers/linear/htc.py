"""The linear map of Hypformer, which also changes the curvature."""

from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers.linear._ambient_linear import AmbientLinear, curvature_below
from noneuclid.manifolds import SpaceForm


class HTCLinear(AmbientLinear):
    """X_out = sqrt(K_in / K_out) (W (T, X) + b), (T, X) the ambient coordinates; time follows.

    T is without unit and its column of W a length, so that it has a flat limit; at K = -1 it is the
    source's. The ratio makes the output the same up to scale when the curvature changes; it is 1
    where one of the curvatures may be 0 or positive.

    Args:
        manifold_in, manifold_out: of constant curvature, or Euclidean; any dimensions.
        bias: whether b is there.
        gain: factor of the initial semi-orthogonal W; sqrt 2 makes up for a ReLU.
        device, dtype: of the parameters.

    Shapes: (*, S_in) -> (*, S_out). Parameters: `weight`, W (dim_out, 1 + dim_in), the column of T
    first; `bias`, b (dim_out,).

    Raises:
        TypeError: a product (`Linear` takes those), or a manifold without constant curvature.

    Initial values: W semi-orthogonal times `gain` with 0 for T, b = 0.

    Where K >= 0 it is the tangent map exp_o(W (1, log_o x) + b): continuous in K through 0, where
    dK has a kink. Flat limit: torch.nn.Linear with the columns of X and, for bias, b plus the
    column of T.
    Source: [yang2024hypformer], the layer HTC.
    """

    def _add_parameters(self, where: dict[str, Any]) -> None:
        rows, columns = self.manifold_out.dim, self.manifold_in.dim
        self.weight = nn.Parameter(torch.empty(rows, 1 + columns, **where))
        self.bias = nn.Parameter(torch.empty(rows, **where)) if self.has_bias else None

    def reset_parameters(self) -> None:
        """Draw W and set b to 0."""
        with torch.no_grad():
            self.weight[:, :1].zero_()
            nn.init.orthogonal_(self.weight[:, 1:], self.gain)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def _matrix(self) -> tuple[Tensor, Tensor | None]:
        scale = self._scale().to(self.weight.dtype)
        return scale * self.weight, None if self.bias is None else scale * self.bias

    def _scale(self) -> Tensor:
        device = self.weight.device
        spaces = self.manifold_in, self.manifold_out
        if not all(isinstance(space, SpaceForm) and space.curvature_sign < 0 for space in spaces):
            return torch.ones(1, dtype=torch.float64, device=device)
        before, after = (curvature_below(space, device) for space in spaces)
        return (before / after).sqrt()

    def _response(self, v: Tensor) -> Tensor:
        return v

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return weight and bias of the limit, for equal curvatures."""
        weight = self.weight
        shift = weight[:, 0] if self.bias is None else weight[:, 0] + self.bias
        return {"weight": weight[:, 1:], "bias": shift}
