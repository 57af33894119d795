"""Constants in the dtype they are meant in.

torch's own lowerings make a Python number a float32 constant and cast that: a float64 curvature of
-0.8 would come out as -0.800000012, which near the rim of the ball is an error of 1e-6 of a
distance.
"""

from typing import Any

from noneuclid.onnx._expression import FLOAT, Value, constant, operators


def full(
    size: Value,
    fill_value: float,
    dtype: int = -1,
    layout: str = "",
    device: str = "",
    pin_memory: bool = False,
) -> Value:
    """Return a tensor of this size with one value throughout."""
    op = operators()
    return op.Expand(_of_dtype(fill_value, dtype), op.Cast(size, to=_INT64))


def full_like(
    self: Value,
    fill_value: float,
    dtype: int = -1,
    layout: str = "",
    device: str = "",
    pin_memory: bool = False,
    memory_format: str = "",
) -> Value:
    """Return a tensor of the size of another with one value throughout."""
    op = operators()
    return op.Expand(_of_dtype(fill_value, self.dtype if dtype == -1 else dtype), op.Shape(self))


def scalar_tensor(
    s: float, dtype: int = -1, layout: str = "", device: str = "", pin_memory: bool = False
) -> Value:
    """Return a number as a tensor, ()."""
    return _of_dtype(s, dtype)


_INT64 = 7  # onnx.TensorProto's number, which is part of the format


def _of_dtype(number: Any, dtype: int) -> Value:
    """Return `number` as a constant; one that is known at run time only is cast."""
    dtype = FLOAT if dtype == -1 else dtype
    if isinstance(number, bool | int | float):
        return constant(number, dtype)
    return operators().Cast(number, to=dtype)
