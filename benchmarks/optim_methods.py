"""The optimizers compared, ours, geoopt's and pymanopt's, and how each is run."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

import noneuclid.optim as optim

_LONG = {"max_iter": 1000, "max_eval": 1200}
_WOLFE = {**_LONG, "tolerance_change": 0.0}


@dataclass(frozen=True)
class Method:
    """How an optimizer is made and run.

    Attributes:
        library: noneuclid, geoopt or pymanopt.
        make: (parameters, lr) -> optimizer; of pymanopt () -> optimizer. First-order ones take lr.
        descends: whether it is of first order: one step for each gradient, with a decaying rate.
        needs: a name in noneuclid.optim without which it is left out.
        flat: the norm of the gradient it is to reach.
        calls_backward: whether its closure does.
        only: a word in the problems it is for; on others it would be another method.
    """

    library: str
    make: Callable[..., Any]
    descends: bool = False
    needs: str = ""
    flat: float = 0.0
    calls_backward: bool = True
    only: str = ""

    def is_there(self) -> bool:
        """Tell whether the library, and the class in it, are installed."""
        if self.library == "noneuclid":
            return not self.needs or hasattr(optim, self.needs)
        try:
            importlib.import_module(self.library)
        except ImportError:
            return False
        return True


def _first(name: str, only: str = "", **options: Any) -> Method:
    def make(parameters: Any, lr: float) -> Any:
        return getattr(optim, name)(parameters, lr=lr, **options)

    return Method("noneuclid", make, descends=True, needs=name, only=only)


def _induced(xi: float, form: str) -> Method:
    def make(parameters: Any, lr: float) -> Any:
        return optim.InducedMetric(optim.RiemannianSGD(parameters, lr=lr), xi, form=form)

    return Method("noneuclid", make, descends=True)


def _second(name: str, flat: float, **options: Any) -> Method:
    def make(parameters: Any) -> Any:
        return getattr(optim, name)(parameters, tolerance_grad=flat / 2, **options)

    return Method(
        "noneuclid", make, needs=name, flat=flat, calls_backward="TrustRegion" not in name
    )


def _geoopt(name: str, parameters: Any, lr: float | None = None, **options: Any) -> Any:
    import geoopt

    rate = {} if lr is None else {"lr": lr}
    return getattr(geoopt.optim, name)(parameters, **rate, **options)


def _pymanopt(name: str) -> Any:
    import pymanopt.optimizers

    return getattr(pymanopt.optimizers, name)(
        max_iterations=1000, max_time=60, min_gradient_norm=5e-11, min_step_size=0.0,
        max_cost_evaluations=3000, verbosity=0,
    )  # fmt: skip


METHODS: dict[str, Method] = {
    "SGD": _first("RiemannianSGD"),
    "SGD, momentum": _first("RiemannianSGD", momentum=0.9),
    "Adam": _first("RiemannianAdam"),
    "AMSGrad": _first("RiemannianAdam", amsgrad=True),
    "AdamW": _first("RiemannianAdamW", weight_decay=0.0),
    "Adagrad": _first("RiemannianAdagrad"),
    "RMSprop": _first("RiemannianRMSprop"),
    "Lion": _first("RiemannianLion"),
    "Muon": _first("RiemannianMuon", only="Stiefel", weight_decay=0.0),
    "SGD, induced, xi = 0": _induced(0.0, "plain"),
    "SGD, induced, xi = 1": _induced(1.0, "plain"),
    "SGD, induced, log, xi = 1": _induced(1.0, "log"),
    "geoopt SGD": Method("geoopt", partial(_geoopt, "RiemannianSGD"), descends=True),
    "geoopt Adam": Method("geoopt", partial(_geoopt, "RiemannianAdam"), descends=True),
    "L-BFGS": _second("RiemannianLBFGS", 1e-7, line_search_fn="strong_wolfe", **_WOLFE),
    "L-BFGS, approximate": _second(
        "RiemannianLBFGS", 1e-10, line_search_fn="approximate_wolfe", **_WOLFE
    ),
    "CG": _second("RiemannianConjugateGradient", 1e-7, **_WOLFE),
    "CG, approximate": _second(
        "RiemannianConjugateGradient", 1e-10, line_search_fn="approximate_wolfe", **_WOLFE
    ),
    "trust region": _second("RiemannianTrustRegion", 1e-7, max_iter=200),
    "geoopt line search, CG": Method(
        "geoopt", partial(_geoopt, "RiemannianLineSearch", cg_method="pr")
    ),
    "pymanopt descent": Method("pymanopt", partial(_pymanopt, "SteepestDescent")),
    "pymanopt CG": Method("pymanopt", partial(_pymanopt, "ConjugateGradient")),
    "pymanopt trust region": Method("pymanopt", partial(_pymanopt, "TrustRegions")),
}


def wanted(names: Any, problem: str) -> dict[str, Method]:
    """Return the methods of these names that exist and are meant for a problem."""
    found = {name: METHODS[name] for name in names}
    return {n: m for n, m in found.items() if m.is_there() and m.only in problem}


def schedule(optimizer: torch.optim.Optimizer, steps: int) -> Any:
    """Return the decay of the rate: half a cosine, down to 0 after the last step."""
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
