"""Steps scaled by the metric that the graph of the loss inherits from one dimension up."""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import Optimizer

from noneuclid.optim.clipping import riemannian_grad_norm

_FORMS = ("plain", "log")


class InducedMetric(Optimizer):
    """An optimizer whose steps are scaled by 1 / (1 + xi |grad L|^2), a smooth clipping.

    With the metric g + xi dL dL^T, which the graph (x, sqrt(xi) L(x)) has in M x R, the gradient is
    grad L / (1 + xi |grad L|_g^2) (Sherman-Morrison): one factor for all parameters, from the
    Riemannian norm of all of them together. The factor multiplies the learning rate of every group
    for this step, so whatever the wrapped optimizer accumulates stays as it is; decoupled weight
    decay, which is a share of the learning rate, is scaled with it.

    The form "log" is that of the graph of sqrt(xi) log L: the factor is L / (L^2 + xi |grad L|^2),
    for a loss that is positive. At xi = 0 the plain form is the wrapped optimizer, bit for bit.

    Args:
        optimizer: what to wrap: any of this package or of torch, its groups and state are shared.
        xi: weight of the loss direction, at least 0, in squared length per squared loss.
        form: "plain" or "log".

    Raises:
        ValueError: `xi` is negative or `form` is unknown; in `step`, "log" without a closure that
            returns a positive loss.

    The factor is looked at on the host, once a step. Schedulers and checkpoints take this
    optimizer as they would the wrapped one.

    Source: [harvey2025optimiser] for R^n; the Riemannian form follows from the same formula.
    """

    def __init__(self, optimizer: Optimizer, xi: float = 1.0, *, form: str = "plain") -> None:
        if not xi >= 0:
            raise ValueError(f"xi must be at least 0, got {xi}")
        if form not in _FORMS:
            raise ValueError(f"form must be one of {_FORMS}, got {form!r}")
        self.optimizer, self.xi, self.form = optimizer, xi, form
        self.is_ready = False
        super().__init__(optimizer.param_groups, optimizer.defaults)
        self.is_ready = True
        self._share()

    def _share(self) -> None:
        self.param_groups, self.state = self.optimizer.param_groups, self.optimizer.state

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to the wrapped optimizer."""
        if self.is_ready:
            self.optimizer.add_param_group(param_group)
        else:  # torch's constructor lists the groups that are shared
            self.param_groups.append(param_group)

    def state_dict(self) -> dict[str, Any]:
        """Return the wrapped optimizer's; xi and the form are arguments, not state."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the wrapped optimizer's."""
        self.optimizer.load_state_dict(state_dict)
        self._share()

    def __getstate__(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer, "xi": self.xi, "form": self.form}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["optimizer"], state["xi"], form=state["form"])  # type: ignore[misc]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step of the wrapped optimizer at the scaled rate; return the closure's loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        factor = self._factor(loss)
        rates = [group["lr"] for group in self.param_groups]
        try:
            for group, rate in zip(self.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            self.optimizer.step()
        finally:
            for group, rate in zip(self.param_groups, rates, strict=True):
                group["lr"] = rate
        return loss

    def _factor(self, loss: Any) -> float:
        norm = riemannian_grad_norm(p for group in self.param_groups for p in group["params"])
        steepness = self.xi * float(norm) ** 2
        if self.form == "plain":
            return 1 / (1 + steepness)
        value = float("nan") if loss is None else float(loss)
        if not value > 0:
            raise ValueError(
                "form='log' needs step(closure) with a closure that returns a positive loss, got"
                f" {loss!r}; add a constant to the loss or take form='plain'"
            )
        return value / (value * value + steepness)
