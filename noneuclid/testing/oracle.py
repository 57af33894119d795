"""The truth to 100 digits: textbook formulas on the ambient hyperboloid or sphere, in mpmath.

Written independently of the library: every point is lifted to the unit hyperboloid, the unit sphere
or R^n, the operation is done there by the formula of the textbooks (acosh, acos and all: at 100
digits cancellation does not matter), and the result is compared or carried back. A Lorentz point
is read as its space part, a sphere point as its direction, tangent vectors likewise: these rows are
the *chart* of a model.

    x, y one row each:  Truth(H).dist(x, y)  ->  mpmath number
    the same by name, in the model's chart:  Truth(H).result("expmap", [x, u])  ->  [numbers]
"""

# over 300 lines: the truth of one family of spaces, one short method for each operation

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

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
Row = Tensor | Vector  # coordinates as the library stores them, or a row of the chart


class Signature(NamedTuple):
    """What an operation takes and gives.

    `arguments` has one letter each: x, y, p points; u a vector at the first argument; a a vector
    at the second; o a vector at the origin; w weights. `result` is "scalar", "point" or "vector";
    `base` is the argument at which a vector result lives, None for the origin.
    """

    arguments: str
    result: str
    base: int | None = None


SIGNATURES = {
    "dist": Signature("xy", "scalar"),
    "dist0": Signature("x", "scalar"),
    "expmap": Signature("xu", "point"),
    "logmap": Signature("xy", "vector", 0),
    "expmap0": Signature("o", "point"),
    "logmap0": Signature("x", "vector"),
    "transp": Signature("xyu", "vector", 1),
    "transp0": Signature("xo", "vector", 0),
    "mobius_add": Signature("xy", "point"),
    "dist2plane": Signature("xpa", "scalar"),
    "busemann": Signature("xo", "scalar"),
    "midpoint": Signature("xypw", "point"),
}


