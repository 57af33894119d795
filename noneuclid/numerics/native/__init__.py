"""Row formulas as compiled C, where there is a C compiler: traced, differentiated, built, called.

Without a compiler, or with NONEUCLID_NATIVE=0 in the environment, the same formulas run in torch
alone: the same results to the last digits of their dtype, in more time.
"""

from noneuclid.numerics.native.call import kernels_of
from noneuclid.numerics.native.graph import name_of, row_formula
from noneuclid.numerics.native.lines import Lines
from noneuclid.numerics.native.overwrite import (
    Call,
    overwrite_rows,
    overwriting,
    overwriting_name,
    run_together,
)
from noneuclid.numerics.native.trace import Joined, Rounded, Scalar

__all__ = [
    "Call",
    "Joined",
    "Lines",
    "Rounded",
    "Scalar",
    "kernels_of",
    "name_of",
    "overwrite_rows",
    "overwriting",
    "overwriting_name",
    "row_formula",
    "run_together",
]
