"""A formula on rows, written down as a graph: what the C code and its derivative are made from.

A formula is traced by calling it with stand-ins: `Rounded` for the tensors of rows it reads,
`Scalar` for row scalars. They answer to the operators and torch functions that formulas use, and
note them. A formula has no branch that depends on data, so one trace is the formula.

A *leaf* (a, b, sign) is the row a, or the sum or difference of rows a and b, formed in float64. A
`Row` is a linear combination of leaves with row scalars as coefficients.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

Leaf = tuple[int, int, int]  # place of row a, of row b (-1: none), sign of b


class UntraceableError(Exception):
    """A formula uses an operation that has no place in a row kernel; it stays plain torch."""


class Trace:
    """Everything one formula does, in the order in which it does it."""

    def __init__(self) -> None:
        self.values: list[Value] = []  # rows that are stored: given, rounded or constant
        self.nodes: list[Scalar] = []
        self._known: dict[tuple[Any, ...], Scalar] = {}
        self.parameters = self.operands = 0

    def operand(self, dtype: torch.dtype) -> "Rounded":
        """Return a stand-in for rows that are given."""
        self.operands += 1
        return self._value(Value("operand", dtype, None, self.operands - 1, len(self.nodes)))

    def axis(self, k: int, dtype: torch.dtype) -> "Rounded":
        """Return a stand-in for the unit row of coordinate k."""
        return self._value(Value("axis", dtype, None, k, len(self.nodes)))

    def rounded(self, row: "Row", dtype: torch.dtype) -> "Rounded":
        """Return a stand-in for a combination that is rounded to `dtype` and kept."""
        return self._value(Value("rounded", dtype, row, 0, len(self.nodes)))

    def _value(self, value: "Value") -> "Rounded":
        self.values.append(value)
        return Rounded(self, len(self.values) - 1, value.dtype)

    def parameter(self) -> "Scalar":
        """Return a stand-in for row scalars that are given."""
        self.parameters += 1
        return self.node("parameter", self.parameters - 1)

    def dot(self, a: "Row", b: "Row") -> "Scalar":
        """Return the product of two combinations."""
        return self.node("dot", a, b)

    def entry(self, rows: "Rounded", column: int) -> "Scalar":
        """Return one column of rows that are given; -1 is the one before the first."""
        return self.node("entry", rows.place, column)

    def node(self, operation: str, *arguments: Any) -> "Scalar":
        """Return the scalar operation(arguments), noted once however often it is asked for."""
        key = (operation, *(_key(a) for a in arguments))
        if key not in self._known:
            self._known[key] = Scalar(self, operation, arguments, len(self.nodes))
            self.nodes.append(self._known[key])
        return self._known[key]

    def scalar(self, value: Any) -> "Scalar":
        """Return a number as a scalar of this trace."""
        if isinstance(value, Scalar):
            return value
        if isinstance(value, bool | int | float):
            return self.node("constant", float(value))
        raise UntraceableError(f"{type(value).__name__} among row scalars")


class Value(NamedTuple):
    """A stored row: `operand` (given), `rounded` (a combination) or `axis` (a unit row).

    `number` counts the operands, and is the coordinate of an axis.
    """

    kind: str
    dtype: torch.dtype
    row: "Row | None"
    number: int
    noted: int  # number of scalars noted before it


@dataclass(frozen=True, eq=False)
class Rounded:
    """Stands for a tensor of rows, (*, n)."""

    trace: Trace
    place: int
    dtype: torch.dtype
    device = torch.device("cpu")

    def to(self, dtype: torch.dtype) -> "Rounded":
        """Return itself: a second rounding is not a row operation."""
        if dtype != self.dtype:
            raise UntraceableError(f"rows of {self.dtype} rounded again to {dtype}")
        return self


@dataclass(frozen=True, eq=False)
class Joined:
    """Stands for cat([scalar, rows]): a Lorentz point or vector with its time entry."""

    first: "Scalar"
    rest: Rounded
    device = torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the rows."""
        return self.rest.dtype


@dataclass(frozen=True, eq=False)
class Filled:
    """Stands for rows all of whose columns hold the same scalar."""

    value: "Scalar"
    dtype: torch.dtype
    extra: int  # columns beyond those of the rows that the formula sees


@dataclass(frozen=True, eq=False)
class Summed:
    """Stands for the sum of rows over all of a batch, in float64, added to what is there."""

    rows: Rounded


