"""The scale between normal coordinates of different dimension that keeps their size."""

import math


def beta_ratio(dim_from: int, dim_to: int) -> float:
    """Return B(dim_to / 2, 1/2) / B(dim_from / 2, 1/2), B the beta function.

    Multiplying the normal coordinates of a part (or a whole) by it makes the part as long, in
    expectation, as the whole it was cut from; 1 / it puts parts together again.
    Source: [shimizu2021hyperbolic] section 3.2.
    """
    return math.exp(_log_beta(dim_to) - _log_beta(dim_from))


def _log_beta(dim: int) -> float:
    return math.lgamma(dim / 2) + math.lgamma(0.5) - math.lgamma((dim + 1) / 2)
