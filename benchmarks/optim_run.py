"""One descent: a method on a problem, with what it costs and where it ends."""

import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from optim_methods import Method, schedule
from optim_problems import Problem
from torch import Tensor

import noneuclid as ne

GAPS = (1e-6, 1e-12)
_KEPT = 80  # points of a curve that are stored


class Recorder:
    """The loss of a problem, which counts and remembers how it is asked.

    An evaluation is one value of the loss, with its gradient or without, or one product with the
    Hessian, which is a further pass backward through the same graph.

    Attributes:
        evaluations: so far.
        steps: asked for the number of steps taken so far.
        trace: (evaluations, steps, relative gap) wherever the least gap got smaller.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.evaluations = problem, 0
        self.steps: Callable[[], int] = lambda: self.evaluations
        self.trace: list[tuple[int, int, float]] = []
        self.best = math.inf

    def loss(self, x: Tensor) -> Tensor:
        """Return the loss at x, and count it."""
        self.evaluations += 1
        if x.requires_grad:
            x = x.view_as(x)
            x.register_hook(self._backward())
        value = self.problem.loss(x)
        self.note(value)
        return value

    def _backward(self) -> Callable[[Tensor], None]:
        passes = []

        def count(_: Tensor) -> None:
            self.evaluations += bool(passes)  # the first comes with the loss
            passes.append(1)

        return count

    def note(self, value: Tensor) -> None:
        """Remember a value if it is the least so far."""
        gap = self.gap(value)
        if gap < self.best:
            self.best = gap
            self.trace.append((self.evaluations, self.steps(), gap))

    def gap(self, value: Tensor) -> float:
        """Return (f - least) / least."""
        return (float(value.detach()) - self.problem.least) / abs(self.problem.least)


def descend(problem: Problem, method: Method, rate: float | None, steps: int) -> dict[str, Any]:
    """Run a method once and return what the table says of it.

    Returns:
        evaluations, steps: in all. reached: gap -> (evaluations, steps) or None. gap, norm: at the
        end, the norm is the Riemannian one. seconds: of processor time. trace: (evaluations, gap),
        the least so far. fault: what was raised, if anything.
    """
    recorder, fault = Recorder(problem), ""
    start = time.process_time()
    runner = _RUNNERS[method.library if not method.descends else "rate"]
    x = problem.start.clone()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers warn of what the table shows
        try:
            x = runner(problem, method, recorder, rate, steps)
        except Exception as error:  # whatever a method raises is a result
            fault = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
    seconds = time.process_time() - start
    value, norm = _state_at(problem, x)
    recorder.note(value)
    return {
        "evaluations": recorder.evaluations,
        "steps": recorder.steps(),
        "reached": {f"{gap:g}": _reached(recorder, gap) for gap in GAPS},
        "gap": math.nan if fault else recorder.gap(value),
        "norm": math.nan if fault else norm,
        "seconds": seconds,
        "trace": _thinned(recorder.trace),
        "fault": fault,
    }


def _state_at(problem: Problem, x: Tensor) -> tuple[Tensor, float]:
    x = x.detach().clone().requires_grad_()
    value = problem.loss(x)
    (gradient,) = torch.autograd.grad(value, x)
    x = x.detach()
    gradient = problem.manifold.egrad2rgrad(x, gradient)
    square = problem.manifold.inner(x, gradient, gradient).sum()
    return value.detach(), float(square.clamp(min=0).sqrt())


def _reached(recorder: Recorder, gap: float) -> tuple[int, int] | None:
    return next(((e, s) for e, s, least in recorder.trace if least <= gap), None)


def _thinned(trace: list[tuple[int, int, float]]) -> list[tuple[int, float]]:
    """Return some points of a curve, evenly spaced in the logarithm of the evaluations."""
    if len(trace) <= _KEPT:
        return [(e, gap) for e, _, gap in trace]
    logarithms = [math.log(e) for e, _, _ in trace]
    width = (logarithms[-1] - logarithms[0]) / _KEPT or 1.0
    bins = {int((at - logarithms[0]) / width): i for i, at in enumerate(logarithms)}
    chosen = sorted({0, *bins.values(), *(_first(trace, gap) for gap in GAPS)} - {-1})
    return [(trace[i][0], trace[i][2]) for i in chosen]


def _first(trace: list[tuple[int, int, float]], gap: float) -> int:
    return next((i for i, (_, _, least) in enumerate(trace) if least <= gap), -1)


def _parameter(problem: Problem, library: str) -> Any:
    if library == "geoopt":
        import geoopt

        return geoopt.ManifoldParameter(problem.start.clone(), manifold=problem.geoopt())
    return ne.ManifoldParameter(problem.start.clone(), problem.manifold)


def _by_rate(
    problem: Problem, method: Method, recorder: Recorder, rate: float | None, steps: int
) -> Tensor:
    """Take a step for each gradient, at a decaying rate."""
    parameter = _parameter(problem, method.library)
    optimizer = method.make([parameter], rate)
    decay = schedule(optimizer, steps)
    closure = _closure(recorder, optimizer, parameter, True)
    for _ in range(steps):
        value = optimizer.step(closure)
        if not math.isfinite(float(value.detach())):
            break
        decay.step()
    return parameter


def _closure(recorder: Recorder, optimizer: Any, parameter: Tensor, backward: bool) -> Any:
    def closure() -> Tensor:
        with torch.enable_grad():
            optimizer.zero_grad()
            value = recorder.loss(parameter)
            if backward:
                value.backward()
        return value.detach() if backward else value

    return closure


def _by_itself(
    problem: Problem, method: Method, recorder: Recorder, rate: float | None, steps: int
) -> Tensor:
    """Let an optimizer of ours end by its own tolerances."""
    parameter = _parameter(problem, method.library)
    optimizer = method.make([parameter])
    recorder.steps = lambda: sum(state.get("n_iter", 0) for state in optimizer.state.values())
    optimizer.step(_closure(recorder, optimizer, parameter, method.calls_backward))
    return parameter


def _by_geoopt(
    problem: Problem, method: Method, recorder: Recorder, rate: float | None, steps: int
) -> Tensor:
    """Take steps of geoopt's line search until it finds none, or the gradient is 5e-11."""
    parameter, taken = _parameter(problem, "geoopt"), []
    optimizer = method.make([parameter])
    recorder.steps = lambda: len(taken)
    for _ in range(steps):
        optimizer.step(_closure(recorder, optimizer, parameter, True))
        taken.append(1)
        if optimizer.last_step_size is None or _state_at(problem, parameter)[1] < 5e-11:
            break
    return parameter


