"""The truth to 100 digits: textbook formulas on the ambient hyperboloid or sphere, in mpmath.

Written independently of the library: every point is lifted to the unit hyperboloid, the unit sphere
or R^n, the operation is done there by the formula of the textbooks (acosh, acos and all: at 100
digits cancellation does not matter), and the result is compared or carried back. A Lorentz point
is read as its space part, a sphere point as its direction, tangent vectors likewise.

    x, y one row each:  Truth(H).dist(x, y)  ->  mpmath number
"""

from typing import Any

from torch import Tensor

from noneuclid.manifolds import (
    Euclidean,
    HomogeneousManifold,
    Lorentz,
    PoincareBall,
    Sphere,
    SphereProjection,
    Stereographic,
)

DIGITS = 100
Vector = list[Any]  # of mpmath numbers


def high_precision() -> Any:
    """Return an mpmath context of its own with enough digits; mpmath's global one is not touched.

    Raises:
        ImportError: mpmath, an optional dependency, is not installed; says how to install it.
    """
    try:
        from mpmath.ctx_mp import MPContext
    except ImportError as error:
        raise ImportError("the oracle needs mpmath: install noneuclid[dev]") from error
    context = MPContext()
    context.dps = DIGITS
    return context


def has_truth(manifold: object) -> bool:
    """Tell whether `Truth` knows this manifold."""
    models = (Euclidean, Lorentz, PoincareBall, Sphere, SphereProjection, Stereographic)
    return isinstance(manifold, models)


