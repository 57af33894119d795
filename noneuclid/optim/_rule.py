"""One step of any first-order method, as a formula of rows.

A method is a *rule*: from the Riemannian gradient u at x and the state there to the tangent vector
to go along and the new state. What every method shares is here: the gradient, the decay, the
retraction, and the transport of those parts of the state that are tangent vectors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import (
    Curvature,
    GeodesicManifold,
    Manifold,
    SpaceForm,
)
from noneuclid.numerics import Call, combination, repeatable, update
from noneuclid.optim._closed_forms import tangent_space
from noneuclid.optim._pieces import Piece

# (tangent space, settings, u, *state) -> (direction, *new state); vectors first, then numbers
Method = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True)
class Rule:
    """A method with its settings for one step of some pieces.

    Args:
        method: what makes the direction.
        settings: its numbers.
        vectors, numbers: names of the state that holds tangent vectors, and of the state that
            holds one number for each row (repeated over its columns).
        decay: weight decay, 0 for none.
        lr: what multiplies a decay that is decoupled.
        is_decoupled: whether points move towards the origin before the step, or the pull is part
            of the gradient.
        decays_spheres: whether factors of positive curvature decay too. The pull is not smooth at
            the antipode of the origin, and every point is equally far from being large.
        maximize: whether to ascend.
    """

    method: Method
    settings: tuple[float | Tensor, ...]
    vectors: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    decay: float | Tensor = 0.0
    lr: float | Tensor = 1.0
    is_decoupled: bool = False
    decays_spheres: bool = False
    maximize: bool = False

    @property
    def decays(self) -> bool:
        """Whether there is any decay."""
        return isinstance(self.decay, Tensor) or self.decay != 0

    def on(self, manifold: Manifold) -> "Rule":
        """Return this rule, without decay where the manifold is bounded and spheres do not."""
        if self.decays_spheres or not self.decays or not isinstance(manifold, GeodesicManifold):
            return self
        if isinstance(manifold, SpaceForm):
            bounded = manifold.curvature_sign > 0
        else:
            bounded = bool(torch.isfinite(manifold.injectivity_radius))
        return replace(self, decay=0.0) if bounded else self

    def take(self, manifold: Manifold, pieces: Sequence[Piece]) -> bool:
        """Move the points of pieces on the same manifold, and their state, in place: always."""
        rule, x = self.on(manifold), pieces[0].x
        update(
            partial(_step, manifold, rule, x.dtype),
            rule.recipe(manifold, x.dtype),
            _together(rule.shared(manifold, x), len(pieces), x.device),
            rule._tensors(pieces),
            rule._columns,
            reads=1,
            skip=manifold.derived_columns,
            axes=len(manifold.point_shape),
        )
        return True

    def repeatable(self, manifold: Manifold, pieces: Sequence[Piece]) -> Call | None:
        """Return the kernel call by which `take` does it, None if it does without."""
        rule, x = self.on(manifold), pieces[0].x
        shared = _together(rule.shared(manifold, x), len(pieces), x.device)
        if shared.dim() > 1:  # of steps that are counted apart
            return None
        return repeatable(
            rule.recipe(manifold, x.dtype),
            shared,
            rule._tensors(pieces),
            rule._columns,
            skip=manifold.derived_columns,
        )

    def _tensors(self, pieces: Sequence[Piece]) -> list[tuple[Tensor, ...]]:
        names = (*self.vectors, *self.numbers)
        return [(p.gradient, *(p.state[n] for n in names), p.x) for p in pieces]

    @property
    def _columns(self) -> tuple[bool, ...]:
        """Which of those tensors hold one number for each row."""
        return (*(False,) * (1 + len(self.vectors)), *(True,) * len(self.numbers), False)

    def shared(self, manifold: Manifold, x: Tensor) -> list[float | Tensor]:
        """Return the numbers that are the same for all rows: K, settings, decay."""
        decay = self.lr * self.decay if self.is_decoupled else self.decay
        return [*_curvature(manifold, x), *self.settings, *([decay] if self.decays else [])]

    def recipe(self, manifold: Manifold, dtype: torch.dtype) -> tuple[Any, ...] | None:
        """Return (function, *constants), which makes the formula of this step without numbers."""
        if not isinstance(manifold, SpaceForm):
            return None
        curvature = manifold.curvature
        counts = (len(self.settings), len(self.vectors), len(self.numbers))
        flags = (self.decays, self.is_decoupled, self.decays_spheres, self.maximize)
        kind = (type(manifold), curvature.sign, curvature.learnable)
        return _traceable, self.method, *counts, *flags, *kind, dtype


def _traceable(  # noqa: PLR0913 - what tells one step from another
    method: Method, settings: int, vectors: int, numbers: int,
    decays: bool, is_decoupled: bool, decays_spheres: bool, maximize: bool,
    model: type[SpaceForm], sign: int, learnable: bool, dtype: torch.dtype,
) -> Callable[..., tuple[Tensor, ...]]:  # fmt: skip
    """Return the formula of a step on any manifold of this kind."""
    rule = Rule(
        method, (0.0,) * settings, ("",) * vectors, ("",) * numbers, float(decays), 1.0,
        is_decoupled, decays_spheres, maximize,
    )  # fmt: skip
    manifold = model(2, Curvature(sign or 1.0, learnable=learnable, sign=sign))
    return partial(_step, manifold, rule, dtype)


def _curvature(manifold: Manifold, x: Tensor) -> list[float | Tensor]:
    """Return K of a manifold that has one."""
    if not isinstance(manifold, SpaceForm):
        return []
    curvature = manifold.curvature
    return [curvature(x.device) if curvature.learnable else float(curvature)]


def _together(numbers: Sequence[float | Tensor], count: int, device: torch.device) -> Tensor:
    """Return all numbers in float64: (k,), or (count, k) if there is a tensor of one per piece.

    Those on a device are not looked at, and nothing is copied from the host to a device that other
    work waits for, or that is capturing.
    """
    if device.type == "cpu" and not any(isinstance(number, Tensor) for number in numbers):
        return torch.tensor(numbers, dtype=torch.float64)
    tensors = [
        n.to(device, torch.float64).reshape(-1)
        if isinstance(n, Tensor)
        else torch.full((1,), n, dtype=torch.float64, device=device)
        for n in numbers
    ]
    several = any(len(tensor) > 1 for tensor in tensors)
    rows = [t.expand(count) if several else t.reshape(()) for t in tensors]
    return torch.stack(rows, dim=-1)


def _step(manifold: Manifold, rule: Rule, dtype: torch.dtype, *given: Tensor) -> tuple[Tensor, ...]:
    """Return the new state and, last, the point; `dtype` is the one it is stored in."""
    numbers, tensors = list(given[: -_count(rule)]), list(given[-_count(rule) :])
    if isinstance(manifold, SpaceForm):
        K = numbers.pop(0)
        if not isinstance(K, Tensor):  # a stand-in; a tensor is the manifold's own K
            manifold = manifold.seen_at(K)
    gradient, *state, x = tensors
    space = tangent_space(manifold, x)
    u = combination((-1.0 if rule.maximize else 1.0, space.gradient(gradient)))
    carried = len(rule.vectors)
    vectors, others = [space.vector(v) for v in state[:carried]], state[carried:]
    if rule.decays:
        decay = _decay(manifold, rule, numbers.pop())
        if rule.is_decoupled:
            space, (u, *vectors) = space.shrunk(decay, (u, *vectors), dtype)
        else:
            u = combination((1.0, u), (-decay, space.pull()))
    direction, *new = rule.method(space, numbers, u, *vectors, *others)
    y, *there = space.moved(direction, new[:carried], dtype)
    return (*there, *new[carried:], y)


def _decay(manifold: Manifold, rule: Rule, decay: Tensor) -> Tensor:
    """Return the decay; 0 where a curvature of either sign is positive now."""
    if isinstance(manifold, SpaceForm) and not (manifold.curvature_sign or rule.decays_spheres):
        return decay * (manifold.curvature() <= 0)
    return decay


def _count(rule: Rule) -> int:
    return 2 + len(rule.vectors) + len(rule.numbers)
