"""Linear: the linear map users write, made of one variant for each pair of factors."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers.linear.busemann import BusemannLinear
from noneuclid.layers.linear.gated import GatedLinear
from noneuclid.layers.linear.htc import HTCLinear
from noneuclid.layers.linear.mobius import Bias, MobiusLinear
from noneuclid.layers.linear.poincare import PoincareLinear
from noneuclid.layers.linear.spacelike import SpacelikeLinear
from noneuclid.manifolds import HomogeneousManifold, Lorentz
from noneuclid.manifolds.product import factors_of

# Each is called with (manifold_in, manifold_out, bias, *, device, dtype) and options of its own.
VARIANTS: dict[str, Callable[..., TangentLayer]] = {
    "busemann": BusemannLinear,
    "gated": GatedLinear,
    "htc": HTCLinear,
    "mobius": MobiusLinear,
    "poincare": PoincareLinear,
    "spacelike": SpacelikeLinear,
}


class Linear(TangentLayer):
    """A linear map between any manifolds, factor by factor or mixing the factors of a product.

    | variant | layer | formula |
    | --- | --- | --- |
    | "spacelike" | `SpacelikeLinear` | X_k = <V_k, x>, V_k spacelike; default between Lorentz |
    | "mobius" | `MobiusLinear` | exp_o(W log_o x) (+) b; default elsewhere |
    | "poincare" | `PoincareLinear` | X_k = sin_K of scaled distances to hyperplanes |
    | "gated" | `GatedLinear` | a direction and a gated radius |
    | "htc" | `HTCLinear` | X = W (T, X), and the change of curvature |
    | "busemann" | `BusemannLinear` | X_k = sin_K of scaled Busemann functions |

    Args:
        manifold_in: where the input lives.
        manifold_out: where the output lives; any geometry and dimension.
        bias: whether there is a bias; "tangent" and "point" choose that of `MobiusLinear`.
        variant: a name of the table, for every pair of factors; by default as it says there.
        mixing: True for one Moebius map on the normal coordinates of all factors; False for one
            layer for each pair of factors (factor i to factor i; those of nested products count
            one by one). By default False between products of equally many factors, else True.
        device, dtype: of the parameters.
        options: of the variants, such as `gain`.

    Shapes: (*, S_in) -> (*, S_out). Parameters: those of `parts`, a list of the layers.

    Raises:
        ValueError: an unknown variant; `mixing=False` between different numbers of factors;
            mixing with a variant other than "mobius". TypeError: an option the variant lacks.

    Initial values and flat limit: those of the parts. The twin of a `Linear` whose variants all
    have one is torch.nn.Linear with the block-diagonal weight.
    Source: see the variants.
    """

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: HomogeneousManifold,
        bias: Bias = True,
        *,
        variant: str | None = None,
        mixing: bool | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__(manifold_in, manifold_out)
        if variant is not None and variant not in VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
        ins, outs = factors_of(manifold_in), factors_of(manifold_out)
        self.variant = variant
        self.mixing = _mixes(ins, outs, variant, mixing)
        pairs = [(manifold_in, manifold_out)] if self.mixing else list(zip(ins, outs, strict=True))
        self.parts = nn.ModuleList(
            _variant(a, b, variant)(a, b, bias, device=device, dtype=dtype, **options)
            for a, b in pairs
        )
        self.dims = tuple(a.dim for a, _ in pairs)
        self.widths = tuple(a.point_shape[0] for a, _ in pairs)
        self.prefers_points = all(part.prefers_points for part in self._layers())

    def _layers(self) -> list[TangentLayer]:
        return [part for part in self.parts if isinstance(part, TangentLayer)]

    def reset_parameters(self) -> None:
        """Draw fresh parameters in every part."""
        for part in self._layers():
            part.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """Map points (*, S_in) to points (*, S_out)."""
        layers = self._layers()
        if len(layers) == 1:
            return layers[0](x)
        self.manifold_in._check(x)
        parts = zip(layers, x.split(self.widths, dim=-1), strict=True)
        return torch.cat([layer(part) for layer, part in parts], dim=-1)

    def tangent(self, c: Tensor) -> Tensor:
        """Return the parts' outputs, side by side."""
        layers = self._layers()
        if len(layers) == 1:
            return layers[0].tangent(c)
        parts = zip(layers, c.split(self.dims, dim=-1), strict=True)
        return torch.cat([layer.tangent(part) for layer, part in parts], dim=-1)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return weight and bias of all parts as one map; of parts without such a twin, theirs."""
        flat = [layer.flat_parameters() for layer in self._layers()]
        if any(not parameters.keys() <= {"weight", "bias"} for parameters in flat):
            return {
                f"parts.{i}.{name}": value
                for i, each in enumerate(flat)
                for name, value in each.items()
            }
        joined = {"weight": torch.block_diag(*(each["weight"] for each in flat))}
        if all("bias" in each for each in flat):
            joined["bias"] = torch.cat([each["bias"] for each in flat])
        return joined

    def extra_repr(self) -> str:
        """Return the manifolds and options."""
        return f"{super().extra_repr()}, variant={self.variant!r}, mixing={self.mixing}"


def _mixes(
    ins: tuple[HomogeneousManifold, ...],
    outs: tuple[HomogeneousManifold, ...],
    variant: str | None,
    mixing: bool | None,
) -> bool:
    """Tell whether one Moebius map takes all factors to all."""
    if mixing is None:
        mixing = len(ins) != len(outs)
    if not mixing and len(ins) != len(outs):
        raise ValueError(
            f"mixing=False needs equally many factors, got {len(ins)} and {len(outs)};"
            " use mixing=True"
        )
    mixing = mixing and len(ins) + len(outs) > 2  # from one factor to one there is nothing to mix
    if mixing and variant not in (None, "mobius"):
        raise ValueError(
            f"variant={variant!r} maps one factor to one; factors are mixed by variant='mobius',"
            f" got {len(ins)} and {len(outs)} factors"
        )
    return mixing


def _variant(
    a: HomogeneousManifold, b: HomogeneousManifold, variant: str | None
) -> Callable[..., TangentLayer]:
    """Return the class for a pair; where nothing is asked for, the default."""
    both = isinstance(a, Lorentz) and isinstance(b, Lorentz)
    return VARIANTS[variant or ("spacelike" if both else "mobius")]
