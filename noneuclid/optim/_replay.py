"""A step taken again: the kernels of the last one, while nothing but numbers has changed.

A group of hundreds of small parameters spends its step on looking at them. What one step found
(who lives where, which state, which kernel, at which addresses) is kept, and the next one compares
it with what is there, list by list. It is only a shortcut: whatever differs, by however little,
goes the long way, which makes a new one.
"""

import operator
from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from noneuclid.manifolds import Manifold
from noneuclid.numerics import Call, is_plain, run_together
from noneuclid.optim._lines import LineRule
from noneuclid.optim._pieces import Owned, Piece, count_on
from noneuclid.optim._rule import Rule

# pieces that are stepped together, and how
Batch = tuple[Rule | LineRule, Manifold, list[Owned]]


class _Again(NamedTuple):
    """A kernel call, and what tells whether it is the right one."""

    manifold: Manifold
    first: Piece
    recipe: Any
    call: Call
    owners: list[int]
    offsets: list[int]  # of the pieces' gradients in those of their parameters, in bytes


class Replay:
    """The marked parameters of a group, as its last step found them.

    Args:
        parameters: all of the group's.
        marked: those on manifolds, with them; those that have a gradient were stepped.
        plain: those on none.
        states: of those that were stepped.
        batches: the pieces that were stepped together.
        flat: pieces on R^n.
    """

    def __init__(
        self, parameters: Sequence[Tensor], marked: Sequence[tuple[Tensor, Manifold]],
        plain: Sequence[Tensor], states: Sequence[dict[str, Any]], batches: Sequence[_Again],
        flat: Sequence[Owned],
    ) -> None:  # fmt: skip
        self.parameters, self.types = list(parameters), list(map(type, parameters))
        self.marked, self.plain = list(marked), list(plain)
        moving = [(p, m) for p, m in marked if p.grad is not None]
        self.points, self.manifolds = [p for p, _ in moving], [m for _, m in moving]
        self.idle = [p for p, _ in marked if p.grad is None]
        self.states = {name: [state[name] for state in states] for name in states[0]}
        self.sizes = list(map(Tensor.numel, self.points))
        self.dtypes = list(map(_dtype, self.points))
        self.written = [*self.points, *(t for column in self.states.values() for t in column)]
        self.addresses = list(map(Tensor.data_ptr, self.written))
        self.batches, self.flat = batches, [(k, _blank(piece)) for k, piece in flat]

    def take(
        self, parameters: Sequence[Tensor], state: dict[Any, Any],
        rule_of: Callable[[list[Piece]], Rule | LineRule | None],
    ) -> list[Piece] | None:  # fmt: skip
        """Take the step and return the pieces on R^n; None, with nothing done, if it is another.

        Args:
            parameters: the group's, now.
            state: of the optimizer.
            rule_of: the rule of pieces whose steps are counted.
        """
        gradients = self._gradients(parameters, state)
        if gradients is None:
            return None
        steps = self.states.get("step", [])
        counts = list(map(Tensor.item, steps))
        if counts and any(len({counts[k] for k in batch.owners}) > 1 for batch in self.batches):
            return None
        count_on(steps, 1)
        if not self._run(rule_of, list(map(Tensor.data_ptr, gradients))):
            count_on(steps, -1)
            return None
        increment_version(self.written)
        return [self._flat_piece(piece, gradients[k], self.points[k]) for k, piece in self.flat]

    def _run(
        self, rule_of: Callable[[list[Piece]], Rule | LineRule | None], addresses: list[int]
    ) -> bool:
        """Run the kernels; return False, having run none, where the rules are other ones."""
        numbers = []
        for batch in self.batches:
            manifold, x = batch.manifold, batch.first.x
            found = rule_of([batch.first])
            if found is None:
                return False
            rule = found.on(manifold)
            shared = rule.shared(manifold, x)
            if rule.recipe(manifold, x.dtype) != batch.recipe or not all(map(_is_one, shared)):
                return False
            numbers.append([float(number) for number in shared])
        for batch, given in zip(self.batches, numbers, strict=True):
            batch.call.shared.copy_(torch.tensor(given, dtype=torch.float64))
            owned = zip(batch.owners, batch.offsets, strict=True)
            batch.call.move(0, array("q", [addresses[k] + offset for k, offset in owned]))
        run_together([batch.call for batch in self.batches])
        return True

    def _gradients(self, parameters: Sequence[Tensor], state: Any) -> list[Tensor] | None:
        """Return the gradients of the marked parameters, None if anything else has changed."""
        if is_plain() or not _same(parameters, self.parameters):
            return None
        try:
            gradients: list[Any] = [p.grad for p in self.points]
            states = [state[p] for p in self.points]
            same = (
                list(map(type, parameters)) == self.types
                and _same(list(map(_manifold, self.points)), self.manifolds)
                and all(len(s) == len(self.states) for s in states)
                and all(_same([s[n] for s in states], c) for n, c in self.states.items())
                and set(map(type, gradients)) == {Tensor}
                and all(p.grad is None for p in self.idle)
                and list(map(Tensor.data_ptr, self.written)) == self.addresses
                and list(map(Tensor.numel, self.points)) == self.sizes
                and list(map(Tensor.numel, gradients)) == self.sizes
                and list(map(_dtype, gradients)) == self.dtypes
                and all(map(Tensor.is_contiguous, gradients))
            )
        except (AttributeError, KeyError, RuntimeError):  # no mark, state or address any more
            return None
        return gradients if same else None

    @staticmethod
    def _flat_piece(piece: Piece, gradient: Tensor, parameter: Tensor) -> Piece:
        x = piece.x
        if x.shape != parameter.shape:
            start = (x.data_ptr() - parameter.data_ptr()) // x.element_size()
            gradient = gradient.narrow(-1, start % parameter.shape[-1], x.shape[-1])
        return Piece(piece.manifold, x, gradient, piece.state, piece.step, False)


