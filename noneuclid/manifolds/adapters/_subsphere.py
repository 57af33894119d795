"""geoopt's sphere within a subspace, by the kernels of the sphere of that dimension."""

import torch
from torch import Tensor, nn

from noneuclid.manifolds._geodesic import GeodesicManifold
from noneuclid.manifolds.adapters._wrapper import Wrapper
from noneuclid.manifolds.sphere import Sphere
from noneuclid.numerics import safe_divide, safe_norm, with_derivative_of


class Subsphere(Wrapper, GeodesicManifold):
    """Unit vectors of a linear subspace: geoopt's `Sphere(intersection=...)` or `complement=`.

    With an orthonormal basis b of the subspace it is S^k in the coordinates b^T x, and every
    formula is the sphere's. `random`: the uniform law.

    Of the laws of a manifold it breaks two, which build it again from its repr: that leaves out the
    numbers of the subspace.

    Repaired: all of geoopt's sphere; its transport is a projection, its dist(x, x) is 0.014 in
    float32.
    """

    def __init__(self, source: nn.Module, shape: tuple[int, ...]) -> None:
        projector = source.projector
        if not isinstance(projector, Tensor) or projector.dim() != 2:
            raise ValueError("a sphere within a batch of subspaces has no single geometry")
        if shape != projector.shape[-1:]:
            raise ValueError(f"the subspace lies in R^{projector.shape[-1]}, got {shape}")
        super().__init__(source, shape)
        values, vectors = torch.linalg.eigh(projector.detach().to(torch.float64))
        self.basis = vectors[:, values > 0.5]  # no buffer: it stays in float64
        self.dim = self.basis.shape[1] - 1
        self.sphere = Sphere(self.dim)

    def _constructor(self) -> str:
        rows, columns = self.basis.shape  # its numbers would fill a page
        return f"Sphere(intersection=<{rows} x {columns}>)"

    @property
    def injectivity_radius(self) -> Tensor:
        """Return pi: float64, shape ()."""
        return self.sphere.injectivity_radius

    def _inside(self, x: Tensor) -> Tensor:
        return x @ self.basis.to(x)

    def _outside(self, z: Tensor) -> Tensor:
        return z @ self.basis.to(z).mT

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        moved = self._outside(self.sphere._projx(self._inside(x), torch.float64))
        near = (x - moved).abs().amax(-1, keepdim=True) <= 4 * torch.finfo(dtype).eps
        return with_derivative_of(torch.where(near, x, moved), moved)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return self._outside(self.sphere._proju(self._inside(x), self._inside(u)))

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self.sphere._inner(self._inside(x), self._inside(u), self._inside(v))

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self._proju(x, g)

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        y = self.sphere._expmap(self._inside(x), self._inside(u), torch.float64)
        still = (u == 0).all(-1, keepdim=True)
        moved = self._outside(y)
        return with_derivative_of(torch.where(still, self._projx(x, dtype), moved), moved)

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        return self._outside(self.sphere._logmap(self._inside(x), self._inside(y)))

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        return self.sphere._dist2(self._inside(x), self._inside(y))

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return self._outside(self.sphere._transp(*map(self._inside, (x, y, v))))

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        return self._outside(self.sphere._midpoint(self._inside(x), w, torch.float64))

    def _frechet_mean(self, x: Tensor, w: Tensor, steps: int) -> Tensor:
        return self._outside(self.sphere._frechet_mean(self._inside(x), w, steps))

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        return self._projx(self._normal(size, generator, device), dtype).to(dtype)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self._proju(x, self._normal(x.shape[:-1], generator, x.device))

    def _violation(self, x: Tensor) -> Tensor:
        x = x.to(torch.float64)
        off = safe_norm(x - self._outside(self._inside(x)))[..., 0]
        return torch.maximum(off, (safe_norm(x)[..., 0] - 1).abs())

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        x, u = torch.broadcast_tensors(x.to(torch.float64), u.to(torch.float64))
        size = safe_norm(u)[..., 0]
        return safe_divide(safe_norm(u - self._proju(x, u))[..., 0], size)
