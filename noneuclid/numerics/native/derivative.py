"""The derivative of a traced formula, added to its trace: reverse mode on scalars and rows."""

from collections.abc import Callable
from typing import Any

from noneuclid.numerics.native.trace import Joined, Leaf, Rounded, Row, Scalar, Trace, times

Result = Rounded | Scalar | Joined
Rule = Callable[[Trace, Scalar, Scalar], list[Scalar | None]]


class Derivative:
    """Adjoints of a trace, from those of its result back to what it was given.

    Args:
        trace: of the formula; the operations of the derivative are added to it.
        result: what the formula returned.
        rows_back: stands for the gradient by the rows of the result (with their own width).
        scalar_back: stands for the gradient by its row scalar.
    """

    def __init__(
        self, trace: Trace, result: Result, rows_back: Rounded | None, scalar_back: Scalar | None
    ) -> None:
        self.trace = trace
        self.scalars: dict[int, Scalar] = {}  # adjoint of each node
        self.rows: dict[int, Row] = {}  # adjoint of each stored row
        nodes, values = list(trace.nodes), len(trace.values) - (rows_back is not None)
        rows = result.rest if isinstance(result, Joined) else result
        if isinstance(result, Joined):
            self._add_scalar(result.first, scalar_back)
        if isinstance(rows, Scalar):
            self._add_scalar(rows, scalar_back)
        else:
            assert rows_back is not None
            self._add_row(rows.place, Row(trace, {(rows_back.place, -1, 0): 1.0}))
        self._walk(nodes, values)

    def _walk(self, nodes: list[Scalar], values: int) -> None:
        """Visit nodes and rounded rows backwards, each after everything that uses it."""
        # A rounded row was noted after the scalars in its coefficients, before those made from it.
        waiting = list(range(values))
        for index in range(len(nodes), -1, -1):
            while waiting and self.trace.values[waiting[-1]].noted >= index:
                self._through_rounding(waiting.pop())
            if index > 0:
                self._through(nodes[index - 1])

    def _add_scalar(self, node: Scalar, adjoint: Scalar | None) -> None:
        if adjoint is None or node.operation == "constant":
            return
        known = self.scalars.get(node.index)
        self.scalars[node.index] = adjoint if known is None else known + adjoint

    def _add_row(self, place: int, adjoint: Row) -> None:
        known = self.rows.get(place)
        self.rows[place] = adjoint if known is None else known + adjoint

    def _add_combination(self, row: Row, adjoint: Row, weight: Scalar | None = None) -> None:
        """Pass weight * adjoint of a combination on to its coefficients and leaves."""
        for leaf, coefficient in row.terms.items():
            if isinstance(coefficient, Scalar):
                slope = self.trace.dot(adjoint, Row(self.trace, {leaf: 1.0}))
                self._add_scalar(coefficient, slope if weight is None else weight * slope)
            factor = coefficient if weight is None else times(coefficient, weight)
            self._add_leaf(leaf, adjoint * factor)

    def _add_leaf(self, leaf: Leaf, adjoint: Row) -> None:
        a, b, sign = leaf
        self._add_row(a, adjoint)
        if b >= 0:
            self._add_row(b, adjoint if sign > 0 else -adjoint)

    def _through_rounding(self, place: int) -> None:
        value = self.trace.values[place]
        if value.row is not None and place in self.rows:
            self._add_combination(value.row, self.rows[place])

    def _through(self, node: Scalar) -> None:
        adjoint = self.scalars.get(node.index)
        if adjoint is None or node.operation in ("parameter", "constant", "detach", "residue"):
            return
        if node.operation == "dot":
            a, b = node.arguments
            self._add_combination(a, b, adjoint)
            self._add_combination(b, a, adjoint)
            return
        slopes = RULES[node.operation](self.trace, node, adjoint)
        for argument, slope in zip(node.arguments, slopes, strict=False):
            if slope is not None:
                self._add_scalar(argument, slope)


def _where(t: Trace, condition: Scalar, yes: Any, no: Any) -> Scalar:
    return t.node("where", condition, t.scalar(yes), t.scalar(no))


def _larger(t: Trace, n: Scalar, g: Scalar) -> list[Scalar | None]:
    """Return g for the larger of two, halves where they are equal (as torch does)."""
    a, b = n.arguments
    half = _where(t, a == b, g * 0.5, 0.0)
    return [_where(t, b < a, g, half), _where(t, a < b, g, half)]


def _division(t: Trace, n: Scalar, g: Scalar) -> list[Scalar | None]:
    return [g / n.arguments[1], -(g * n / n.arguments[1])]


def _atan2(t: Trace, n: Scalar, g: Scalar) -> list[Scalar | None]:
    y, x = n.arguments
    size = x * x + y * y
    return [g * x / size, -(g * y / size)]


RULES: dict[str, Rule] = {
    "add": lambda t, n, g: [g, g],
    "sub": lambda t, n, g: [g, -g],
    "mul": lambda t, n, g: [g * n.arguments[1], g * n.arguments[0]],
    "div": _division,
    "neg": lambda t, n, g: [-g],
    "sqrt": lambda t, n, g: [g / (2.0 * n)],
    "abs": lambda t, n, g: [
        _where(t, n.arguments[0] < 0, -g, _where(t, n.arguments[0] == 0, 0.0, g))
    ],
    "exp": lambda t, n, g: [g * n],
    "expm1": lambda t, n, g: [g * t.node("exp", n.arguments[0])],
    "log1p": lambda t, n, g: [g / (1.0 + n.arguments[0])],
    "sin": lambda t, n, g: [g * t.node("cos", n.arguments[0])],
    "cos": lambda t, n, g: [-(g * t.node("sin", n.arguments[0]))],
    "tan": lambda t, n, g: [g * (1.0 + n * n)],
    "atan2": _atan2,
    "where": lambda t, n, g: [
        None, _where(t, n.arguments[0], g, 0.0), _where(t, n.arguments[0], 0.0, g)
    ],
    "maximum": lambda t, n, g: _larger(t, n, g),
    "minimum": lambda t, n, g: _larger(t, n, g)[::-1],
    "gap": lambda t, n, g: [g * n.arguments[1], g * n.arguments[0], None],
    "lt": lambda t, n, g: [None, None],
    "le": lambda t, n, g: [None, None],
    "eq": lambda t, n, g: [None, None],
}  # fmt: skip
