"""The trust region: second derivatives, the model's minimum, scipy's result, refusals."""

import copy
from typing import Any

import pytest
import scipy.optimize
import torch
from torch import nn

import noneuclid as ne
from noneuclid.optim import RiemannianTrustRegion
from noneuclid.optim._bundle import Bundle
from noneuclid.optim._hessian import Hessian
from noneuclid.optim.trust_region import steihaug


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def model() -> tuple[list[torch.Tensor], Any]:
    """Return points, a plain parameter and a curvature, and a loss that uses coordinates too."""
    H = ne.Lorentz(2, -0.7, learnable=True).double()
    M = ne.Product(ne.PoincareBall(2), ne.Sphere(2, 2.0), ne.Euclidean(1))
    x = ne.ManifoldParameter(H.random(3, dtype=torch.float64), H)
    y = ne.ManifoldParameter(M.random(2, dtype=torch.float64), M)
    w = nn.Parameter(torch.randn(2, dtype=torch.float64))
    slopes = torch.randn(2, *M.point_shape, dtype=torch.float64)

    def objective() -> torch.Tensor:
        head = (H.logmap0(x)[:, 1:] @ w).sin().sum()
        return head + H.dist2(x[:1], x).sum() + (slopes * y).sum() + (y * y * slopes).sum()

    return [w, x, y, *H.parameters()], objective


def test_hessian_is_the_second_derivative_along_the_retraction() -> None:
    parameters, objective = model()
    bundle = Bundle(parameters)
    x = bundle.point()
    hessian = Hessian(bundle, x, objective())
    u, v = (bundle.sharpen(x, torch.randn_like(x)) / 4 for _ in range(2))
    hu, hv = hessian(u), hessian(v)
    assert bundle.inner(x, hu, v) == pytest.approx(bundle.inner(x, u, hv), rel=1e-10)

    def at(t: float) -> float:
        bundle.advance(x, u, t)
        return float(objective().detach())

    h = 1e-3
    first = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
    second = (16 * (at(h) + at(-h)) - (at(2 * h) + at(-2 * h)) - 30 * at(0.0)) / (12 * h * h)
    assert bundle.inner(x, hessian.gradient, u) == pytest.approx(first, rel=1e-8)
    assert bundle.inner(x, hu, u) == pytest.approx(second, rel=1e-5)


def test_hessian_does_not_depend_on_how_the_loss_continues_off_the_manifold() -> None:
    S = ne.Sphere(3)
    x = ne.ManifoldParameter(S.random(2, dtype=torch.float64), S)
    bundle = Bundle([x])
    place = bundle.point()
    A = torch.randn(4, 4, dtype=torch.float64)
    v = bundle.sharpen(place, torch.randn_like(place))
    plain = Hessian(bundle, place, (x @ A * x).sum())(v)
    bent = Hessian(bundle, place, ((x @ A * x).sum(-1) * (x * x).sum(-1) ** 3).sum())(v)
    torch.testing.assert_close(plain, bent, rtol=1e-10, atol=1e-10)


class Quadratic:
    """The Hessian of a quadratic on R^n, for the inner iteration alone."""

    def __init__(self, A: torch.Tensor, gradient: torch.Tensor) -> None:
        self.A, self.gradient = A, gradient

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        return self.A @ v


