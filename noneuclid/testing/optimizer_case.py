"""What the laws of an optimizer are about, and a step that every optimizer can take."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from noneuclid.manifolds import HomogeneousManifold
from noneuclid.testing.law import require

Factory = Callable[[Iterable[Any]], Optimizer]


@dataclass(frozen=True)
class Case:
    """The optimizer under test, its twin on R^n, and where to try it."""

    factory: Factory
    twin: Factory | None
    manifolds: Sequence[HomogeneousManifold]

    @property
    def needs_closure(self) -> bool:
        """Whether a step evaluates the loss where it likes, as a line search does."""
        return getattr(self.factory([nn.Parameter(torch.zeros(1))]), "needs_closure", False)


Law = Callable[[Case], None]


def take_step(optimizer: Any, objective: Callable[[], Tensor]) -> Any:
    """Take one step down `objective`, through a closure if the optimizer needs one."""

    def closure() -> Tensor:
        optimizer.zero_grad()
        with torch.enable_grad():
            loss = objective()
            if getattr(optimizer, "closure_calls_backward", True):
                loss.backward()
        return loss

    if getattr(optimizer, "needs_closure", isinstance(optimizer, torch.optim.LBFGS)):
        return optimizer.step(closure)
    closure()
    return optimizer.step()


def raises(kind: type[Exception], action: Callable[[], Any], what: str) -> None:
    """Require that `action` raises `kind` with an explanation."""
    try:
        action()
    except kind as error:
        require(len(str(error)) > 20, f"{what} is refused without an explanation: {error}")
    else:
        raise AssertionError(f"{what} is accepted")
