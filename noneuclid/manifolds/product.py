"""Products of manifolds: points are one flat vector, distances add in squares."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from noneuclid.manifolds._calling import final
from noneuclid.manifolds._geodesic import HomogeneousManifold
from noneuclid.manifolds._isometry import PointMap, side_by_side
from noneuclid.manifolds._pairwise import Chart
from noneuclid.manifolds._space_form import SpaceForm
from noneuclid.manifolds.euclidean import Euclidean
from noneuclid.numerics import safe_divide, safe_sqrt


class Product(HomogeneousManifold):
    """The Riemannian product M1 x M2 x ...; a point is the concatenation of its factors' points.

    exp, log and transport act factor by factor; d^2 = sum d_i^2; <u, v> = sum <u_i, v_i>. A factor
    that appears twice is one module (its curvature is shared).

    Args:
        *factors: manifolds with an origin and vector points (`point_shape` of one axis).

    Raises:
        ValueError: no factor. TypeError: a factor without origin.
    """

    factors: Sequence[HomogeneousManifold]

    def __init__(self, *factors: HomogeneousManifold) -> None:
        super().__init__()
        if not factors:
            raise ValueError("Product needs at least one factor, got none")
        for factor in factors:
            if not isinstance(factor, HomogeneousManifold):
                raise TypeError(
                    f"Product needs manifolds with an origin, got {type(factor).__name__}"
                )
        self.factors = nn.ModuleList(factors)  # type: ignore[assignment]  # it is a Sequence
        self.dim = sum(factor.dim for factor in factors)
        self.widths = tuple(factor.point_shape[0] for factor in factors)
        self.dims = tuple(factor.dim for factor in factors)
        self.point_shape = (sum(self.widths),)

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the factors' parts of points or vectors: (*, S) -> tuple of (*, width)."""
        self._check(x)
        return x.split(self.widths, dim=-1)

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """Return the flat points or vectors from their parts; batch axes broadcast."""
        if len(parts) != len(self.widths):
            raise ValueError(f"join expects {len(self.widths)} parts, got {len(parts)}")
        came = tuple(part.shape[-1] for part in parts)
        if came != self.widths:
            raise ValueError(f"join expects parts of widths {self.widths}, got {came}")
        batch = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
        return torch.cat([part.expand(*batch, part.shape[-1]) for part in parts], dim=-1)

    @property
    def injectivity_radius(self) -> Tensor:
        """Return the smallest factor's: float64, shape ()."""
        return torch.stack([factor.injectivity_radius for factor in self.factors]).amin()

    def like(self, dim: int) -> "Product":
        """Return a product of the same geometries in total dimension `dim`, split evenly.

        Each factor gets dim // n, the first ones one more; curvatures are shared with this one.
        """
        count = len(self.widths)
        if dim < count:
            raise ValueError(f"a product of {count} factors needs dim >= {count}, got {dim}")
        share, rest = divmod(dim, count)
        return Product(*(f.like(share + (i < rest)) for i, f in enumerate(self.factors)))

    @final
    def busemann(self, x: Tensor, v: Tensor) -> Tensor:
        """Return the Busemann function of the ideal point where exp_o(t v) ends: -> (*,).

        sum_i (|v_i| / |v|) B_i(x_i), B_i that of the i-th factor in the direction v_i; see
        `SpaceForm.busemann`.

        Raises:
            TypeError: a factor has no ideal points known here.
        """
        for factor in self.factors:
            if not isinstance(factor, SpaceForm | Euclidean | Product):
                raise TypeError(
                    f"busemann needs factors of constant curvature, got {type(factor).__name__}"
                )
        return self._call(self._busemann, x, v, returns="scalar")[..., 0]

    def _busemann(self, x: Tensor, v: Tensor) -> Tensor:
        parts = zip(self.factors, x.split(self.widths, -1), v.split(self.widths, -1), strict=True)
        squares, values = [], []
        for factor, point, step in parts:
            origin = factor._origin((), step.dtype, step.device)
            squares.append(factor._inner(origin, step, step)[..., None])
            assert isinstance(factor, SpaceForm | Euclidean | Product)
            values.append(factor._busemann(point, step))
        length = safe_sqrt(torch.stack(squares).sum(0))
        shares = [safe_divide(safe_sqrt(square), length) for square in squares]
        terms = [share * value for share, value in zip(shares, values, strict=True)]
        return torch.stack(torch.broadcast_tensors(*terms)).sum(0)

    def same_as(self, other: nn.Module) -> bool:
        """Tell whether `other` is a product of the same factors in the same order."""
        return (
            isinstance(other, Product)
            and len(self.factors) == len(other.factors)
            and all(a.same_as(b) for a, b in zip(self.factors, other.factors, strict=True))
        )

    def __repr__(self) -> str:
        return f"Product({', '.join(repr(factor) for factor in self.factors)})"

    # -- factor by factor ------------------------------------------------------------------------

    def _each(self, formula: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        parts = zip(self.factors, *(t.split(self.widths, dim=-1) for t in tensors), strict=True)
        return self.join([formula(*part) for part in parts])

    def _sum(self, formula: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        parts = zip(self.factors, *(t.split(self.widths, dim=-1) for t in tensors), strict=True)
        values = [formula(*part) for part in parts]
        return torch.stack(torch.broadcast_tensors(*values)).sum(0)

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return self._each(lambda f, x: f._projx(x, dtype), x)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return self._each(lambda f, x, u: f._proju(x, u), x, u)

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self._sum(lambda f, x, u, v: f._inner(x, u, v), x, u, v)

    def _component_inner(self, x: Tensor, u: Tensor) -> Tensor:
        return self._each(lambda f, x, u: f._component_inner(x, u), x, u)

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self._each(lambda f, x, g: f._egrad2rgrad(x, g), x, g)

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._each(lambda f, x, u: f._expmap(x, u, dtype), x, u)

    def _retr(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._each(lambda f, x, u: f._retr(x, u, dtype), x, u)

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        return self._each(lambda f, x, y: f._logmap(x, y), x, y)

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        return self._sum(lambda f, x, y: f._dist2(x, y), x, y)

    def _charts(self, x: Tensor) -> tuple[Chart, ...]:
        parts = zip(self.factors, x.split(self.widths, dim=-1), strict=True)
        charts = [factor._charts(part) for factor, part in parts]
        return tuple(chart for each in charts for chart in each) if all(charts) else ()

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return self._each(lambda f, x, y, v: f._transp(x, y, v), x, y, v)

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        return self._each(lambda f, x: f._midpoint(x, w, dtype), x)

    def _frechet_mean(self, x: Tensor, w: Tensor, steps: int) -> Tensor:
        return self._each(lambda f, x: f._frechet_mean(x, w, steps), x)

    def _random_motion(self, generator: torch.Generator | None, dtype: torch.dtype) -> PointMap:
        return side_by_side([f.random_isometry(generator, dtype=dtype) for f in self.factors])

    def _origin(self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        return self.join([factor._origin(size, dtype, device) for factor in self.factors])

    def _expmap0(self, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._each(lambda f, u: f._expmap0(u, dtype), u)

    def _logmap0(self, y: Tensor) -> Tensor:
        return self._each(lambda f, y: f._logmap0(y), y)

    def _dist02(self, x: Tensor) -> Tensor:
        return self._sum(lambda f, x: f._dist02(x), x)

    def _transp0(self, y: Tensor, u: Tensor) -> Tensor:
        return self._each(lambda f, y, u: f._transp0(y, u), y, u)

    def _transp0back(self, x: Tensor, u: Tensor) -> Tensor:
        return self._each(lambda f, x, u: f._transp0back(x, u), x, u)

    def _from_frame(self, coordinates: Tensor) -> Tensor:
        parts = zip(self.factors, coordinates.split(self.dims, dim=-1), strict=True)
        return self.join([factor._from_frame(part) for factor, part in parts])

    def _to_frame(self, u: Tensor) -> Tensor:
        parts = zip(self.factors, self.split(u), strict=True)
        return torch.cat([factor._to_frame(part) for factor, part in parts], dim=-1)

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        return self.join([f._random(size, generator, dtype, device) for f in self.factors])

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self._each(lambda f, x: f._random_tangent(x, generator), x)

    def _violation(self, x: Tensor) -> Tensor:
        parts = zip(self.factors, self.split(x), strict=True)
        return torch.stack([f._violation(part) for f, part in parts]).amax(0)

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        parts = zip(self.factors, self.split(x), self.split(u), strict=True)
        values = [f._tangent_violation(a, b) for f, a, b in parts]
        return torch.stack(torch.broadcast_tensors(*values)).amax(0)


def factors_of(manifold: HomogeneousManifold) -> tuple[HomogeneousManifold, ...]:
    """Return the factors that are no products themselves; of any other manifold, itself alone.

    Points and normal coordinates of nested products are those of the flat product of these.
    """
    if not isinstance(manifold, Product):
        return (manifold,)
    return tuple(part for factor in manifold.factors for part in factors_of(factor))
