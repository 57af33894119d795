"""The laws of an optimizer that needs a closure: it moves all parameters along one curve."""

import functools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from noneuclid.manifolds import Euclidean, HomogeneousManifold, ManifoldParameter, Product
from noneuclid.testing.law import require, same, within
from noneuclid.testing.optimizer_case import Case, Law, raises, take_step

Objective = Callable[[], Tensor]
_ROWS = 4
_STEPS = 4


def _start(
    manifold: HomogeneousManifold, dtype: torch.dtype = torch.float64
) -> tuple[ManifoldParameter, Tensor]:
    """Return a parameter and a target for its points."""
    x = ManifoldParameter(manifold.random(_ROWS, dtype=dtype), manifold)
    return x, manifold.random(_ROWS, dtype=dtype)


def _pull(x: ManifoldParameter, target: Tensor) -> Objective:
    """Return the objective sum d(x, target)^2 / 2."""
    manifold = x.manifold
    assert isinstance(manifold, HomogeneousManifold)
    return lambda: manifold.dist2(x, target).sum() / 2


def _sum(objectives: Sequence[Objective]) -> Objective:
    return lambda: torch.stack([objective() for objective in objectives]).sum()


def walks_on_the_manifold(case: Case) -> None:
    """Towards ever new targets, in float32, it stays on the manifold."""
    for manifold in case.manifolds:
        x, _ = _start(manifold, torch.float32)
        optimizer = case.factory([x])
        for _ in range(_STEPS):
            take_step(optimizer, _pull(x, manifold.random(_ROWS, dtype=torch.float32)))
        on = manifold.check_point(x.detach())
        require(bool(on.all()), f"{manifold!r}: {x.detach()[~on]} after {_STEPS} steps")


def finds_the_minimum(case: Case) -> None:
    """The squared distance to a target becomes 0."""
    for manifold in case.manifolds:
        x, target = _start(manifold)
        optimizer = case.factory([x])
        for _ in range(_STEPS):
            take_step(optimizer, _pull(x, target))
        within(manifold.dist(x.detach(), target), 1e-5, f"{manifold!r}: distance from the minimum")


def joint_product_equals_its_factors(case: Case) -> None:
    """A product parameter moves as its factors' parameters, all in one optimizer, would."""
    for manifold in case.manifolds:
        if not isinstance(manifold, Product):
            continue
        x, target = _start(manifold)
        parts = [
            ManifoldParameter(part.clone(), factor)
            for factor, part in zip(manifold.factors, manifold.split(x.detach()), strict=True)
        ]
        pulls = [_pull(p, t) for p, t in zip(parts, manifold.split(target), strict=True)]
        whole, apart = case.factory([x]), case.factory(parts)
        for _ in range(2):
            take_step(whole, _pull(x, target))
            take_step(apart, _sum(pulls))
        expected = manifold.join([part.detach() for part in parts])
        within((x.detach() - expected).abs(), 1e-6, f"{manifold!r}: product and factors")


def groups_do_not_matter(case: Case) -> None:
    """Several groups of equal options equal one; groups of other options raise ValueError."""
    starts = [_start(manifold) for manifold in case.manifolds]
    again = [ManifoldParameter(x.detach().clone(), x.manifold) for x, _ in starts]
    one = case.factory([x for x, _ in starts])
    several = case.factory([{"params": [x]} for x in again[:-1]])
    several.add_param_group({"params": again[-1:]})
    pulls = [_pull(x, target) for x, target in starts]
    others = [_pull(x, target) for x, (_, target) in zip(again, starts, strict=True)]
    for optimizer, terms in ((one, pulls), (several, others)):
        for _ in range(2):
            take_step(optimizer, _sum(terms))
    for (x, _), y in zip(starts, again, strict=True):
        same(y.detach(), x.detach(), f"{x.manifold!r}: several groups and one")
    name, value = next(iter(one.defaults.items()))
    odd = {"params": [_start(case.manifolds[0])[0]], name: 0.5 if value is None else value * 0.5}
    raises(ValueError, lambda: one.add_param_group(odd), f"a group with another {name}")


def returns_the_loss_of_its_closure(case: Case) -> None:
    """`step(closure)` enables gradients and returns the first loss; a closure there must be."""
    for manifold in case.manifolds:
        x, target = _start(manifold)
        optimizer, pull = case.factory([x]), _pull(x, target)
        before = pull().detach()

        def objective(pull: Objective = pull) -> Tensor:
            require(torch.is_grad_enabled(), "closure runs without gradients")
            return pull()

        with torch.no_grad():
            loss = take_step(optimizer, objective)
        same(torch.as_tensor(loss).detach(), before, f"{manifold!r}: loss of the closure")
        raises(TypeError, optimizer.step, "a step without a closure")


def keeps_the_point_where_nothing_is_better(case: Case) -> None:
    """Where every other loss is NaN, or the closure raises, the point stays as it was."""
    for manifold in case.manifolds[-1:]:  # a product says it of its factors
        if case.twin is not None and isinstance(manifold, Euclidean):
            continue  # it is as its twin is
        x, target = _start(manifold)
        optimizer, start = case.factory([x]), x.detach().clone()
        if optimizer.defaults.get("line_search_fn", "") is None:
            return  # it goes where the step length says
        pull = _pull(x, target)
        take_step(optimizer, _walled(x, pull, math.nan))
        same(x.detach(), start, f"{manifold!r}: point after a step into NaN")
        failing = functools.partial(take_step, optimizer, _walled(x, pull, None))
        raises(ArithmeticError, failing, "a model that cannot be evaluated")
        same(x.detach(), start, f"{manifold!r}: point after an error in the closure")


def _walled(x: Tensor, objective: Objective, factor: float | None) -> Objective:
    """Return the objective, times `factor` away from where `x` is now; None: it raises."""
    start = x.detach().clone()

    def walled() -> Tensor:
        if torch.equal(x.detach(), start):
            return objective()
        if factor is None:
            raise ArithmeticError("the model cannot be evaluated")
        return objective() * factor

    return walled


def refuses_sparse_gradients(case: Case) -> None:
    """A sparse gradient of a curved parameter raises RuntimeError."""
    x, target = _start(case.manifolds[-1])
    index = torch.arange(_ROWS)
    optimizer = case.factory([x])

    def objective() -> Tensor:
        rows = torch.nn.functional.embedding(index, x, sparse=True)
        return (rows * target).sum()

    raises(RuntimeError, lambda: take_step(optimizer, objective), "a sparse gradient")


WITH_CLOSURE: tuple[Law, ...] = (
    walks_on_the_manifold,
    finds_the_minimum,
    joint_product_equals_its_factors,
    groups_do_not_matter,
    returns_the_loss_of_its_closure,
    keeps_the_point_where_nothing_is_better,
    refuses_sparse_gradients,
)
