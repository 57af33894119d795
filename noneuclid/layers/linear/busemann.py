"""The Busemann linear layer: each output coordinate is a depth in the horoballs of a direction."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.functional import busemann_logits
from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import from_normal, initial_radius, principal
from noneuclid.manifolds import Euclidean, HomogeneousManifold, SpaceForm
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import asinck, row_dot, safe_norm, working_dtype

# |K|^1/2 |v_k| beyond which a response is read as this: sinh of it, squared and added up, still
# fits; the distances are those of points near the last shells of the hyperboloid.
_LARGEST = 300.0
_LARGEST_SINGLE = 40.0


class BusemannLinear(TangentLayer):
    """y with coordinates w_k = sin_K(phi(v_k)), from responses v_k = -g_k B_k(x) + b_k.

    B_k is the Busemann function of `manifold_in` for the ideal point in the direction u_k, and w is
    the space part of y on the hyperboloid, w / (1 + sqrt(1 + |K| |w|^2)) on the ball: phi(v_k) is
    the signed distance of y from the k-th coordinate hyperplane through the origin. A sphere has no
    point for every w: there y = exp_o(phi(v)), the shortest of its kind; and -B_k is the signed
    distance from a great sphere (see `SpaceForm.busemann`).

    Args:
        manifold_in: where the input lives: constant curvature, Euclidean, or a product of such.
        manifold_out: where the output lives; any such geometry and dimension.
        bias: whether b is there.
        activation: phi, an elementwise function; None for the identity.
        device, dtype: of the parameters.

    Shapes: (*, S_in) -> (*, S_out). Parameters: `direction` u (dim_out, dim_in), in the orthonormal
    frame at the origin, of any length; `log_gain` log g, (dim_out,) or on a product (dim_out,
    factors); `bias` b (dim_out,).

    Raises:
        TypeError: a factor of `manifold_out` is neither Euclidean nor of constant curvature.

    Initial values: u semi-orthogonal, g = |u|, and b what takes a point at radius rho = min(1,
    |K|^-1/2) across u_k to 0, so that points at radius rho stay near it. A point nearer to the
    origin or farther out is off by (dim_out)^1/2 times the difference, because all B_k grow
    together: stacks of these layers need a normalisation between them.

    Flat limit: phi of torch.nn.Linear with weight g u/|u| and bias b, at a distance of order
    |K|^1/2.
    Accuracy: responses beyond 300 |K|^-1/2 (40 in float32) are read as that.
    Source: [chen2026hyperbolic], the Busemann fully-connected layer.
    """

    flat_order = 0.5  # horospheres bend with |K|^1/2
    prefers_points = True  # Busemann functions are read from points

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        bias: bool = True,
        *,
        activation: Callable[[Tensor], Tensor] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out)
        for factor in factors_of(manifold_out):
            if not isinstance(factor, SpaceForm | Euclidean):
                raise TypeError(
                    f"BusemannLinear ends on constant curvature, got {type(factor).__name__};"
                    " noneuclid.layers.Linear ends on any manifold with an origin"
                )
        self.activation = activation
        factors, rows = factors_of(manifold_in), manifold_out.dim
        self.dims_in = tuple(factor.dim for factor in factors)
        shape = (rows, len(factors)) if factors != (manifold_in,) else (rows,)
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.direction = nn.Parameter(torch.empty(rows, manifold_in.dim, **where))
        self.log_gain = nn.Parameter(torch.empty(shape, **where))
        self.bias = nn.Parameter(torch.empty(rows, **where)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw u and g; set b to what the responses are at radius rho across every direction."""
        nn.init.orthogonal_(self.direction)
        offset = torch.zeros_like(self.direction[:, 0], dtype=torch.float64)
        with torch.no_grad():
            parts = self.direction.split(self.dims_in, dim=-1)
            gains = torch.cat([safe_norm(part) for part in parts], dim=-1)
            self.log_gain.copy_(gains.log().reshape(self.log_gain.shape))
            factors = factors_of(self.manifold_in)
            for factor, gain in zip(factors, gains.double().unbind(-1), strict=True):
                offset += gain * _depth_across(factor, offset.device)
            if self.bias is not None:
                self.bias.copy_(offset)

    def forward(self, x: Tensor) -> Tensor:
        """Map points (*, S_in) to points (*, S_out)."""
        return from_normal(self.manifold_out, self._coordinates(x))

    def tangent(self, c: Tensor) -> Tensor:
        """Return the output's normal coordinates from the input's."""
        return self._coordinates(from_normal(self.manifold_in, c))

    def _coordinates(self, x: Tensor) -> Tensor:
        """Return the output's normal coordinates from points."""
        v = busemann_logits(self.manifold_in, x, self.direction, self.log_gain.exp())
        v = v if self.bias is None else v + self.bias
        v = v if self.activation is None else self.activation(v)
        factors = factors_of(self.manifold_out)
        parts = v.split([factor.dim for factor in factors], dim=-1)
        c = [_lifted(factor, part) for factor, part in zip(factors, parts, strict=True)]
        return torch.cat(c, dim=-1)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return g u/|u| and, if there is one, b."""
        gains = self.log_gain.exp().reshape(len(self.direction), len(self.dims_in))
        parts = zip(gains.unbind(-1), self.direction.split(self.dims_in, dim=-1), strict=True)
        weights = [gain[:, None] * u / safe_norm(u) for gain, u in parts]
        flat = {"weight": torch.cat(weights, dim=-1)}
        if self.bias is not None:
            flat["bias"] = self.bias
        return flat


def _depth_across(factor: HomogeneousManifold, device: torch.device) -> Tensor:
    """Return B of a point at the initial radius across the direction: log cosh(r rho) / r."""
    if not isinstance(factor, SpaceForm):
        return torch.zeros(1, dtype=torch.float64, device=device)
    K, rho = factor.curvature(device).detach(), initial_radius(factor, device)
    r = torch.where(K < 0, -K, 1.0).sqrt()
    return torch.where(K < 0, torch.log(torch.cosh(r * rho)) / r, 0.0)


def _lifted(factor: HomogeneousManifold, v: Tensor) -> Tensor:
    """Return the normal coordinates of the point whose responses are `v`: (*, n) -> (*, n)."""
    if not isinstance(factor, SpaceForm):
        return v
    if factor.curvature_sign > 0:
        return principal(factor, v)
    dtype = working_dtype(v.dtype)
    K, given = factor.curvature(v.device), v.to(dtype)
    negative = K < 0
    k = torch.where(negative, -K, 1.0)
    r = k.sqrt().to(dtype)
    largest = _LARGEST if dtype == torch.float64 else _LARGEST_SINGLE
    w = torch.sinh((r * given).clamp(-largest, largest)) / r
    bend = asinck(-k * row_dot(w, w), sign=-1).to(dtype)  # asinh(r|w|) / (r|w|)
    c = (bend * w).to(v.dtype)
    if factor.curvature_sign < 0:
        return c
    return torch.where(negative, c, principal(factor, v))
