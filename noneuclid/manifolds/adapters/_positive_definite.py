"""geoopt's symmetric positive definite matrices with the affine-invariant metric."""

import math

import torch
from torch import Tensor, nn

from noneuclid.manifolds._geodesic import GeodesicManifold
from noneuclid.manifolds.adapters._definite import (
    cholesky,
    definite_violation,
    project_definite,
    symmetric_normal,
    whiten,
)
from noneuclid.manifolds.adapters._wrapper import Wrapper, across, relative, square_side
from noneuclid.numerics import (
    safe_divide,
    safe_sqrt,
    symmetric_expm1,
    symmetric_log1p,
    symmetric_part,
    symmetric_sqrt1p,
)

STEPS = 12  # of the midpoint


class _AffineInvariant(Wrapper):
    """The formulas that both tiers share."""

    retraction_order = 2

    def __init__(self, source: nn.Module, shape: tuple[int, ...]) -> None:
        side = square_side(shape, "SymmetricPositiveDefinite")
        super().__init__(source, shape)
        self.dim = side * (side + 1) // 2

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return project_definite(x, dtype)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return symmetric_part(across(x, u))

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        c = cholesky(x)
        return (whiten(c, u) * whiten(c, v)).sum((-1, -2))

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return symmetric_part(x @ symmetric_part(g) @ x)

    def _retr(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._projx(x + u + u @ torch.cholesky_solve(u, cholesky(x)) / 2, dtype)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        x, y, v = torch.broadcast_tensors(x, y, v)
        c = cholesky(x)
        half = symmetric_sqrt1p(whiten(c, y - x))
        carry = torch.linalg.solve_triangular(c, c @ half, upper=False, left=False)
        return symmetric_part(carry @ v @ carry.mT)

    def _exp(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        x = self._projx(x, dtype)
        c = cholesky(x)
        limit = math.log(torch.finfo(dtype).max) / 2
        # x + c (exp(s) - 1) c^T: exp_x(0) is x bit for bit
        return self._projx(x + c @ symmetric_expm1(whiten(c, u), limit) @ c.mT, dtype)

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        normal = self._normal(size, generator, device)
        one = torch.eye(self.shape[0], dtype=torch.float64, device=device)
        return self._exp(one.expand_as(normal), symmetric_part(normal) / 2, dtype).to(dtype)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        c = cholesky(x)
        normal = self._normal(x.shape[:-2], generator, x.device)
        return symmetric_part(c @ symmetric_normal(normal) @ c.mT)

    def _violation(self, x: Tensor) -> Tensor:
        return definite_violation(x)

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        return relative(u - u.mT, u)


class PositiveDefinite(_AffineInvariant):
    """geoopt's `SymmetricPositiveDefinite("SM")` and `("LEM")`: what an optimizer needs.

    These two metrics change geoopt's `dist` alone; its inner product, gradient, retraction and
    transport are those of the affine-invariant metric whatever the name, and so are these. As the
    distance is that of another metric, there is no geodesic tier.
    """

    def _constructor(self) -> str:
        metric = self.source.default_metric.value  # type: ignore[union-attr]
        return f"SymmetricPositiveDefinite({metric!r})"


class AffineInvariant(_AffineInvariant, GeodesicManifold):
    """Symmetric positive definite n x n matrices, <u, v>_x = tr x^-1 u x^-1 v.

    exp_x(u) = c exp(c^-1 u c^-T) c^T with x = c c^T; the sectional curvature lies in [-1/2, 0].
    The retraction is geoopt's x + u + u x^-1 u / 2, of second order. `random`: exp of a symmetric
    matrix of variances 1/4 (diagonal) and 1/8, geoopt's law. `midpoint` and `frechet_mean` are the
    mean of least squared distance, by gradient steps (not Newton's): the error falls by
    (L - 1) / (L + 1) in each, L = c coth c at c = (distance from the mean) / sqrt 2, a factor of
    13, 4 and 2 at distance 1, 2 and 4; take more `steps` for points farther apart.

    Eigenvalues of a point stay above 4 n eps times the largest, those of the logarithm of a step
    within half the range of the dtype: `projx` and `expmap` saturate there.

    Repaired: the distance of coincident points, 1e-7 in geoopt's float32, and its NaN derivatives
    where eigenvalues coincide, as at the identity.

    Source: [pennec2006riemannian].
    """

    def _constructor(self) -> str:
        return "SymmetricPositiveDefinite()"

    @property
    def injectivity_radius(self) -> Tensor:
        """Return infinity: float64, shape ()."""
        return torch.tensor(float("inf"), dtype=torch.float64)

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._exp(x, u, dtype)

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        c = cholesky(x)
        return symmetric_part(c @ symmetric_log1p(whiten(c, y - x)) @ c.mT)

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        return symmetric_log1p(whiten(cholesky(x), y - x)).square().sum((-1, -2))

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        return self._projx(self._frechet_mean(x, w, STEPS), dtype)

    def _frechet_mean(self, x: Tensor, w: Tensor, steps: int) -> Tensor:
        share = safe_divide(w, w.sum(-3, keepdim=True))
        one = torch.eye(self.shape[0], dtype=x.dtype, device=x.device)
        mean = one + (share * (x - one)).sum(-3)
        for _ in range(steps):
            place = mean.unsqueeze(-3)
            v = self._logmap(place, x)
            with torch.no_grad():
                c = safe_sqrt(self._inner(place, v, v) / 2)[..., None, None]
                stiffest = (share * torch.where(c == 0, 1, safe_divide(c, c.tanh()))).sum(-3)
            step = 2 / (1 + stiffest) * (share * v).sum(-3)
            mean = self._exp(mean, step, x.dtype)
        return mean
