"""Flat factors of products by their kernels, against torch's own code."""

from typing import Any

import pytest
import torch

import noneuclid as ne
from noneuclid.numerics import formula
from noneuclid.numerics.native.build import compiler
from noneuclid.optim import RiemannianAdam, RiemannianAdamW, RiemannianSGD
from noneuclid.optim._lines import LineRule

CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (RiemannianSGD, {"weight_decay": 0.2}),
    "momentum": (RiemannianSGD, {"momentum": 0.9, "dampening": 0.2, "maximize": True}),
    "nesterov": (RiemannianSGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (RiemannianAdam, {"weight_decay": 0.1, "maximize": True}),
    "amsgrad": (RiemannianAdam, {"amsgrad": True, "betas": (0.3, 0.5)}),
    "adamw": (RiemannianAdamW, {"weight_decay": 0.2}),
}


@pytest.fixture(autouse=True)
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Send updates of any size to kernels; return whether flat factors were."""
    if compiler() is None:
        pytest.skip("no C compiler")
    monkeypatch.setattr(formula, "SMALLEST", 0)
    found: list[bool] = []
    take = LineRule.take
    monkeypatch.setattr(LineRule, "take", lambda *a: (found.append(take(*a)), found[-1])[1])
    return found


def walk(
    case: str, in_torch: bool, width: int = 3, dtype: torch.dtype = torch.float32, **more: Any
) -> list[torch.Tensor]:
    """Return points and state after some steps of parameters of several batch shapes."""
    cls, options = CASES[case]
    M = ne.Product(ne.Euclidean(width), ne.Sphere(1), ne.Euclidean(width + 1))
    generator = torch.Generator().manual_seed(0)
    shapes = ((50,), (3, 4), ())
    points = [
        ne.ManifoldParameter(M.random(*n, generator=generator, dtype=dtype), M) for n in shapes
    ]
    optimizer = cls(points, **{"lr": 0.05, **options, **more})
    if in_torch:
        optimizer._line_rule = lambda *_: None
    for _ in range(5):
        for x in points:
            x.grad = torch.randn(x.shape, generator=generator, dtype=dtype)
        optimizer.step()
    return [
        *(x.detach() for x in points),
        *(t for x in points for t in optimizer.state[x].values()),
    ]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("width", [1, 3, 8, 300])
def test_as_torch_but_for_the_last_digit_of_a_root(
    case: str, width: int, taken: list[bool]
) -> None:
    expected, found = walk(case, True, width), walk(case, False, width)
    assert taken
    assert all(taken)
    units = 0 if issubclass(CASES[case][0], RiemannianSGD) else 8
    for a, b in zip(found, expected, strict=True):
        size = units * torch.finfo(a.dtype).eps
        torch.testing.assert_close(a, b, rtol=size, atol=size)


@pytest.mark.parametrize(
    ("case", "more"),
    [
        ("adam", {"dtype": torch.float64}),
        ("adam", {"lr": torch.tensor(0.05)}),
        ("sgd", {"lr": torch.tensor(0.05)}),
    ],
    ids=["float64", "a tensor for Adam", "a tensor for SGD"],
)
def test_all_else_is_torchs_own_code(case: str, more: Any, taken: list[bool]) -> None:
    expected, found = walk(case, True, **more), walk(case, False, **more)
    assert not any(taken)
    assert all(map(torch.equal, expected, found))


def test_parameters_on_the_plane_take_torchs_very_steps(taken: list[bool]) -> None:
    E = ne.Euclidean(3)
    x = ne.ManifoldParameter(torch.randn(500, 3), E)
    y = torch.nn.Parameter(x.detach().clone())
    ours, theirs = RiemannianAdam([x]), torch.optim.Adam([y])
    for _ in range(3):
        x.grad = torch.randn_like(x)
        y.grad = x.grad.clone()
        ours.step()
        theirs.step()
    assert not taken
    assert torch.equal(x.detach(), y.detach())


def test_autograd_learns_that_points_have_moved() -> None:
    M = ne.Product(ne.Euclidean(2), ne.Euclidean(2))
    x = ne.ManifoldParameter(M.random(5), M)
    kept = (x * x).sum()
    x.grad = torch.randn_like(x)
    RiemannianSGD([x]).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        kept.backward()
