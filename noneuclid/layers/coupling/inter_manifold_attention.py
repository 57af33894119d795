"""Attention between the factors of a product, through a point that all of them share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._ambient import from_ambient, to_ambient
from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import initial_radius, principal, translate
from noneuclid.layers.linear import MobiusLinear
from noneuclid.manifolds import Product
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import safe_norm


class InterManifoldAttention(TangentLayer):
    """Pull every factor of a point towards what all of its factors say together.

    With x_i the point's part in factor i and u_i = W_i log_o x_i its tangent vector in a common
    width, for each point by itself:

        g = softmax(MLP([log_o x_1, ..., log_o x_n])),   mu = sum_i g_i u_i,
        p_i = A_i (x) exp_o(mu) (+) b_i,                 d_i = dist_i(x_i, p_i),
        s = softmax over the factors of d,               y_i = midpoint(x_i, 1; p_i, s_i).

    The MLP goes from sum dim_i by 4 n ReLUs to n. The midpoint is the gyromidpoint, whose weights
    are those of the sum (T, X) of ambient coordinates: y_i stays on the geodesic between x_i and
    p_i, and the factor that is farthest from the common point moves most.

    Args:
        product: a product of spaces of constant curvature and R^n; the factors of nested ones count
            one by one.
        width: d, the common width; the largest factor's dimension by default.
        gate: whether the MLP weighs the factors; without it g_i = 1 / n.
        device, dtype: of the parameters.

    Shapes: (*, S) -> (*, S). Parameters: `weights`, one (d, dim_i) matrix for each factor whose
    dimension is not d (the others enter as they are); `linears`, one `MobiusLinear` for each
    factor, A_i (dim_i, d) and the point b_i; `gates`, the two torch.nn.Linear of the MLP, or None.

    Raises:
        TypeError: `product` is not a product, or (when called) has a factor without a gyromidpoint.
        ValueError: `width` < 1.

    Initial values: W_i the identity, with rows of 0 or without the last ones where it is not
    square; A_i likewise, times r_i over the mean of all r_j, r_i = min(1, |K_i|^-1/2); b_i the
    origin; the MLP as torch.nn.Linear. So a fresh layer pulls each factor towards the mean of all,
    in units of r_i, and that mean itself stays: depth brings parts together, not to the origin.

    Flat limit: there is no torch.nn twin; the formulas above on coordinates,
    y_i = (x_i + s_i p_i) / (1 + s_i).
    Source: [woodward2024product] section 4, the third of its forms (without the gate, the second),
    with weights from each point's own factors and the denominator of the gyromidpoint. The first
    form is `FactorCoupling`.
    """

    def __init__(
        self,
        product: Product,
        width: int | None = None,
        *,
        gate: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if not isinstance(product, Product):
            raise TypeError(f"InterManifoldAttention needs a Product, got {type(product).__name__}")
        super().__init__(product, product)
        factors = factors_of(product)
        self.dims = tuple(factor.dim for factor in factors)
        self.width = max(self.dims) if width is None else width
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
        self.weights = nn.ParameterList(
            torch.empty(self.width, dim, device=device, dtype=dtype)
            for dim in self.dims
            if dim != self.width
        )
        self.linears = nn.ModuleList(
            MobiusLinear(factor.like(self.width), factor, device=device, dtype=dtype)
            for factor in factors
        )
        count = len(factors)
        self.gates = nn.ModuleList(
            nn.Linear(fan_in, fan_out, device=device, dtype=dtype)
            for fan_in, fan_out in [(product.dim, 4 * count), (4 * count, count)]
            if gate
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set W and A to the identity, draw the gate, and put b at the origin."""
        for weight in self.weights:
            nn.init.eye_(weight)
        for gate in self.gates:
            assert isinstance(gate, nn.Linear)
            gate.reset_parameters()
        linears = [linear for linear in self.linears if isinstance(linear, MobiusLinear)]
        radii = [initial_radius(li.manifold_out, li.weight.device) for li in linears]
        mean = torch.cat(radii).mean()
        with torch.no_grad():
            for linear, radius in zip(linears, radii, strict=True):
                linear.reset_parameters()
                nn.init.eye_(linear.weight).mul_(radius / mean)

    def gate_weights(self, c: Tensor) -> Tensor:
        """Return g from normal coordinates: (*, dim) -> (*, factors), summing to 1 in each row."""
        if not len(self.gates):
            count = len(self.dims)
            return c.new_full((*c.shape[:-1], count), 1 / count)
        hidden, out = self.gates
        return torch.softmax(out(torch.relu(hidden(c))), dim=-1)

    def common(self, c: Tensor) -> Tensor:
        """Return mu from normal coordinates: (*, dim) -> (*, width)."""
        weights = iter(self.weights)
        shares = self.gate_weights(c).split(1, dim=-1)
        parts = [
            share * (part if part.shape[-1] == self.width else F.linear(part, next(weights)))
            for share, part in zip(shares, c.split(self.dims, dim=-1), strict=True)
        ]
        return torch.stack(parts).sum(0)

    def tangent(self, c: Tensor) -> Tensor:
        """Return the normal coordinates of the midpoints y_i."""
        mu, parts = self.common(c), c.split(self.dims, dim=-1)
        targets = [
            linear.tangent(principal(linear.manifold_in, mu))
            for linear in self.linears
            if isinstance(linear, MobiusLinear)
        ]
        factors = factors_of(self.manifold_out)
        distances = [  # d(x, p) = d(o, -x (+) p)
            safe_norm(translate(factor, -part, target))
            for factor, part, target in zip(factors, parts, targets, strict=True)
        ]
        shares = torch.softmax(torch.cat(distances, dim=-1), dim=-1).split(1, dim=-1)
        moved = []
        for factor, part, target, share in zip(factors, parts, targets, shares, strict=True):
            (X, T), (Y, U) = to_ambient(factor, part), to_ambient(factor, target)
            moved.append(from_ambient(factor, X + share * Y, T + share * U))
        return torch.cat(moved, dim=-1)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return W, A, b in normal coordinates, and the gate's weights."""
        flat = {f"weights.{i}": weight for i, weight in enumerate(self.weights)}
        for i, linear in enumerate(self.linears):
            assert isinstance(linear, MobiusLinear)
            flat |= {f"linears.{i}.{name}": t for name, t in linear.flat_parameters().items()}
        return flat | {f"gates.{name}": value for name, value in self.gates.named_parameters()}

    def extra_repr(self) -> str:
        """Return the product and options."""
        return f"{self.manifold_in!r}, width={self.width}, gate={len(self.gates) > 0}"
