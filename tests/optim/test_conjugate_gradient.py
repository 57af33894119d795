"""Riemannian conjugate gradients: scipy's on R^n, the published rules, state."""

import copy
from typing import Any

import pytest
import scipy.optimize
import torch
from torch import nn

import noneuclid as ne
from noneuclid.optim import RiemannianConjugateGradient
from noneuclid.optim.conjugate_gradient import _RULES, _Products


def run(optimizer: torch.optim.Optimizer, objective: Any, steps: int = 1) -> None:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = objective()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


def quadratic(size: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    root = torch.randn(size, size, dtype=torch.float64)
    return root @ root.T + torch.eye(size, dtype=torch.float64), torch.randn(size).double()


@pytest.mark.parametrize("beta", _RULES)
@pytest.mark.parametrize("search", ["strong_wolfe", "approximate_wolfe"])
def test_equals_scipy_on_a_quadratic(beta: str, search: str) -> None:
    A, b = quadratic()

    def value(x: torch.Tensor) -> torch.Tensor:
        return x @ A @ x / 2 - b @ x

    expected = scipy.optimize.minimize(
        lambda x: float(value(torch.from_numpy(x))),
        torch.zeros(8, dtype=torch.float64).numpy(),
        jac=lambda x: (A @ torch.from_numpy(x) - b).numpy(),
        method="CG",
        options={"gtol": 1e-12},
    )
    exact = torch.linalg.solve(A, b)
    # with a curved parameter beside it, so that the path is the Riemannian one
    x, y = nn.Parameter(torch.zeros(8, dtype=torch.float64)), ne.Sphere(2).origin(1).double()
    point = ne.ManifoldParameter(y, ne.Sphere(2))
    optimizer = RiemannianConjugateGradient(
        [x, point],
        max_iter=300,
        tolerance_grad=1e-11,
        tolerance_change=0,
        beta=beta,
        line_search_fn=search,
    )
    run(optimizer, lambda: value(x))
    found = torch.from_numpy(expected.x)
    for reference in (exact, found):
        error = float((x.detach() - reference).abs().max() / exact.abs().max())
        assert error < 1e-10 + float((found - exact).abs().max())
    assert torch.equal(point.detach(), y)
    assert optimizer.state[x]["n_iter"] < 150


def test_rules_are_those_of_their_sources() -> None:
    """On R^2, with g = (1, 2), h = (-1, 1), d = (1, -3), y = g - h = (2, 1)."""
    M = ne.Euclidean(2)
    vectors = [torch.tensor(v, dtype=torch.float64) for v in ([1, 2], [-1, 1], [1.0, -1.0])]
    from noneuclid.optim._bundle import Bundle

    bundle = Bundle([ne.ManifoldParameter(torch.zeros(2, dtype=torch.float64), M)])
    g, h, d = vectors
    of = _Products.of(bundle, bundle.point(), g, h, d)
    assert of == _Products(gg=5, hh=2, gy=4, yy=5, dg=-1, dy=1, dd=2)
    assert {name: rule(of) for name, rule in _RULES.items()} == {
        "hestenes-stiefel": 4,
        "polak-ribiere": 2,
        "fletcher-reeves": 2.5,
        "dai-yuan": 5,
        "hager-zhang": 4 + 2 * 5,
    }
    away = of._replace(gy=-4.0, dg=1.0)
    assert [rule(away) for rule in _RULES.values()][:2] == [0, 0]
    assert _RULES["hager-zhang"](away) == -14
    assert _RULES["hager-zhang"](away._replace(hh=1e8, dd=1e4)) == pytest.approx(-1.0)
    assert all(rule(of._replace(dy=0.0, hh=0.0)) == 0 for rule in _RULES.values())


def test_resumes_in_the_middle() -> None:
    M = ne.Product(ne.PoincareBall(3), ne.Sphere(2), ne.Euclidean(2))
    x = ne.ManifoldParameter(M.random(6, dtype=torch.float64), M)

    def spread(x: torch.Tensor) -> torch.Tensor:
        return (M.dist2(x[:, None], x) - 1).triu(1).square().sum()

    optimizer = RiemannianConjugateGradient([x], max_iter=4)
    run(optimizer, lambda: spread(x), 2)
    y = copy.deepcopy(x)
    other = RiemannianConjugateGradient([y], max_iter=4)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    fresh = copy.deepcopy(x)
    run(RiemannianConjugateGradient([fresh], max_iter=4), lambda: spread(fresh), 2)
    run(optimizer, lambda: spread(x), 2)
    run(other, lambda: spread(y), 2)
    assert torch.equal(x.detach(), y.detach())
    assert not torch.equal(x.detach(), fresh.detach())  # the direction is remembered
    assert M.check_point(x.detach()).all()


def test_rate_scales_the_first_trial_and_zero_stops() -> None:
    H = ne.Lorentz(2)
    start, target = H.random(3, dtype=torch.float64), H.random(3, dtype=torch.float64)
    evaluations = []
    for lr in (1.0, 1e-3, torch.tensor(1.0)):
        x = ne.ManifoldParameter(start.clone(), H)
        optimizer = RiemannianConjugateGradient([x], lr=lr, max_iter=1, max_eval=50)
        run(optimizer, lambda x=x: H.dist2(x, target).sum())
        evaluations.append(optimizer.state[x]["func_evals"])
        assert float(H.dist(x.detach(), start).max()) > 0
    assert evaluations[0] == evaluations[2] < evaluations[1]
    x = ne.ManifoldParameter(start.clone(), H)
    run(RiemannianConjugateGradient([x], lr=0), lambda: H.dist2(x, target).sum())
    assert torch.equal(x.detach(), start)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": "newton"}, "beta must be one of .*'dai-yuan'.* got 'newton'"),
        ({"line_search_fn": None}, "need a line search"),
        ({"line_search_fn": "exact"}, "got 'exact'"),
        ({"lr": -0.1}, "Invalid learning rate"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RiemannianConjugateGradient([nn.Parameter(torch.zeros(2))], **options)