def test_inner_iteration_solves_or_ends_on_the_rim() -> None:
    root = torch.randn(6, 6, dtype=torch.float64)
    A, g = root @ root.T + torch.eye(6), torch.randn(6, dtype=torch.float64)
    bundle = Bundle([nn.Parameter(torch.zeros(6, dtype=torch.float64))])
    x = bundle.point()
    exact = torch.linalg.solve(A, -g)
    u, hu, on_rim = steihaug(bundle, x, Quadratic(A, g), 1e3, 1e-12, 20)
    torch.testing.assert_close(u, exact, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(hu, A @ u, rtol=1e-9, atol=1e-10)
    assert not on_rim
    radius = float(exact.norm()) / 2
    for matrix in (A, A - 100 * torch.eye(6)):
        u, hu, on_rim = steihaug(bundle, x, Quadratic(matrix, g), radius, 1e-12, 20)
        assert on_rim
        assert float(u.norm()) == pytest.approx(radius, rel=1e-12)
        assert float(g @ u + u @ hu / 2) < 0
        torch.testing.assert_close(hu, matrix @ u, rtol=1e-9, atol=1e-10)
    u, _, _ = steihaug(bundle, x, Quadratic(A, g), 1e3, float(g.norm()) / 2, 20)
    assert float((g + A @ u).norm()) <= float(g.norm()) / 2
    one, _, _ = steihaug(bundle, x, Quadratic(A, g), 1e3, 1e-12, 1)
    torch.testing.assert_close(one, -g * (g @ g) / (g @ A @ g))


def test_equals_scipy_on_a_quadratic_and_on_rosenbrocks_valley() -> None:
    root = torch.randn(8, 8, dtype=torch.float64)
    A, b = root @ root.T + torch.eye(8), torch.randn(8, dtype=torch.float64)
    for value, start in (
        (lambda x: x @ A @ x / 2 - b @ x, torch.zeros(8, dtype=torch.float64)),
        (rosenbrock, torch.tensor([-1.2, 1.0, 0.5], dtype=torch.float64)),
    ):
        x = nn.Parameter(start.clone())
        optimizer = RiemannianTrustRegion([x], max_iter=100, tolerance_grad=1e-11)
        optimizer.step(lambda x=x, value=value: value(x))
        expected = scipy.optimize.minimize(
            lambda x, value=value: float(value(torch.from_numpy(x))),
            start.numpy(),
            jac=lambda x, value=value: torch.func.grad(value)(torch.from_numpy(x)).numpy(),
            hess=lambda x, value=value: torch.func.hessian(value)(torch.from_numpy(x)).numpy(),
            method="trust-exact",
            options={"gtol": 1e-11},
        )
        found = torch.from_numpy(expected.x)
        assert float((x.detach() - found).abs().max() / found.abs().max()) < 1e-10
        assert optimizer.state[x]["func_evals"] < 60


def test_leaves_a_maximum_along_negative_curvature_and_keeps_its_state() -> None:
    """From almost the top of x^T A x on the sphere down to its lowest eigenvalue, in short runs."""
    S = ne.Sphere(4)
    A = torch.diag(torch.arange(5.0, dtype=torch.float64))
    start = S.projx(torch.tensor([[0.01, 0.01, 0.01, 0.01, 1.0]], dtype=torch.float64))
    x = ne.ManifoldParameter(start, S)
    losses: list[float] = []
    state: dict[str, Any] = {}
    for run in range(12):
        optimizer = RiemannianTrustRegion([x], radius=0.1, max_iter=2, tolerance_grad=1e-11)
        if run:
            optimizer.load_state_dict(state)
        losses.append(float(optimizer.step(lambda: (x @ A * x).sum())))
        state = optimizer.state_dict()
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(0.0, abs=1e-15)
    assert state["state"][0]["radius"] > 0.1
    assert x.grad is None


def test_a_step_into_a_rise_is_not_taken() -> None:
    x = nn.Parameter(torch.full((1,), 3.0, dtype=torch.float64))
    optimizer = RiemannianTrustRegion([x], radius=2.0, max_radius=2.0, max_iter=1)
    optimizer.step(lambda: torch.where(x < 2, x + 100, x).sum())
    assert x.item() == 3.0
    assert optimizer.state[x] == {"n_iter": 1, "func_evals": 2, "radius": 0.5}
    optimizer.step(lambda: torch.where(x < 2, x + 100, x).sum())
    assert x.item() == 2.5


def test_single_precision() -> None:
    M = ne.manifold("H2 x S2 x E2")
    x, target = ne.ManifoldParameter(M.random(4), M), M.random(4)
    RiemannianTrustRegion([x], tolerance_grad=1e-4).step(lambda: M.dist2(x, target).sum())
    assert float(M.dist(x.detach(), target).max()) < 1e-4
    assert x.dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": 0.0}, "radius must be positive, got 0.0"),
        ({"max_radius": -1.0}, "max_radius must be positive"),
        ({"eta": 0.25}, "eta must be in"),
        ({"kappa": 1.0}, "kappa must be in"),
        ({"theta": -1.0}, "theta >= 0"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RiemannianTrustRegion([nn.Parameter(torch.zeros(2))], **options)


def test_closures_that_cannot_be_used() -> None:
    x = nn.Parameter(torch.ones(2))
    optimizer = RiemannianTrustRegion([x])
    with pytest.raises(TypeError, match="without calling backward"):
        optimizer.step()
    with pytest.raises(TypeError, match="with its graph, got float"):
        optimizer.step(lambda: 1.0)
    with pytest.raises(TypeError, match="with its graph, got a tensor without one"):
        optimizer.step(lambda: x.detach().sum())

    def closure() -> torch.Tensor:
        loss = (x * x).sum()
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="returns it without calling backward"):
        optimizer.step(closure)


def test_copies_take_new_groups() -> None:
    x = nn.Parameter(torch.ones(2))
    optimizer = copy.deepcopy(RiemannianTrustRegion([x]))
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]})
    assert len(optimizer.param_groups) == 2
    with pytest.raises(ValueError, match="must agree"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))], "eta": 0.2})
    assert len(optimizer.param_groups) == 2
