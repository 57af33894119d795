"""Linear maps of ambient coordinates: what the layers written on the hyperboloid share."""

import math
from abc import abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import principal
from noneuclid.manifolds import Euclidean, HomogeneousManifold, Lorentz, SpaceForm
from noneuclid.manifolds._lorentz_formulas import with_time
from noneuclid.numerics import (
    asinck,
    compute,
    dots,
    joined,
    rows,
    turn,
    working_dtype,
)

# Radius, in units of |K|^-1/2, beyond which points and offsets are read as if they were there:
# next to the last shell of the hyperboloid in float32, so that no product overflows.
REACH = 40.0


class AmbientLinear(TangentLayer):
    """X_out = response(M (T, X) + b): a matrix on ambient coordinates of a hyperboloid.

    With K the curvature where it is negative, else 0, (T, X) are T = cosk(K |c|^2), X =
    sinck(K |c|^2) c of normal coordinates c, T without unit and X a length; the output has the
    space part X_out. K = 0 is the tangent map at the origin, c -> response(M (1, c) + b): the form
    of the layer on spheres, and for free curvatures the one they pass into, continuously, where
    they become positive.

    A concrete layer supplies `_add_parameters`, `reset_parameters`, `_matrix` and `_response`.

    Raises:
        TypeError: a product, or a manifold without constant curvature.
    """

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        bias: bool = True,
        *,
        gain: float = math.sqrt(2),
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out)
        for manifold in (manifold_in, manifold_out):
            if not isinstance(manifold, SpaceForm | Euclidean):
                raise TypeError(
                    f"{type(self).__name__} acts on one factor of constant curvature, got"
                    f" {manifold!r}; noneuclid.layers.Linear(..., variant=...) takes products"
                )
        self.prefers_points = isinstance(manifold_in, Lorentz) and isinstance(manifold_out, Lorentz)
        self.has_bias, self.gain = bool(bias), gain
        self._add_parameters({"device": device, "dtype": dtype})
        self.reset_parameters()

    @abstractmethod
    def _add_parameters(self, where: dict[str, Any]) -> None:
        """Make room for the parameters, on `where`: device and dtype."""

    @abstractmethod
    def _matrix(self) -> tuple[Tensor, Tensor | None]:
        """Return M, (rows, 1 + dim_in) with the column of T first, and b, (rows,)."""

    @abstractmethod
    def _response(self, v: Tensor) -> Tensor:
        """Return the space part from M (T, X) + b: (*, rows) -> (*, dim_out)."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Map points (*, S_in) to points (*, S_out); those of the hyperboloid as they are."""
        if not self.prefers_points:
            return super().forward(x)
        self.manifold_in._check(x)
        curved = self.manifold_in
        assert isinstance(curved, Lorentz)
        if curved.curvature.learnable:  # K may have moved: the time is derived
            x = curved.projx(x)
        matrix, bias = self._matrix()
        rate = (-curvature_below(curved, x.device)).sqrt()  # T = rate times the time entry
        unit = torch.cat([rate, torch.ones_like(rate).expand(curved.dim)])
        space = self._response(_applied(x.to(working_dtype(x.dtype)), matrix * unit, bias))
        scalars = (curvature_below(self.manifold_out, x.device),)
        space = space.to(working_dtype(x.dtype))
        return compute(with_time, scalars, (space,), dtype=x.dtype).to(x.dtype)

    def tangent(self, c: Tensor) -> Tensor:
        """Return the normal coordinates of the output."""
        matrix, bias = self._matrix()
        c_in = c.to(working_dtype(c.dtype))
        if is_flat(self.manifold_in):
            shift = matrix[:, 0] if bias is None else matrix[:, 0] + bias
            space = self._response(_applied(c_in, matrix[:, 1:], shift))
        else:
            scalars = (curvature_below(self.manifold_in, c.device),)
            space = self._response(_applied(compute(_ambient, scalars, (c_in,)), matrix, bias))
        if not is_flat(self.manifold_out):
            scalars = (curvature_below(self.manifold_out, c.device),)
            space = compute(_normal, scalars, (space.to(c_in.dtype),))
        return principal(self.manifold_out, space.to(c.dtype))

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        return f"{super().extra_repr()}, bias={self.has_bias}"


def is_flat(manifold: HomogeneousManifold) -> bool:
    """Tell whether K is never negative: then the tangent map at the origin is the layer."""
    return not isinstance(manifold, SpaceForm) or manifold.curvature_sign > 0


def curvature_below(manifold: HomogeneousManifold, device: torch.device) -> Tensor:
    """Return min(K, 0) as float64 (1,)."""
    if not isinstance(manifold, SpaceForm) or is_flat(manifold):
        return torch.zeros(1, dtype=torch.float64, device=device)
    curvature = manifold.curvature(device)
    return curvature if manifold.curvature_sign else curvature.clamp(max=0)


def _applied(x: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
    return F.linear(x, matrix.to(x.dtype), None if bias is None else bias.to(x.dtype))


def _ambient(K: Tensor, c: Tensor) -> Tensor:
    """Return (T, X) of normal coordinates."""
    (C,) = rows(c)
    (cc,) = dots((C, C))
    height, stretch = turn(K * cc, REACH, sign=-1)
    return joined(height, (stretch * C).to(c.dtype))


def _normal(K: Tensor, space: Tensor) -> Tensor:
    """Return the normal coordinates asinck(K |X|^2) X of the point with space part X."""
    (X,) = rows(space)
    (xx,) = dots((X, X))
    return (asinck(K * xx, sign=-1) * X).to(space.dtype)
