"""How each elementary function is written in ONNX operators without losing digits.

torch's own lowerings lose them: log1p becomes log(x + 1) and expm1 becomes exp(x) - 1, both 0 for
|x| below eps. And ONNX Runtime has float64 kernels for exp, log, sqrt, sin, cos and tanh, but none
for tan, atan, the hyperbolic functions and their inverses, nor `Where` between booleans: a graph
with float64 row scalars would not load. The forms here consist of operators it has.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import torch

from noneuclid.onnx._expression import BOOL, FLOAT, INT32, Expression, Value, choose, operators
from noneuclid.onnx.constants import full, full_like, scalar_tensor

_HUGE = 1e9  # x^2 + 1 is x^2 from here on, in float64 and in float32


def translation_table() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return the accurate lowerings, for `torch.onnx.export(custom_translation_table=...)`.

    They cover log1p, expm1, tan, atan, atan2, asin, acos, sinh, cosh, asinh, acosh, atanh, hypot,
    signbit (and copysign by it), frexp, `where` between booleans and float64 constants; every other
    operator is torch's own.

    Accuracy: measured in ONNX Runtime, a few 1e-16 relative in float64 and a few 1e-7 in float32,
    at every normal number; a sum that cancels, tan near its poles, as sin and cos there.
    """
    aten = torch.ops.aten
    table: dict[Callable[..., Any], Callable[..., Any]] = {
        aten.where.self: where,
        torch.ops.prims.frexp.default: frexp,
        torch.ops.prims.signbit.default: signbit,
        aten.full.default: full,
        aten.full_like.default: full_like,
        aten.scalar_tensor.default: scalar_tensor,
    }
    for function in (log1p, expm1, tan, atan, asin, acos, sinh, cosh, asinh, acosh, atanh):
        table[getattr(aten, function.__name__).default] = _of_one(function)
    table[aten.atan2.default] = _of_two(atan2)
    table[torch.ops.prims.hypot.default] = _of_two(hypot)
    return table


def log1p(x: Expression) -> Expression:
    """Return log(1 + x) as log(u) x / (u - 1) with u = fl(1 + x), which forgives u its rounding.

    Source: Kahan's form, as given in [goldberg1991computer] theorem 4.
    """
    shifted = x + 1.0
    step = shifted - 1.0
    lost = step.is_zero()
    logarithm = shifted.apply("Log")
    corrected = logarithm * (x / choose(lost, x.number(1.0), step))
    return choose(lost, x, choose(x > 1.0, logarithm, corrected))


def expm1(x: Expression) -> Expression:
    """Return e^x - 1 as 2 t / (1 - t) with t = tanh(x / 2) where |x| < 1."""
    tangent = (x * 0.5).apply("Tanh")
    small = tangent * 2.0 / (-tangent + 1.0)
    return choose(abs(x) < 1.0, small, x.apply("Exp") - 1.0)


def sinh(x: Expression) -> Expression:
    """Return (expm1(x) - expm1(-x)) / 2."""
    return (expm1(x) - expm1(-x)) * 0.5


def cosh(x: Expression) -> Expression:
    """Return (e^x + e^-x) / 2."""
    return (x.apply("Exp") + (-x).apply("Exp")) * 0.5


def asinh(x: Expression) -> Expression:
    """Return sign(x) log1p(a + a^2 / (1 + sqrt(1 + a^2))), a = |x|; log(2a) where a is huge."""
    size = abs(x)
    far = size > _HUGE
    near = choose(far, x.number(1.0), size)
    square = near * near
    inner = log1p(near + square / ((square + 1.0).apply("Sqrt") + 1.0))
    return x.apply("Sign") * choose(far, size.apply("Log") + math.log(2), inner)


def acosh(x: Expression) -> Expression:
    """Return log1p(t + sqrt(t) sqrt(t + 2)) with t = x - 1; log(2x) where x is huge."""
    excess = x - 1.0
    inner = log1p(excess + excess.apply("Sqrt") * (excess + 2.0).apply("Sqrt"))
    return choose(x > _HUGE, x.apply("Log") + math.log(2), inner)


def atanh(x: Expression) -> Expression:
    """Return sign(x) log1p(2a / (1 - a)) / 2 with a = |x|."""
    size = abs(x)
    return x.apply("Sign") * (log1p(size * 2.0 / (-size + 1.0)) * 0.5)


def tan(x: Expression) -> Expression:
    """Return sin(x) / cos(x)."""
    return x.apply("Sin") / x.apply("Cos")


