"""All squared distances between two sets of rows, of which near pairs keep their digits.

The expansion |x|^2 + |y|^2 - 2 x.y turns n m d differences into one matrix product, but loses what
is smaller than 1e-16 max|x|^2. Here each row is cut in two, x = h + l, where h has so few bits that
all its products, and their sums in any order, are integers below 2^53: nothing of |h - h'|^2 is
rounded, and what l adds is so small that its rounding is too.
Source: [ozaki2012error] section 2, error-free transformation of a matrix product.
"""

import torch
from torch import Tensor

Factors = tuple[Tensor, Tensor]

_ROUNDER = 1.5 * 2.0**52  # adding and subtracting it rounds a float64 number to an integer


def common_scale(rows: Tensor) -> Tensor:
    """Return the power of two above the largest finite coordinate: float64, (*, n, d) -> (*, 1, 1).

    Division by it is exact and leaves coordinates in [-1, 1]. What is not finite is left out: it
    spoils its own row only.
    """
    if rows.numel() == 0:
        return rows.new_ones((*rows.shape[:-2], 1, 1))
    largest = rows.nan_to_num(0.0, 0.0, 0.0).abs().amax((-2, -1), keepdim=True)
    return torch.ldexp(torch.ones_like(largest), torch.frexp(largest).exponent)


def pair_factors(rows: Tensor, n: int) -> tuple[Factors, Factors]:
    """Return two pairs of matrices whose products sum to all |x - y|^2.

    They are |h - h'|^2 and 2 (h - h').(l - l') + |l - l'|^2, each by its expansion, with the
    squares in two more columns. The first is exact: h is on the grid 2^-b, x = h + l.

    Args:
        rows: float64 (*, n + m, d), coordinates in [-1, 1]; the first n are x, the others y.
        n: number of rows of x.
    """
    rounder = _ROUNDER * 2.0 ** -_bits(rows.shape[-1])
    high = (rows + rounder) - rounder
    low = rows - high
    square = (high * high).sum(-1, keepdim=True)
    rest = ((rows + high) * low).sum(-1, keepdim=True)
    x, y = slice(0, n), slice(n, None)
    one = torch.ones_like(rest)
    high_factor = torch.cat([high, square, one], dim=-1)
    low_factor = torch.cat([rows, low, rest, one], dim=-1)
    high_mirror = torch.cat([-2 * high, one, square], dim=-1)
    low_mirror = torch.cat([-2 * low, -2 * high, one, rest], dim=-1)
    x_factors = high_factor[..., x, :], low_factor[..., x, :]
    return x_factors, (high_mirror[..., y, :], low_mirror[..., y, :])


def pair_squares(x: Factors, y: Factors, dim: int) -> Tensor:
    """Return all |x - y|^2 from `pair_factors` of rows with `dim` coordinates: -> (B, n, m).

    Accuracy: 1e-16 relative plus 2^-79 sqrt(d) absolute (d <= 32, in units of the common scale):
    1e-7 at distance 1e-8. Squares below the floor, distances below 1e-11 sqrt(d), are what rounding
    leaves of equal rows, and 0.
    """
    total = (x[0] @ y[0].mT).baddbmm_(x[1], y[1].mT)
    return torch.nn.functional.threshold(total, floor_of_squares(dim), 0.0, inplace=True)


def floor_of_squares(dim: int) -> float:
    """Return the largest square that rounding may leave of two equal rows in [-1, 1]."""
    return dim * 2.0 ** -(_bits(dim) + 50)


def direct_distances(x: Tensor, y: Tensor) -> Tensor:
    """Return all |x - y| by differences, for float64 rows: (*, n, d), (*, m, d) -> (*, n, m).

    Right to 1e-16 d relative for all pairs, at 4 to 16 times the cost of the matrix products.
    Without derivative.
    """
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def direct_gradient(g: Tensor, x: Tensor, y: Tensor, distances: Tensor) -> Tensor:
    """Return sum_j g_ij (x_i - y_j) / |x_i - y_j|, by differences: -> (*, n, d) in float64."""
    return torch.ops.aten._cdist_backward(g.contiguous(), x, y, 2.0, distances.contiguous())


def _bits(dim: int) -> int:
    """Return b: the 4 d products of h in one entry, in units of 2^-2b, sum to 2^53 at most."""
    return (51 - (dim - 1).bit_length()) // 2
