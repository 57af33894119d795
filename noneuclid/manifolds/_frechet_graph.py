"""The Newton steps of a Frechet mean that need no derivative, as one operator in graphs.

Written out they are thousands of operations, over which torch.compile takes minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from noneuclid.manifolds._frechet import last_steps, steps_before
from noneuclid.numerics.formula import may_be_opaque

if TYPE_CHECKING:  # the space forms themselves call this file
    from noneuclid.manifolds._space_form import SpaceForm

_models: dict[str, type[SpaceForm]] = {}


def newton_mean(space: SpaceForm, x: Tensor, w: Tensor, steps: int) -> Tensor:
    """Return argmin_m sum w d(m, x)^2 over the axis -2; `_frechet` tells how.

    Args:
        space: its `_midpoint`, `_logmap`, `_expmap` and transports to the origin are used.
        x: points, (*, n, S) in float64.
        w: weights >= 0, (*, n, 1) in float64; none at all gives the midpoint's origin.
        steps: at least 1.
    """
    name = None
    if torch.compiler.is_compiling() and may_be_opaque((x, w)):
        name = _name(type(space))
    if name is None:
        start = steps_before(space, x, w, steps)
    else:
        K = space._curvature_at(x).detach()
        moves = space.curvature.learnable
        start = _operator(K, x.detach(), w.detach(), name, space.dim, moves, steps)
    return last_steps(space, x, w, start, steps)


def _name(model: type[SpaceForm]) -> str | None:
    """Return the name of a model; None under a transform of torch.func, which looks inside."""
    if torch._C._are_functorch_transforms_active():
        return None
    _models[model.__name__] = model
    return model.__name__


_name._dynamo_marked_constant = True  # type: ignore[attr-defined]  # see numerics/formula.py


@torch.library.custom_op("noneuclid::frechet_start", mutates_args=())
def _operator(
    K: Tensor, x: Tensor, w: Tensor, model: str, dim: int, moves: bool, steps: int
) -> Tensor:
    space = _models[model](dim, learnable=moves).seen_at(K)
    # an operator may return neither an argument nor a view of one
    return steps_before(space, x, w, steps).clone(memory_format=torch.contiguous_format)


@_operator.register_fake
def _(K: Tensor, x: Tensor, w: Tensor, model: str, dim: int, moves: bool, steps: int) -> Tensor:
    batch = torch.broadcast_shapes(x.shape[:-2], w.shape[:-2])
    return x.new_empty(*batch, x.shape[-1])
