"""torch.compile of the step: one graph, the same numbers, no new graph when the rate changes."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.numerics.native.build import compiler
from noneuclid.optim import (
    RiemannianAdagrad,
    RiemannianAdam,
    RiemannianAdamW,
    RiemannianLion,
    RiemannianRMSprop,
    RiemannianSGD,
)

CASES = [
    (RiemannianSGD, {"momentum": 0.9}),
    (RiemannianAdam, {}),
    pytest.param((RiemannianAdamW, {"amsgrad": True}), marks=pytest.mark.slow),
    pytest.param((RiemannianAdagrad, {}), marks=pytest.mark.slow),
    pytest.param((RiemannianRMSprop, {"momentum": 0.5}), marks=pytest.mark.slow),
    pytest.param((RiemannianLion, {}), marks=pytest.mark.slow),
]


@pytest.fixture(params=CASES, ids=lambda case: case[0].__name__)
def case(request: pytest.FixtureRequest) -> Any:
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    yield request.param
    torch.compiler.reset()


def parameters() -> list[nn.Parameter]:
    B, M = ne.PoincareBall(3), ne.Product(ne.PoincareBall(3), ne.Euclidean(2))
    marked = [ne.ManifoldParameter(m.random(4), m) for m in (B, B, M)]
    return [*marked, nn.Parameter(torch.randn(5))]


def steps(optimizer: torch.optim.Optimizer, step: Any, given: list[nn.Parameter]) -> None:
    generator = torch.Generator().manual_seed(0)
    for number in range(4):
        optimizer.param_groups[0]["lr"].fill_(0.05 / (1 + number))
        for parameter in given:
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        step()


def check(case: Any, backend: str) -> None:
    cls, options = case
    ours = parameters()
    theirs = copy.deepcopy(ours)
    eager = cls(ours, lr=torch.tensor(0.05), foreach=False, **options)
    steps(eager, eager.step, ours)
    compiled = cls(theirs, lr=torch.tensor(0.05), foreach=False, **options)
    step = torch.compile(compiled.step, fullgraph=True, backend=backend)
    steps(compiled, step, theirs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.detach(), b.detach(), rtol=2e-6, atol=2e-6)
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert graphs <= 2, graphs  # the first step makes the state, all others are alike


def test_the_compiled_step_is_the_step(case: Any) -> None:
    check(case, "aot_eager")


@pytest.mark.slow
def test_through_the_whole_compiler(case: Any) -> None:
    check(case, "inductor")


@pytest.mark.parametrize("fullgraph", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_step_of_points_leaves_the_graph_where_it_may(fullgraph: bool) -> None:
    if compiler() is None:
        pytest.skip("no C compiler")
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    ours = parameters()
    theirs = copy.deepcopy(ours)
    eager = RiemannianAdam(ours, lr=torch.tensor(0.05))
    steps(eager, eager.step, ours)
    compiled = RiemannianAdam(theirs, lr=torch.tensor(0.05))
    step = torch.compile(compiled.step, fullgraph=fullgraph, backend="aot_eager")
    steps(compiled, step, theirs)
    assert bool(torch._dynamo.utils.counters["graph_break"]) is not fullgraph
    for a, b in zip(ours, theirs, strict=True):
        assert fullgraph or torch.equal(a, b)
    torch.compiler.reset()


@pytest.mark.slow
def test_a_step_of_plain_parameters_stays_in_the_graph() -> None:
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    given = [nn.Parameter(torch.randn(50)), *parameters()]
    optimizer = RiemannianAdam(given, lr=torch.tensor(0.05))
    steps(optimizer, torch.compile(optimizer.step, backend="aot_eager"), given)
    assert not torch._dynamo.utils.counters["graph_break"]
    torch.compiler.reset()
