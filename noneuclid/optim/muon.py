"""Riemannian Muon: orthogonalised momentum for matrices, Adam for all else."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import _muon as torch_muon
from torch.optim.optimizer import ParamsT

from noneuclid.manifolds import Manifold
from noneuclid.numerics import combination
from noneuclid.optim import adam
from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim._pieces import Piece
from noneuclid.optim._rule import Rule
from noneuclid.optim._step import TangentSpace

_COEFFICIENTS = (torch_muon.DEFAULT_A, torch_muon.DEFAULT_B, torch_muon.DEFAULT_C)


class RiemannianMuon(RiemannianOptimizer):
    """Muon for matrices of weights and for matrix manifolds; Adam for everything else.

    - A plain parameter of two axes takes `torch.optim.Muon`'s very step.
    - A parameter on a manifold of matrices (`point_shape` of two axes, as Stiefel's from
      `noneuclid.from_geoopt`) goes along -lr' P(O), where O is the polar factor U V^T of the
      momentum b (with Nesterov's look ahead of (1 - momentum) grad f + momentum b), the direction
      of steepest descent for the spectral norm, and P projects it to the tangent space; b is
      carried along by transport. Singular values that are 0 to rounding stay 0 in O.
    - Plain parameters of other shapes, and all other points, rows on R^n among them, take the step
      of `RiemannianAdamW` with `adam_lr`, `betas` and `adam_eps`.

    Args:
        params: parameters, named parameters or groups of them, plain and marked mixed.
        lr: of matrices; a step changes each singular value by lr', which is lr times what
            `adjust_lr_fn` makes of the shape.
        weight_decay: decoupled, for all kinds: share of the way to the origin that a step goes,
            over the learning rate. Manifolds without origin, as Stiefel, need a group with 0.
        momentum: how much of b stays.
        nesterov: whether to look ahead.
        ns_coefficients, eps, ns_steps: of torch's Newton-Schulz iteration, for plain matrices.
        adjust_lr_fn: "original" (the default), sqrt(max(1, rows / columns)), or
            "match_rms_adamw", 0.2 sqrt(max(rows, columns)).
        adam_lr: of everything that is not a matrix; default: `lr`.
        betas, adam_eps: of Adam.
        decays_spheres: whether weight decay acts on factors of positive curvature too.
        error_if_nonfinite: as in `RiemannianAdam`.

    Raises:
        ValueError: an argument out of range, or weight decay on a manifold without origin (its
            default is not 0).
        RuntimeError: in `step`, a complex matrix or a sparse gradient of a plain parameter.

    Source: [jordan2024muon]; for the tangent step on Stiefel [bernstein2025manifolds].
    """

    _compiles = False

    def __init__(  # noqa: PLR0913 - the arguments of torch.optim.Muon and of Adam
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = _COEFFICIENTS,
        eps: float = torch_muon.EPS,
        ns_steps: int = torch_muon.DEFAULT_NS_STEPS,
        adjust_lr_fn: str | None = None,
        *,
        adam_lr: float | None = None,
        betas: tuple[float, float] = (0.9, 0.999),
        adam_eps: float = 1e-8,
        decays_spheres: bool = False,
        error_if_nonfinite: bool = False,
    ) -> None:
        matrix = [torch.nn.Parameter(torch.zeros(1, 1))]
        checked = torch.optim.Muon(  # torch's own checks of its arguments
            matrix, lr, weight_decay, momentum, nesterov, ns_coefficients, eps, ns_steps,
            adjust_lr_fn,
        )  # fmt: skip
        torch.optim.AdamW(matrix, lr if adam_lr is None else adam_lr, betas, adam_eps)
        defaults = {**checked.defaults, "adam_lr": adam_lr, "betas": betas, "adam_eps": adam_eps}
        own = {"decays_spheres": decays_spheres, "error_if_nonfinite": error_if_nonfinite}
        super().__init__(params, defaults, own=own)

    def _step_plain(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        matrices = [p for p in parameters if p.dim() == 2]
        lists: tuple[list[Tensor], ...] = ([], [], [])
        torch.optim.Muon._init_group(self, {**group, "params": matrices}, *lists)  # type: ignore[arg-type]
        names = ("lr", "weight_decay", "momentum", "nesterov", "ns_coefficients", "ns_steps")
        options = {name: group[name] for name in (*names, "eps", "adjust_lr_fn")}
        if lists[0]:
            torch_muon.muon(*lists, **options, has_complex=False)
        others = [p for p in parameters if p.dim() != 2]
        adam.step_plain(self, _as_adam(group), others)

    def _step_flat(self, group: dict[str, Any], pieces: list[Piece]) -> None:
        adam.step_flat(_as_adam(group), pieces)

    def _state_names(self, group: dict[str, Any], manifold: Manifold) -> tuple[str, ...]:
        if len(manifold.point_shape) == 2:
            return ("momentum_buffer",)
        return adam.state_names(_as_adam(group))

    def _rule(self, group: dict[str, Any], pieces: list[Piece]) -> Rule:
        shape = pieces[0].manifold.point_shape
        if len(shape) != 2:
            return adam.rule(_as_adam(group), self._count(group, pieces))
        ratio = torch_muon._adjust_lr(1.0, group["adjust_lr_fn"], torch.Size(shape))
        return Rule(
            _orthogonalised,
            (group["lr"] * ratio, group["momentum"], float(group["nesterov"])),
            vectors=("momentum_buffer",),
            decay=group["weight_decay"],
            lr=group["lr"],
            is_decoupled=True,
            decays_spheres=group.get("decays_spheres", False),
        )


def _adam_options(group: dict[str, Any]) -> dict[str, Any]:
    rate = group["lr"] if group["adam_lr"] is None else group["adam_lr"]
    options = {"lr": rate, "betas": group["betas"], "eps": group["adam_eps"]}
    return {**options, "weight_decay": group["weight_decay"]}


def _as_adam(group: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a group under the names of Adam's."""
    flags = ("amsgrad", "maximize", "foreach", "capturable", "differentiable", "fused")
    own = {"decoupled_weight_decay": True, "decays_spheres": group.get("decays_spheres", False)}
    return {**_adam_options(group), **dict.fromkeys(flags, False), **own}


def _orthogonalised(
    space: TangentSpace, settings: list[Tensor], u: Tensor, b: Tensor
) -> tuple[Tensor, ...]:
    """Return -lr P(polar factor of the momentum), with the new momentum."""
    lr, momentum, looks = settings
    b = combination((momentum, b), (1 - momentum, u))
    ahead = combination((looks * (1 - momentum), u), (1 - looks + looks * momentum, b))
    left, sizes, right = torch.linalg.svd(ahead, full_matrices=False)
    least = max(ahead.shape[-2:]) * torch.finfo(ahead.dtype).eps * sizes[..., :1]
    polar = (left * (sizes > least).to(left.dtype).unsqueeze(-2)) @ right
    return combination((-lr, space.manifold._proju(space.x, polar))), b
