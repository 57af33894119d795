"""Riemannian Adam and AMSGrad."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.optimizer import ParamsT

from noneuclid.manifolds import Manifold
from noneuclid.numerics import Lines, combination
from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim._lines import LineRule
from noneuclid.optim._pieces import Piece, steps_before
from noneuclid.optim._rule import Rule
from noneuclid.optim._step import TangentSpace

# parameters, gradients, m, v, largest v, step counts
_Lists = tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[Tensor]]


class RiemannianAdam(RiemannianOptimizer, torch.optim.Adam):
    """Adam on manifolds: x <- retr_x(-lr m^ / (sqrt v^ + eps)), m carried along by transport.

    m <- beta1 m + (1 - beta1) grad f is a tangent vector; v <- beta2 v + (1 - beta2) <grad f,
    grad f>_x is one number for each row, for each factor of a product and, on R^n, for each
    coordinate, so that the step does not depend on the choice of coordinates. m^ and v^ are
    corrected for their bias. Arguments, defaults, groups and state are `torch.optim.Adam`'s;
    parameters that are not marked by `ManifoldParameter`, and those on R^n, take its very steps.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed.
        lr: length of a step, about.
        betas: how much of m and of v stays.
        eps: added to the root of v^.
        weight_decay: pull towards the origin, -weight_decay log_x(o), added to the gradient.
        amsgrad: divide by the largest v so far.
        maximize: ascend.
        foreach: for the plain parameters, as in torch.
        capturable: keep the step count on the device, as in torch.
        differentiable, fused: refused when a parameter is marked.
        decoupled_weight_decay: move by x <- exp_x(lr weight_decay log_x(o)) before the step
            instead, as `RiemannianAdamW` does.
        decays_spheres: whether weight decay acts on factors of positive curvature too.
        error_if_nonfinite: whether `step` raises RuntimeError on a NaN or infinite gradient,
            naming the parameter, before anything moves.

    Raises:
        ValueError: an argument out of range, weight decay on a manifold without origin, or a
            refused flag. RuntimeError: in `step`, a sparse gradient of a marked parameter whose
            entries are not rows.

    Source: [becigneul2019riemannian] section 4, with their transport of m; v is corrected for its
    bias as in Adam.
    """

    def __init__(  # noqa: PLR0913 - the arguments of torch.optim.Adam
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
        decays_spheres: bool = False,
        error_if_nonfinite: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
            own={"decays_spheres": decays_spheres, "error_if_nonfinite": error_if_nonfinite},
        )

    def _step_plain(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        self._accelerator_graph_capture_health_check()
        step_plain(self, group, parameters)

    def _step_flat(self, group: dict[str, Any], pieces: list[Piece]) -> None:
        step_flat(group, pieces)

    def _state_names(self, group: dict[str, Any], manifold: Manifold) -> tuple[str, ...]:
        return state_names(group)

    def _rule(self, group: dict[str, Any], pieces: list[Piece]) -> Rule:
        return rule(group, self._count(group, pieces))

    def _line_rule(self, group: dict[str, Any], pieces: list[Piece]) -> LineRule | None:
        return line_rule(group, self._count(group, pieces))


def state_names(group: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of Adam's state: a tangent vector, then numbers."""
    names = ("exp_avg", "exp_avg_sq")
    return (*names, "max_exp_avg_sq") if group["amsgrad"] else names


def rule(group: dict[str, Any], step: Any) -> Rule:
    """Return Adam's rule for the step of this number, with the options of `group`."""
    beta1, beta2 = group["betas"]
    return Rule(
        _adam,
        (
            beta1,
            beta2,
            group["lr"] / (1 - beta1**step),
            (1 - beta2**step) ** -0.5,
            group["eps"],
        ),
        vectors=("exp_avg",),
        numbers=state_names(group)[1:],
        decay=group["weight_decay"],
        lr=group["lr"],
        is_decoupled=group["decoupled_weight_decay"],
        decays_spheres=group.get("decays_spheres", False),
        maximize=group["maximize"],
    )


