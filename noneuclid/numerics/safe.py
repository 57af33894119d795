"""Square root, norm and division that stay finite, in value and gradient, at their singularity.

Each uses the double-where: the singular element is replaced *before* the function, so that the
branch not taken has a finite derivative too (0 times infinity would be NaN).
"""

import torch
from torch import Tensor


def safe_sqrt(x: Tensor) -> Tensor:
    """Return sqrt(max(x, 0)), NaN for NaN; the derivative is taken as 0 where x <= 0."""
    nothing = x <= 0
    return torch.where(nothing, 0, torch.where(nothing, 1, x).sqrt())


def safe_norm(x: Tensor) -> Tensor:
    """Return |x| over the last axis, kept: (..., n) -> (..., 1); the derivative is 0 at x = 0."""
    return safe_sqrt((x * x).sum(-1, keepdim=True))


def safe_divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return numerator / denominator, and 0 (with derivative 0) where the denominator is 0."""
    zero = denominator == 0
    return torch.where(zero, 0, numerator / torch.where(zero, 1, denominator))


def with_derivative_of(value: Tensor, path: Tensor) -> Tensor:
    """Return `value`, bit for bit, with every derivative of `path`.

    For a result that is known exactly although the formula that is differentiated rounds it.
    """
    return value.detach() + (path - path.detach())
