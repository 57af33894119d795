"""A geoopt product with factors that our own `Product` does not take, such as matrices."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from noneuclid.manifolds._base import Manifold
from noneuclid.manifolds.adapters._wrapper import Wrapper


class MixedProduct(Wrapper):
    """The product of manifolds of any point shape; points are flat, as geoopt packs them.

    Everything acts factor by factor; `component_inner` is one number per factor. `random` is that
    of the factors.
    """

    factors: Sequence[Manifold]

    def __init__(self, source: nn.Module, factors: Sequence[Manifold]) -> None:
        self.sizes = [torch.Size(factor.point_shape).numel() for factor in factors]
        super().__init__(source, (sum(self.sizes),))
        self.factors = nn.ModuleList(factors)  # type: ignore[assignment]  # it is a Sequence
        self.dim = sum(factor.dim for factor in factors)
        self.retraction_order = min(factor.retraction_order for factor in factors)

    def same_as(self, other: nn.Module) -> bool:
        """Tell whether `other` is a product of the same factors in the same order."""
        return (
            isinstance(other, MixedProduct)
            and len(self.factors) == len(other.factors)
            and all(a.same_as(b) for a, b in zip(self.factors, other.factors, strict=True))
        )

    def __repr__(self) -> str:
        return f"from_geoopt(geoopt.{self._constructor()})"

    def _constructor(self) -> str:
        pairs = (f"(to_geoopt({factor!r}), {factor.point_shape})" for factor in self.factors)
        return f"ProductManifold({', '.join(pairs)})"

    def split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the factors' parts of points or vectors, each in its own shape."""
        parts = zip(self.factors, x.split(self.sizes, dim=-1), strict=True)
        return tuple(part.reshape(*part.shape[:-1], *f.point_shape) for f, part in parts)

    def _results(self, formula: Callable[..., Tensor], tensors: Sequence[Tensor]) -> list[Tensor]:
        parts = (self.split(tensor) for tensor in torch.broadcast_tensors(*tensors))
        return [formula(*each) for each in zip(self.factors, *parts, strict=True)]

    def _each(self, formula: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        return self._flat(self._results(formula, tensors))

    def _flat(self, results: Sequence[Tensor]) -> Tensor:
        pairs = zip(self.factors, results, strict=True)
        return torch.cat([result.flatten(-len(f.point_shape)) for f, result in pairs], -1)

    def _of_all(self, formula: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """Return the scalars of the factors, stacked before the batch axes."""
        return torch.stack(self._results(formula, tensors))

    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return self._each(lambda f, x: f._projx(x, dtype), x)

    def _proju(self, x: Tensor, u: Tensor) -> Tensor:
        return self._each(lambda f, x, u: f._proju(x, u), x, u)

    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        return self._of_all(lambda f, x, u, v: f._inner(x, u, v), x, u, v).sum(0)

    def _component_inner(self, x: Tensor, u: Tensor) -> Tensor:
        return self._each(lambda f, x, u: f._component_inner(x, u), x, u)

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self._each(lambda f, x, g: f._egrad2rgrad(x, g), x, g)

    def _retr(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._each(lambda f, x, u: f._retr(x, u, dtype), x, u)

    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return self._each(lambda f, x, y, v: f._transp(x, y, v), x, y, v)

    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        return self._flat([f._random(size, generator, dtype, device) for f in self.factors])

    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        return self._each(lambda f, x: f._random_tangent(x, generator), x)

    def _violation(self, x: Tensor) -> Tensor:
        return self._of_all(lambda f, x: f._violation(x).to(torch.float64), x).amax(0)

    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        def violation(factor: Manifold, x: Tensor, u: Tensor) -> Tensor:
            return factor._tangent_violation(x, u).to(torch.float64)

        return self._of_all(violation, x, u).amax(0)
