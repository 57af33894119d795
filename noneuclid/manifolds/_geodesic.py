"""The contract, second and third tier: manifolds with geodesics, and with an origin."""

# over 300 lines: two tiers of one contract

from abc import abstractmethod
from typing import Literal, overload

import torch
from torch import Tensor

from noneuclid.manifolds._base import Manifold
from noneuclid.manifolds._calling import (
    exact_matmul,
    final,
    round_back,
    to_working,
    without_autocast,
)
from noneuclid.manifolds._frechet import STEPS
from noneuclid.manifolds._isometry import Isometry, PointMap
from noneuclid.manifolds._pairwise import Chart, pair_distances
from noneuclid.numerics import safe_divide, safe_sqrt, wide


class GeodesicManifold(Manifold):
    """A manifold whose geodesics are known: what most layers and algorithms need."""

    @property
    @abstractmethod
    def injectivity_radius(self) -> Tensor:
        """Length below which geodesics are unique: float64, shape (); inf for K <= 0."""

    @final
    def expmap(self, x: Tensor, u: Tensor) -> Tensor:
        """Return exp_x(u): go from `x` along `u` for the length of `u`. exp_x(0) = projx(x)."""
        return self._call(self._expmap, x, u, returns="point")

    @final
    def logmap(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log_x(y): the shortest vector at `x` that leads to `y`; finite at antipodes."""
        return self._call(self._logmap, x, y)

    @final
    def dist(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the distance: -> (*,), length units; exactly 0, with derivative 0, at x = y."""
        return self._call(lambda x, y: safe_sqrt(self._dist2(x, y)), x, y, returns="scalar")

    @final
    def dist2(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the squared distance: -> (*,); smooth at x = y, where its Hessian is 2 g."""
        return self._call(self._dist2, x, y, returns="scalar")

    @final
    def cdist(self, x: Tensor, y: Tensor) -> Tensor:
        """Return all distances between rows: (*, n, S), (*, m, S) -> (*, n, m)."""
        count = len(self.point_shape)
        if x.dim() <= count or y.dim() <= count:
            raise ValueError(
                f"cdist expects (*, n, points) and (*, m, points), got {tuple(x.shape)} and"
                f" {tuple(y.shape)}"
            )
        return self._call(self._cdist, x, y, returns="scalar")

    @final
    def geodesic(self, x: Tensor, y: Tensor, t: float | Tensor) -> Tensor:
        """Return exp_x(t log_x(y)); a tensor `t` broadcasts against the batch axes."""
        velocity = self.logmap(x, y)
        if isinstance(t, Tensor):
            t = t.to(velocity.dtype)[(..., *(None,) * len(self.point_shape))]
        return self.expmap(x, t * velocity)

    @final
    def midpoint(self, x: Tensor, w: Tensor | None = None) -> Tensor:
        """Return the weighted midpoint over the axis before the coordinates: (*, n, S) -> (*, S).

        `w` (*, n), broadcast, are weights >= 0, equal by default; all zero gives the origin (on
        manifolds that have one). Each manifold documents which mean it is.
        """
        weights = self._row_weights(x, w, "midpoint")
        return self._call(lambda x, dtype: self._midpoint(x, weights, dtype), x, returns="point")

    @overload
    def frechet_mean(
        self,
        x: Tensor,
        w: Tensor | None = None,
        *,
        steps: int = STEPS,
        return_residual: Literal[False] = False,
    ) -> Tensor: ...

    @overload
    def frechet_mean(
        self,
        x: Tensor,
        w: Tensor | None = None,
        *,
        steps: int = STEPS,
        return_residual: Literal[True],
    ) -> tuple[Tensor, Tensor]: ...

    @final
    def frechet_mean(
        self,
        x: Tensor,
        w: Tensor | None = None,
        *,
        steps: int = STEPS,
        return_residual: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return argmin_m sum w d(m, x)^2 over the axis before the coordinates: -> (*, S).

        The mean is unique where K <= 0, and among points within pi/2 K^-1/2 of a common one where
        K > 0; among others the result is finite, and where the steps converge a stationary point.

        Args:
            x: points, (*, n, S).
            w: weights >= 0, (*, n), broadcast; equal by default; all zero gives the origin (on
                manifolds that have one).
            steps: Newton steps from `midpoint`, a fixed number. The default reaches the accuracy
                below for all points within 15 |K|^-1/2 of the origin and all weights.
            return_residual: whether to return (mean, residual), the residual (*,) being
                |sum w log_m(x)| / sum w, before the mean is rounded to the dtype of `x`: the
                gradient of half the objective, in length units. Where K <= 0 the minimum is at
                most that far away. It carries no derivative.

        Accuracy: coordinates to 1e-6 in float32 and 1e-13 in float64 of their norm, out to radius
        15 |K|^-1/2, but on the hyperboloid in float64 to 4 eps e^R at radius R if that is more. A
        mean beyond 30 |K|^-1/2, where coordinates say too little for Newton steps, is `midpoint`.
        """
        if steps < 1:
            raise ValueError(f"frechet_mean needs at least one step, got {steps}")
        weights = self._row_weights(x, w, "frechet_mean")
        dtype = self._check(x)
        with without_autocast(x.device.type):
            (x,) = to_working((x,), dtype)
            points = wide(self._projx(x, x.dtype))
            mean = self._frechet_mean(points, weights, steps)
            result = round_back(self._projx(mean.to(x.dtype), dtype), dtype)
            if not return_residual:
                return result
            with torch.no_grad():
                place = mean.unsqueeze(-1 - len(self.point_shape))
                pull = (weights * self._logmap(place, points)).sum(-1 - len(self.point_shape))
                pull = safe_divide(pull, weights.sum(-1 - len(self.point_shape)))
                residual = safe_sqrt(self._inner(mean, pull, pull))
        return result, round_back(residual, dtype)

    def _row_weights(self, x: Tensor, w: Tensor | None, name: str) -> Tensor:
        """Return the weights of a mean over rows: (*, n) -> (*, n, 1) in float64, checked."""
        count = len(self.point_shape)
        if x.dim() <= count:
            raise ValueError(f"{name} expects (*, n, points), got {tuple(x.shape)}")
        if w is None:
            w = x.new_ones(x.shape[x.dim() - count - 1])
        rows = x.shape[x.dim() - count - 1]
        if not isinstance(w, Tensor) or w.shape[-1:] != (rows,):
            came = tuple(w.shape) if isinstance(w, Tensor) else type(w).__name__
            raise ValueError(
                f"{name} of {rows} points expects weights of shape (*, {rows}), got {came}"
            )
        return w.to(torch.float64)[(..., *(None,) * count)]

    @abstractmethod
    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor: ...

    @abstractmethod
    def _logmap(self, x: Tensor, y: Tensor) -> Tensor: ...

    @abstractmethod
    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the squared distance in float64, (*,)."""

    def _cdist(self, x: Tensor, y: Tensor) -> Tensor:
        x_charts = self._charts(x)
        if x_charts:
            return pair_distances(x_charts, self._charts(y), x.dtype)
        count = len(self.point_shape)
        return safe_sqrt(self._dist2(x.unsqueeze(-1 - count), y.unsqueeze(-2 - count)))

    def _charts(self, x: Tensor) -> tuple[Chart, ...]:
        """Return the rows from which all distances are read; none: `_dist2` of all pairs."""
        return ()

    @abstractmethod
    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the midpoint over axis -2; `w` (*, n, 1) is float64."""

    @abstractmethod
    def _frechet_mean(self, x: Tensor, w: Tensor, steps: int) -> Tensor:
        """Return the Frechet mean over axis -2 of float64 points; `w` (*, n, 1) is float64."""

    def _retr(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor:
        return self._expmap(x, u, dtype)


class HomogeneousManifold(GeodesicManifold):
    """A manifold with a distinguished origin, where tangent-space layers live.

    Vectors at the origin have the shape of points; `from_frame` and `to_frame` convert between
    them and their `dim` coordinates in an orthonormal frame.
    """

    @final
    def origin(
        self,
        *size: int,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Return the origin, repeated: (*size, S)."""
        dtype = dtype or torch.get_default_dtype()
        return self._origin(size, dtype, torch.device(device or torch.get_default_device()))

    @final
    def expmap0(self, u: Tensor) -> Tensor:
        """Return exp_o(u) for a tangent vector at the origin: (*, S) -> (*, S)."""
        return self._call(self._expmap0, u, returns="point")

    @final
    def logmap0(self, y: Tensor) -> Tensor:
        """Return log_o(y), a tangent vector at the origin: (*, S) -> (*, S)."""
        return self._call(self._logmap0, y)

    @final
    def dist0(self, x: Tensor) -> Tensor:
        """Return the distance from the origin: (*, S) -> (*,)."""
        return self._call(lambda x: safe_sqrt(self._dist02(x)), x, returns="scalar")

    @final
    def transp0(self, y: Tensor, u: Tensor) -> Tensor:
        """Return `u` carried from the origin to `y`."""
        return self._call(self._transp0, y, u)

    @final
    def transp0back(self, x: Tensor, u: Tensor) -> Tensor:
        """Return `u`, a vector at `x`, carried to the origin."""
        return self._call(self._transp0back, x, u)

    @final
    def from_frame(self, coordinates: Tensor) -> Tensor:
        """Return the vector at the origin with these orthonormal coordinates: (*, dim) -> (*, S).

        |from_frame(a)|_o = |a|: it is the chart that lets one layer serve every manifold.
        """
        if coordinates.shape[-1:] != (self.dim,):
            raise ValueError(
                f"{type(self).__name__} expects frame coordinates of shape (*, {self.dim}),"
                f" got {tuple(coordinates.shape)}"
            )
        return self._from_frame(coordinates)

    @final
    def to_frame(self, u: Tensor) -> Tensor:
        """Return the orthonormal coordinates of a vector at the origin: (*, S) -> (*, dim)."""
        self._check(u)
        return self._to_frame(u)

    @final
    def random_isometry(
        self, generator: torch.Generator | None = None, *, dtype: torch.dtype = torch.float64
    ) -> Isometry:
        """Return a random motion: a uniform rotation about the origin, then a translation.

        The translation takes the origin to a point p drawn by `random`, along the geodesic:
        x -> exp_p(transp0(p, log_o x)). A product moves factor by factor.
        """
        return Isometry(self, self, self._random_motion(generator, dtype))

    def _random_motion(self, generator: torch.Generator | None, dtype: torch.dtype) -> PointMap:
        normal = torch.randn(self.dim, self.dim, generator=generator, dtype=torch.float64)
        rotation, triangle = torch.linalg.qr(normal)
        rotation = (rotation * triangle.diagonal().sign()).to(dtype)
        place = self.random(generator=generator, dtype=dtype)

        def move(x: Tensor) -> Tensor:
            turned = exact_matmul(self.to_frame(self.logmap0(x)), rotation.to(x).mT)
            point = place.to(x)
            return self.expmap(point, self.transp0(point, self.from_frame(turned)))

        return move

    @abstractmethod
    def _origin(
        self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device
    ) -> Tensor: ...

    @abstractmethod
    def _expmap0(self, u: Tensor, dtype: torch.dtype) -> Tensor: ...

    @abstractmethod
    def _logmap0(self, y: Tensor) -> Tensor: ...

    @abstractmethod
    def _dist02(self, x: Tensor) -> Tensor:
        """Return the squared distance from the origin in float64, (*,)."""

    @abstractmethod
    def _transp0(self, y: Tensor, u: Tensor) -> Tensor: ...

    @abstractmethod
    def _transp0back(self, x: Tensor, u: Tensor) -> Tensor: ...

    @abstractmethod
    def _from_frame(self, coordinates: Tensor) -> Tensor: ...

    @abstractmethod
    def _to_frame(self, u: Tensor) -> Tensor: ...

    @abstractmethod
    def like(self, dim: int) -> "HomogeneousManifold":
        """Return the same geometry in another dimension, sharing the same curvature module."""
