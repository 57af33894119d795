"""Functions of symmetric matrices whose derivatives stay finite where eigenvalues coincide.

The derivative of an eigenvector is infinite where two eigenvalues meet; that of f(A) = V f(L) V^T
is not. Here the eigendecomposition is taken as a constant and the derivatives are put back by
their own expansion: with E = V^T (A - A0) V around the matrix A0 of the decomposition,

    V^T f(A) V = f(L) + (f[i, j] E_ij)_ij + (sum_k f[i, k, j] E_ik E_kj)_ij + O(E^3),

in the divided differences f[i, j] and f[i, k, j] of f at the eigenvalues. E is zero in value, so
values are those of the decomposition, and first and second derivatives are exact, in every mode
of differentiation; third ones are not.

Source: [higham2008functions] section 3.2 (Daleckii and Krein).
"""

import torch
from torch import Tensor

from noneuclid.numerics.formula import wants_derivatives

_APART = 1e-5  # eigenvalues nearer than this, relatively, take the limit of a difference quotient


class SpectralFunction:
    """A scalar function of eigenvalues with its divided differences."""

    def value(self, a: Tensor) -> Tensor:
        """Return f(a)."""
        raise NotImplementedError

    def slope(self, a: Tensor, b: Tensor) -> Tensor:
        """Return f[a, b] = (f(a) - f(b)) / (a - b), and f'(a) at a = b, without cancellation."""
        raise NotImplementedError

    def curvature(self, a: Tensor) -> Tensor:
        """Return f''(a)."""
        raise NotImplementedError

    def scale(self, a: Tensor) -> Tensor:
        """Return the distance from `a` over which f changes its form."""
        raise NotImplementedError


class _Exp(SpectralFunction):
    def __init__(self, limit: float) -> None:
        self.limit = limit

    def value(self, a: Tensor) -> Tensor:
        return a.clamp(-self.limit, self.limit).expm1()

    def slope(self, a: Tensor, b: Tensor) -> Tensor:
        a, b = a.clamp(-self.limit, self.limit), b.clamp(-self.limit, self.limit)
        half = (a - b) / 2
        same = half == 0
        half = torch.where(same, 1, half)
        return ((a + b) / 2).exp() * torch.where(same, 1, half.sinh() / half)

    def curvature(self, a: Tensor) -> Tensor:
        return a.clamp(-self.limit, self.limit).exp()

    def scale(self, a: Tensor) -> Tensor:
        return torch.ones_like(a)


class _Log1p(SpectralFunction):
    def value(self, a: Tensor) -> Tensor:
        return a.log1p()

    def slope(self, a: Tensor, b: Tensor) -> Tensor:
        step = (a - b) / (1 + b)
        same = step == 0
        step = torch.where(same, 1, step)
        return torch.where(same, 1, step.log1p() / step) / (1 + b)

    def curvature(self, a: Tensor) -> Tensor:
        return -1 / (1 + a).square()

    def scale(self, a: Tensor) -> Tensor:
        return 1 + a


class _Sqrt1p(SpectralFunction):
    def value(self, a: Tensor) -> Tensor:
        return (1 + a).sqrt()

    def slope(self, a: Tensor, b: Tensor) -> Tensor:
        return 1 / (self.value(a) + self.value(b))

    def curvature(self, a: Tensor) -> Tensor:
        return -0.25 * (1 + a) ** -1.5

    def scale(self, a: Tensor) -> Tensor:
        return 1 + a


def symmetric_expm1(matrix: Tensor, limit: float) -> Tensor:
    """Return exp(A) - 1 of symmetric matrices (*, n, n); eigenvalues saturate at +-`limit`."""
    return _spectral(matrix, _Exp(limit))


def symmetric_log1p(matrix: Tensor) -> Tensor:
    """Return log(1 + A) of symmetric matrices (*, n, n) whose eigenvalues exceed -1."""
    return _spectral(matrix, _Log1p())


def symmetric_sqrt1p(matrix: Tensor) -> Tensor:
    """Return the square root of 1 + A of symmetric matrices (*, n, n), eigenvalues above -1."""
    return _spectral(matrix, _Sqrt1p())


def symmetric_part(matrix: Tensor) -> Tensor:
    """Return (A + A^T) / 2: (*, n, n) -> (*, n, n), equal to its own transpose bit for bit."""
    return (matrix + matrix.mT) / 2


def _spectral(matrix: Tensor, function: SpectralFunction) -> Tensor:
    matrix = symmetric_part(matrix)
    values, frame = torch.linalg.eigh(matrix.detach())
    if not wants_derivatives():
        return symmetric_part(frame @ torch.diag_embed(function.value(values)) @ frame.mT)
    rotated = frame.mT @ matrix @ frame
    move = rotated - rotated.detach()  # zero in value
    a, b = values.unsqueeze(-1), values.unsqueeze(-2)
    first = function.slope(a, b) * move
    second = (_second(values, function) * move.unsqueeze(-1) * move.unsqueeze(-3)).sum(-2)
    inside = torch.diag_embed(function.value(values)) + first + second
    return symmetric_part(frame @ inside @ frame.mT)


def _second(values: Tensor, function: SpectralFunction) -> Tensor:
    """Return f[i, k, j] at the eigenvalues: (*, n) -> (*, n, n, n), right to about 1e-10."""
    a, c, b = values[..., :, None, None], values[..., None, :, None], values[..., None, None, :]
    a, b, c = torch.broadcast_tensors(a, b, c)
    middle = (a + b) / 2
    far = (a - b).abs() > _APART * (function.scale(a) + function.scale(b))
    quotient = (function.slope(a, c) - function.slope(c, b)) / torch.where(far, a - b, 1)
    apart = (middle - c).abs() > _APART * (function.scale(middle) + function.scale(c))
    slopes = function.slope(middle, middle) - function.slope(middle, c)
    near = slopes / torch.where(apart, middle - c, 1)
    limit = torch.where(apart, near, function.curvature(middle) / 2)
    return torch.where(far, quotient, limit)