class Row:
    """A linear combination of leaves. Supports +, -, and * and / by scalars.

    The sum or difference of two stored rows is formed first, in float64; everything else is one
    combination of such terms, rounded once.
    """

    __slots__ = ("terms", "trace")

    def __init__(self, trace: Trace, terms: dict[Leaf, "Scalar | float"]) -> None:
        self.trace, self.terms = trace, terms

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the stored rows it is made of."""
        return self.trace.values[next(iter(self.terms))[0]].dtype

    def stored(self) -> int | None:
        """Return the place of the stored row that this is, None for a combination."""
        (leaf, coefficient), *more = self.terms.items()
        return leaf[0] if is_one(coefficient) and leaf[1] < 0 and not more else None

    def _plus(self, other: "Row", sign: int) -> "Row":
        a, b = self.stored(), other.stored()
        if a is not None and b is not None:
            return Row(self.trace, {(a, b, sign): 1.0})
        terms = dict(self.terms)
        for leaf, coefficient in other.terms.items():
            signed = coefficient if sign > 0 else -coefficient
            terms[leaf] = terms[leaf] + signed if leaf in terms else signed
        return Row(self.trace, terms)

    def __add__(self, other: "Row") -> "Row":
        return self._plus(other, 1)

    def __sub__(self, other: "Row") -> "Row":
        return self._plus(other, -1)

    def __mul__(self, scalar: "Scalar | float") -> "Row":
        return Row(self.trace, {leaf: times(c, scalar) for leaf, c in self.terms.items()})

    __rmul__ = __mul__

    def __truediv__(self, scalar: "Scalar | float") -> "Row":
        return self * (1 / scalar)

    def __neg__(self) -> "Row":
        return Row(self.trace, {leaf: -c for leaf, c in self.terms.items()})

    def to(self, dtype: torch.dtype) -> Rounded:
        """Return the combination, rounded once."""
        return self.trace.rounded(self, dtype)


def is_one(coefficient: "Scalar | float") -> bool:
    """Tell whether a coefficient is the constant 1."""
    return isinstance(coefficient, float) and coefficient == 1.0


def times(a: "Scalar | float", b: "Scalar | float") -> "Scalar | float":
    """Return the product; a factor 1 costs nothing."""
    return b if is_one(a) else a if is_one(b) else a * b


def _key(argument: Any) -> Any:
    """Return what tells an argument from others (== on scalars is an operation)."""
    if isinstance(argument, Scalar):
        return ("scalar", argument.index)
    if isinstance(argument, Row):
        return tuple((leaf, _key(c)) for leaf, c in argument.terms.items())
    return argument


def _binary(operation: str, swapped: bool = False) -> Callable[..., "Scalar"]:
    def method(self: "Scalar", other: "Scalar | float") -> "Scalar":
        if isinstance(other, Row):
            return NotImplemented
        pair = (self, self.trace.scalar(other))
        return self.trace.node(operation, *(pair[::-1] if swapped else pair))

    return method


def _unary(operation: str) -> Callable[["Scalar"], "Scalar"]:
    return lambda self: self.trace.node(operation, self)


class Scalar:
    """A row scalar: float64 in the C code; comparisons give 0 and 1."""

    __slots__ = ("arguments", "index", "operation", "trace")
    dtype = torch.float64

    def __init__(
        self, trace: Trace, operation: str, arguments: tuple[Any, ...], index: int
    ) -> None:
        self.trace, self.operation, self.arguments, self.index = trace, operation, arguments, index

    __add__ = __radd__ = _binary("add")
    __sub__, __rsub__ = _binary("sub"), _binary("sub", swapped=True)
    __mul__ = __rmul__ = _binary("mul")
    __truediv__, __rtruediv__ = _binary("div"), _binary("div", swapped=True)
    __lt__, __le__ = _binary("lt"), _binary("le")
    __gt__, __ge__ = _binary("lt", swapped=True), _binary("le", swapped=True)
    __and__, __or__ = _binary("mul"), _binary("maximum")
    __neg__, sqrt, abs, detach = _unary("neg"), _unary("sqrt"), _unary("abs"), _unary("detach")

    def __eq__(self, other: object) -> Any:  # as for tensors; identity is `is`
        return self.trace.node("eq", self, self.trace.scalar(other))

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        raise UntraceableError("a branch that depends on data")

    def __invert__(self) -> "Scalar":
        return 1.0 - self

    def square(self) -> "Scalar":
        """Return its square."""
        return self * self

    def clamp(self, min: float | None = None, max: "Scalar | float | None" = None) -> "Scalar":
        """Return it within bounds."""
        result = self
        if min is not None:
            least = self.trace.scalar(min)
            result = self.trace.node("where", result < least, least, result)
        if max is not None:
            most = self.trace.scalar(max)
            result = self.trace.node("where", most < result, most, result)
        return result

    def to(self, dtype: torch.dtype) -> "Scalar":
        """Return itself: a scalar is rounded where it is stored."""
        return self

    def __getitem__(self, index: Any) -> "Scalar":
        return self  # whether a column (*, 1) or a vector (*,) of scalars: here it is a number

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        trace = next(a for a in args if isinstance(a, Scalar)).trace
        name = getattr(function, "__name__", "")
        if function in (torch.ones_like, torch.zeros_like):
            return trace.node("constant", float(function is torch.ones_like))
        if function not in _FUNCTIONS or kwargs:
            raise UntraceableError(f"torch.{name} in a row formula")
        return trace.node(name, *(trace.scalar(a) for a in args))


_FUNCTIONS = {
    torch.where, torch.exp, torch.expm1, torch.log1p, torch.sin, torch.cos, torch.tan, torch.atan2,
    torch.maximum, torch.minimum, torch.sqrt,
}  # fmt: skip