class Truth:
    """Exact geometry of one manifold of constant curvature; all arguments are single rows.

    Ambient vectors are lists [X0, X1, ..., Xn] with X0 the time or polar entry, in units of
    |K|^-1/2; in the flat case X0 is 0 and the unit is 1.

    Args:
        manifold: Euclidean, Lorentz, Sphere or a stereographic model, K of any sign.
    """

    def __init__(self, manifold: HomogeneousManifold) -> None:
        if not has_truth(manifold):
            raise TypeError(f"no truth is known for {type(manifold).__name__}")
        self.mp = high_precision()
        self.manifold = manifold
        value = 0.0 if isinstance(manifold, Euclidean) else float(manifold.curvature)  # type: ignore[arg-type]
        self.curvature = self.mp.mpf(value)
        self.sign = int(self.mp.sign(self.curvature))
        self.rate = self.mp.sqrt(abs(self.curvature)) if self.sign else self.mp.mpf(1)

    # -- between coordinates and ambient vectors ---------------------------------------------------

    def lift(self, x: Tensor) -> Vector:
        """Return the ambient point that the coordinates stand for."""
        p = self._numbers(x)
        if isinstance(self.manifold, Euclidean):
            return [self.mp.mpf(0), *p]
        if isinstance(self.manifold, Sphere):
            length = self.mp.sqrt(sum(a * a for a in p))
            return [a / length for a in p]
        p = [self.rate * a for a in p]
        if isinstance(self.manifold, Lorentz):
            return [self.mp.sqrt(1 + sum(a * a for a in p[1:])), *p[1:]]
        factor = 2 / (1 + self.sign * sum(a * a for a in p))
        return [factor - 1 if self.sign else self.mp.mpf(0), *(factor * a for a in p)]

    def lift_vector(self, x: Tensor, v: Tensor) -> Vector:
        """Return the ambient tangent vector, in units of length |K|^-1/2."""
        ambient = self.lift(x)
        w = [self.rate * a for a in self._numbers(v)]
        if isinstance(self.manifold, Euclidean):
            return [self.mp.mpf(0), *w]
        if isinstance(self.manifold, Sphere):
            along = self._plain(ambient, w)
            return [a - along * b for a, b in zip(w, ambient, strict=True)]
        if isinstance(self.manifold, Lorentz):
            return [self._plain(ambient[1:], w[1:]) / ambient[0], *w[1:]]
        p = [self.rate * a for a in self._numbers(x)]
        factor = 2 / (1 + self.sign * self._plain(p, p))
        change = -self.sign * factor * factor * self._plain(p, w)
        return [change, *(factor * a + change * b for a, b in zip(w, p, strict=True))]

    def _numbers(self, x: Tensor) -> Vector:
        return [self.mp.mpf(float(a)) for a in x.detach().double()]

    @staticmethod
    def _plain(a: Vector, b: Vector) -> Any:
        return sum(p * q for p, q in zip(a, b, strict=True))

    def form(self, a: Vector, b: Vector) -> Any:
        """Return the ambient product: a.b, with the first term negative for K < 0."""
        return self._plain(a, b) - (2 * a[0] * b[0] if self.sign < 0 else 0)

    def length(self, a: Vector) -> Any:
        """Return the length of an ambient tangent vector, in the manifold's unit."""
        return self.mp.sqrt(max(self.form(a, a), 0)) / self.rate

    # -- geometry on ambient vectors ---------------------------------------------------------------

    def _angle(self, a: Vector, b: Vector) -> Any:
        if self.sign < 0:
            return self.mp.acosh(max(-self.form(a, b), 1))
        if self.sign > 0:
            return self.mp.acos(min(max(self.form(a, b), -1), 1))
        return self.length([q - p for p, q in zip(a, b, strict=True)])

    def _shoot(self, a: Vector, v: Vector) -> Vector:
        angle = self.length(v) * self.rate
        if angle == 0:
            return a
        if self.sign == 0:
            return [p + q for p, q in zip(a, v, strict=True)]
        cosine, sine = (
            (self.mp.cosh(angle), self.mp.sinh(angle))
            if self.sign < 0
            else (self.mp.cos(angle), self.mp.sin(angle))
        )
        return [cosine * p + sine / angle * q for p, q in zip(a, v, strict=True)]

    def _aim(self, a: Vector, b: Vector) -> Vector:
        angle = self._angle(a, b)
        if self.sign == 0 or angle == 0:
            return [q - p for p, q in zip(a, b, strict=True)]
        cosine, sine = (
            (self.mp.cosh(angle), self.mp.sinh(angle))
            if self.sign < 0
            else (self.mp.cos(angle), self.mp.sin(angle))
        )
        return [angle / sine * (q - cosine * p) for p, q in zip(a, b, strict=True)]

    def _carry(self, a: Vector, b: Vector, v: Vector) -> Vector:
        if self.sign == 0:
            return v
        weight = self.sign * self.form(b, v) / (1 + self.sign * self.form(a, b))
        return [w - weight * (p + q) for p, q, w in zip(a, b, v, strict=True)]

    def _origin(self) -> Vector:
        count = self.manifold.dim
        return [self.mp.mpf(1 if self.sign else 0), *[self.mp.mpf(0)] * count]

    # -- operations: single rows in, numbers or ambient vectors out --------------------------------

    def dist(self, x: Tensor, y: Tensor) -> Any:
        """Return d(x, y)."""
        return self._angle(self.lift(x), self.lift(y)) / self.rate

    def dist0(self, x: Tensor) -> Any:
        """Return the distance of x from the origin."""
        return self._angle(self._origin(), self.lift(x)) / self.rate

    def expmap(self, x: Tensor, v: Tensor) -> Vector:
        """Return the ambient point exp_x(v)."""
        return self._shoot(self.lift(x), self.lift_vector(x, v))

    def logmap(self, x: Tensor, y: Tensor) -> Vector:
        """Return the ambient vector log_x(y)."""
        return self._aim(self.lift(x), self.lift(y))

    def transp(self, x: Tensor, y: Tensor, v: Tensor) -> Vector:
        """Return the ambient vector at y that v at x is carried to."""
        return self._carry(self.lift(x), self.lift(y), self.lift_vector(x, v))

    def expmap0(self, v: Tensor) -> Vector:
        """Return the ambient point exp_o(v)."""
        return self.expmap(self.manifold.origin(dtype=v.dtype), v)

    def logmap0(self, y: Tensor) -> Vector:
        """Return the ambient vector log_o(y)."""
        return self._aim(self._origin(), self.lift(y))

    def transp0(self, y: Tensor, v: Tensor) -> Vector:
        """Return the ambient vector at y that v at the origin is carried to."""
        origin = self.manifold.origin(dtype=v.dtype)
        return self._carry(self._origin(), self.lift(y), self.lift_vector(origin, v))

    def mobius_add(self, x: Tensor, y: Tensor) -> Vector:
        """Return x (+) y: exp_x of log_o(y) carried from the origin to x."""
        origin, a = self._origin(), self.lift(x)
        return self._shoot(a, self._carry(origin, a, self._aim(origin, self.lift(y))))

    # -- errors of what the library returned -------------------------------------------------------

    def point_error(self, result: Tensor, truth: Vector) -> float:
        """Return the distance between a returned point and the true one."""
        return float(self._angle(self.lift(result), truth) / self.rate)

    def vector_error(self, base: Tensor, result: Tensor, truth: Vector) -> float:
        """Return the length of the error of a returned tangent vector at `base`."""
        lifted = self.lift_vector(base, result)
        return float(self.length([a - b for a, b in zip(lifted, truth, strict=True)]))
