"""Residual connections: what takes the place of x + f(x)."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from noneuclid.layers._base import Layer, TangentLayer
from noneuclid.layers._masking import coordinates_only, points_only
from noneuclid.layers._normal import from_normal, to_normal, translate
from noneuclid.layers._pair import weighted_pair
from noneuclid.layers.chain import same_space
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of

Kind = Literal["mobius", "midpoint", "lorentz"]


class ResidualSum(nn.Module):
    """Put a point y next to a point x: the sum of a residual connection, on a manifold.

    With a weight s > 0 for each factor, m(x, y) the direction of x + s y in ambient coordinates
    (T, X), which is the gyromidpoint of two points with weights 1 and s, on every model:

    | kind | x combined with y | at K = 0 | a fresh one |
    | --- | --- | --- | --- |
    | mobius | x (+) (s (x) y) = exp_x(PT_{o->x} s log_o y) | x + s y | s = gain |
    | midpoint | m(x, y) | (x + s y) / (1 + s) | s = gain |
    | lorentz | m(x, y), its space part X times a | a (x + s y) / (1 + s) | s = gain, a = 1 + gain |

    The first keeps y as it is: x = o gives s (x) y. The second commutes with every motion of the
    space, and never goes farther out than the farther point. The third is the second with its
    length given back, one pass, no logarithm of a point at another; where K >= 0 a multiplies
    log_o m, as a sphere has no point for every space part; deep stacks on a sphere then gather
    near the antipode of the origin, which the first two do not.

    Args:
        manifold: of x, y and the result.
        kind: as in the table; all but "mobius" need constant curvature, or flat factors.
        gain: initial s. The radius grows with every residual; L of them with gain L^-1/2 keep it.
        learnable: whether s and a are parameters.
        device, dtype: of the parameters.

    Shapes: x, y (*, S) -> (*, S). Parameters: `log_weight` (factors,), log s; `log_scale`
    (factors,), log a, for "lorentz".

    Raises:
        ValueError: an unknown kind, gain <= 0. TypeError: not a manifold with an origin.

    Accuracy: "mobius" as `translate` in `_normal.py`; the others a few eps e^min(|x|, |y|), lengths
    in units of |K|^-1/2: the squared length of 1 and s, 1 + s^2 + 2 s cosh d(x, y), has positive
    terms only, and cosh d is formed from the half chord.
    Source: [ganea2018hyperbolic] Eq. (28); [shimizu2021hyperbolic] for the midpoint;
    [he2024lresnet] for the third.
    """

    log_weight: Tensor
    log_scale: Tensor | None

    def __init__(
        self,
        manifold: HomogeneousManifold,
        kind: Kind = "mobius",
        *,
        gain: float = 1.0,
        learnable: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(manifold, HomogeneousManifold):
            raise TypeError(
                f"ResidualSum needs a manifold with an origin, got {type(manifold).__name__}"
            )
        if kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")
        if gain <= 0:
            raise ValueError(f"gain must be positive, got {gain}; the smaller, the less y counts")
        self.manifold, self.kind, self.gain, self.learnable = manifold, kind, gain, learnable
        self.dims = tuple(factor.dim for factor in factors_of(manifold))
        self._add("log_weight", device, dtype)
        if kind == "lorentz":
            self._add("log_scale", device, dtype)
        else:
            self.register_parameter("log_scale", None)
        self.reset_parameters()

    def _add(self, name: str, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        value = torch.empty(len(self.dims), device=device, dtype=dtype)
        if self.learnable:
            self.register_parameter(name, nn.Parameter(value))
        else:
            self.register_buffer(name, value)

    def reset_parameters(self) -> None:
        """Set s to `gain` and a to 1 + `gain`."""
        with torch.no_grad():
            self.log_weight.fill_(self.gain).log_()
            if self.log_scale is not None:
                self.log_scale.fill_(1 + self.gain).log_()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the combination of two points, as a point."""
        c, d = to_normal(self.manifold, x), to_normal(self.manifold, y)
        return from_normal(self.manifold, self.tangent(c, d))

    def tangent(self, c: Tensor, d: Tensor | Sequence[Tensor]) -> Tensor:
        """Return it in normal coordinates: (*, dim), (*, dim) -> (*, dim).

        `d` may come as the coordinates of each factor, which then need not be put together.
        """
        weights = self.log_weight.exp().split(1)
        factors = factors_of(self.manifold)
        added = d.split(self.dims, -1) if isinstance(d, Tensor) else d
        parts = list(zip(factors, c.split(self.dims, -1), added, strict=True))
        if self.kind == "mobius":
            sums = [translate(*part, weight) for part, weight in zip(parts, weights, strict=True)]
        else:
            scales: Sequence[Tensor | None] = [None] * len(weights)
            if self.log_scale is not None:
                scales = self.log_scale.exp().split(1)
            sums = [
                weighted_pair(*part, weight, scale)
                for part, weight, scale in zip(parts, weights, scales, strict=True)
            ]
        return sums[0] if len(sums) == 1 else torch.cat(sums, dim=-1)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return s as `weight` and, for "lorentz", a as `scale`."""
        flat = {"weight": self.log_weight.exp()}
        if self.log_scale is not None:
            flat["scale"] = self.log_scale.exp()
        return flat

    def extra_repr(self) -> str:
        """Return the manifold and options."""
        return f"{self.manifold!r}, {self.kind}, gain={self.gain}, learnable={self.learnable}"


class Residual(TangentLayer):
    """y = x combined with f(x): a layer f with a residual connection around it.

    Args:
        layer: f, from a manifold to itself; `Chain(norm, ...)` makes it a pre-norm block.
        kind, gain, learnable, device, dtype: of the `ResidualSum` that combines x and f(x).

    Shapes: those of `layer`, whose input and output have one shape. A mask, and every other
    argument of `layer`, is handed on; what stands in masked places changes nothing.

    Raises:
        TypeError: not a layer. ValueError: the layer ends on another manifold than it starts from.

    Initial values: with `gain` s a chain of pre-norm blocks at radius R gains about s R a block;
    `gain=L**-0.5` holds L residuals near their initial radius (1/sqrt(2 depth) in a transformer,
    which has two in each block).

    Flat limit: x + s f(x), or the means that the table of `ResidualSum` gives.
    Source: as `ResidualSum`.
    """

    def __init__(
        self,
        layer: Layer,
        kind: Kind = "mobius",
        *,
        gain: float = 1.0,
        learnable: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"Residual needs a layer, got {type(layer).__name__}")
        if not same_space(layer.manifold_in, layer.manifold_out):
            raise ValueError(
                f"Residual needs a layer that ends where it starts, got {layer.manifold_in!r} ->"
                f" {layer.manifold_out!r}; share a learnable curvature with manifold.like(dim)"
            )
        super().__init__(layer.manifold_in, layer.manifold_out)
        self.layer = layer
        self.takes_mask = layer.takes_mask
        self.sum = ResidualSum(
            layer.manifold_out, kind, gain=gain, learnable=learnable, device=device, dtype=dtype
        )

    def reset_parameters(self) -> None:
        """Draw fresh parameters for the layer and the sum."""
        self.layer.reset_parameters()
        self.sum.reset_parameters()

    def forward(self, x: Tensor, mask: Tensor | None = None, **kwargs: Any) -> Tensor:
        """Map points to points of the same shape; the arguments after x are the layer's."""
        x = points_only(self.manifold_in, x, mask)
        c = self.tangent(to_normal(self.manifold_in, x), mask, **kwargs)
        return from_normal(self.manifold_out, c)

    def tangent(self, c: Tensor, mask: Tensor | None = None, **kwargs: Any) -> Tensor:
        """Return the combination of c and the layer's output, in normal coordinates."""
        c = coordinates_only(c, mask)
        if mask is not None:
            kwargs["mask"] = mask
        if isinstance(self.layer, TangentLayer):
            branch = self.layer.tangent(c, **kwargs)
        else:
            x = from_normal(self.manifold_in, c)
            branch = to_normal(self.manifold_out, self.layer(x, **kwargs))
        return self.sum.tangent(c, branch)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the twin's parameters, after `layer.`, and those of the sum, after `sum.`."""
        inner = {f"layer.{name}": v for name, v in self.layer.flat_parameters().items()}
        return inner | {f"sum.{name}": v for name, v in self.sum.flat_parameters().items()}
