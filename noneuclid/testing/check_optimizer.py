"""`check_optimizer(factory)`: every law of an optimizer, in one call."""

import functools
import inspect
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.optim import Optimizer

from noneuclid.manifolds import (
    Euclidean,
    HomogeneousManifold,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
    SphereProjection,
    Stereographic,
)
from noneuclid.testing.law import LawViolation
from noneuclid.testing.laws_joint_optimizer import WITH_CLOSURE
from noneuclid.testing.laws_optimizer import LAWS, WITHOUT_CLOSURE
from noneuclid.testing.optimizer_case import Case, Factory, Law


def check_optimizer(
    factory: Factory,
    *,
    twin: Factory | None = None,
    manifolds: Sequence[HomogeneousManifold] | None = None,
) -> None:
    """Check every law of a Riemannian optimizer.

    Args:
        factory: makes the optimizer from parameters, as
            `lambda params: RiemannianAdam(params, lr=0.05)`; its steps should be shorter than 0.1,
            unless it needs a closure (an attribute `needs_closure`), as a line search does.
        twin: makes the torch.optim optimizer it must equal on R^n (default: the torch.optim class
            it extends, with the same defaults; without one the law is left out).
        manifolds: where to try it (default: one of each model, and a product).

    Raises:
        LawViolation: names the first broken law and the numbers.
    """
    for _, check in optimizer_laws(factory, twin=twin, manifolds=manifolds):
        check()


def optimizer_laws(
    factory: Factory,
    *,
    twin: Factory | None = None,
    manifolds: Sequence[HomogeneousManifold] | None = None,
) -> list[tuple[str, Callable[[], None]]]:
    """Return the laws as (name, check), for a test suite to make one case of each."""
    if manifolds is None:
        manifolds = _manifolds()
    case = Case(factory, twin or _torch_twin(factory), manifolds)
    laws = LAWS + (WITH_CLOSURE if case.needs_closure else WITHOUT_CLOSURE)
    return [(law.__name__, functools.partial(_run, law, case)) for law in laws]


def _run(law: Law, case: Case) -> None:
    state = torch.get_rng_state()
    try:
        torch.manual_seed(0)
        law(case)
    except Exception as error:
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        raise LawViolation(f"law {law.__name__!r} fails: {kind}{error}") from error
    finally:
        torch.set_rng_state(state)


def _manifolds() -> list[HomogeneousManifold]:
    curved: list[HomogeneousManifold] = [
        Lorentz(3),
        PoincareBall(3, -0.5),
        Sphere(2, 2.0),
        SphereProjection(2),
        Stereographic(2, -1.5),
    ]
    return [Euclidean(2), *curved, Product(curved[0], Product(curved[2], Euclidean(2)))]


def _torch_twin(factory: Factory) -> Factory | None:
    defaults = factory([nn.Parameter(torch.zeros(1))]).defaults
    optimizer = type(factory([nn.Parameter(torch.zeros(1))]))
    for base in optimizer.__mro__:
        if base.__module__.startswith("torch.optim.") and base is not Optimizer:
            known = inspect.signature(base).parameters
            chosen = {name: value for name, value in defaults.items() if name in known}
            return lambda params: base(params, **chosen)
    return None
