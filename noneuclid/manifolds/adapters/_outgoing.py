"""To geoopt: our manifolds as subclasses of geoopt's. Imported when first asked for."""

from typing import Any

import geoopt
import torch
from torch import Tensor

from noneuclid.manifolds._base import Manifold
from noneuclid.manifolds._geodesic import GeodesicManifold, HomogeneousManifold


class NoneuclidManifold(geoopt.Manifold):
    """One of our manifolds under geoopt's contract: what its optimizers and parameters call.

    It has geoopt's signatures (`keepdim`, `random(*shape)`), our formulas and our vectors; the
    manifold is its sub-module, so a learnable curvature is among its parameters.
    """

    name = "noneuclid"
    reversible = False

    def __init__(self, manifold: Manifold) -> None:
        super().__init__()
        self.manifold = manifold
        self.ndim = len(manifold.point_shape)

    def extra_repr(self) -> str:
        """Return our manifold's repr."""
        return repr(self.manifold)

    def _kept(self, scalar: Tensor, keepdim: bool) -> Tensor:
        return scalar[(..., *(None,) * self.ndim)] if keepdim else scalar

    def retr(self, x: Tensor, u: Tensor) -> Tensor:
        """Return our retraction."""
        return self.manifold.retr(x, u)

    def expmap(self, x: Tensor, u: Tensor) -> Tensor:
        """Raise: the manifold has no exponential map (geoopt's contract wants the method)."""
        raise NotImplementedError(f"{self.manifold!r} has no exponential map; use retr")

    def transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """Return our transport."""
        return self.manifold.transp(x, y, v)

    def inner(
        self, x: Tensor, u: Tensor, v: Tensor | None = None, *, keepdim: bool = False
    ) -> Tensor:
        """Return our inner product; `keepdim` keeps the axes of a point."""
        return self._kept(self.manifold.inner(x, u, v), keepdim)

    def norm(self, x: Tensor, u: Tensor, *, keepdim: bool = False) -> Tensor:
        """Return our norm."""
        return self._kept(self.manifold.norm(x, u), keepdim)

    def component_inner(self, x: Tensor, u: Tensor, v: Tensor | None = None) -> Tensor:
        """Return <u, v> by parts, by polarisation where `v` is given."""
        if v is None:
            return self.manifold.component_inner(x, u)
        both, apart = (self.manifold.component_inner(x, w) for w in (u + v, u - v))
        return (both - apart) / 4

    def proju(self, x: Tensor, u: Tensor) -> Tensor:
        """Return our tangent projection."""
        return self.manifold.proju(x, u)

    def egrad2rgrad(self, x: Tensor, u: Tensor) -> Tensor:
        """Return our Riemannian gradient."""
        return self.manifold.egrad2rgrad(x, u)

    def projx(self, x: Tensor) -> Tensor:
        """Return our projection."""
        return self.manifold.projx(x)

    def random(self, *size: int, dtype: Any = None, device: Any = None, **_: Any) -> Tensor:
        """Return random points of the whole shape `size`, by our law."""
        shape = tuple(torch.Size(size[0] if size and not isinstance(size[0], int) else size))
        fits, reason = self._check_shape(shape, "size")
        if not fits:
            raise ValueError(reason)
        batch = shape[: len(shape) - self.ndim]
        return self.manifold.random(*batch, dtype=dtype, device=device)

    def _check_shape(self, shape: Any, name: str) -> tuple[bool, str | None]:
        if tuple(shape[len(shape) - self.ndim :]) == self.manifold.point_shape:
            return True, None
        return False, f"`{name}` must end in {self.manifold.point_shape}, got {tuple(shape)}"

    def _check_point_on_manifold(
        self, x: Tensor, *, atol: float = 1e-5, rtol: float = 1e-5
    ) -> tuple[bool, str | None]:
        ok = bool(self.manifold.check_point(x, rtol=atol + rtol).all())
        return ok, None if ok else f"not on {self.manifold!r}"

    def _check_vector_on_tangent(
        self, x: Tensor, u: Tensor, *, atol: float = 1e-5, rtol: float = 1e-5
    ) -> tuple[bool, str | None]:
        ok = bool(self.manifold.check_vector(x, u, rtol=atol + rtol).all())
        return ok, None if ok else f"not tangent to {self.manifold!r}"


class NoneuclidGeodesicManifold(NoneuclidManifold):
    """The same with geodesics."""

    manifold: GeodesicManifold

    def expmap(self, x: Tensor, u: Tensor) -> Tensor:
        """Return our exponential map."""
        return self.manifold.expmap(x, u)

    def logmap(self, x: Tensor, y: Tensor) -> Tensor:
        """Return our logarithm."""
        return self.manifold.logmap(x, y)

    def dist(self, x: Tensor, y: Tensor, *, keepdim: bool = False) -> Tensor:
        """Return our distance."""
        return self._kept(self.manifold.dist(x, y), keepdim)

    def dist2(self, x: Tensor, y: Tensor, *, keepdim: bool = False) -> Tensor:
        """Return our squared distance."""
        return self._kept(self.manifold.dist2(x, y), keepdim)

    def origin(self, *size: int, dtype: Any = None, device: Any = None, seed: Any = 42) -> Tensor:
        """Return the origin where there is one, a random point of this seed elsewhere."""
        if not isinstance(self.manifold, HomogeneousManifold):
            return super().origin(*size, dtype=dtype, device=device, seed=seed)
        batch = size[: len(size) - self.ndim]
        return self.manifold.origin(*batch, dtype=dtype, device=device)


def wrap(manifold: Manifold) -> NoneuclidManifold:
    """Return the geoopt manifold of the tier of `manifold`."""
    if isinstance(manifold, GeodesicManifold):
        return NoneuclidGeodesicManifold(manifold)
    return NoneuclidManifold(manifold)
