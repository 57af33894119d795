"""Attention between the factors of a product, by weights alone."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.manifolds import Product
from noneuclid.manifolds.product import factors_of


class FactorCoupling(TangentLayer):
    """Weigh the factors of every point against each other.

    With x_i the point's part in factor i, for each point by itself:

        u_i = W_i log_o x_i,   m = mean_i u_i,   s_i = theta_i . (u_i - m),
        w = softmax over the factors of s,   y_i = w_i (x) x_i = exp_o(w_i log_o x_i).

    Factors do not exchange directions, only lengths; `InterManifoldAttention` exchanges both.

    Args:
        product: a product of manifolds; the factors of nested ones count one by one.
        width: d, the common width the factors are compared in; the largest factor's by default.
        device, dtype: of the parameters.

    Shapes: (*, S) -> (*, S). Parameters: `weights`, one (d, dim_i) matrix for each factor; `theta`
    (factors, d).

    Raises:
        TypeError: `product` is not a product. ValueError: `width` < 1.

    Initial values: W_i orthogonal, theta normal of standard deviation d^-1/2; a fresh coupling
    weighs its n factors by about 1/n.

    Flat limit: there is no torch.nn twin; the formulas above on coordinates, y_i = w_i x_i.
    Source: [sun2022self] Eq. (8) to (10); [woodward2024product] section 4.
    """

    def __init__(
        self,
        product: Product,
        width: int | None = None,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if not isinstance(product, Product):
            raise TypeError(f"FactorCoupling needs a Product, got {type(product).__name__}")
        super().__init__(product, product)
        self.dims = tuple(factor.dim for factor in factors_of(product))
        self.width = max(self.dims) if width is None else width
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
        self.weights = nn.ParameterList(
            torch.empty(self.width, dim, device=device, dtype=dtype) for dim in self.dims
        )
        self.theta = nn.Parameter(
            torch.empty(len(self.dims), self.width, device=device, dtype=dtype)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W and theta."""
        for weight in self.weights:
            nn.init.orthogonal_(weight)
        nn.init.normal_(self.theta, std=self.width**-0.5)

    def factor_weights(self, c: Tensor) -> Tensor:
        """Return w from normal coordinates: (*, dim) -> (*, factors), summing to 1 in each row."""
        parts = zip(c.split(self.dims, dim=-1), self.weights, strict=True)
        u = torch.stack([F.linear(part, weight) for part, weight in parts], dim=-2)
        scores = (self.theta * (u - u.mean(-2, keepdim=True))).sum(-1)
        return torch.softmax(scores, dim=-1)

    def tangent(self, c: Tensor) -> Tensor:
        """Return w_i c_i."""
        w = self.factor_weights(c).split(1, dim=-1)
        parts = zip(w, c.split(self.dims, dim=-1), strict=True)
        return torch.cat([weight * part for weight, part in parts], dim=-1)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return W_i and theta, which mean the same on flat space."""
        return dict(self.named_parameters_of_formula())

    def named_parameters_of_formula(self) -> list[tuple[str, Tensor]]:
        """Return the parameters of the limit formula, without those of the manifolds."""
        names = [(f"weights.{i}", weight) for i, weight in enumerate(self.weights)]
        return [*names, ("theta", self.theta)]