def replay_of(
    parameters: Sequence[Tensor], marked: Sequence[tuple[Tensor, Manifold]],
    plain: Sequence[Tensor], states: Sequence[dict[str, Any]],
    batches: Sequence[Batch], flat: Sequence[Owned],
) -> Replay | None:  # fmt: skip
    """Return what takes such a step again; None where a kernel cannot, or part of it is new.

    The arguments are as in `Replay`; each batch has the rule it was stepped by.
    """
    pieces = [piece for *_, owned in batches for _, piece in owned]
    names = {frozenset(state) for state in states}
    moving = [p for p, _ in marked if p.grad is not None]
    if len(names) != 1 or any(p.is_first for p in (*pieces, *(p for _, p in flat))):
        return None
    if any(type(p.grad) is not Tensor for p in moving):  # shards, say
        return None
    held: list[Any] = [*moving, *(p.grad for p in moving)]
    held += [t for state in states for t in state.values()]
    if not all(isinstance(t, Tensor) and t.is_cpu and t.is_contiguous() for t in held):
        return None
    made = []
    for rule, manifold, owned in batches:
        rule = rule.on(manifold)
        call = rule.repeatable(manifold, [piece for _, piece in owned])
        if call is None:
            return None
        starts = [moving[k].grad for k, _ in owned]
        offsets = [
            piece.gradient.data_ptr() - whole.data_ptr()
            for (_, piece), whole in zip(owned, starts, strict=True)
            if whole is not None
        ]
        owners = [k for k, _ in owned]
        recipe = rule.recipe(manifold, owned[0][1].x.dtype)
        made.append(_Again(manifold, _blank(owned[0][1]), recipe, call, owners, offsets))
    return Replay(parameters, marked, plain, states, made, flat)


def _blank(piece: Piece) -> Piece:
    """Return a piece that does not hold on to its gradient."""
    return Piece(piece.manifold, piece.x, piece.x, piece.state, piece.step, False)


def _same(found: Sequence[Any], known: Sequence[Any]) -> bool:
    return len(found) == len(known) and all(map(operator.is_, found, known))


def _is_one(number: float | Tensor) -> bool:
    """Tell whether it is a single number that may be looked at."""
    return not isinstance(number, Tensor) or (number.is_cpu and number.numel() == 1)


_manifold = operator.attrgetter("manifold")
_dtype = operator.attrgetter("dtype")
