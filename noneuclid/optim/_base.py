"""What Riemannian optimizers share: a step that treats plain and marked parameters apart."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from noneuclid.manifolds import Euclidean, Manifold, ManifoldParameter, manifold_of
from noneuclid.manifolds._curvature import scales
from noneuclid.optim._checks import (
    check_decay,
    check_finite,
    check_flags,
    check_gradient,
    check_sharding,
    check_state,
    warn_of_missing_curvature,
)
from noneuclid.optim._lines import LineRule
from noneuclid.optim._outside import are_mostly_points, may_leave_graph, outside
from noneuclid.optim._pieces import (
    Owned,
    Piece,
    TouchedRows,
    count_on,
    is_sharded,
    local,
    number_of,
    parts_of,
    sorted_by_kind,
    write_back,
)
from noneuclid.optim._replay import Batch, Replay, replay_of
from noneuclid.optim._rule import Rule

# marked and plain parameters, and pieces on R^n that are still to be stepped
_Taken = tuple[list[tuple[Tensor, Manifold]], list[Tensor], list[Piece]]
_LINE = Euclidean(1)  # where a plain parameter lives
_OWN = {"decays_spheres": False, "error_if_nonfinite": False}  # options that torch has not


class RiemannianOptimizer(Optimizer, ABC):
    """An optimizer for models that mix ordinary parameters with points on manifolds.

    To be combined with the torch.optim class it extends, which brings arguments, defaults and
    state: `class RiemannianAdam(RiemannianOptimizer, torch.optim.Adam)`. Ordinary parameters, and
    those on R^n, are stepped by torch's own functional code (`_step_flat`). A parameter made by
    `ManifoldParameter` is cut into the factors of its manifold; factors of the same geometry are
    stepped together by a `Rule`, flat ones in float32 by a `LineRule` where there is one. State and
    groups hold tensors and numbers only, under torch.optim's names, so a state dict says nothing of
    manifolds.

    When a step moves a learnable curvature, the marked parameters of its manifold are written
    back by `projx` after all updates of that step.
    """

    _counts_steps = True  # whether the state has a "step"
    _compiles = True  # whether a compiled step may take plain parameters for pieces on R^n
    _under_construction = False

    def __init__(self, params: Any, *args: Any, own: dict[str, Any], **kwargs: Any) -> None:
        """Build torch's optimizer, with the options `own` in the defaults and in every group."""
        self._own, self._under_construction = own, True
        super().__init__(params, *args, **kwargs)
        self.defaults.update(own)
        self._under_construction = False
        self._look_at_parameters()
        warn_of_missing_curvature(list(self._marked(self.param_groups)), self.param_groups)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, as torch.optim does, after checking that its marked parameters fit it.

        Raises:
            ValueError: a flag that has no Riemannian form, weight decay without an origin, or a
                parameter whose points are spread over processes.
        """
        options = self._own if self._under_construction else {}  # later they are defaults
        super().add_param_group({**options, **param_group})
        group = self.param_groups[-1]
        marked = list(self._marked([group]))
        try:
            for parameter in marked:
                self._check_group(group, parameter)
        except ValueError:
            self.param_groups.pop()
            raise
        if not self._under_construction:
            self._look_at_parameters()
            warn_of_missing_curvature(marked, self.param_groups)

    def _look_at_parameters(self) -> None:
        """Forget what is known of the parameters."""
        self._replays: dict[int, Replay] = {}
        self._mostly_points = are_mostly_points(p for g in self.param_groups for p in g["params"])

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state, of torch.optim too: options it does not know keep the values they have."""
        super().__setstate__(state)
        for group in self.param_groups:
            for name, off in _OWN.items():
                group.setdefault(name, self.defaults.get(name, off))
        self._look_at_parameters()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; return the closure's loss, or None without one.

        Args:
            closure: clears the gradients, evaluates the model, calls backward, returns the loss.

        Raises:
            RuntimeError: a sparse gradient that is not one of rows; state of another shape than
                its parameter's; with `error_if_nonfinite`, a gradient that is not finite (nothing
                has moved then).
        """
        here = RiemannianOptimizer._step_here
        if torch.compiler.is_compiling() and self._mostly_points and may_leave_graph(here):
            return outside(self, closure)
        return here(self, closure)

    def _step_here(self, closure: Callable[[], Any] | None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        check_finite(self.param_groups)
        # A differentiable step has a graph: of plain parameters, as in torch.
        with torch.set_grad_enabled(bool(self.defaults.get("differentiable"))):
            self._take_step()
        return loss

    def _take_step(self) -> None:
        # Marked parameters first: their gradients belong to the curvatures of before the step.
        taken = [self._step_group(k) for k in range(len(self.param_groups))]
        for group, (_, plain, pieces) in zip(self.param_groups, taken, strict=True):
            self._step_by_scale(group, plain)
            self._step_flat(group, pieces)
        points = [pair for marked, _, _ in taken for pair in marked]
        if points:
            plain = [p for _, plain, _ in taken for p in plain if p.grad is not None]
            write_back(points, set(map(id, plain)))

    def _step_group(self, number: int) -> _Taken:
        """Step the curved pieces of a group: as the last time, if all is as it was."""
        group = self.param_groups[number]
        parameters = group["params"]
        replays = None if torch.compiler.is_compiling() else self._replays
        replay = replays.get(number) if replays else None
        if replay is not None:
            flat = replay.take(parameters, self.state, partial(self._rule_of, group))
            if flat is not None:
                return replay.marked, replay.plain, flat
            del self._replays[number]
        marked, plain = parts_of(parameters)
        moving = [(p, m) for p, m in marked if p.grad is not None]
        batches, owned = self._step_marked(group, moving)
        if replays is not None and batches:
            states = [self.state[p] for p, _ in moving]
            made = replay_of(parameters, marked, plain, states, batches, owned)
            if made is not None:
                replays[number] = made
        return marked, plain, [piece for _, piece in owned]

    def _step_by_scale(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        """Step plain parameters, those of curvatures with an `lr_scale` at a rate of their own."""
        scale_of = scales() if parameters else {}
        apart = {scale_of[id(p)] for p in parameters if id(p) in scale_of} if scale_of else ()
        for scale in apart:
            some = [p for p in parameters if scale_of.get(id(p)) == scale]
            self._step_plain({**group, "lr": group["lr"] * scale}, some)
        if apart:
            parameters = [p for p in parameters if id(p) not in scale_of]
        if torch.compiler.is_compiling() and self._compiles:  # torch hides its own from dynamo
            parameters = [p for p in parameters if p.grad is not None]
            self._count_steps(group, parameters)
            self._step_flat(group, [self._piece(group, p, _LINE) for p in parameters])
        else:
            self._step_plain(group, parameters)

    @abstractmethod
    def _step_plain(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        """Update ordinary parameters, where they have a gradient, by torch.optim's own code."""

    @abstractmethod
    def _step_flat(self, group: dict[str, Any], pieces: list[Piece]) -> None:
        """Update pieces on R^n by torch.optim's own code; their steps are counted already."""

    @abstractmethod
    def _rule(self, group: dict[str, Any], pieces: list[Piece]) -> Rule:
        """Return how pieces on a curved manifold move; all are at their first step, or none."""

    def _line_rule(self, group: dict[str, Any], pieces: list[Piece]) -> LineRule | None:
        """Return how flat factors move by a kernel; None: by `_step_flat`."""
        return None

    def _rule_of(self, group: dict[str, Any], pieces: list[Piece]) -> Rule | LineRule | None:
        is_flat = isinstance(pieces[0].manifold, Euclidean)
        return (self._line_rule if is_flat else self._rule)(group, pieces)

    @abstractmethod
    def _state_names(self, group: dict[str, Any], manifold: Manifold) -> tuple[str, ...]:
        """Return the names of the state of a parameter on a manifold, besides "step"."""

    # -- marked parameters -----------------------------------------------------------------------

    @torch.no_grad()
    def _step_marked(
        self, group: dict[str, Any], marked: list[tuple[Tensor, Manifold]]
    ) -> tuple[list[Batch], list[Owned]]:
        """Step the curved pieces of marked parameters of a group; return them, and the flat ones.

        Nothing is returned where some gradients are sparse.
        """
        wholes: list[Piece] = []
        touched: list[TouchedRows] = []
        for parameter, manifold in marked:
            check_gradient(parameter, manifold)
        self._count_steps(group, [parameter for parameter, _ in marked])
        for parameter, manifold in marked:
            whole = self._piece(group, parameter, manifold)
            if whole.gradient.layout != torch.strided:
                touched.append(TouchedRows(whole))
                whole = touched[-1].piece
            wholes.append(whole)
        batches: list[Batch] = []
        kinds, flat = sorted_by_kind(wholes)
        for manifold, owned in kinds:
            pieces = [piece for _, piece in owned]
            rule = self._rule_of(group, pieces)
            if rule is not None and rule.take(manifold, pieces):
                batches.append((rule, manifold, owned))
            else:
                flat += owned
        if touched:
            self._step_flat(group, [piece for _, piece in flat])
            for rows in touched:
                rows.scatter()
            return [], []
        return batches, flat

    def _count_steps(self, group: dict[str, Any], parameters: Sequence[Tensor]) -> None:
        if not self._counts_steps:
            return
        on_device = group.get("capturable") or group.get("fused")
        for parameter in parameters:
            state = self.state[parameter]
            if "step" not in state:
                state["step"] = torch.zeros((), device=parameter.device if on_device else "cpu")
        if parameters:
            count_on([self.state[parameter]["step"] for parameter in parameters], 1)

    def _piece(self, group: dict[str, Any], parameter: Tensor, manifold: Manifold) -> Piece:
        """Return the whole of a parameter, with its state, made at the first step."""
        known, names, is_first = self.state[parameter], self._state_names(group, manifold), False
        start = self.defaults.get("initial_accumulator_value", 0.0)
        for name in names:
            if known.get(name) is None:
                is_first = True
                known[name] = torch.full_like(parameter, start, memory_format=torch.preserve_format)
        check_state(known, names, parameter)
        assert parameter.grad is not None
        x, gradient = parameter.detach(), parameter.grad
        state = {name: known[name] for name in names}
        if is_sharded(parameter):
            x, gradient = local(x), local(gradient)
            state = {name: local(tensor) for name, tensor in state.items()}
        return Piece(manifold, x, gradient, state, known.get("step"), is_first)

    @staticmethod
    def _count(group: dict[str, Any], pieces: list[Piece]) -> Any:
        """Return the number of the step: one for all pieces, or a tensor of one for each."""
        steps = [piece.step for piece in pieces if piece.step is not None]
        if group.get("capturable") or not isinstance(number_of(steps[0]), float):
            return torch.stack([step.to(torch.float64) for step in steps])
        return number_of(steps[0])

    @staticmethod
    def _marked(groups: list[dict[str, Any]]) -> Iterator[ManifoldParameter]:
        for group in groups:
            for parameter in group["params"]:
                if manifold_of(parameter) is not None:
                    yield parameter

    # -- checks ----------------------------------------------------------------------------------

    def _check_group(self, group: dict[str, Any], parameter: ManifoldParameter) -> None:
        manifold = manifold_of(parameter)
        assert manifold is not None
        check_sharding(parameter, manifold)
        check_flags(group, self.defaults, manifold)
        decay = group.get("weight_decay", 0)
        if isinstance(decay, Tensor) or decay != 0:
            check_decay(manifold)
