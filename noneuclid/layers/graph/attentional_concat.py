"""AttentionalConcat: attention across the factors of a product."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import principal
from noneuclid.manifolds import HomogeneousManifold, Product
from noneuclid.manifolds.product import factors_of

Center = Literal["factors", "nodes"]


class AttentionalConcat(TangentLayer):
    """The attentional concatenation across factors: every part weighed against the others.

    With x_im the part of point i in factor m, theta and W_m learned,

        u_im = W_m log_o x_im,   w_im = sigmoid(theta . (u_im - mu)),   b_i = softmax_m(w_im),
        y_i = ||_m b_im (x) (W_m (x) x_im) = ||_m exp_o(b_im u_im).

    `FactorCoupling` is the same idea without the sigmoid, with a theta for each factor and parts
    that keep their directions and dimensions.

    Args:
        manifold_in: where the input lives.
        width: d, the common dimension of the factors of the output; the largest one's by default.
        center: mu, what u is compared with: "factors", the mean over m at the same node; "nodes",
            the mean over all nodes (axis -2) in the same factor, as in the code of CUSP.
        device, dtype: of the parameters.

    Shapes: (*, S_in) -> (*, S_out), or (*, N, S_in) -> (*, N, S_out) with "nodes"; `manifold_out`
    has the same factors in dimension d, and shares their curvatures. Parameters: `weights`, one
    (d, dim_m) matrix for each factor; `theta` (d,).

    Raises:
        ValueError: `width` < 1, or an unknown `center`.

    Initial values: W_m orthogonal, theta normal of standard deviation d^-1/2: a fresh layer weighs
    its n factors by about 1/n.
    Flat limit: there is no torch_geometric twin; the formulas above on coordinates.
    Source: [sun2022self] Eq. (8) to (10); the code of [grover2025spectro] for the mean over nodes.
    """

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        width: int | None = None,
        *,
        center: Center = "factors",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        factors = factors_of(manifold_in)
        width = max(factor.dim for factor in factors) if width is None else width
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
        if center not in ("factors", "nodes"):
            raise ValueError(f'center must be "factors" or "nodes", got {center!r}')
        spaces = [factor.like(width) for factor in factors]
        super().__init__(manifold_in, spaces[0] if len(spaces) == 1 else Product(*spaces))
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.dims = tuple(factor.dim for factor in factors)
        self.width = width
        self.center: Center = center
        self.weights = nn.ParameterList(torch.empty(width, dim, **where) for dim in self.dims)
        self.theta = nn.Parameter(torch.empty(width, **where))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W and theta."""
        for weight in self.weights:
            nn.init.orthogonal_(weight)
        nn.init.normal_(self.theta, std=self.width**-0.5)

    def tangent(self, c: Tensor) -> Tensor:
        """Return b_m u_m, side by side."""
        u = self._mapped(c)
        y = (self._shares(u)[..., None] * u).flatten(-2)
        return principal(self.manifold_out, y)

    def factor_weights(self, c: Tensor) -> Tensor:
        """Return b from normal coordinates: (*, dim) -> (*, factors), summing to 1 in each row."""
        return self._shares(self._mapped(c))

    def _mapped(self, c: Tensor) -> Tensor:
        """Return u, (*, factors, d)."""
        parts = zip(c.split(self.dims, dim=-1), self.weights, strict=True)
        return torch.stack([F.linear(part, weight) for part, weight in parts], dim=-2)

    def _shares(self, u: Tensor) -> Tensor:
        axis = -2 if self.center == "factors" else -3
        center = u.sum(axis, keepdim=True) / max(u.shape[axis], 1)  # of no nodes at all: 0
        scores = ((u - center) * self.theta).sum(-1)
        return torch.softmax(torch.sigmoid(scores), dim=-1)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return W_m and theta, which mean the same on flat space."""
        named = {f"weights.{i}": weight for i, weight in enumerate(self.weights)}
        return {**named, "theta": self.theta}

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        return f"{super().extra_repr()}, center={self.center!r}"
