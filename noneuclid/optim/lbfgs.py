"""Riemannian L-BFGS."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from noneuclid.manifolds import manifold_of
from noneuclid.optim._bundle import Bundle, dot, is_flat
from noneuclid.optim._descent import DescentOptimizer

_CAUTION = 1e-4  # of the source: the least <s, y> / (|g| <s, s>) of a pair that is kept


class RiemannianLBFGS(DescentOptimizer, torch.optim.LBFGS):
    """L-BFGS on manifolds: x <- retr_x(t d), d = -H grad f with H made from a memory of past steps.

    The memory holds pairs of steps s = T(t d) and changes of the gradient y = grad f_+ - T(grad f),
    where T, the transport from x to the next point, carries all older pairs along too. A pair is
    taken where <s, y> >= 1e-4 |grad f| <s, s> (cautious update), and used while <s, y> > 0, so H
    is positive definite. T is an isometry on all manifolds of this library, for which the source
    proves superlinear convergence; on one whose transport is not, H stays positive definite but
    the rate is not known.

    Arguments and defaults are `torch.optim.LBFGS`'s. One group of plain parameters, and of points
    on R^n, takes torch's own steps. Everywhere else there may be any number of groups, equal in all
    options; `tolerance_grad` bounds |grad f|_x, not the largest coordinate; a search also ends
    after 25 evaluations.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed.
        lr: the first step tried along d; with `line_search_fn=None` the step taken.
        max_iter: iterations of one step.
        max_eval: evaluations of one step; default max_iter * 5 // 4.
        tolerance_grad: a smaller gradient ends the step.
        tolerance_change: a smaller change of the loss or of every coordinate ends it.
        history_size: pairs kept.
        line_search_fn: "strong_wolfe", or "approximate_wolfe", which goes by slopes alone: it
            reaches gradients of 1e-10 where the noise of the loss may stop the former at 1e-7;
            None: no search.

    Raises:
        ValueError: an argument out of range, groups that differ in an option, complex or sharded
            parameters. TypeError: in `step`, no closure. RuntimeError: in `step`, a sparse
            gradient.

    Source: [huang2015broyden] for the method, [huang2018riemannian] for the cautious update,
    [ring2012optimization] for L-BFGS with transported pairs.
    """

    _flatness = 0.9

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if history_size < 1:
            raise ValueError(f"history_size must be at least 1, got {history_size}")
        options = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, options)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take up to `max_iter` iterations; return the loss before them.

        Args:
            closure: clears the gradients, evaluates the model, calls backward, returns the loss.

        Raises:
            TypeError: no closure. RuntimeError: a sparse gradient, unless the step is torch's own.
            ValueError: groups that differ in an option.
        """
        parameters = [p for group in self.param_groups for p in group["params"]]
        known_to_torch = self.param_groups[0]["line_search_fn"] in (None, "strong_wolfe")
        flat = all(is_flat(manifold_of(p)) for p in parameters)
        if len(self.param_groups) > 1 or not (flat and known_to_torch):
            return super().step(closure)
        self._params, self._numel_cache = parameters, None  # what a copied optimizer lacks
        # Unwrapped, or the hooks of a step would run twice.
        return inspect.unwrap(torch.optim.LBFGS.step)(self, self._required(closure))

    def _direction(
        self, bundle: Bundle, x: Tensor, g: Tensor, state: dict[str, Any]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        steps, changes = g.new_empty(0, len(g)), g.new_empty(0, len(g))
        if state:
            steps, changes = state["old_stps"], state["old_dirs"]
            before = state["prev_flat_grad"]
            s, y = state["t"] * state["d"], g - before
            least = _CAUTION * bundle.norm(x, before) * bundle.inner(x, s, s)
            if bundle.inner(x, s, y) >= least > 0:
                size = self.param_groups[0]["history_size"]
                steps = torch.cat([steps, s[None]])[-size:]
                changes = torch.cat([changes, y[None]])[-size:]
        direction = -_times_inverse_hessian(bundle, x, g, steps, changes)
        return direction, {"old_stps": steps, "old_dirs": changes}

    def _first_trial(self, state: dict[str, Any], slope: float) -> float:
        return 1.0


def _times_inverse_hessian(
    bundle: Bundle, x: Tensor, g: Tensor, steps: Tensor, changes: Tensor
) -> Tensor:
    """Return H g by the two loops of L-BFGS; `steps` s and `changes` y are (m, N), oldest first.

    Inner products are dot products with covectors, so that the metric is asked for once.
    """
    step_covectors, change_covectors = bundle.lower(x, torch.stack([steps, changes]))
    products = (step_covectors.double() * changes.double()).sum(-1).tolist()  # <s, y>
    used = [number for number, product in enumerate(products) if product > 0]
    result, weights = g.clone(), {}
    for number in reversed(used):
        weight = float(dot(step_covectors[number], result)) / products[number]
        weights[number] = weight
        result.sub_(changes[number], alpha=weight)
    if used:
        newest = used[-1]
        result.mul_(products[newest] / float(dot(change_covectors[newest], changes[newest])))
    for number in used:
        weight = float(dot(change_covectors[number], result)) / products[number]
        result.add_(steps[number], alpha=weights[number] - weight)
    return result
