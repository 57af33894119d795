"""The curvature of a geoopt manifold as one of ours: one parameter, two conventions."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from noneuclid.manifolds._curvature import Curvature


class SharedCurvature(Curvature):
    """K read from a geoopt manifold's own learnable parameter at each call.

    The parameter is geoopt's, under geoopt's parametrisation: there is one tensor, an optimizer
    of either library moves it, and K follows. It is not kept in the range of `Curvature`. On the
    hyperboloid our derivatives by it hold the space part of points, geoopt's all coordinates. The
    repr of a manifold builds a `Curvature` of our own: a state dict of the one does not fit into
    the other, the only law of a manifold that is broken.

    | geoopt | parameter | K |
    | --- | --- | --- |
    | `PoincareBall` | `isp_c` | -softplus(isp_c) = -c |
    | `SphereProjection` | `isp_k` | softplus(isp_k) |
    | `Stereographic` | `k` | k |
    | `Lorentz` | `k`, a squared radius | -1 / k |
    """

    def __init__(self, raw: nn.Parameter, convention: str) -> None:
        nn.Module.__init__(self)
        self.raw = raw
        self.convention = convention
        self.sign = _SIGNS[convention]
        self.learnable = True

    def forward(self, device: torch.device | None = None) -> Tensor:
        """Return K as a float64 tensor of shape (1,) on `device` (default: where it lives)."""
        return _curvature(self.raw, self.convention).reshape(1).to(device)

    def __float__(self) -> float:
        return float("nan") if self.raw.is_meta else float(self.forward().detach())


def curvature_of(raw: nn.Parameter, convention: str) -> Curvature:
    """Return the curvature of a geoopt manifold: its number if fixed, shared if it learns."""
    if raw.requires_grad or raw.is_meta:
        return SharedCurvature(raw, convention)
    return Curvature(float(_curvature(raw, convention)), sign=_SIGNS[convention])


def _curvature(raw: Tensor, convention: str) -> Tensor:
    # in the parameter's own dtype first: the very number that geoopt computes with
    return _RULES[convention](raw).to(torch.float64)


def _ball(raw: Tensor) -> Tensor:
    return -nn.functional.softplus(raw)


def _lorentz(raw: Tensor) -> Tensor:
    return -1 / raw


def _same(raw: Tensor) -> Tensor:
    return raw


_RULES: dict[str, Callable[[Tensor], Tensor]] = {
    "PoincareBall": _ball,
    "SphereProjection": nn.functional.softplus,
    "Stereographic": _same,
    "Lorentz": _lorentz,
}
_SIGNS = {"PoincareBall": -1, "SphereProjection": 1, "Stereographic": 0, "Lorentz": -1}