def atan2(y: Expression, x: Expression) -> Expression:
    """Return the angle of (x, y): atan in float32, then one step in the dtype itself.

    With a the float32 angle, t = tan(angle - a) = (y cos a - x sin a) / (x cos a + y sin a) is
    below 1e-6, so that t - t^3/3 is its arctangent. At (0, 0) the angle is 0.
    """
    slope = (abs(y) / abs(x)).to(FLOAT).apply("Atan").to(int(y.dtype))
    upper = choose(x < 0.0, -slope + math.pi, slope)
    rough = choose(y < 0.0, -upper, upper)
    rough = choose(rough.apply("IsNaN"), y.number(0.0), rough)
    cosine, sine = rough.apply("Cos"), rough.apply("Sin")
    along = x * cosine + y * sine
    nowhere = along.is_zero()
    rest = (y * cosine - x * sine) / choose(nowhere, y.number(1.0), along)
    return choose(nowhere, y.number(0.0), rough + (rest - rest * rest * rest / 3.0))


def hypot(x: Expression, y: Expression) -> Expression:
    """Return a sqrt(1 + (b / a)^2) with a the larger of |x| and |y| and b the other."""
    sizes = abs(x), abs(y)
    falls = (sizes[0] - sizes[1]) > 0.0
    larger, smaller = choose(falls, *sizes), choose(falls, sizes[1], sizes[0])
    ratio = smaller / choose(larger.is_zero(), x.number(1.0), larger)
    return larger * (ratio * ratio + 1.0).apply("Sqrt")


def atan(x: Expression) -> Expression:
    """Return atan2(x, 1)."""
    return atan2(x, x.number(1.0))


def asin(x: Expression) -> Expression:
    """Return atan2(x, sqrt((1 - x)(1 + x)))."""
    return atan2(x, _leg(x))


def acos(x: Expression) -> Expression:
    """Return atan2(sqrt((1 - x)(1 + x)), x)."""
    return atan2(_leg(x), x)


def where(condition: Value, self: Value, other: Value) -> Value:
    """Return `self` where `condition`, else `other`; between booleans by And and Or."""
    op = operators()
    if self.dtype != BOOL:
        return op.Where(condition, self, other)
    return op.Or(op.And(condition, self), op.And(op.Not(condition), other))


def signbit(self: Value) -> Value:
    """Return x < 0, or 1 / x < 0, which tells -0 from 0."""
    x = Expression(self, self.dtype)
    return operators().Or((x < 0.0).value, (x.number(1.0) / x < 0.0).value)


def frexp(self: Value) -> tuple[Value, Value]:
    """Return (m, e) with x = m 2^e and 0.5 <= |m| < 1, e of int32; both 0 at 0."""
    x = Expression(self, self.dtype)
    size = abs(x)
    zero = size.is_zero()
    size = choose(zero, x.number(0.75), size)
    power = (size.apply("Log") * (1 / math.log(2))).apply("Floor") + 1.0
    # The logarithm of a number next to a power of two may round across it.
    share = size / x.number(2.0).apply("Pow", power)
    power = power + choose(share < 0.5, x.number(-1.0), x.number(0.0))
    power = power + choose(share < 1.0, x.number(0.0), x.number(1.0))
    return (x / x.number(2.0).apply("Pow", power)).value, power.to(INT32).value


def _leg(sine: Expression) -> Expression:
    return ((-sine + 1.0) * (sine + 1.0)).apply("Sqrt")


def _of_one(formula: Callable[[Expression], Expression]) -> Callable[[Value], Value]:
    """Return the formula as the exporter calls it: on values, with the operator's own name."""

    @functools.wraps(formula)
    def lowered(self: Value) -> Value:
        return formula(Expression(self, self.dtype)).value

    return _with_own_signature(lowered)


def _of_two(formula: Callable[[Expression, Expression], Expression]) -> Callable[..., Value]:
    @functools.wraps(formula)
    def lowered(self: Value, other: Value) -> Value:
        return formula(Expression(self, self.dtype), Expression(other, self.dtype)).value

    return _with_own_signature(lowered)


def _with_own_signature(lowered: Callable[..., Value]) -> Callable[..., Value]:
    """Drop what `wraps` says of the formula's arguments: the exporter reads the signature."""
    del lowered.__wrapped__  # type: ignore[attr-defined]
    lowered.__annotations__ = {}
    return lowered
