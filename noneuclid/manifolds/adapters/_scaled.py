"""geoopt's `Scaled`: a manifold whose lengths are multiplied by a constant."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from noneuclid.manifolds._base import Manifold
from noneuclid.manifolds._geodesic import GeodesicManifold


class _Scaled(Manifold):
    """The points of `base` with the metric s^2 <u, v>, s the scale of a geoopt `Scaled`.

    A tangent vector is a velocity in coordinates, as everywhere here: exp, log and transport are
    those of `base`, the inner product carries s^2 and the gradient 1 / s^2. geoopt's tangent
    vectors are s times as long, its inner product has no s, and its gradient is s times too long
    for them: after `egrad2rgrad` a step of geoopt's is s times ours at the same learning rate.

    Args:
        base: the manifold of scale 1.
        source: geoopt's, whose scale is read at each call; learnable if that is.
        shape: geoopt's shape of one point.
    """

    @abstractmethod  # a tier says what its base must be
    def __init__(self, base: Manifold, source: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.base = base
        self.shape = shape
        self.dim, self.point_shape = base.dim, base.point_shape
        self.retraction_order = base.retraction_order
        log_scale = source._log_scale
        self.register_parameter("log_scale", log_scale)  # type: ignore[arg-type]
        self.register_buffer("fixed_scale", None if log_scale is not None else source._scale)

    log_scale: nn.Parameter | None
    fixed_scale: Tensor | None

    def scale(self) -> Tensor:
        """Return s: float64, shape ()."""
        if self.log_scale is not None:
            return self.log_scale.to(torch.float64).exp()
        assert self.fixed_scale is not None
        return self.fixed_scale.to(torch.float64)

    def same_as(self, other: nn.Module) -> bool:
        """Tell whether `other` is the same base, scaled alike."""
        return (
            isinstance(other, _Scaled)
            and type(self) is type(other)
            and self.base.same_as(other.base)
            and (self.log_scale is None) == (other.log_scale is None)
            and bool(torch.isclose(self.scale(), other.scale(), rtol=1e-6))
        )

    def __repr__(self) -> str:
        number = torch.nan if self.scale().is_meta else float(self.scale().detach())
        learnable = ", learnable=True" if self.log_scale is not None else ""
        scaled = f"geoopt.Scaled(to_geoopt({self.base!r}), {number:.9g}{learnable})"
        return f"from_geoopt({scaled}, {self.shape})"

    def _call(self, formula: Callable[..., Tensor], *tensors: Tensor, returns: str = "") -> Tensor:
        return self.base._call(formula, *tensors, returns=returns)

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return self.base._projx(x, dtype)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return self.base._proju(x, u)

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self.scale().to(x.device) ** 2 * self.base._inner(x, u, v)

    def _component_inner(self, x: Tensor, u: Tensor) -> Tensor:
        return self.scale().to(x) ** 2 * self.base._component_inner(x, u)

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self.base._egrad2rgrad(x, g) / self.scale().to(x) ** 2

    def _retr(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self.base._retr(x, u, dtype)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return self.base._transp(x, y, v)

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        return self.base._random(size, generator, dtype, device)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self.base._random_tangent(x, generator) / self.scale().to(x)

    def _violation(self, x: Tensor) -> Tensor:
        return self.base._violation(x)

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        return self.base._tangent_violation(x, u)


class Scaled(_Scaled):
    """A scaled manifold of the first tier."""

    def __init__(self, base: Manifold, source: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__(base, source, shape)


class ScaledGeodesic(_Scaled, GeodesicManifold):
    """A scaled manifold with geodesics."""

    base: GeodesicManifold

    def __init__(self, base: GeodesicManifold, source: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__(base, source, shape)

    @property
    def injectivity_radius(self) -> Tensor:
        """Return s times that of the base: float64, shape ()."""
        radius = self.base.injectivity_radius
        return self.scale().detach().to(radius.device) * radius

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self.base._expmap(x, u, dtype)

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        return self.base._logmap(x, y)

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        return self.scale().to(x.device) ** 2 * self.base._dist2(x, y)

    def _cdist(self, x: Tensor, y: Tensor) -> Tensor:
        distances = self.base._cdist(x, y)
        return self.scale().to(distances) * distances

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        return self.base._midpoint(x, w, dtype)

    def _frechet_mean(self, x: Tensor, w: Tensor, steps: int) -> Tensor:
        return self.base._frechet_mean(x, w, steps)
