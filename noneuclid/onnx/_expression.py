"""Formulas over ONNX values, written with Python's operators."""

from dataclasses import dataclass
from typing import Any

FLOAT, DOUBLE, BOOL, INT32 = 1, 11, 9, 6  # onnx.TensorProto's numbers, which are part of the format

Value = Any  # an onnx_ir value: the type exists only where the extra is installed


@dataclass(frozen=True, eq=False)
class Expression:
    """A value of a graph under construction and its dtype, which intermediate values lack.

    Numbers become constants of that dtype; left to onnxscript they would be float32 ones.
    """

    value: Value
    dtype: Any

    def number(self, number: float) -> "Expression":
        """Return a constant of this dtype."""
        return Expression(constant(number, self.dtype), self.dtype)

    def apply(self, name: str, *others: "Expression | float") -> "Expression":
        """Return the operator `name` of this value and `others`."""
        lifted = (
            other if isinstance(other, Expression) else self.number(other) for other in others
        )
        return Expression(
            getattr(operators(), name)(self.value, *(one.value for one in lifted)), self.dtype
        )

    def __add__(self, other: "Expression | float") -> "Expression":
        return self.apply("Add", other)

    def __sub__(self, other: "Expression | float") -> "Expression":
        return self.apply("Sub", other)

    def __mul__(self, other: "Expression | float") -> "Expression":
        return self.apply("Mul", other)

    def __truediv__(self, other: "Expression | float") -> "Expression":
        return self.apply("Div", other)

    def __lt__(self, other: "Expression | float") -> "Expression":
        return self.apply("Less", other)

    def __gt__(self, other: "Expression | float") -> "Expression":
        return self.apply("Greater", other)

    def __neg__(self) -> "Expression":
        return self.apply("Neg")

    def __abs__(self) -> "Expression":
        return self.apply("Abs")

    def to(self, dtype: int) -> "Expression":
        """Return this value cast to a dtype, given by its number in the format."""
        import onnx_ir

        return Expression(operators().Cast(self.value, to=dtype), onnx_ir.DataType(dtype))

    def is_zero(self) -> "Expression":
        """Return where this value is 0."""
        return self.apply("Equal", 0.0)


def choose(condition: Expression, yes: Expression, no: Expression | float) -> Expression:
    """Return `yes` where `condition`, else `no`."""
    other = no if isinstance(no, Expression) else yes.number(no)
    return Expression(operators().Where(condition.value, yes.value, other.value), yes.dtype)


def constant(number: float, dtype: int) -> Value:
    """Return a constant, (), of a dtype given by its number in the format."""
    import numpy as np
    import onnx_ir

    array = np.array(number, dtype=onnx_ir.DataType(dtype).numpy())
    return operators().Constant(value=onnx_ir.tensor(array))


def operators() -> Any:
    """Return onnxscript's operators; imported on first use, since the extra may be absent."""
    from onnxscript import opset18

    return opset18
