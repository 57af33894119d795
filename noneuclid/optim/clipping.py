"""Gradient norms that do not depend on the choice of coordinates, and clipping by them."""

from collections.abc import Iterable

import torch
from torch import Tensor

from noneuclid.manifolds import manifold_of
from noneuclid.numerics import row_dot
from noneuclid.optim._checks import check_gradient


@torch.no_grad()
def riemannian_grad_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Return the norm of all gradients together, (), in float64: sqrt(sum |grad f|_x^2).

    The gradient of a marked parameter counts with its Riemannian norm |egrad2rgrad(x, g)|_x, the
    one of a plain parameter with its Euclidean norm. Parameters without gradient do not count.
    """
    squares = [_square(parameter) for parameter in parameters if parameter.grad is not None]
    if not squares:
        return torch.zeros((), dtype=torch.float64)
    return torch.stack([square.to(squares[0].device) for square in squares]).sum().sqrt()


def _square(parameter: Tensor) -> Tensor:
    manifold, gradient, x = manifold_of(parameter), parameter.grad, parameter.detach()
    assert gradient is not None
    if manifold is not None:
        check_gradient(parameter, manifold)
    if gradient.is_sparse:
        gradient = gradient.coalesce()
        if gradient.sparse_dim() == 1:
            x = x[gradient.indices()[0]]
        gradient = gradient.values()
    if manifold is None:
        flat = gradient.reshape(1, -1)
        return row_dot(flat, flat).sum()
    return manifold.inner(x, manifold.egrad2rgrad(x, gradient)).sum(dtype=torch.float64)


@torch.no_grad()
def clip_riemannian_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, *, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale the gradients so that `riemannian_grad_norm` is at most `max_norm`; return the norm.

    As `torch.nn.utils.clip_grad_norm_`, but a step of SGD after it moves no point farther than
    lr max_norm, wherever on its manifold it is: near the rim of a ball the ambient gradient is
    large where the Riemannian one is not.

    Args:
        parameters: plain and marked ones mixed; all of them share one factor.
        max_norm: in units of the loss per length.
        error_if_nonfinite: whether to raise RuntimeError, with the gradients as they were, when the
            norm is NaN or infinite; otherwise the gradients become what the factor makes of them.

    Raises:
        ValueError: `max_norm` is negative.
    """
    if max_norm < 0:
        raise ValueError(f"max_norm must be at least 0, got {max_norm}")
    several = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    norm = riemannian_grad_norm(several)
    if error_if_nonfinite and not bool(torch.isfinite(norm)):
        raise RuntimeError(
            f"the Riemannian norm of the gradients is {float(norm)}, they were not clipped; find"
            " the parameter with RiemannianAdam(..., error_if_nonfinite=True), or skip this batch"
        )
    factor = max_norm / torch.maximum(norm, norm.new_tensor(max_norm))
    factor = torch.where(norm <= max_norm, 1.0, factor)  # max_norm = 0, and nothing to clip
    for parameter in several:
        if parameter.grad is not None:
            parameter.grad.mul_(factor.to(parameter.grad.device, parameter.grad.dtype))
    return norm