def high_precision(digits: int = DIGITS) -> Any:
    """Return an mpmath context of its own with enough digits; mpmath's global one is not touched.

    Raises:
        ImportError: mpmath, an optional dependency, is not installed; says how to install it.
    """
    try:
        from mpmath.ctx_mp import MPContext
    except ImportError as error:
        raise ImportError("the oracle needs mpmath: install noneuclid[dev]") from error
    context = MPContext()
    context.dps = digits
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
        digits: decimal digits; terms of size e^2R cancel at radius R, so 100 are enough to R = 60.
    """

    def __init__(self, manifold: HomogeneousManifold, digits: int = DIGITS) -> None:
        if not has_truth(manifold):
            raise TypeError(f"no truth is known for {type(manifold).__name__}")
        self.mp = high_precision(digits)
        self.manifold = manifold
        value = 0.0 if isinstance(manifold, Euclidean) else float(manifold.curvature)  # type: ignore[arg-type]
        self._bend(self.mp.mpf(value))

    def at(self, curvature: Any) -> "Truth":
        """Return the truth of the same model with K an mpmath number."""
        other = copy.copy(self)
        other._bend(curvature)
        return other

    def _bend(self, curvature: Any) -> None:
        self.curvature = curvature
        self.sign = int(self.mp.sign(curvature))
        self.rate = self.mp.sqrt(abs(curvature)) if self.sign else self.mp.mpf(1)

    # -- between coordinates, the chart and ambient vectors ----------------------------------------

    def chart(self, x: Row) -> Vector:
        """Return the numbers that a row of coordinates stands for: no time entry."""
        if not isinstance(x, Tensor):
            return x
        numbers = [self.mp.mpf(float(a)) for a in x.detach().double()]
        return numbers[1:] if isinstance(self.manifold, Lorentz) else numbers

    def lift(self, x: Row) -> Vector:
        """Return the ambient point that the coordinates stand for."""
        p = self.chart(x)
        if isinstance(self.manifold, Euclidean):
            return [self.mp.mpf(0), *p]
        if isinstance(self.manifold, Sphere):
            length = self.mp.sqrt(self._plain(p, p))
            return [a / length for a in p]
        p = [self.rate * a for a in p]
        square = self._plain(p, p)
        if isinstance(self.manifold, Lorentz):
            return [self.mp.sqrt(1 + square), *p]
        factor = 2 / (1 + self.sign * square)
        return [factor - 1 if self.sign else self.mp.mpf(0), *(factor * a for a in p)]

    def lift_vector(self, x: Row, v: Row) -> Vector:
        """Return the ambient tangent vector, in units of length |K|^-1/2."""
        ambient = self.lift(x)
        w = [self.rate * a for a in self.chart(v)]
        if isinstance(self.manifold, Euclidean):
            return [self.mp.mpf(0), *w]
        if isinstance(self.manifold, Sphere):
            along = self._plain(ambient, w)
            return [a - along * b for a, b in zip(w, ambient, strict=True)]
        if isinstance(self.manifold, Lorentz):
            return [self._plain(ambient[1:], w) / ambient[0], *w]
        p = [self.rate * a for a in self.chart(x)]
        factor = 2 / (1 + self.sign * self._plain(p, p))
        change = -self.sign * factor * factor * self._plain(p, w)
        return [change, *(factor * a + change * b for a, b in zip(w, p, strict=True))]

    def lower(self, ambient: Vector) -> Vector:
        """Return the chart of an ambient point; the inverse of `lift`."""
        if isinstance(self.manifold, Euclidean):
            return ambient[1:]
        if isinstance(self.manifold, Sphere):
            return [a / self.rate for a in ambient]
        scale = self.rate
        if not isinstance(self.manifold, Lorentz):
            scale = scale * (1 + ambient[0] if self.sign else 2)
        return [a / scale for a in ambient[1:]]

    def lower_vector(self, ambient: Vector, v: Vector) -> Vector:
        """Return the chart of an ambient tangent vector `v` at an ambient point."""
        if isinstance(self.manifold, Euclidean):
            return v[1:]
        if isinstance(self.manifold, Sphere):
            return [a / self.rate for a in v]
        if isinstance(self.manifold, Lorentz):
            return [a / self.rate for a in v[1:]]
        scale = 1 + ambient[0] if self.sign else self.mp.mpf(2)
        pull = v[0] / scale
        return [
            (a - pull * b) / (scale * self.rate) for a, b in zip(v[1:], ambient[1:], strict=True)
        ]

    def origin(self, like: Vector) -> Vector:
        """Return the chart of the origin, as long as another row."""
        first = 1 / self.rate if isinstance(self.manifold, Sphere) else 0
        return [self.mp.mpf(first), *[self.mp.mpf(0)] * (len(like) - 1)]

    def _plain(self, a: Sequence[Any], b: Sequence[Any]) -> Any:
        return self.mp.fdot(zip(a, b, strict=True))

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
        cosine, sine = self._turn(angle)
        return [cosine * p + sine / angle * q for p, q in zip(a, v, strict=True)]

    def _turn(self, angle: Any) -> tuple[Any, Any]:
        if self.sign < 0:
            return self.mp.cosh(angle), self.mp.sinh(angle)
        return self.mp.cos(angle), self.mp.sin(angle)

    def _aim(self, a: Vector, b: Vector) -> Vector:
        angle = self._angle(a, b)
        if self.sign == 0 or angle == 0:
            return [q - p for p, q in zip(a, b, strict=True)]
        cosine, sine = self._turn(angle)
        return [angle / sine * (q - cosine * p) for p, q in zip(a, b, strict=True)]

    def _carry(self, a: Vector, b: Vector, v: Vector) -> Vector:
        if self.sign == 0:
            return v
        weight = self.sign * self.form(b, v) / (1 + self.sign * self.form(a, b))
        return [w - weight * (p + q) for p, q, w in zip(a, b, v, strict=True)]

    # -- operations: single rows in, numbers or ambient vectors out --------------------------------

    def dist(self, x: Row, y: Row) -> Any:
        """Return d(x, y)."""
        return self._angle(self.lift(x), self.lift(y)) / self.rate

    def dist0(self, x: Row) -> Any:
        """Return the distance of x from the origin."""
        return self.dist(self.origin(self.chart(x)), x)

    def dist2plane(self, x: Row, p: Row, a: Row) -> Any:
        """Return the distance of x from the totally geodesic hyperplane through p normal to a."""
        normal = self.lift_vector(p, a)
        point = self.lift(x)
        if self.sign == 0:
            point = [q - b for q, b in zip(point, self.lift(p), strict=True)]
        sine = abs(self.form(point, normal)) / (self.length(normal) * self.rate)
        angle = {-1: self.mp.asinh, 0: abs, 1: self.mp.asin}[self.sign](sine)
        return angle / self.rate

    def busemann(self, x: Row, v: Row) -> Any:
        """Return lim d(x, exp_o(t v)) - t, |v| = 1; for K > 0 with t = pi/2 K^-1/2 for a limit."""
        origin = self.origin(self.chart(x))
        direction = self.lift_vector(origin, v)
        size = self.length(direction) * self.rate
        point = self.lift(x)
        along = self._plain(point, direction) / size
        if self.sign < 0:
            return self.mp.log(point[0] - along) / self.rate
        return -(self.mp.asin(along) if self.sign else along) / self.rate

    def expmap(self, x: Row, v: Row) -> Vector:
        """Return the ambient point exp_x(v)."""
        return self._shoot(self.lift(x), self.lift_vector(x, v))

    def logmap(self, x: Row, y: Row) -> Vector:
        """Return the ambient vector log_x(y)."""
        return self._aim(self.lift(x), self.lift(y))

    def transp(self, x: Row, y: Row, v: Row) -> Vector:
        """Return the ambient vector at y that v at x is carried to."""
        return self._carry(self.lift(x), self.lift(y), self.lift_vector(x, v))

    def expmap0(self, v: Row) -> Vector:
        """Return the ambient point exp_o(v)."""
        return self.expmap(self.origin(self.chart(v)), v)

    def logmap0(self, y: Row) -> Vector:
        """Return the ambient vector log_o(y)."""
        return self.logmap(self.origin(self.chart(y)), y)

    def transp0(self, y: Row, v: Row) -> Vector:
        """Return the ambient vector at y that v at the origin is carried to."""
        return self.transp(self.origin(self.chart(y)), y, v)

    def mobius_add(self, x: Row, y: Row) -> Vector:
        """Return x (+) y: exp_x of log_o(y) carried from the origin to x."""
        origin, a = self.lift(self.origin(self.chart(x))), self.lift(x)
        return self._shoot(a, self._carry(origin, a, self._aim(origin, self.lift(y))))

    def midpoint(self, *rows: Vector) -> Vector:
        """Return the normalised weighted ambient sum of points; the last row holds the weights."""
        *points, weights = rows
        lifted = [self.lift(point) for point in points]
        total = [self._plain(weights, entries) for entries in zip(*lifted, strict=True)]
        if self.sign == 0:
            return [a / sum(weights) for a in total]
        size = self.mp.sqrt(abs(self.form(total, total)))
        return [a / size for a in total]

    def result(self, name: str, rows: list[Vector]) -> Vector:
        """Return the result of an operation of `SIGNATURES` in the chart; a scalar as one entry."""
        signature = SIGNATURES[name]
        value = getattr(self, name)(*rows)
        if signature.result == "scalar":
            return [value]
        if signature.result == "point":
            return self.lower(value)
        base = self.origin(rows[0]) if signature.base is None else rows[signature.base]
        return self.lower_vector(self.lift(base), value)
