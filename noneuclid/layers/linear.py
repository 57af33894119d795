"""The Moebius linear map between any two manifolds with an origin."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import factors_of, principal, to_normal, translate
from noneuclid.manifolds import HomogeneousManifold, ManifoldParameter


class Linear(TangentLayer):
    """y = exp_o(W log_o x) (+) b: a matrix on tangent vectors, then a translation by the point b.

    x (+) b = exp_x(PT_{o->x} log_o b) is Moebius addition on the stereographic models and the same
    map on their isometric twins. W acts on normal coordinates, so W is the same on every model.

    Args:
        manifold_in: where the input lives.
        manifold_out: where the output lives; any geometry and dimension.
        bias: whether b, a `ManifoldParameter` of `manifold_out`, is there.
        mixing: True for one matrix from all coordinates to all; False for one matrix for each pair
            of factors (factor i to factor i; those of nested products count one by one). By default
            False between products of equally many factors, else True.
        gain: factor of the initial semi-orthogonal W; sqrt 2 makes up for a ReLU.
        device, dtype: of the parameters.

    Shapes: (*, S_in) -> (*, S_out). Parameters: `weights`, a list of (dim_out, dim_in) matrices,
    one or one for each factor; `bias` (S_out,).

    Raises:
        ValueError: `mixing=False` between different numbers of factors.

    Initial values: W semi-orthogonal times `gain`, b at the origin, so that a ReLU network keeps
    the radius of its activations: after 24 Linear and ReLU layers of width 32, radius 1 has become
    0.3 to 1.4 (of width 16: 0.07 to 1; narrower stacks of that depth need a `TangentLayerNorm`).

    Flat limit: torch.nn.Linear with the block-diagonal W and the normal coordinates of b.
    Source: [ganea2018hyperbolic] Eq. (27) and (28).
    """

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        bias: bool = True,
        *,
        mixing: bool | None = None,
        gain: float = math.sqrt(2),
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold_in, manifold_out)
        ins, outs = factors_of(manifold_in), factors_of(manifold_out)
        if mixing is None:
            mixing = len(ins) != len(outs)
        if not mixing and len(ins) != len(outs):
            raise ValueError(
                f"mixing=False needs equally many factors, got {len(ins)} and {len(outs)};"
                " use mixing=True"
            )
        self.mixing = mixing or len(ins) == 1
        self.gain = gain
        self.dims_in = (manifold_in.dim,) if self.mixing else tuple(f.dim for f in ins)
        self.dims_out = (manifold_out.dim,) if self.mixing else tuple(f.dim for f in outs)
        self.weights = nn.ParameterList(
            torch.empty(rows, columns, device=device, dtype=dtype)
            for rows, columns in zip(self.dims_out, self.dims_in, strict=True)
        )
        if bias:
            place = torch.get_default_device() if device is None else device
            origin = manifold_out.origin(device=place, dtype=dtype)
            self.bias = ManifoldParameter(origin, manifold_out)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W and put b at the origin."""
        for weight in self.weights:
            nn.init.orthogonal_(weight, self.gain)
        if self.bias is not None:
            with torch.no_grad():
                self.bias.copy_(self.manifold_out.origin(device=self.bias.device))

    def tangent(self, c: Tensor) -> Tensor:
        """Return the normal coordinates of exp_o(W c) (+) b."""
        parts = zip(self.weights, c.split(self.dims_in, dim=-1), strict=True)
        moved = torch.cat([F.linear(part, weight) for weight, part in parts], dim=-1)
        if self.bias is None:
            return principal(self.manifold_out, moved)
        return translate(self.manifold_out, moved, to_normal(self.manifold_out, self.bias))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the block-diagonal weight and, if there is one, the bias in normal coordinates."""
        flat = {"weight": torch.block_diag(*self.weights)}
        if self.bias is not None:
            flat["bias"] = to_normal(self.manifold_out, self.bias)
        return flat

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        return f"{super().extra_repr()}, bias={self.bias is not None}, mixing={self.mixing}"
