"""The hyperboloid (Lorentz) model of hyperbolic space.

A point is (t, xs) with t = sqrt(1/|K| + |xs|^2): it *is* its space part xs, and t is derived. So
is the time entry t' = xs.vs / t of a tangent vector. Every formula (`_lorentz_formulas.py`,
`_lorentz_pair_formulas.py`) reads the space parts only, and `projx` writes the derived entry: a
point cannot be off its sheet, and stays on it when K changes.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import _lorentz_formulas as formulas
from noneuclid.manifolds import _lorentz_pair_formulas as pair_formulas
from noneuclid.manifolds._busemann_formulas import on_hyperboloid
from noneuclid.manifolds._pairwise import Chart
from noneuclid.manifolds._space_form import SpaceForm
from noneuclid.numerics import compute, first, safe_divide


class Lorentz(SpaceForm):
    """The hyperboloid model of H^n, K < 0; points have n + 1 coordinates, time first.

    `random`: exp_o of a normal vector with root mean square length |K|^-1/2. `proju` keeps the
    space part and rewrites the time entry; gradients go through `egrad2rgrad`, which accepts any
    ambient gradient (its time entry may be 0).
    Accuracy: float32 distances are right to 1e-6 relative up to radius 30 |K|^-1/2; of near pairs
    to a few eps max(1, e^R / d), what the coordinates themselves resolve.
    """

    curvature_sign = -1
    default_curvature = -1.0
    derived_columns = 1
    _extra_coordinates = 1

    def _compute_here(self, formula: Callable[..., Tensor], *rows: Tensor, **fixed: Any) -> Tensor:
        """Return a formula of space parts that asks whether anything lies across a line."""
        return self._compute(formula, *rows, skip=1, line=self.dim == 1, **fixed)

    # -- projection and metric -------------------------------------------------------------------

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return self._compute(formulas.with_time, x, dtype=dtype, skip=1)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return self._compute(formulas.with_vector_time, x, u, skip=1)

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self._compute_here(formulas.inner, x, u, v)[..., 0]

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return compute(
            formulas.egrad2rgrad,
            (self._curvature_at(x), first(g)),
            (x, g),
            skip=1,
        )

    # -- geodesics -------------------------------------------------------------------------------

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._compute_here(formulas.expmap, x, u, dtype=dtype)

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        return self._compute_here(pair_formulas.logmap, x, y)

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        return self._compute_here(pair_formulas.dist2, x, y)[..., 0]

    def _dist2plane(self, x: Tensor, p: Tensor, a: Tensor) -> Tensor:
        return self._compute_here(pair_formulas.dist2plane, x, p, a)

    def _busemann(self, x: Tensor, v: Tensor) -> Tensor:
        return self._compute_here(on_hyperboloid, x, v)

    def _charts(self, x: Tensor) -> tuple[Chart, ...]:
        return (formulas.chart(self._curvature_at(x), x[..., 1:]),)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return self._compute_here(pair_formulas.transp, x, y, v)

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        return formulas.midpoint(self._curvature_at(x), x[..., 1:], w, dtype)

    # -- origin ----------------------------------------------------------------------------------

    def _origin(self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        space = torch.zeros(*size, self.dim, dtype=dtype, device=device)
        return self._compute(formulas.with_time, space, dtype=dtype)

    def _expmap0(self, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._compute(formulas.expmap0, u, dtype=dtype, skip=1)

    def _logmap0(self, y: Tensor) -> Tensor:
        return self._compute(formulas.logmap0, y, skip=1)

    def _dist02(self, x: Tensor) -> Tensor:
        return self._compute(formulas.dist02, x, skip=1)[..., 0]

    def _transp0(self, y: Tensor, u: Tensor) -> Tensor:
        return self._compute(formulas.transp0, y, u, skip=1)

    def _transp0back(self, x: Tensor, u: Tensor) -> Tensor:
        return self._compute(formulas.transp0back, x, u, skip=1)

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
        normal = torch.randn(*size, self.dim, generator=generator, dtype=dtype, device=device)
        spread = 1 / (self.dim * -self.curvature(device)).sqrt()
        return self._expmap0(self._from_frame(normal * spread.to(dtype)), dtype)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        shape = (*x.shape[:-1], self.dim)
        normal = torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)
        return self._transp0(x, self._from_frame(normal))

    def _violation(self, x: Tensor) -> Tensor:
        time = self._projx(x, x.dtype)[..., 0]
        return (x[..., 0] - time).abs() / time

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        moved = self._proju(x, u)
        return safe_divide((u - moved)[..., 0].abs(), u.abs().amax(-1))
