"""The laws of an optimizer: flat limit, staying on the manifold, resuming, products, symmetry."""

import copy
import io
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from noneuclid.manifolds import (
    Euclidean,
    HomogeneousManifold,
    ManifoldParameter,
    Product,
    SpaceForm,
)
from noneuclid.testing.law import close, require, same, within
from noneuclid.testing.optimizer_case import Case, Law, raises, take_step

_ROWS = 4
_LONG, _SHORT = 1000, 50


# -- what the laws are made of ---------------------------------------------------------------------


def _point(manifold: HomogeneousManifold, dtype: torch.dtype = torch.float64) -> ManifoldParameter:
    return ManifoldParameter(manifold.random(_ROWS, dtype=dtype), manifold)


def _pull(x: ManifoldParameter, target: Tensor) -> Tensor:
    """Write the gradient of sum d(x, target)^2 / 2 into `x.grad`; return that sum."""
    manifold = x.manifold
    assert isinstance(manifold, HomogeneousManifold)
    x.grad = None
    with torch.enable_grad():
        loss = manifold.dist2(x, target).sum() / 2
        loss.backward()
    return loss.detach()


def _descend(optimizer: Optimizer, x: ManifoldParameter, target: Tensor, steps: int) -> None:
    manifold = x.manifold
    assert isinstance(manifold, HomogeneousManifold)
    for _ in range(steps):
        take_step(optimizer, lambda: manifold.dist2(x, target).sum() / 2)


def _set(optimizer: Optimizer, **options: Any) -> Optimizer:
    """Set the options that the optimizer knows, in all its groups."""
    for group in optimizer.param_groups:
        group.update({name: value for name, value in options.items() if name in group})
    return optimizer


# -- the laws --------------------------------------------------------------------------------------


def equals_its_twin_on_flat_space(case: Case) -> None:
    """Plain parameters and parameters marked with R^n: equal to torch.optim bit for bit."""
    if case.twin is None:
        return
    start, slope = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    marked, plain = ManifoldParameter(start.clone(), Euclidean(3)), nn.Parameter(start.clone())
    expected = [nn.Parameter(start.clone()) for _ in range(2)]
    optimizer, twin = case.factory([marked, plain]), case.twin(expected)

    def objective(parameters: Sequence[Tensor]) -> Tensor:
        terms = [parameter.cosh().log() + slope * parameter / 2 for parameter in parameters]
        return torch.stack(terms).sum()

    for number in range(_SHORT):
        take_step(optimizer, lambda: objective([marked, plain]))
        take_step(twin, lambda: objective(expected))
        same(plain.detach(), expected[1].detach(), f"plain parameter after step {number + 1}")
        same(marked.detach(), expected[0].detach(), f"parameter on R^3 after step {number + 1}")


def stays_on_the_manifold(case: Case) -> None:
    """A long walk in float32 along gradients of unit length ends on the manifold."""
    for manifold in case.manifolds:
        x = _point(manifold, torch.float32)
        optimizer = case.factory([x])
        for _ in range(_LONG):
            gradient = torch.randn_like(x)
            length = manifold.norm(x.detach(), manifold.egrad2rgrad(x.detach(), gradient))
            x.grad = gradient / length.unsqueeze(-1)
            optimizer.step()
        on = manifold.check_point(x.detach())
        require(bool(on.all()), f"{manifold!r}: {x.detach()[~on]} after {_LONG} steps")


def descends(case: Case) -> None:
    """The squared distance to a target becomes smaller."""
    for manifold in case.manifolds:
        x = _point(manifold)
        target = manifold.random(_ROWS, dtype=torch.float64)
        optimizer = case.factory([x])
        before = _pull(x, target)
        _descend(optimizer, x, target, _SHORT)
        after = _pull(x, target)
        require(bool(after < before), f"{manifold!r}: loss {before:.6g} became {after:.6g}")


def resumes_bit_identically(case: Case) -> None:
    """A state dict through torch.save and torch.load(weights_only=True) changes nothing."""
    for manifold in case.manifolds:
        x, target = _point(manifold), manifold.random(_ROWS, dtype=torch.float64)
        optimizer = case.factory([x])
        _descend(optimizer, x, target, 5)
        file = io.BytesIO()
        torch.save({"optimizer": optimizer.state_dict(), "x": x.detach()}, file)
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        again = ManifoldParameter(saved["x"].clone(), manifold)
        other = case.factory([again])
        other.load_state_dict(saved["optimizer"])
        _descend(optimizer, x, target, 5)
        _descend(other, again, target, 5)
        same(again.detach(), x.detach(), f"{manifold!r}: resumed run")


