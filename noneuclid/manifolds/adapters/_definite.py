"""Positive definite matrices: projection, check and frame of the manifolds made of them."""

import torch
from torch import Tensor

from noneuclid.manifolds.adapters._wrapper import relative
from noneuclid.numerics import symmetric_part, with_derivative_of


def cholesky(x: Tensor) -> Tensor:
    """Return the lower triangle c with x = c c^*, for symmetric or Hermitian `x`."""
    return torch.linalg.cholesky_ex(x)[0]


def whiten(c: Tensor, u: Tensor) -> Tensor:
    """Return c^-1 u c^-T for a lower triangle c."""
    half = torch.linalg.solve_triangular(c, u, upper=False)
    return torch.linalg.solve_triangular(c.mT, half, upper=True, left=False)


def symmetric_normal(normal: Tensor) -> Tensor:
    """Return the symmetric matrix whose coordinates in an orthonormal frame are from `normal`."""
    diagonal = torch.diag_embed(normal.diagonal(dim1=-2, dim2=-1))
    return (normal + normal.mT) / 2**0.5 + (1 - 2**0.5) * diagonal


def project_definite(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return |x|, its eigenvalues raised to 8 n eps of the largest where one is below half that.

    Points are left alone bit for bit.
    """
    x = symmetric_part(x)
    values, frame = torch.linalg.eigh(x.detach())
    sizes = values.abs()
    top = sizes.amax(-1, keepdim=True)
    floor = 4 * x.shape[-1] * torch.finfo(dtype).eps * torch.where(top == 0, 1, top)
    inside = (values >= floor).all(-1)[..., None, None]
    lifted = torch.diag_embed(torch.maximum(sizes, 2 * floor))
    moved = symmetric_part(frame @ lifted @ frame.mT)
    # |x| = s x where s has the signs of the eigenvalues: constant near x
    signs = frame @ torch.diag_embed(1 - 2 * (values < 0).to(values)) @ frame.mT
    return torch.where(inside, x, with_derivative_of(moved, symmetric_part(signs @ x)))


def definite_violation(x: Tensor) -> Tensor:
    """Return the asymmetry relative to the size, and 1 at least if not definite: (*,)."""
    readable = symmetric_part(x.to(torch.float64).nan_to_num(0.0, 0.0, 0.0))
    lowest = torch.linalg.eigvalsh(readable)[..., 0]
    return torch.maximum(relative(x - x.mT, x).to(lowest), (lowest <= 0).to(lowest))
