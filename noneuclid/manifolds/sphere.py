"""The sphere of constant curvature K > 0 in R^(n+1); see `_sphere_formulas.py`."""

import torch
from torch import Tensor

from noneuclid.manifolds import _sphere_formulas as formulas
from noneuclid.manifolds import _sphere_pair_formulas as pair_formulas
from noneuclid.manifolds._busemann_formulas import on_sphere
from noneuclid.manifolds._pairwise import Chart
from noneuclid.manifolds._space_form import SpaceForm
from noneuclid.numerics import row_dot, safe_divide, safe_sqrt


class Sphere(SpaceForm):
    """The sphere S^n of radius K^-1/2; points have n + 1 coordinates, the origin is the first axis.

    A point *is* its direction: formulas read x/|x|, `projx` writes the norm K^-1/2, and points
    stay points when K changes. A tangent vector is the part of its coordinates across x.
    `random` is the uniform law. At antipodes `logmap` returns one of the shortest vectors.
    Accuracy: float32 distances are right to 1e-6 relative from 1e-8 to pi K^-1/2.
    Source: [skopek2020mixed] appendix A for the formulas; the chord forms keep near pairs exact.
    """

    curvature_sign = 1
    default_curvature = 1.0
    _extra_coordinates = 1

    # -- projection and metric -------------------------------------------------------------------

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return self._compute(formulas.project, x, dtype=dtype)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return self._compute(formulas.proju, x, u)

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self._compute(formulas.inner, x, u, v)[..., 0]

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self._proju(x, g)

    # -- geodesics -------------------------------------------------------------------------------

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._compute(formulas.expmap, x, u, dtype=dtype)

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        return self._compute(pair_formulas.logmap, x, y)

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        return self._compute(pair_formulas.dist2, x, y)[..., 0]

    def _dist2plane(self, x: Tensor, p: Tensor, a: Tensor) -> Tensor:
        return self._compute(pair_formulas.dist2plane, x, p, a)

    def _busemann(self, x: Tensor, v: Tensor) -> Tensor:
        return self._compute(on_sphere, x, v)

    def _charts(self, x: Tensor) -> tuple[Chart, ...]:
        return (pair_formulas.chart(self._curvature_at(x), x),)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return self._compute(pair_formulas.transp, x, y, v)

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        return formulas.midpoint(self._curvature_at(x), x, w, dtype)

    # -- origin ----------------------------------------------------------------------------------

    def _origin(self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        point = torch.zeros(*size, self.dim + 1, dtype=torch.float64, device=device)
        return self._projx(point, torch.float64).to(dtype)

    def _expmap0(self, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._compute(formulas.expmap0, u, skip=1)

    def _logmap0(self, y: Tensor) -> Tensor:
        return self._compute(formulas.logmap0, y)

    def _dist02(self, x: Tensor) -> Tensor:
        return self._compute(formulas.dist02, x)[..., 0]

    def _transp0(self, y: Tensor, u: Tensor) -> Tensor:
        return self._compute(formulas.transp0, y, u)

    def _transp0back(self, x: Tensor, u: Tensor) -> Tensor:
        return self._compute(formulas.transp0back, x, u)

    def _from_frame(self, coordinates: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(coordinates[..., :1]), coordinates], dim=-1)

    def _to_frame(self, u: Tensor) -> Tensor:
        return u[..., 1:]

    # -- random and checks -----------------------------------------------------------------------

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        shape = (*size, self.dim + 1)
        normal = torch.randn(shape, generator=generator, dtype=torch.float64, device=device)
        return self._projx(normal, torch.float64).to(dtype)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        normal = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return self._proju(x, normal)

    def _violation(self, x: Tensor) -> Tensor:
        return (self._curvature_at(x) * row_dot(x, x) - 1).abs()[..., 0] / 2

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        length = safe_sqrt(row_dot(u, u))
        size = safe_sqrt(row_dot(x, x)) * length
        return safe_divide(row_dot(x, u).abs(), size)[..., 0]