_LINES = Lines(
    ("g",),
    ("m", "v", "x"),
    ("sign", "decay", "stay", "take1", "beta2", "take2", "size", "rate", "eps"),
    """
    const float u = fmaf(decay, x, sign * g);
    m = take1 < 0.5f ? fmaf(take1, u - m, m) : fmaf(take1 - 1, u - m, u);
    v = fmaf(take2 * u, u, beta2 * v);
    x = stay * x - size * m / (sqrtf(v) / rate + eps);
    """,
)
_LINES_AMSGRAD = replace(
    _LINES,
    writes=("m", "v", "most", "x"),
    code=_LINES.code.replace("sqrtf(v)", "sqrtf(most)").replace(
        "    x = ", "    most = v > most || v != v ? v : most;\n    x = "
    ),
)


def line_rule(group: dict[str, Any], step: Any) -> LineRule | None:
    """Return Adam's rule on lines; None where a setting is a tensor."""
    (beta1, beta2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
    if any(isinstance(number, Tensor) for number in (beta1, beta2, lr, decay, step)):
        return None
    is_decoupled = group["decoupled_weight_decay"]
    settings = (
        -1.0 if group["maximize"] else 1.0,
        0.0 if is_decoupled else decay,
        1 - lr * decay if is_decoupled else 1.0,
        1 - beta1,
        beta2,
        1 - beta2,
        lr / (1 - beta1**step),
        (1 - beta2**step) ** 0.5,
        group["eps"],
    )
    lines = _LINES_AMSGRAD if group["amsgrad"] else _LINES
    return LineRule(lines, settings, state_names(group))


def step_plain(optimizer: Any, group: dict[str, Any], parameters: list[Tensor]) -> None:
    """Take torch's own step on ordinary parameters, whose state the optimizer holds."""
    if parameters:
        lists: _Lists = ([], [], [], [], [], [])
        known = {**group, "params": parameters}
        is_complex = torch.optim.Adam._init_group(optimizer, known, *lists)
        scaler = {name: getattr(optimizer, name, None) for name in ("grad_scale", "found_inf")}
        _step_lists(group, lists, has_complex=is_complex, **scaler)


def step_flat(group: dict[str, Any], pieces: list[Piece]) -> None:
    """Take torch's own step on pieces on R^n, whose steps are counted already."""
    if not pieces:
        return
    states = [[p.state[name] for p in pieces] for name in state_names(group)]
    steps = steps_before(pieces)
    most = states[2] if group["amsgrad"] else []
    points, gradients = [p.x for p in pieces], [p.gradient for p in pieces]
    _step_lists(group, (points, gradients, states[0], states[1], most, steps))


def _step_lists(group: dict[str, Any], lists: _Lists, **options: Any) -> None:
    beta1, beta2 = group["betas"]
    adam(
        *lists,
        foreach=group["foreach"],
        capturable=group["capturable"],
        differentiable=group["differentiable"],
        fused=group["fused"],
        decoupled_weight_decay=group["decoupled_weight_decay"],
        amsgrad=group["amsgrad"],
        beta1=beta1,
        beta2=beta2,
        lr=group["lr"],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=group["maximize"],
        **options,
    )


def _adam(
    space: TangentSpace, settings: list[Tensor], u: Tensor, m: Tensor, v: Tensor,
    *most: Tensor,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Return -size m / (rate sqrt(v) + eps), with the new m and v, and the largest v if kept."""
    beta1, beta2, size, rate, eps = settings
    m = combination((beta1, m), (1 - beta1, u))
    v = beta2 * v + (1 - beta2) * space.square(u)
    most = tuple(torch.maximum(largest, v) for largest in most)
    scale = -size / (rate * (most[0] if most else v).sqrt() + eps)
    return combination((scale, m)), m, v, *most