def product_equals_its_factors(case: Case) -> None:
    """A product parameter moves as its factors' parameters would, bit for bit."""
    for manifold in case.manifolds:
        if not isinstance(manifold, Product):
            continue
        x = _point(manifold)
        parts = [
            ManifoldParameter(part.clone(), factor)
            for factor, part in zip(manifold.factors, manifold.split(x.detach()), strict=True)
        ]
        whole, apart = case.factory([x]), case.factory(parts)
        for _ in range(_SHORT // 5):
            x.grad = torch.randn_like(x)
            for parameter, gradient in zip(parts, manifold.split(x.grad), strict=True):
                parameter.grad = gradient.clone()
            whole.step()
            apart.step()
        expected = manifold.join([part.detach() for part in parts])
        same(x.detach(), expected, f"{manifold!r}: product and factors")


def takes_a_closure(case: Case) -> None:
    """`step(closure)` enables gradients, returns the loss and equals a step without it."""
    for manifold in case.manifolds:
        x, target = _point(manifold), manifold.random(_ROWS, dtype=torch.float64)
        y = copy.deepcopy(x)
        optimizer, other = case.factory([x]), case.factory([y])
        expected = _pull(y, target)
        other.step()

        def closure(x: ManifoldParameter = x, target: Tensor = target) -> Any:
            require(torch.is_grad_enabled(), "closure runs without gradients")
            return _pull(x, target)

        with torch.no_grad():
            loss = optimizer.step(closure)
        same(torch.as_tensor(loss), expected, f"{manifold!r}: loss of the closure")
        same(x.detach(), y.detach(), f"{manifold!r}: step with a closure")


def maximizes(case: Case) -> None:
    """`maximize` equals descending the negated gradient; gradients are never edited."""
    for manifold in case.manifolds:
        x = _point(manifold)
        y = copy.deepcopy(x)
        up = _set(case.factory([x]), maximize=True, weight_decay=0.1)
        down = _set(case.factory([y]), weight_decay=0.1)
        if "maximize" not in up.param_groups[0]:
            return
        for _ in range(3):
            gradient = torch.randn_like(x)
            x.grad, y.grad = gradient.clone(), -gradient
            up.step()
            down.step()
            same(x.grad, gradient, f"{manifold!r}: gradient after the step")
            same(y.grad, -gradient, f"{manifold!r}: gradient after the step")
        same(x.detach(), y.detach(), f"{manifold!r}: ascent and descent of -f")


def follows_a_scheduler(case: Case) -> None:
    """A scheduler that sets the rate to 0 stops the parameter where it is."""
    for manifold in case.manifolds:
        x, target = _point(manifold), manifold.random(_ROWS, dtype=torch.float64)
        optimizer = case.factory([x])
        if "lr" not in optimizer.param_groups[0]:
            return
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: float(epoch < 1))
        start = x.detach().clone()
        _descend(optimizer, x, target, 1)
        require(not torch.equal(start, x.detach()), f"{manifold!r}: the first step moves nothing")
        scheduler.step()
        reached = x.detach().clone()
        _descend(optimizer, x, target, 2)
        same(x.detach(), reached, f"{manifold!r}: steps of rate 0")


def commutes_with_isometries(case: Case) -> None:
    """Moving start and target by an isometry moves the whole trajectory by it.

    Curved spaces only: on R^n an adaptive method knows the coordinates, as torch.optim does.
    """
    generator = torch.Generator().manual_seed(0)
    for manifold in case.manifolds:
        if not isinstance(manifold, SpaceForm):
            continue
        x, target = _point(manifold), manifold.random(_ROWS, dtype=torch.float64)
        isometry = manifold.random_isometry(generator)
        image = ManifoldParameter(isometry(x.detach()), manifold)
        runs = [(case.factory([x]), x, target), (case.factory([image]), image, isometry(target))]
        for optimizer, point, aim in runs:  # decay knows the origin
            _descend(_set(optimizer, weight_decay=0), point, aim, _SHORT // 2)
        gap = manifold.dist(isometry(x.detach()), image.detach())
        within(gap, 1e-7, f"{manifold!r}: image of the trajectory and trajectory of the image")


def keeps_groups_apart(case: Case) -> None:
    """Groups with different manifolds and rates equal optimizers of their own."""
    marked = [_point(manifold) for manifold in case.manifolds]
    alone = [copy.deepcopy(x) for x in marked]
    rates = [0.01 * (1 + number) for number in range(len(marked))]
    groups = [{"params": [x], "lr": rate} for x, rate in zip(marked, rates, strict=True)]
    together = case.factory(groups[:1])
    for group in groups[1:]:
        together.add_param_group(group)
    optimizers = [_set(case.factory([x]), lr=r) for x, r in zip(alone, rates, strict=True)]
    for _ in range(3):
        for x, y in zip(marked, alone, strict=True):
            x.grad = torch.randn_like(x)
            y.grad = x.grad.clone()
        for optimizer in [together, *optimizers]:
            optimizer.step()
    for x, y in zip(marked, alone, strict=True):
        close(x.detach(), y.detach(), 0.0, f"{x.manifold!r}: group and its own optimizer")


def refuses_what_it_cannot_do(case: Case) -> None:
    """Sparse gradients raise RuntimeError, differentiable steps ValueError."""
    x = _point(case.manifolds[0])
    optimizer = case.factory([x])
    x.grad = torch.randn_like(x).to_sparse()
    raises(RuntimeError, optimizer.step, "a sparse gradient")
    if "differentiable" in optimizer.defaults:
        group = {"params": [_point(case.manifolds[0])], "differentiable": True}
        raises(ValueError, lambda: optimizer.add_param_group(group), "differentiable=True")


WITHOUT_CLOSURE: tuple[Law, ...] = (
    stays_on_the_manifold,
    product_equals_its_factors,
    takes_a_closure,
    maximizes,
    keeps_groups_apart,
    refuses_what_it_cannot_do,
)
LAWS: tuple[Law, ...] = (
    equals_its_twin_on_flat_space,
    descends,
    resumes_bit_identically,
    follows_a_scheduler,
    commutes_with_isometries,
)
