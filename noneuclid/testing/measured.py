"""One call of an operation, measured against the truth: values and gradients, in ulp.

An error is |result - truth| / |truth| over the numbers of a row, in units of the dtype's eps; a
gradient is that of w . result in the *chart* (a Lorentz point is its space part, a sphere point its
direction), which is how the contract reads points and tangent vectors.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold, Lorentz, SpaceForm, Sphere
from noneuclid.numerics import largest_norm, with_derivative_of
from noneuclid.testing.oracle import DIGITS, SIGNATURES, Truth, Vector
from noneuclid.testing.oracle_gradient import Problem
from noneuclid.testing.samples import curvature_of

VALUE_BAR = {torch.float32: 2.0, torch.float64: 8.0}  # ulp
GRADIENT_BAR = {torch.float32: 8.0, torch.float64: 256.0}
# What is allowed of the movement that rounding the arguments by half an ulp causes, where that is
# more than the bar. Float32 has float64 row scalars to spare; float64 rounds every step.
CONDITION = {torch.float32: 4.0, torch.float64: 8.0}

Function = Callable[..., Tensor]  # (K, *arguments) -> result


class Error(NamedTuple):
    """An error and the error allowed, in ulp; `argument` is "" for a value, else of a gradient.

    `conditioned` tells that rounding the arguments alone already exceeds the plain bar, and `moved`
    how far it moves the truth, in ulp; 0 where the error is within the bar, which needs no excuse.
    """

    argument: str
    error: float
    allowed: float
    conditioned: bool
    moved: float = 0.0


class Call:
    """An operation of `manifold` with arguments: rows as the library stores them, of one dtype.

    Args:
        manifold: with a fixed curvature.
        operation: a name in `SIGNATURES`.
        arguments: the tensors, one row each.
        weight: the functional w, in the chart of the result and in the dtype.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        operation: str,
        arguments: list[Tensor],
        weight: Tensor,
    ) -> None:
        self.manifold, self.operation, self.arguments = manifold, operation, arguments
        self.signature, self.weight = SIGNATURES[operation], weight
        self.dtype = arguments[0].dtype
        self.eps = torch.finfo(self.dtype).eps
        truth = Truth(manifold, self._digits())
        rows = [
            self._numbers(truth, argument) if letter == "w" else truth.chart(argument)
            for letter, argument in zip(self.signature.arguments, arguments, strict=True)
        ]
        self.problem = Problem(truth, operation, rows, self._numbers(truth, weight))

    def _digits(self) -> int:
        """Return the digits in which terms of size e^2R leave a hundred of the truth."""
        largest = max(float(argument.detach().double().abs().max()) for argument in self.arguments)
        return DIGITS + max(0, int(4 * math.log10(max(largest, 1.0)) - 60))

    @staticmethod
    def _numbers(truth: Truth, row: Tensor) -> Vector:
        return [truth.mp.mpf(float(a)) for a in row.double()]

    # -- the library's side ------------------------------------------------------------------------

    def own(self, curvature: Tensor, *arguments: Tensor) -> Tensor:
        """Return the library's result; with a gradient in K where K wants one."""
        manifold = self.manifold
        if curvature.requires_grad and isinstance(manifold, SpaceForm):
            manifold = manifold.at(curvature)
        if self.operation == "midpoint":
            *points, weights = arguments
            return manifold.midpoint(torch.stack(points), weights)
        return getattr(manifold, self.operation)(*arguments)

    def result(self, function: Function | None = None) -> Tensor:
        """Return the chart of a result (default: the library's) in float64."""
        with torch.no_grad():
            return self._chart((function or self.own)(self._curvature(), *self.arguments)).double()

    def gradients(self, function: Function | None = None) -> dict[str, Tensor]:
        """Return the gradients of w . result in the chart of each argument and in K, in float64.

        The chart is differentiated in float64, so that all rounding is the operation's.
        """
        curvature = self._curvature().requires_grad_()
        leaves = [argument.double().requires_grad_() for argument in self.arguments]
        lifted = []
        for i, (letter, leaf) in enumerate(zip(self.signature.arguments, leaves, strict=True)):
            path = self._path(letter, leaf, leaves, curvature)
            lifted.append(with_derivative_of(self.arguments[i].double(), path).to(self.dtype))
        chart = self._chart((function or self.own)(curvature, *lifted))
        found = torch.autograd.grad(
            chart,
            [*leaves, curvature],
            self.weight.to(chart).reshape(chart.shape),
            allow_unused=True,
            materialize_grads=True,
        )
        rows = [
            gradient if letter == "w" else self._chart_row(gradient)
            for letter, gradient in zip(self.signature.arguments, found, strict=False)
        ]
        return dict(zip([*self.signature.arguments, "K"], [*rows, found[-1]], strict=True))

    def _curvature(self) -> Tensor:
        return torch.tensor([curvature_of(self.manifold)], dtype=torch.float64)

    def _path(self, letter: str, leaf: Tensor, leaves: list[Tensor], curvature: Tensor) -> Tensor:
        """Return the coordinates that the chart stands for, differentiably: projx or proju."""
        if letter == "w" or not isinstance(self.manifold, Lorentz | Sphere):
            return leaf
        base = None if letter == "o" else leaves[1 if letter == "a" else 0]
        if isinstance(self.manifold, Lorentz):
            space = leaf[1:]
            if letter in "xyp":
                time = ((space * space).sum() - 1 / curvature).sqrt()
            elif base is None:
                time = torch.zeros_like(leaf[:1])
            else:
                start = base[1:]
                start = start / ((start * start).sum() - 1 / curvature).sqrt()
                time = (start * space).sum(-1, keepdim=True)
            return torch.cat([time, space])
        if letter in "xyp":
            return leaf / (leaf * leaf).sum().sqrt() / curvature.sqrt()
        axis = torch.eye(len(leaf), dtype=leaf.dtype)[0] if base is None else base
        direction = axis / (axis * axis).sum().sqrt()
        return leaf - (direction * leaf).sum() * direction

    def _chart(self, result: Tensor) -> Tensor:
        return result if self.signature.result == "scalar" else self._chart_row(result)

    def _chart_row(self, row: Tensor) -> Tensor:
        return row[1:] if isinstance(self.manifold, Lorentz) else row

    def is_regular(self) -> bool:
        """Tell whether a relative error has a meaning.

        It has none where the true result is 0, as between points that rounding made equal, or a
        point beyond the dtype's last shell.
        """
        problem, truth = self.problem, self.problem.truth
        size = problem.norm(self._true_value())
        if size <= problem.norm(problem.rows[0]) * truth.mp.mpf(10) ** -(truth.mp.dps // 3):
            return False
        if self.signature.result != "point" or isinstance(self.manifold, Sphere) or not truth.sign:
            return True
        family = "ball" if truth.sign < 0 else "sphere"
        family = "hyperboloid" if isinstance(self.manifold, Lorentz) else family
        return bool(size * truth.rate < largest_norm(self.dtype, family)[1])

    # -- errors ------------------------------------------------------------------------------------

    def value_error(self, function: Function | None = None) -> Error:
        """Return the error of a result (default: the library's)."""
        error = self._in_ulp(self._error(self.result(function), self._true_value()), "")
        bar = VALUE_BAR[self.dtype]
        if error <= bar or function is not None:
            return Error("", error, bar, False)
        return self._judge("", error, bar, self.problem.value_movement(self.eps))

    def gradient_errors(self, function: Function | None = None) -> list[Error]:
        """Return the error of the gradient in every argument and in the curvature."""
        bar, found = GRADIENT_BAR[self.dtype], self.gradients(function)
        errors = {
            letter: self._in_ulp(self._error(found[letter], row), letter)
            for letter, row in self._true_gradient().items()
        }
        if function is not None or all(error <= bar for error in errors.values()):
            return [Error(letter, error, bar, False) for letter, error in errors.items()]
        moved = self.problem.gradient_movement(self.eps)
        if isinstance(self.manifold, Sphere):
            moved["K"] += self._rounded_slopes()
        return [self._judge(letter, error, bar, moved[letter]) for letter, error in errors.items()]

    def _rounded_slopes(self) -> Any:
        """Return what rounding the gradients by a sphere's points does to that by K.

        Directions do not depend on K: all of it is x.g / 2K of each point x = x^ / sqrt K, and the
        coordinates of g are numbers of the dtype.
        """
        problem, true = self.problem, self._true_gradient()
        points = set(self.signature.arguments) & set("xyp")
        sizes = (problem.norm(true[a]) * problem.norm(problem.row(a)) for a in points)
        return sum(sizes) * self.eps / 4 / problem.truth.curvature

    def _judge(self, argument: str, error: float, bar: float, movement: Any) -> Error:
        """Return the error with its bound, given how far rounding the arguments moves the truth."""
        moved = self._in_ulp(movement, argument)
        if error <= bar:
            return Error(argument, error, bar, False)
        allowed = CONDITION[self.dtype] * moved if moved > bar else bar
        return Error(argument, error, allowed, moved > bar, moved)

    def _true_value(self) -> Vector:
        if not hasattr(self, "_value"):
            self._value = self.problem.value()
        return self._value

    def _true_gradient(self) -> dict[str, Vector]:
        if not hasattr(self, "_gradient"):
            self._gradient = self.problem.gradient()
        return self._gradient

    def _error(self, found: Tensor, truth: Vector) -> Any:
        if not bool(found.isfinite().all()):
            return self.problem.truth.mp.inf
        numbers = [self.problem.truth.mp.mpf(float(a)) for a in found.reshape(-1)]
        return self.problem.distance(numbers, truth)

    def _in_ulp(self, length: Any, argument: str) -> float:
        """Return a length in units of eps times the true row.

        A gradient that vanishes (of a transport on the sphere in K, say), or would if the arguments
        were not rounded, is measured against what its units suggest, |w| |result| / |argument|.
        """
        problem = self.problem
        size = problem.norm(self._true_gradient()[argument] if argument else self._true_value())
        if argument:
            row = [problem.truth.curvature] if argument == "K" else problem.row(argument)
            natural = problem.norm(problem.weight) * problem.norm(self._true_value())
            natural = natural / (problem.norm(row) or 1)
            least = 2.0**-52 if argument == "K" else self.eps
            size = size if size > natural * least else natural
        if size == 0:
            return 0.0 if length == 0 else math.inf
        return float(length / (size * self.eps))
