"""A step that is taken again is the long way, bit for bit; whatever changes ends that."""

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch

import noneuclid as ne
from noneuclid.numerics import formula
from noneuclid.numerics.native.build import compiler
from noneuclid.optim import RiemannianAdam, RiemannianAdamW, RiemannianSGD
from noneuclid.optim._replay import Replay

ADAM = (RiemannianAdam, {})
CASES = {
    "adam": (ADAM, lambda: ne.PoincareBall(5)),
    "adamw": ((RiemannianAdamW, {"weight_decay": 0.1}), lambda: ne.Lorentz(4)),
    "momentum": ((RiemannianSGD, {"momentum": 0.9}), lambda: ne.Sphere(4)),
    "sgd": ((RiemannianSGD, {}), lambda: ne.Sphere(4)),
    "product": (ADAM, lambda: ne.manifold("H3 x S2 x E2 x E1 x H3")),
    "learnable": (ADAM, lambda: ne.Lorentz(4, learnable=True)),
}


@pytest.fixture(autouse=True)
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Send updates of any size to kernels; return whether each step could be taken again."""
    if compiler() is None:
        pytest.skip("no C compiler")
    monkeypatch.setattr(formula, "SMALLEST", 0)
    found: list[bool] = []
    take = Replay.take

    def spy(self: Replay, *arguments: Any) -> Any:
        flat = take(self, *arguments)
        found.append(flat is not None)
        return flat

    monkeypatch.setattr(Replay, "take", spy)
    return found


def start(case: str, count: int = 3) -> tuple[list[torch.nn.Parameter], Any]:
    (cls, options), manifold = CASES[case][0], CASES[case][1]()
    generator = torch.Generator().manual_seed(0)
    points: list[torch.nn.Parameter] = [
        ne.ManifoldParameter(manifold.random(4, generator=generator), manifold)
        for _ in range(count)
    ]
    given = [*points, torch.nn.Parameter(torch.randn(3, generator=generator))]
    return given, cls([*given, *manifold.parameters()], lr=0.05, **options)


def walk(
    case: str, again: bool, change: Callable[[Any, list[Any], int], None] | None = None
) -> list[torch.Tensor]:
    """Return points and state after six steps; `again` is whether they may be taken again."""
    given, optimizer = start(case)
    source = torch.Generator().manual_seed(1)
    for number in range(6):
        for parameter in given:
            parameter.grad = torch.randn(parameter.shape, generator=source)
        if change is not None:
            change(optimizer, given, number)
        if not again:
            optimizer._replays.clear()
        optimizer.step()
    states = [t for p in given for _, t in sorted(optimizer.state[p].items()) if t is not None]
    return [p.detach() for p in given] + states


@pytest.mark.parametrize("case", CASES)
def test_the_same_bits(case: str, taken: list[bool]) -> None:
    expected = walk(case, again=False)
    assert not taken
    found = walk(case, again=True)
    # The first step makes the state, if there is any, and the next what is kept.
    assert taken == [True] * (5 if case == "sgd" else 4)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


def moves_data(optimizer: Any, given: list[Any], number: int) -> None:
    if number == 3:
        given[0].data = given[0].data.clone()


def takes_fewer_rows(optimizer: Any, given: list[Any], number: int) -> None:
    if number == 3:
        for name in ("exp_avg", "exp_avg_sq"):
            optimizer.state[given[0]][name] = optimizer.state[given[0]][name][:2]
    if number >= 3:
        given[0].grad, gradient = None, given[0].grad[:2].clone()
        given[0].data = given[0].data[:2]
        given[0].grad = gradient


def loses_a_gradient(optimizer: Any, given: list[Any], number: int) -> None:
    if number == 3:
        given[1].grad = None


def ascends(optimizer: Any, given: list[Any], number: int) -> None:
    optimizer.param_groups[0]["maximize"] = number >= 3


def loads(optimizer: Any, given: list[Any], number: int) -> None:
    if number == 3:
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def counts_one_apart(optimizer: Any, given: list[Any], number: int) -> None:
    if number == 3:
        optimizer.state[given[1]]["step"] += 5


def transposes_a_gradient(optimizer: Any, given: list[Any], number: int) -> None:
    given[0].grad = given[0].grad.T.contiguous().T


def transposes_one_gradient(optimizer: Any, given: list[Any], number: int) -> None:
    if number == 3:
        transposes_a_gradient(optimizer, given, number)


def changes_the_rate(optimizer: Any, given: list[Any], number: int) -> None:
    optimizer.param_groups[0]["lr"] = 0.05 / (1 + number)


CHANGES = {  # the steps from the third on: whether they are taken again
    moves_data: [True, False, True, True],
    takes_fewer_rows: [True, False, True, True],
    loses_a_gradient: [True, False, False, True],
    ascends: [True, False, True, True],
    loads: [True, True, True],  # nothing is kept then
    counts_one_apart: [True, False, True, True],
    transposes_a_gradient: [],
    transposes_one_gradient: [True, False, True],  # nothing is kept of that step
    changes_the_rate: [True] * 4,
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_changes_goes_the_long_way(change: Any, taken: list[bool]) -> None:
    expected = walk("adam", again=False, change=change)
    found = walk("adam", again=True, change=change)
    assert taken == CHANGES[change]
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


def test_a_parameter_that_shrinks_by_itself_is_refused() -> None:
    given, optimizer = start("adam")
    for _ in range(3):
        for parameter in given:
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    given[0].data = given[0].data[:2]
    with pytest.raises(RuntimeError, match="state"):
        optimizer.step()


@pytest.mark.parametrize("steps", [2, 4])  # that are kept, and that are taken again
def test_gradients_are_not_held(steps: int) -> None:
    given, optimizer = start("adam")
    for _ in range(steps):
        for parameter in given:
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    held = [weakref.ref(parameter.grad) for parameter in given]
    optimizer.zero_grad()
    gc.collect()
    assert not any(reference() is not None for reference in held)


def test_copies_and_pickles_start_anew() -> None:
    given, optimizer = start("adam")
    for _ in range(3):
        for parameter in given:
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    assert optimizer._replays
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert not other._replays
        before = [p.detach().clone() for p in given]
        for parameter in other.param_groups[0]["params"]:
            parameter.grad = torch.randn_like(parameter)
        other.step()
        assert all(torch.equal(a, b) for a, b in zip(before, given, strict=True))


def test_autograd_learns_that_points_have_moved() -> None:
    given, optimizer = start("adam")
    for _ in range(3):
        for parameter in given:
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    kept = (given[0] * given[0]).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        kept.backward()
