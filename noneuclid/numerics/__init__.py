"""Scalar functions and row sums of known rounding error, on which every other package rests."""

from noneuclid.numerics.formula import (
    are_native,
    compute,
    is_plain,
    plain_formulas,
    wants_derivatives,
)
from noneuclid.numerics.native import Call as Call
from noneuclid.numerics.native import Lines as Lines
from noneuclid.numerics.native import run_together as run_together
from noneuclid.numerics.precision import (
    is_half,
    largest_norm,
    tolerance,
    wide,
    working_dtype,
)
from noneuclid.numerics.rows import Row as Row
from noneuclid.numerics.rows import (
    axis,
    combination,
    dots,
    dots_across,
    expanded_dots,
    first,
    joined,
    rest,
    rows,
)
from noneuclid.numerics.safe import safe_divide, safe_norm, safe_sqrt, with_derivative_of
from noneuclid.numerics.spectral import (
    symmetric_expm1,
    symmetric_log1p,
    symmetric_part,
    symmetric_sqrt1p,
)
from noneuclid.numerics.sums import cross_square, gap, row_dot, weighted_sum
from noneuclid.numerics.trig import (
    advance,
    asinck,
    asink,
    asink_square,
    cosk,
    half_turn,
    half_turn_inward,
    log1p_ratio,
    sinck,
    tanck,
    tank,
    turn,
)
from noneuclid.numerics.update import repeatable, update

__all__ = [
    "advance",
    "are_native",
    "asinck",
    "asink",
    "asink_square",
    "axis",
    "combination",
    "compute",
    "cosk",
    "cross_square",
    "dots",
    "dots_across",
    "expanded_dots",
    "first",
    "gap",
    "half_turn",
    "half_turn_inward",
    "is_half",
    "is_plain",
    "joined",
    "largest_norm",
    "log1p_ratio",
    "plain_formulas",
    "repeatable",
    "rest",
    "row_dot",
    "rows",
    "safe_divide",
    "safe_norm",
    "safe_sqrt",
    "sinck",
    "symmetric_expm1",
    "symmetric_log1p",
    "symmetric_part",
    "symmetric_sqrt1p",
    "tanck",
    "tank",
    "tolerance",
    "turn",
    "update",
    "wants_derivatives",
    "weighted_sum",
    "wide",
    "with_derivative_of",
    "working_dtype",
]
