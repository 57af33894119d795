"""The three stereographic manifolds, and the gyrovector operations they share.

The formulas of the manifold contract are in `_stereographic_formulas.py`.
"""

import torch
from torch import Tensor

from noneuclid.manifolds._calling import exact_matmul
from noneuclid.manifolds._stereographic_formulas import StereographicFormulas
from noneuclid.numerics import gap, row_dot, safe_divide, safe_sqrt, wide


class GyrovectorSpace(StereographicFormulas):
    """Moebius addition and what is built from it, for K of any sign.

    Source: [ganea2018hyperbolic] section 2.2, [bachmann2020constant] section 2.2.
    """

    def mobius_add(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x (+)_K y, the point exp_x of log_o(y) carried to x: -> (*, n)."""
        return self._call(self._mobius_add, x, y, returns="point")

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
            back = self._read(-y)
            front = self._read(x)
            ratio = gap(back, self._curvature_at(x)) / gap(front, self._curvature_at(x))
            return ratio.to(v.dtype) * self._transp(back, front, v)

        return self._call(formula, x, y, v)

    def coadd(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the commutative gyro-coaddition x [+] y = x (+) gyr[x, -y] y."""
        return self.mobius_add(x, self.gyration(x, -y, y))

    def _mobius_add(self, x: Tensor, y: Tensor, dtype: torch.dtype) -> Tensor:
        """Return x + g_x (y - K|y|^2 x) / D with D = g_x g_y - K|x + y|^2."""
        x, y = self._read(x), self._read(y)
        curvature = self._curvature_at(x)
        _, _, gap_x, _, denominator = self._pair(-x, y)
        yy = row_dot(y, y)
        size = 1 + curvature * curvature * row_dot(x, x) * yy
        ratio = gap_x / self._away_from_zero(denominator, size, x.dtype)
        pull = -curvature * yy * ratio
        total = x + (ratio.to(x.dtype) * y + pull.to(x.dtype) * x)
        if self.curvature_sign >= 0:  # far out on a sphere x + ... would cancel
            part = 1 - curvature * (2 * row_dot(x, y) + yy)
            far = ratio * (part / gap_x * wide(x) + wide(y))
            total = torch.where(gap_x > 2, far.to(x.dtype), total)
        return self._projx(total, dtype)


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
