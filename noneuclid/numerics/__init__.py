"""Scalar functions and row sums whose rounding error is known: the leaf every other package rests on."""

from noneuclid.numerics.precision import (
    is_half,
    largest_norm,
    tolerance,
    wide,
    working_dtype,
)
from noneuclid.numerics.rows import direction_chord, gap, row_dot
from noneuclid.numerics.safe import safe_divide, safe_norm, safe_sqrt
from noneuclid.numerics.trig import asinck, cosk, half_turn, sinck, tanck, turn

__all__ = [
    "asinck",
    "cosk",
    "direction_chord",
    "gap",
    "half_turn",
    "is_half",
    "largest_norm",
    "row_dot",
    "safe_divide",
    "safe_norm",
    "safe_sqrt",
    "sinck",
    "tanck",
    "tolerance",
    "turn",
    "wide",
    "working_dtype",
]
