"""The three stereographic manifolds, and the gyrovector operations they share.

The formulas are in `_stereographic_formulas.py` and `_stereographic_pair_formulas.py`.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import _stereographic_formulas as formulas
from noneuclid.manifolds import _stereographic_pair_formulas as pair_formulas
from noneuclid.manifolds._busemann_formulas import on_ball
from noneuclid.manifolds._calling import exact_matmul
from noneuclid.manifolds._pairwise import Chart
from noneuclid.manifolds._space_form import SpaceForm
from noneuclid.manifolds._stereographic_charts import charts
from noneuclid.manifolds._stereographic_formulas import Model
from noneuclid.numerics import row_dot, safe_divide, safe_sqrt


class GyrovectorSpace(SpaceForm):
    """The stereographic model for K of any sign, Moebius addition and what is built from it.

    Source: [ganea2018hyperbolic] section 2.2, [bachmann2020constant] section 2.2.
    """

    def _compute(self, formula: Callable[..., Tensor], *rows: Tensor, **fixed: Any) -> Tensor:
        return super()._compute(formula, *rows, model=self._model, **fixed)

    @property
    def _model(self) -> Model:
        return Model(self.curvature_sign, moves=self.curvature.learnable)

    # -- gyrovectors -----------------------------------------------------------------------------

    def mobius_add(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x (+)_K y, the point exp_x of log_o(y) carried to x: -> (*, n)."""

        def formula(x: Tensor, y: Tensor, dtype: torch.dtype) -> Tensor:
            return self._compute(pair_formulas.mobius_add, x, y, dtype=dtype)

        return self._call(formula, x, y, returns="point")

    def mobius_scalar_mul(self, r: float | Tensor, x: Tensor) -> Tensor:
        """Return r (x)_K x = exp_o(r log_o x); `r` a number or broadcastable to (*, 1)."""
        return self.expmap0(r * self.logmap0(x))

    def mobius_matvec(self, matrix: Tensor, x: Tensor) -> Tensor:
        """Return exp_o(W log_o x): (m, n), (*, n) -> (*, m), on the same model in dimension m."""
        if matrix.dim() != 2 or matrix.shape[1] != self.dim:
            raise ValueError(
                f"mobius_matvec expects a matrix of shape (m, {self.dim}), got"
                f" {tuple(matrix.shape)}"
            )
        target = self if matrix.shape[-2] == self.dim else self.like(matrix.shape[-2])
        return target.expmap0(exact_matmul(self.logmap0(x), matrix.mT))

    def gyration(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """Return gyr[x, y] v, the rotation with x (+) (y (+) v) = (x (+) y) (+) gyr[x, y] v."""

        def formula(x: Tensor, y: Tensor, v: Tensor) -> Tensor:
            return self._compute(pair_formulas.transp, -y, x, v, rescales=False)

        return self._call(formula, x, y, v)

    def coadd(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the commutative gyro-coaddition x [+] y = x (+) gyr[x, -y] y."""
        return self.mobius_add(x, self.gyration(x, -y, y))

    def lambda_x(self, x: Tensor) -> Tensor:
        """Return the conformal factor 2 / (1 + K|x|^2): (*, n) -> (*,), in the points' dtype."""
        return self._call(lambda x: (2 / self._compute(formulas.gap_at, x))[..., 0], x)

    # -- the contract ----------------------------------------------------------------------------

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return self._compute(formulas.project, x, dtype=dtype)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return u.expand(torch.broadcast_shapes(x.shape, u.shape))

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self._compute(formulas.inner, x, u, v)[..., 0]

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self._compute(formulas.rescaled, x, g, power=2)

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._compute(formulas.expmap, x, u, dtype=dtype)

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        return self._compute(pair_formulas.logmap, x, y)

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        return self._compute(pair_formulas.dist2, x, y)[..., 0]

    def _dist2plane(self, x: Tensor, p: Tensor, a: Tensor) -> Tensor:
        return self._compute(pair_formulas.dist2plane, x, p, a)

    def _busemann(self, x: Tensor, v: Tensor) -> Tensor:
        return self._compute(on_ball, x, v, line=self.dim == 1)

    def _charts(self, x: Tensor) -> tuple[Chart, ...]:
        return charts(self._curvature_at(x), x, self._model)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return self._compute(pair_formulas.transp, x, y, v)

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        return formulas.midpoint(self._curvature_at(x), x, w, self._model, dtype)

    def _origin(self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.zeros(*size, self.dim, dtype=dtype, device=device)

    def _expmap0(self, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._compute(formulas.expmap0, u, dtype=dtype, line=self.dim == 1)

    def _logmap0(self, y: Tensor) -> Tensor:
        return self._compute(formulas.logmap0, y)

    def _dist02(self, x: Tensor) -> Tensor:
        return self._compute(formulas.dist02, x)[..., 0]

    def _transp0(self, y: Tensor, u: Tensor) -> Tensor:
        return self._compute(formulas.rescaled, y, u, power=1)

    def _transp0back(self, x: Tensor, u: Tensor) -> Tensor:
        return self._compute(formulas.rescaled, x, u, power=-1)

    def _from_frame(self, coordinates: Tensor) -> Tensor:
        return coordinates / 2

    def _to_frame(self, u: Tensor) -> Tensor:
        return 2 * u

    # -- random and checks -----------------------------------------------------------------------

    def _random_near_origin(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        """Draw exp_o of a normal vector whose root mean square length is min(1, |K|^-1/2)."""
        normal = torch.randn(*size, self.dim, generator=generator, dtype=dtype, device=device)
        spread = 1 / (2 * self.dim**0.5 * self.curvature(device).abs().clamp(min=1).sqrt())
        return self._expmap0(normal * spread.to(dtype), dtype)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        normal = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return self._transp0(x, normal / 2)

    def _violation(self, x: Tensor) -> Tensor:
        moved = self._projx(x, x.dtype)
        return safe_divide((x - moved).abs().amax(-1), moved.abs().amax(-1))

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        return torch.zeros(torch.broadcast_shapes(x.shape, u.shape)[:-1], device=x.device)


class Stereographic(GyrovectorSpace):
    """The kappa-stereographic model, K of any sign; the sign may change while K learns.

    Points beyond the last shell (of the ball for K < 0) are read as their projection. `random`:
    exp_o of a normal vector with root mean square length min(1, |K|^-1/2).
    Accuracy: float32 distances are right to 1e-6 relative up to radius 16 |K|^-1/2 (K < 0), near
    pairs included; values and dK derivatives are continuous through K = 0.
    Source: [bachmann2020constant].
    """

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        return self._random_near_origin(size, generator, dtype, device)


class PoincareBall(GyrovectorSpace):
    """The Poincare ball, K < 0: |x| < |K|^-1/2. See `Stereographic` for accuracy and `random`.

    Source: [ganea2018hyperbolic] section 2.
    """

    curvature_sign = -1
    default_curvature = -1.0

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        return self._random_near_origin(size, generator, dtype, device)


class SphereProjection(GyrovectorSpace):
    """The sphere K > 0 in stereographic projection; the antipode of the origin is at infinity.

    `random` is the uniform law. Points end at norm K^-1/2 / eps, 2 eps short of that antipode.
    Source: [bachmann2020constant].
    """

    curvature_sign = 1
    default_curvature = 1.0

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        shape = (*size, self.dim + 1)
        normal = torch.randn(shape, generator=generator, dtype=torch.float64, device=device)
        unit = normal / safe_sqrt(row_dot(normal, normal))
        point = safe_divide(unit[..., 1:], 1 + unit[..., :1]) / self.curvature(device).sqrt()
        return self._projx(point.to(dtype), dtype)
