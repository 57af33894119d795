"""The contract, second and third tier: manifolds with geodesics, and with an origin."""

from abc import abstractmethod

import torch
from torch import Tensor

from noneuclid.manifolds._base import Manifold
from noneuclid.manifolds._calling import exact_matmul, final
from noneuclid.manifolds._isometry import Isometry, PointMap
from noneuclid.numerics import safe_sqrt


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
        return self.dist(x.unsqueeze(-1 - count), y.unsqueeze(-2 - count))

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
        if x.dim() <= len(self.point_shape):
            raise ValueError(f"midpoint expects (*, n, points), got {tuple(x.shape)}")
        if w is None:
            w = x.new_ones(x.shape[: x.dim() - len(self.point_shape)])
        count = x.shape[x.dim() - len(self.point_shape) - 1]
        if not isinstance(w, Tensor) or w.shape[-1:] != (count,):
            came = tuple(w.shape) if isinstance(w, Tensor) else type(w).__name__
            raise ValueError(
                f"midpoint of {count} points expects weights of shape (*, {count}), got {came}"
            )
        weights = w.to(torch.float64)[(..., *(None,) * len(self.point_shape))]
        return self._call(lambda x, dtype: self._midpoint(x, weights, dtype), x, returns="point")

    @abstractmethod
    def _expmap(self, x: Tensor, u: Tensor, dtype: torch.dtype) -> Tensor: ...

    @abstractmethod
    def _logmap(self, x: Tensor, y: Tensor) -> Tensor: ...

    @abstractmethod
    def _dist2(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the squared distance in float64, (*,)."""

    @abstractmethod
    def _midpoint(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the midpoint over axis -2; `w` (*, n, 1) is float64."""

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
