"""What Riemannian optimizers share: a step that treats plain and marked parameters apart."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, _use_grad_for_differentiable

from noneuclid.manifolds import ManifoldParameter, manifold_of
from noneuclid.optim._geometry import check_decay, check_sharding, factors_of, local

_PLAIN_ONLY = {  # flags of torch.optim that have no Riemannian form, and what to do instead
    "differentiable": "take the steps with expmap in your own loop",
    "fused": "leave fused=None and use foreach for the plain parameters",
    "capturable": "leave capturable=False",
    "decoupled_weight_decay": "use weight_decay alone",
}


class RiemannianOptimizer(Optimizer, ABC):
    """An optimizer for models that mix ordinary parameters with points on manifolds.

    To be combined with the torch.optim class it extends, which brings arguments, defaults and
    state: `class RiemannianAdam(RiemannianOptimizer, torch.optim.Adam)`. A parameter made by
    `ManifoldParameter` takes `_step_marked`, every other one `_step_plain`; both get lists, so a
    subclass is free to stack. State and groups hold tensors and numbers only, under torch.optim's
    names, so a state dict says nothing of manifolds.

    When a step moves a learnable curvature, the marked parameters of its manifold are written
    back by `projx` after all updates of that step.
    """

    _under_construction = False

    def __init__(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self._under_construction = True
        super().__init__(params, *args, **kwargs)
        self._under_construction = False
        self._warn_of_missing_curvature(list(self._marked(self.param_groups)))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, as torch.optim does, after checking that its marked parameters fit it.

        Raises:
            ValueError: a flag that has no Riemannian form, weight decay without an origin, or a
                parameter whose points are spread over processes.
        """
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        marked = list(self._marked([group]))
        try:
            for parameter in marked:
                self._check_group(group, parameter)
        except ValueError:
            self.param_groups.pop()
            raise
        if not self._under_construction:
            self._warn_of_missing_curvature(marked)

    @_use_grad_for_differentiable
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; return the closure's loss, or None without one.

        Args:
            closure: clears the gradients, evaluates the model, calls backward, returns the loss.

        Raises:
            RuntimeError: a sparse gradient of a marked parameter.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        # Marked parameters first: their gradients belong to the curvatures of before the step.
        with torch.no_grad():
            for group in self.param_groups:
                self._step_marked(group, [p for p in self._marked([group]) if _has_gradient(p)])
        moved: set[int] = set()
        for group in self.param_groups:
            plain = [p for p in group["params"] if manifold_of(p) is None and p.grad is not None]
            moved.update(map(id, plain))
            self._step_plain(group, plain)
        self._write_back(moved)
        return loss

    @abstractmethod
    def _step_plain(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        """Update ordinary parameters by torch.optim's own code."""

    @abstractmethod
    def _step_marked(self, group: dict[str, Any], parameters: list[ManifoldParameter]) -> None:
        """Update parameters on manifolds; each has a dense gradient."""

    # -- checks ----------------------------------------------------------------------------------

    def _check_group(self, group: dict[str, Any], parameter: ManifoldParameter) -> None:
        check_sharding(parameter, parameter.manifold)
        for flag, advice in _PLAIN_ONLY.items():
            # A fused default makes GradScaler hand over scaled gradients, whatever the group says.
            if group.get(flag) or (flag == "fused" and self.defaults.get(flag)):
                raise ValueError(
                    f"{flag}=True has no form for parameters on a manifold, got one on"
                    f" {parameter.manifold!r}; {advice}, or give the plain parameters an"
                    " optimizer of their own"
                )
        if group.get("weight_decay", 0) != 0:
            check_decay(parameter.manifold)

    def _warn_of_missing_curvature(self, marked: list[ManifoldParameter]) -> None:
        known = {id(p) for group in self.param_groups for p in group["params"]}
        for manifold in {id(p.manifold): p.manifold for p in marked}.values():
            missing = [p for p in manifold.parameters() if p.requires_grad and id(p) not in known]
            if missing:
                warnings.warn(
                    f"a parameter lives on {manifold!r}, whose learnable curvature this optimizer"
                    " was not given: it will not learn here. Make the manifold a sub-module of"
                    " the model, or pass manifold.parameters() too, or freeze it with"
                    " manifold.requires_grad_(False)",
                    UserWarning,
                    stacklevel=3,
                )

    # -- marked parameters -----------------------------------------------------------------------

    @staticmethod
    def _marked(groups: list[dict[str, Any]]) -> Iterator[ManifoldParameter]:
        for group in groups:
            for parameter in group["params"]:
                if manifold_of(parameter) is not None:
                    yield parameter

    @torch.no_grad()
    def _write_back(self, moved: set[int]) -> None:
        """Project the points whose manifold has a parameter among those that `moved`."""
        if not moved:
            return
        has_moved: dict[int, bool] = {}  # many parameters share a manifold: look through it once
        for parameter in self._marked(self.param_groups):
            for factor, (x,) in factors_of(parameter.manifold, local(parameter.detach())):
                if id(factor) not in has_moved:
                    has_moved[id(factor)] = any(id(p) in moved for p in factor.parameters())
                if has_moved[id(factor)]:
                    x.copy_(factor.projx(x))


def _has_gradient(parameter: Tensor) -> bool:
    """Tell whether `parameter` takes part in the step; raise RuntimeError on a sparse gradient."""
    if parameter.grad is None:
        return False
    if parameter.grad.layout != torch.strided:
        raise RuntimeError(
            f"parameters on a manifold need dense gradients, got {parameter.grad.layout}; build"
            " the embedding with sparse=False, or call .grad.to_dense() before the step"
        )
    return True
