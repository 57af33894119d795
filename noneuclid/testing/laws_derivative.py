"""Laws of derivatives: gradcheck, gradgradcheck, forward mode against reverse mode."""

import copy
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import GeodesicManifold, Manifold
from noneuclid.testing.law import DOUBLE, close, law
from noneuclid.testing.samples import Operation, arguments, operations

Generator = torch.Generator
_SMOOTH: tuple[str, ...] = ("inner", "egrad2rgrad", "transp", "expmap", "logmap", "dist", "dist2")
_SMOOTH += ("expmap0", "logmap0", "dist0", "transp0", "transp0back")


def _smooth_operations(manifold: Manifold) -> list[Operation]:
    return [operation for operation in operations(manifold) if operation.name in _SMOOTH]


def _free(manifold: Manifold, operation: Operation, *tensors: Tensor) -> Tensor:
    """Apply a method to free coordinates: points through projx, vectors through proju."""
    made: dict[str, Tensor] = {}
    for kind, tensor in zip(operation.arguments, tensors, strict=True):
        if kind in "xy":
            made[kind] = manifold.projx(tensor)
        else:
            made[kind] = tensor if kind in "og" else manifold.proju(made["x"], tensor)
    return operation.method(*(made[kind] for kind in operation.arguments))


def _inputs(
    manifold: Manifold, operation: Operation, dtype: torch.dtype, generator: Generator
) -> list[Tensor]:
    """Return leaves in coordinates of order 1 and the learnable parameters, in float64."""
    tensors = arguments(manifold, operation.arguments, dtype, generator, 2)
    leaves = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    return [*leaves, *manifold.parameters()]


def _check(manifold: Manifold, generator: Generator, *, second: bool) -> None:
    double = copy.deepcopy(manifold).double()
    for operation in _smooth_operations(double):
        inputs = _inputs(double, operation, torch.float64, generator)
        count = len(operation.arguments)

        def function(*tensors: Tensor, op: Operation = operation, n: int = count) -> Tensor:
            # the parameters are read by the manifold itself; gradcheck moves them in place
            return _free(double, op, *tensors[:n])

        size = max(float(tensor.detach().abs().max()) for tensor in inputs)
        small = min(1.0, min(float(t.detach().abs().median()) for t in inputs[:count]) + 1e-2)
        options: dict[str, Any] = {"eps": 1e-6 * small, "atol": 1e-4 * max(1.0, size), "rtol": 1e-3}
        try:
            torch.autograd.gradcheck(function, inputs, **options)
            if second:
                torch.autograd.gradgradcheck(function, inputs, fast_mode=True, **options)
        except RuntimeError as error:
            raise AssertionError(f"{operation.name}: {error}") from error


@law(Manifold, DOUBLE)
def gradients_are_right(manifold: Manifold, dtype: torch.dtype, generator: Generator) -> None:
    """Gradcheck of every method in free coordinates, and in the curvature where it learns."""
    _check(manifold, generator, second=False)


@law(Manifold, DOUBLE)
def second_derivatives_are_right(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Gradgradcheck of the same (random projections of the second derivative)."""
    _check(manifold, generator, second=True)


@law(Manifold, DOUBLE)
def forward_and_reverse_mode_agree(
    manifold: Manifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Jvp equals jacrev times the tangent; jacfwd equals jacrev."""
    for operation in _smooth_operations(manifold):
        tensors = arguments(manifold, operation.arguments, dtype, generator)
        moves = [torch.randn(t.shape, generator=generator, dtype=dtype) for t in tensors]

        def function(*tensors: Tensor, op: Operation = operation) -> Tensor:
            return _free(manifold, op, *tensors)

        forward = torch.func.jvp(function, tuple(tensors), tuple(moves))[1]
        jacobians = torch.func.jacrev(function, argnums=tuple(range(len(tensors))))(*tensors)
        reverse = torch.stack(
            [torch.tensordot(j, m, m.dim()) for j, m in zip(jacobians, moves, strict=True)]
        ).sum(0)
        size = 1e-9 * (
            1
            + float(forward.detach().abs().max())
            + sum(float(j.detach().abs().max()) for j in jacobians)
        )
        close(forward, reverse, size, f"{operation.name}: jvp against jacrev")


@law(GeodesicManifold, DOUBLE)
def hessians_are_right(
    manifold: GeodesicManifold, dtype: torch.dtype, generator: Generator
) -> None:
    """Hessians (forward over reverse) of dist2, exp and log: symmetric, as backward twice."""
    for operation in _smooth_operations(manifold):
        if operation.name not in ("dist2", "expmap", "logmap"):
            continue
        tensors = arguments(manifold, operation.arguments, dtype, generator)
        sizes = [tensor.numel() for tensor in tensors]
        weights = torch.randn(manifold.point_shape, generator=generator, dtype=dtype)

        def function(
            flat: Tensor, op: Operation = operation, n: Any = sizes, w: Tensor = weights
        ) -> Tensor:
            parts = (part.reshape(w.shape) for part in flat.split(n))
            return (w * _free(manifold, op, *parts)).sum()

        at = torch.cat([tensor.flatten() for tensor in tensors])
        hessian = torch.func.hessian(function)(at)
        allowed = 1e-9 * (1 + float(hessian.detach().abs().max()))
        close(hessian, hessian.mT, allowed, f"Hessian of {operation.name} and its transpose")
        along = torch.randn(at.shape, generator=generator, dtype=dtype)
        twice = torch.autograd.functional.hvp(function, at, along)[1]
        close(hessian @ along, twice, allowed, f"Hessian of {operation.name}: backward twice")
