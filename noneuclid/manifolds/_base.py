"""The contract, first tier: what every manifold is. `_geodesic.py` holds the two tiers above.

A public method checks shapes and dtypes, leaves autocast and calls the private formula of the
same name with a leading underscore; a new manifold is one file of such formulas. Public methods
are final: overriding one is an error at import time.

Letters: x, y points; u, v tangent vectors at x; t time; w weights; g ambient gradient;
K curvature. Points occupy the trailing axes `point_shape`; leading axes are batch and broadcast.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.manifolds._calling import (
    check_trailing,
    final,
    promoted_dtype,
    reject_overrides,
    round_back,
    to_working,
    without_autocast,
)
from noneuclid.numerics import safe_sqrt, tolerance


class Manifold(nn.Module, ABC):
    """What an optimizer needs: a metric, a projection, a retraction and a transport.

    A class is abstract or final: concrete manifolds are not subclassed, they are wrapped.
    """

    dim: int
    point_shape: tuple[int, ...]
    derived_columns: int = 0  # leading entries of a point that its other entries determine

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        reject_overrides(cls)

    # -- public, final ---------------------------------------------------------------------------

    @final
    def projx(self, x: Tensor) -> Tensor:
        """Return the point that the coordinates `x` stand for: (*, S) -> (*, S).

        Idempotent; the identity on points the library produced.
        """
        return self._call(self._projx, x, returns="point")

    @final
    def proju(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the tangent vector at `x` that the coordinates `u` stand for: -> (*, S).

        Linear, idempotent, the identity on tangent vectors. For the gradient of a function use
        `egrad2rgrad`.
        """
        return self._call(self._proju, x, u)

    @final
    def inner(self, x: Tensor, u: Tensor, v: Tensor | None = None) -> Tensor:
        """Return <u, v>_x, in squared length units: -> (*,). `v` defaults to `u`."""
        return self._call(self._inner, x, u, u if v is None else v, returns="scalar")

    @final
    def norm(self, x: Tensor, u: Tensor) -> Tensor:
        """Return the length |u|_x = sqrt <u, u>_x: -> (*,), with derivative 0 at u = 0."""
        return self._call(lambda x, u: safe_sqrt(self._inner(x, u, u)), x, u, returns="scalar")

    @final
    def component_inner(self, x: Tensor, u: Tensor) -> Tensor:
        """Return <u, u>_x, one number for each part a step size may adapt to: -> (*, S).

        One number per row (repeated over its coordinates) where only that is invariant under
        isometries; one per factor on a product; one per coordinate on R^n, which is n lines.
        """
        return self._call(self._component_inner, x, u)

    @final
    def egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        """Return the Riemannian gradient from an ambient one: inner(x, result, v) = g.v.

        Only g.v for tangent v matters: any ambient gradient of the same function will do.
        """
        return self._call(self._egrad2rgrad, x, g)

    @final
    def retr(self, x: Tensor, u: Tensor) -> Tensor:
        """Return a point near exp_x(u), to the order stated by `retraction_order`."""
        return self._call(self._retr, x, u, returns="point")

    @final
    def transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """Return `v` carried from `x` to `y` along the shortest path, as a vector at `y`."""
        return self._call(self._transp, x, y, v)

    @final
    def retr_transp(self, x: Tensor, u: Tensor, *vectors: Tensor) -> tuple[Tensor, ...]:
        """Return (y, carried vectors) with y = retr(x, u): what an optimizer step does."""
        y = self.retr(x, u)
        return (y, *(self.transp(x, y, vector) for vector in vectors))

    @final
    def random(
        self,
        *size: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Return random points (*size, S); each manifold documents its law. Full support."""
        dtype = dtype or torch.get_default_dtype()
        working = to_working((torch.empty((), dtype=dtype),), dtype)[0].dtype
        device = torch.device(device or torch.get_default_device())
        with torch.no_grad():
            x = self._random(size, generator, working, device)
            return self._call(self._projx, x.to(dtype), returns="point") if x.dtype != dtype else x

    @final
    def random_tangent(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return tangent vectors at `x`, standard normal in an orthonormal frame: -> (*, S)."""
        with torch.no_grad():
            return self._call(lambda x: self._random_tangent(x, generator), x)

    @final
    def check_point(self, x: Tensor, *, rtol: float | None = None) -> Tensor:
        """Tell which rows are points: (*, S) -> (*,) bool. `rtol`: relative, by dtype."""
        self._check(x)
        rtol = tolerance(x.dtype) if rtol is None else rtol
        return torch.isfinite(x).flatten(-len(self.point_shape)).all(-1) & (
            self._violation(x) <= rtol
        )

    @final
    def check_vector(self, x: Tensor, u: Tensor, *, rtol: float | None = None) -> Tensor:
        """Tell which rows of `u` are tangent at `x`: -> (*,) bool."""
        self._check(x, u)
        rtol = tolerance(u.dtype) if rtol is None else rtol
        return torch.isfinite(u).flatten(-len(self.point_shape)).all(-1) & (
            self._tangent_violation(x, u) <= rtol
        )

    @abstractmethod
    def same_as(self, other: nn.Module) -> bool:
        """Tell whether `other` is the same manifold by value (`==` is identity on modules)."""

    # -- formulas a manifold supplies ------------------------------------------------------------

    retraction_order: float = float("inf")  # inf: the retraction is the exponential map

    @abstractmethod
    def _projx(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Project; `dtype` is the one the result will be stored in (its last shell applies)."""

    @abstractmethod
    def _proju(self, x: Tensor, u: Tensor) -> Tensor: ...

    @abstractmethod
    def _inner(self, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Return <u, v>_x in float64, (*,)."""

    @abstractmethod
    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor: ...

    @abstractmethod
    def _retr(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor: ...

    @abstractmethod
    def _transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor: ...

    @abstractmethod
    def _random(
        self,
        size: tuple[int, ...],
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor: ...

    @abstractmethod
    def _random_tangent(self, x: Tensor, generator: torch.Generator | None) -> Tensor: ...

    @abstractmethod
    def _violation(self, x: Tensor) -> Tensor:
        """Return how far each row is from being a point, relative: (*,) >= 0."""

    @abstractmethod
    def _tangent_violation(self, x: Tensor, u: Tensor) -> Tensor:
        """Return how far each row of `u` is from being tangent, relative: (*,) >= 0."""

    def _component_inner(self, x: Tensor, u: Tensor) -> Tensor:
        square = self._inner(x, u, u).to(u.dtype)
        shape = torch.broadcast_shapes(x.shape, u.shape)
        return square[(..., *(None,) * len(self.point_shape))].expand(shape)

    # -- checking --------------------------------------------------------------------------------

    def _check(self, *tensors: Tensor) -> torch.dtype:
        for tensor in tensors:
            check_trailing(tensor, self.point_shape, type(self).__name__)
        return promoted_dtype(tensors, type(self).__name__)

    def _call(self, formula: Callable[..., Tensor], *tensors: Tensor, returns: str = "") -> Tensor:
        """Check `tensors`, run `formula` in the working dtype, return the callers' dtype."""
        dtype = self._check(*tensors)
        rest = (dtype,) if returns == "point" else ()
        device_type = tensors[0].device.type
        if device_type != "meta" and torch.is_autocast_enabled(device_type):
            with without_autocast(device_type):
                result = formula(*to_working(tensors, dtype), *rest)
        else:
            result = formula(*to_working(tensors, dtype), *rest)
        return round_back(result, dtype)
