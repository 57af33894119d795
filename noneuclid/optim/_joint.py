"""What optimizers share that move all parameters of all groups along one curve."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch.optim.optimizer import Optimizer, ParamsT

from noneuclid.manifolds import manifold_of
from noneuclid.optim._bundle import Bundle
from noneuclid.optim._checks import warn_of_missing_curvature


class JointOptimizer(Optimizer, ABC):
    """An optimizer that evaluates the loss where it likes: one step needs a closure.

    All groups together are one point (`Bundle`), so they must agree in all options; state belongs
    to all of them and is kept, as torch.optim.LBFGS does, with one parameter.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed.
        defaults: the options.

    Raises:
        ValueError: groups that differ in an option; complex, sharded or scattered parameters.
    """

    needs_closure: ClassVar[bool] = True
    closure_calls_backward: ClassVar[bool] = True
    _under_construction = False  # of the class: a copied optimizer has no other attributes

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self._under_construction = True
        # By name: the next in line may be torch.optim.LBFGS, which refuses several groups.
        Optimizer.__init__(self, params, defaults)
        self._under_construction = False
        self._look_at(self.param_groups)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, as torch.optim does; its options must be those of the others."""
        super().add_param_group(param_group)
        try:
            self._options()
            self._bundle()
        except ValueError:
            self.param_groups.pop()
            raise
        if not self._under_construction:
            self._look_at(self.param_groups[-1:])

    @abstractmethod
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step, of several iterations; return the loss before it."""

    def _look_at(self, groups: list[dict[str, Any]]) -> None:
        marked = [p for group in groups for p in group["params"] if manifold_of(p) is not None]
        warn_of_missing_curvature(marked, self.param_groups)

    def _bundle(self) -> Bundle:
        return Bundle([p for group in self.param_groups for p in group["params"]])

    def _options(self) -> dict[str, Any]:
        """Return the options of all groups; raise ValueError where they differ."""
        first = self.param_groups[0]
        names = [name for name in self.defaults if name in first]  # torch adds defaults on loading
        for number, group in enumerate(self.param_groups):
            for name in names:
                if group[name] != first[name]:
                    raise ValueError(
                        f"{type(self).__name__} moves all groups together, so they must agree:"
                        f" {name} is {first[name]} in group 0 and {group[name]} in group {number}"
                    )
        return {name: first[name] for name in names}

    def _required(self, closure: Callable[[], Any] | None) -> Callable[[], Any]:
        """Return the closure with gradients enabled; raise TypeError without one."""
        if closure is None:
            how = (
                "clears the gradients, evaluates the model, calls backward and returns the loss"
                if self.closure_calls_backward
                else "evaluates the model and returns the loss, without calling backward"
            )
            raise TypeError(
                f"{type(self).__name__} evaluates the loss several times in a step: call"
                f" step(closure) with a function that {how}"
            )
        return torch.enable_grad()(closure)
