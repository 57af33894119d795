"""What all spaces of constant curvature share: dimension, curvature module, repr, comparison."""

import copy
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from noneuclid.manifolds._calling import checked_dim, final
from noneuclid.manifolds._curvature import Curvature, CurvatureGiven, CurvatureView
from noneuclid.manifolds._frechet_graph import newton_mean
from noneuclid.manifolds._geodesic import HomogeneousManifold
from noneuclid.numerics import compute

Self = TypeVar("Self", bound="SpaceForm")


class SpaceForm(HomogeneousManifold):
    """A space of constant sectional curvature K and dimension `dim`.

    Args:
        dim: dimension, at least 1.
        curvature: K as a number, or a `Curvature` module to share it with another manifold.
        learnable: whether K is a parameter (only when `curvature` is a number).

    Raises:
        ValueError: `dim` < 1 or a curvature of the wrong sign for the model.
    """

    curvature: Curvature
    curvature_sign: int = 0  # the sign K must have; 0: any
    default_curvature: float = 0.0
    _extra_coordinates: int = 0  # coordinates of a point beyond `dim`

    def __init__(
        self, dim: int, curvature: float | Curvature | None = None, *, learnable: bool = False
    ) -> None:
        super().__init__()
        self.dim = checked_dim(dim, type(self).__name__)
        self.point_shape = (self.dim + self._extra_coordinates,)
        self.curvature = self._curvature_module(curvature, learnable)

    def _curvature_module(self, curvature: float | Curvature | None, learnable: bool) -> Curvature:
        if isinstance(curvature, Curvature | CurvatureView):
            if curvature.sign != self.curvature_sign:
                raise ValueError(
                    f"{type(self).__name__} needs a Curvature with sign={self.curvature_sign},"
                    f" got one with sign={curvature.sign}"
                )
            if learnable and not curvature.learnable:
                raise ValueError(
                    "learnable=True contradicts the fixed Curvature that was given; make that one"
                    " learnable"
                )
            return curvature
        value = self.default_curvature if curvature is None else curvature
        return Curvature(value, learnable=learnable, sign=self.curvature_sign)

    @property
    def injectivity_radius(self) -> Tensor:
        """Return pi / sqrt K for K > 0 and infinity otherwise: float64, shape ()."""
        curvature = self.curvature()[0].detach()
        positive = curvature > 0
        return torch.where(positive, math.pi / torch.where(positive, curvature, 1).sqrt(), math.inf)

    def like(self: Self, dim: int) -> Self:
        """Return the same model in dimension `dim`, sharing this curvature module."""
        return type(self)(dim, self.curvature)

    def at(self: Self, curvature: Tensor | float) -> Self:
        """Return an unchecked view of this manifold whose K is the tensor `curvature`.

        For `torch.vmap` and derivatives over K: `vmap(lambda K: M.at(K).dist(x, y))(Ks)`.
        """
        value = torch.as_tensor(curvature, dtype=torch.float64)
        return self._with(CurvatureView(value, self.curvature_sign))

    def seen_at(self: Self, K: Tensor) -> Self:
        """Return a view whose K is what a formula was given for it: float64 (1,), or a stand-in."""
        return self._with(CurvatureGiven(K, self.curvature))

    def _with(self: Self, curvature: nn.Module) -> Self:
        view = copy.copy(self)  # shares everything but its table of sub-modules
        view._modules = {**self._modules, "curvature": curvature}
        return view

    @final
    def dist2plane(
        self, x: Tensor, p: Tensor, a: Tensor, *, signed: bool = False, scaled: bool = False
    ) -> Tensor:
        """Return the distance of `x` from the hyperplane through `p` across `a`: -> (*,).

        The hyperplane is totally geodesic: all exp_p(v) with <v, a>_p = 0. For K > 0 it is a great
        sphere, no point of which is farther than pi/2 K^-1/2 away.

        Args:
            x: points.
            p: a point of each hyperplane.
            a: its normal there, a tangent vector at p; a = 0 gives the distance 0.
            signed: whether points on the other side than `a` have a negative distance.
            scaled: whether to multiply by |a|_p, which makes it a logit.
        """
        distance = self._call(lambda x, p, a: self._dist2plane(x, p, a)[..., 0], x, p, a)
        if not signed:
            distance = distance.abs()
        return distance * self.norm(p, a) if scaled else distance

    @abstractmethod
    def _dist2plane(self, x: Tensor, p: Tensor, a: Tensor) -> Tensor:
        """Return the signed distance in float64, (*, 1)."""

    @final
    def busemann(self, x: Tensor, v: Tensor) -> Tensor:
        """Return the Busemann function of the ideal point where exp_o(t v) ends, at `x`: -> (*,).

        B(x) = lim d(x, exp_o(t v)) - t for |v| = 1: a length, 0 at the origin and -t at exp_o(t v).
        A sphere has no ideal points: where K > 0, t is pi/2 K^-1/2, and -B is the signed distance
        from the great sphere across v at the origin.

        Args:
            x: points.
            v: vectors at the origin, of which only the direction counts; `from_frame` makes them
                from coordinates. Where v = 0 the result is finite and means nothing.

        At K = 0 the function is continuous in K, but not its derivative by K: as K -> 0 from below
        that grows like |K|^-1/2; at 0 it is that from above.
        Accuracy: float32 values are right to 2 units in the last place, float64 to 8, wherever
        rounding x and v does not move them farther.
        Source: [chen2026hyperbolic].
        """
        return self._call(lambda x, v: self._busemann(x, v)[..., 0], x, v, returns="scalar")

    @abstractmethod
    def _busemann(self, x: Tensor, v: Tensor) -> Tensor:
        """Return the Busemann function in float64, (*, 1)."""

    def same_as(self, other: nn.Module) -> bool:
        """Tell whether `other` has the same model, dimension and curvature."""
        return (
            type(self) is type(other)
            and isinstance(other, SpaceForm)
            and self.dim == other.dim
            and self.curvature.same_as(other.curvature)
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.dim}, curvature={self.curvature.extra_repr()})"

    def _compute(self, formula: Callable[..., Tensor], *rows: Tensor, **fixed: Any) -> Tensor:
        """Return formula(K, *rows, **fixed) by the fastest way there is."""
        return compute(formula, (self._curvature_at(rows[0]),), rows, **fixed)

    def _curvature_at(self, x: Tensor) -> Tensor:
        """Return K as float64 (1,) on the device of `x`."""
        return self.curvature(x.device)

    def _frechet_mean(self, x: Tensor, w: Tensor, steps: int) -> Tensor:
        return newton_mean(self, x, w, steps)
