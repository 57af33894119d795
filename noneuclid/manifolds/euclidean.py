"""Euclidean space R^n: the flat factor of products, and the law every curved formula tends to."""

import torch
from torch import Tensor, nn

from noneuclid.manifolds._calling import checked_dim, final
from noneuclid.manifolds._geodesic import HomogeneousManifold
from noneuclid.manifolds._pairwise import Chart
from noneuclid.numerics import row_dot, safe_divide, safe_sqrt
from noneuclid.numerics.arc import Shape


class Euclidean(HomogeneousManifold):
    """R^n with its usual metric; points are vectors, exp_x(u) = x + u.

    `random` is the standard normal law. For adaptive optimizers R^n counts as n lines
    (`component_inner` is per coordinate), which makes them equal to their torch.optim twins.

    Args:
        dim: n >= 1.

    Raises:
        ValueError: `dim` < 1.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = checked_dim(dim, "Euclidean")
        self.point_shape = (self.dim,)

    @property
    def injectivity_radius(self) -> Tensor:
        """Return infinity: float64, shape ()."""
        return torch.tensor(float("inf"), dtype=torch.float64)

    def like(self, dim: int) -> "Euclidean":
        """Return R^dim."""
        return Euclidean(dim)

    @final
    def busemann(self, x: Tensor, v: Tensor) -> Tensor:
        """Return the limit of d(x, t v) - t for |v| = 1, which is -<x, v>: -> (*,).

        `v` is a vector of any length but 0, of which only the direction counts.
        """
        return self._call(self._busemann, x, v, returns="scalar")[..., 0]

    def _busemann(self, x: Tensor, v: Tensor) -> Tensor:
        return -safe_divide(row_dot(x, v), safe_sqrt(row_dot(v, v)))

    def same_as(self, other: nn.Module) -> bool:
        """Tell whether `other` is R^n with the same n."""
        return isinstance(other, Euclidean) and self.dim == other.dim

    def __repr__(self) -> str:
        return f"Euclidean({self.dim})"

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return x

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return u.expand(torch.broadcast_shapes(x.shape, u.shape))

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        product = row_dot(u, v)[..., 0]
        return product.expand(torch.broadcast_shapes(x.shape[:-1], product.shape))

    def _component_inner(self, x: Tensor, u: Tensor) -> Tensor:
        return (u * u).expand(torch.broadcast_shapes(x.shape, u.shape))

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return g.expand(torch.broadcast_shapes(x.shape, g.shape))

    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return x + u

    def _logmap(self, x: Tensor, y: Tensor) -> Tensor:
        return y - x

    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        difference = y - x
        return row_dot(difference, difference)[..., 0]

    def _charts(self, x: Tensor) -> tuple[Chart, ...]:
        one = x.new_ones((*x.shape[:-1], 1), dtype=torch.float64)
        return (Chart(x, one, one.new_zeros(1), Shape.FLAT),)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return v.expand(torch.broadcast_shapes(x.shape, y.shape, v.shape))

    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        return safe_divide((w * x).sum(-2), w.sum(-2)).to(x.dtype)

    def _frechet_mean(self, x: Tensor, w: Tensor, steps: int) -> Tensor:
        return self._midpoint(x, w, x.dtype)

    def _origin(self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
        return torch.zeros(*size, self.dim, dtype=dtype, device=device)

    def _expmap0(self, u: Tensor, dtype: torch.dtype) -> Tensor:
        return u

    def _logmap0(self, y: Tensor) -> Tensor:
        return y

    def _dist02(self, x: Tensor) -> Tensor:
        return row_dot(x, x)[..., 0]

    def _transp0(self, y: Tensor, u: Tensor) -> Tensor:
        return u.expand(torch.broadcast_shapes(y.shape, u.shape))

    def _transp0back(self, x: Tensor, u: Tensor) -> Tensor:
        return u.expand(torch.broadcast_shapes(x.shape, u.shape))

    def _from_frame(self, coordinates: Tensor) -> Tensor:
        return coordinates

    def _to_frame(self, u: Tensor) -> Tensor:
        return u

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        return torch.randn(*size, self.dim, generator=generator, dtype=dtype, device=device)

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)

    def _violation(self, x: Tensor) -> Tensor:
        return torch.zeros(x.shape[:-1], dtype=x.dtype, device=x.device)

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        return torch.zeros(torch.broadcast_shapes(x.shape, u.shape)[:-1], device=x.device)
