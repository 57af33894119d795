"""Scalar functions and row sums of known rounding error, on which every other package rests."""

from noneuclid.numerics.precision import (
    is_half,
    largest_norm,
    tolerance,
    wide,
    working_dtype,
)
from noneuclid.numerics.rows import direction_chord, gap, row_dot
from noneuclid.numerics.safe import safe_divide, safe_norm, safe_sqrt, with_derivative_of
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
    "with_derivative_of",
    "working_dtype",
]
