"""True gradients, and how far rounding the arguments moves a true result: the fair error bar.

An operation with all its arguments is a `Problem`. Its gradient is that of w . result, a linear
functional of the result's chart, by central differences of the mpmath operation; at 100 digits and
a relative step of 1e-33 they are right to about 60 digits.
"""

import random
from typing import Any

from noneuclid.manifolds import Euclidean, Sphere
from noneuclid.testing.oracle import SIGNATURES, Truth, Vector

_PERTURBATIONS = 8  # random roundings of the arguments of which the worst counts


class Problem:
    """An operation of `SIGNATURES`, its arguments as rows of the chart, and a functional w.

    The geometry is invariant under rotations (about the origin, where an operation knows it), so
    that a gradient lies in the span of the points, vectors and w: it is formed in an orthonormal
    frame of at most five directions, whatever the dimension.

    Args:
        truth: the geometry.
        operation: a name in `SIGNATURES`.
        rows: the arguments.
        weight: w, as long as the result's chart; of a scalar [w].
    """

    def __init__(self, truth: Truth, operation: str, rows: list[Vector], weight: Vector) -> None:
        self.truth, self.operation, self.rows, self.weight = truth, operation, rows, weight
        self.signature = SIGNATURES[operation]
        self._step = truth.mp.mpf(10) ** -(truth.mp.dps // 3)

    def value(self) -> Vector:
        """Return the true result in the chart."""
        return self.truth.result(self.operation, self.rows)

    def gradient(self) -> dict[str, Vector]:
        """Return the gradient of w . result in each argument, by letter, and in K if any."""
        frame = self._frame()
        rows = [self._in_frame(i, frame) for i in range(len(self.rows))]
        scalar = self.signature.result == "scalar"
        weight = self.weight if scalar else self._coordinates(self.weight, frame)
        found = {}
        for i, letter in enumerate(self.signature.arguments):
            slope = self._slope(rows, i, weight)
            found[letter] = slope if letter == "w" else self._combine(slope, frame)
        if isinstance(self.truth.manifold, Euclidean):
            return found
        step = self._step * (abs(self.truth.curvature) or 1)
        # Busemann functions have a derivative by K at K = 0 from above only.
        lowest = 0 if self.operation == "busemann" and not self.truth.sign else -1
        sides = [
            self._functional(self.truth.at(self.truth.curvature + side * step), rows, weight)
            for side in (1, lowest)
        ]
        found["K"] = [(sides[0] - sides[1]) / ((1 - lowest) * step)]
        return found

    def value_movement(self, eps: float) -> Any:
        """Return how far half an ulp in every argument moves the true result, as a norm."""
        value = self.value()
        moved = [self.perturbed(eps, seed).value() for seed in range(_PERTURBATIONS)]
        return max(self.distance(value, other) for other in moved)

    def gradient_movement(self, eps: float) -> dict[str, Any]:
        """Return how far half an ulp in every argument (and w) moves the true gradients."""
        gradient = self.gradient()
        moved = [self.perturbed(eps, seed).gradient() for seed in range(_PERTURBATIONS)]
        return {
            letter: max(self.distance(row, other[letter]) for other in moved)
            for letter, row in gradient.items()
        }

    def perturbed(self, eps: float, seed: int) -> "Problem":
        """Return the problem with every number moved by half an ulp of its size, up or down.

        The curvature, which is float64 for points of every dtype, by half an ulp of float64.
        """
        source, half = random.Random(seed), self.truth.mp.mpf(eps) / 2

        def move(row: Vector) -> Vector:
            return [a * (1 + source.choice((-half, half))) for a in row]

        step = source.choice((-1, 1)) * self.truth.mp.mpf(2) ** -53
        curvature = self.truth.curvature * (1 + step)
        rows = [move(row) for row in self.rows]
        return Problem(self.truth.at(curvature), self.operation, rows, move(self.weight))

    def row(self, letter: str) -> Vector:
        """Return the argument with this letter."""
        return self.rows[self.signature.arguments.index(letter)]

    def distance(self, a: Vector, b: Vector) -> Any:
        """Return |a - b|."""
        return self.norm([p - q for p, q in zip(a, b, strict=True)])

    def norm(self, a: Vector) -> Any:
        """Return |a|."""
        return self.truth.mp.sqrt(self._dot(a, a))

    # -- differences in a frame --------------------------------------------------------------------

    def _dot(self, a: Vector, b: Vector) -> Any:
        return self.truth.mp.fdot(zip(a, b, strict=True))

    def _functional(self, truth: Truth, rows: list[Vector], weight: Vector) -> Any:
        return self._dot(weight, truth.result(self.operation, rows))

    def _slope(self, rows: list[Vector], index: int, weight: Vector) -> Vector:
        """Return the central differences in the entries of one row."""
        step = self._step * (self.norm(rows[index]) or 1 / self.truth.rate)
        slope = []
        for entry in range(len(rows[index])):
            sides = []
            for side in (step, -step):
                moved = [list(row) for row in rows]
                moved[index][entry] += side
                sides.append(self._functional(self.truth, moved, weight))
            slope.append((sides[0] - sides[1]) / (2 * step))
        return slope

    def _frame(self) -> list[Vector]:
        """Return an orthonormal basis of the span of points, vectors and w, the pole first."""
        letters = self.signature.arguments
        spanning = [row for letter, row in zip(letters, self.rows, strict=True) if letter != "w"]
        if self.signature.result != "scalar":
            spanning.append(self.weight)
        if isinstance(self.truth.manifold, Sphere):
            spanning.insert(0, self.truth.origin(self.rows[0]))
        frame: list[Vector] = []
        for row in spanning:
            rest = row
            for axis in frame:
                along = self._dot(axis, rest)
                rest = [a - along * b for a, b in zip(rest, axis, strict=True)]
            size = self.norm(rest)
            if size > self.norm(row) * self._step:
                frame.append([a / size for a in rest])
        return frame or [[self.truth.mp.mpf(1), *[self.truth.mp.mpf(0)] * (len(row) - 1)]]

    def _coordinates(self, row: Vector, frame: list[Vector]) -> Vector:
        return [self._dot(axis, row) for axis in frame]

    def _in_frame(self, index: int, frame: list[Vector]) -> Vector:
        row = self.rows[index]
        weights = self.signature.arguments[index] == "w"
        return row if weights else self._coordinates(row, frame)

    def _combine(self, slope: Vector, frame: list[Vector]) -> Vector:
        return [self._dot(slope, list(entries)) for entries in zip(*frame, strict=True)]