def _by_pymanopt(
    problem: Problem, method: Method, recorder: Recorder, rate: float | None, steps: int
) -> Tensor:
    """Hand the loss over as functions of arrays; its value and gradient at a point count once."""
    import pymanopt

    shape = problem.start.shape
    name, *arguments = problem.pymanopt
    keywords = {"k": arguments.pop()} if name == "PoincareBall" and len(arguments) > 1 else {}
    manifold = getattr(pymanopt.manifolds, name)(*arguments, **keywords)
    last: dict[str, Any] = {}
    asked: list[int] = []

    def at(array: Any) -> Any:
        if "key" not in last or last["key"] != array.tobytes():
            x = torch.tensor(array).reshape(shape).requires_grad_()
            value = recorder.loss(x)
            (gradient,) = torch.autograd.grad(value, x, create_graph=True)
            last.update(key=array.tobytes(), x=x, value=value, gradient=gradient)
        return last

    def as_array(tensor: Tensor, like: Any) -> Any:
        return tensor.detach().reshape(like.shape).numpy().copy()

    @pymanopt.function.numpy(manifold)
    def cost(array: Any) -> float:
        return float(at(array)["value"].detach())

    @pymanopt.function.numpy(manifold)
    def gradient(array: Any) -> Any:
        asked.append(1)  # once in each step
        return as_array(at(array)["gradient"], array)

    @pymanopt.function.numpy(manifold)
    def hessian(array: Any, vector: Any) -> Any:
        here = at(array)
        pull = torch.tensor(vector).reshape(shape)
        (product,) = torch.autograd.grad(here["gradient"], here["x"], pull, retain_graph=True)
        return as_array(product, array)

    told = pymanopt.Problem(manifold, cost, euclidean_gradient=gradient, euclidean_hessian=hessian)
    first = problem.start.numpy().copy()
    first = first if problem.start.shape[0] > 1 else first[0]
    recorder.steps = lambda: len(asked)
    result = method.make().run(told, initial_point=first)
    return torch.tensor(result.point).reshape(shape)


_RUNNERS: dict[str, Callable[..., Tensor]] = {
    "rate": _by_rate,
    "noneuclid": _by_itself,
    "geoopt": _by_geoopt,
    "pymanopt": _by_pymanopt,
}
