"""Riemannian L-BFGS: torch's own on R^n, a memory that follows the point elsewhere."""

import copy
import inspect
import io
import itertools
from typing import Any

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.optim import RiemannianLBFGS
from noneuclid.optim._bundle import Bundle
from noneuclid.optim.lbfgs import _times_inverse_hessian

FLAGS: dict[str, list[Any]] = {
    "lr": [1, 0.3, torch.tensor(0.5)],
    "max_iter": [20, 3],
    "max_eval": [None, 7],
    "tolerance_grad": [1e-7, 1e-2],
    "tolerance_change": [1e-9, 1e-3],
    "history_size": [100, 2],
    "line_search_fn": [None, "strong_wolfe"],
}


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    return (100 * (x[..., 1:] - x[..., :-1] ** 2) ** 2 + (1 - x[..., :-1]) ** 2).sum()


def closure_of(optimizer: torch.optim.Optimizer, objective: Any) -> Any:
    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = objective()
        loss.backward()
        return loss

    return closure


@pytest.mark.parametrize("values", [*itertools.product(*FLAGS.values())], ids=str)
def test_flat_parameters_take_torchs_steps(values: tuple[Any, ...]) -> None:
    options = dict(zip(FLAGS, values, strict=True))
    start = torch.tensor([[-1.2, 1.0, 0.3, 0.5]], dtype=torch.float64)
    flat = ne.Product(ne.Euclidean(3), ne.Euclidean(1))
    ours = [ne.ManifoldParameter(start.clone(), flat), nn.Parameter(start[0] / 2)]
    theirs = [nn.Parameter(start.clone()), nn.Parameter(start[0] / 2)]
    results = []
    for cls, parameters in ((RiemannianLBFGS, ours), (torch.optim.LBFGS, theirs)):
        optimizer = cls(parameters, **options)

        def objective(parameters: list[torch.Tensor] = parameters) -> torch.Tensor:
            return rosenbrock(parameters[0]) + rosenbrock(parameters[0][0] * parameters[1])

        losses = [optimizer.step(closure_of(optimizer, objective)).item() for _ in range(3)]
        results.append([*(p.detach() for p in parameters), torch.tensor(losses)])
        assert optimizer.state[parameters[0]]["n_iter"] > 1
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_signature_and_defaults_are_torchs() -> None:
    ours, theirs = map(inspect.signature, (RiemannianLBFGS, torch.optim.LBFGS))
    assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
        (p.name, p.kind, p.default) for p in theirs.parameters.values()
    ]
    plain = [nn.Parameter(torch.zeros(2))]
    assert repr(RiemannianLBFGS(plain)).removeprefix("Riemannian") == repr(torch.optim.LBFGS(plain))


def test_hooks_run_once_and_copies_work() -> None:
    parameter = nn.Parameter(torch.ones(3))
    torch.optim.LBFGS([nn.Parameter(torch.ones(1))])  # gives its step the hooks
    optimizer = RiemannianLBFGS([parameter])
    calls: list[str] = []
    handle = optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.step(closure_of(optimizer, lambda: rosenbrock(parameter)))
    assert calls == ["before"]
    handle.remove()
    parameter, optimizer = copy.deepcopy((parameter, optimizer))
    before = parameter.detach().clone()
    optimizer.step(closure_of(optimizer, lambda: rosenbrock(parameter * 2)))
    assert not torch.equal(before, parameter.detach())


# -- curved models ---------------------------------------------------------------------------------


def mixed() -> tuple[list[torch.Tensor], Any]:
    """Return parameters, points and curvatures, and a loss that ties them together."""
    H = ne.Lorentz(3, learnable=True).double()
    S = ne.Sphere(2)
    x = ne.ManifoldParameter(H.random(5, dtype=torch.float64), H)
    y = ne.ManifoldParameter(S.random(5, dtype=torch.float64), S)
    w = nn.Parameter(torch.randn(3, 2, dtype=torch.float64))
    goal = torch.rand(5, 5, dtype=torch.float64)
    pole = S.random(1, dtype=torch.float64)
    parameters = [x, w, y, *H.parameters()]

    def objective() -> torch.Tensor:
        size = w.square().sum() + H.dist0(x).square().sum()
        spread = (H.dist(x[:, None], x) - goal - goal.T).triu(1).square().sum()
        head = (H.logmap0(x)[:, 1:] @ w - y[:, :2]).square().sum()
        return size + spread + head + S.dist2(y, pole).sum() + (H.curvature() + 0.8).square().sum()

    return parameters, objective


def gradient_norm(parameters: list[torch.Tensor], objective: Any) -> float:
    bundle = Bundle(parameters)
    for parameter in parameters:
        parameter.grad = None
    objective().backward()
    x = bundle.point()
    return bundle.norm(x, bundle.sharpen(x, bundle.gradient()))


@pytest.mark.parametrize("search", ["strong_wolfe", "approximate_wolfe"])
def test_a_mixed_model_with_a_curvature_that_learns(search: str) -> None:
    parameters, objective = mixed()
    groups = [{"params": parameters[:2]}, {"params": parameters[2:]}]
    optimizer = RiemannianLBFGS(
        groups, max_iter=300, tolerance_grad=1e-10, tolerance_change=0, line_search_fn=search
    )
    before = parameters[3].detach().clone()
    optimizer.step(closure_of(optimizer, objective))
    assert gradient_norm(parameters, objective) < (1e-7 if search == "strong_wolfe" else 1e-9)
    assert optimizer.state[parameters[0]]["func_evals"] < 250
    assert not torch.equal(before, parameters[3].detach())
    for parameter in (parameters[0], parameters[2]):
        assert parameter.manifold.check_point(parameter.detach()).all()


def test_resumes_in_the_middle() -> None:
    parameters, objective = mixed()
    options = {"max_iter": 3, "line_search_fn": "strong_wolfe"}
    optimizer = RiemannianLBFGS(parameters, **options)
    for _ in range(2):
        optimizer.step(closure_of(optimizer, objective))
    assert len(optimizer.state[parameters[0]]["old_dirs"]) >= 3
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    middle = [p.detach().clone() for p in parameters]
    ends = []
    for again in (False, True):
        if again:
            for parameter, value in zip(parameters, middle, strict=True):
                parameter.data.copy_(value)
            optimizer = RiemannianLBFGS(parameters, **options)
            optimizer.load_state_dict(saved)
        for _ in range(2):
            optimizer.step(closure_of(optimizer, objective))
        ends.append([p.detach().clone() for p in parameters])
    assert all(map(torch.equal, *ends))
    assert not torch.equal(ends[0][0], middle[0])


def test_memory_satisfies_the_secant_equation() -> None:
    """H y = s for the newest pair, H is symmetric and positive, and <s, y> < 0 is not used."""
    M = ne.Product(ne.PoincareBall(2), ne.Sphere(2))
    x = ne.ManifoldParameter(M.random(3, dtype=torch.float64), M)
    bundle = Bundle([x])
    place = bundle.point()
    s = torch.stack([bundle.sharpen(place, torch.randn_like(place)) for _ in range(4)])
    y = s * torch.tensor([[3.0], [0.5], [-1.0], [2.0]]) + 0.1 * s.roll(1, 0)
    newest = _times_inverse_hessian(bundle, place, y[3], s, y)
    torch.testing.assert_close(newest, s[3], rtol=1e-10, atol=1e-12)
    g, v = s[0] - s[2], s[1] + s[2]
    Hg, Hv = (_times_inverse_hessian(bundle, place, u, s, y) for u in (g, v))
    assert bundle.inner(place, g, Hg) > 0
    assert bundle.inner(place, g, Hv) == pytest.approx(bundle.inner(place, Hg, v), rel=1e-10)
    kept = torch.tensor([0, 1, 3])
    without = _times_inverse_hessian(bundle, place, g, s[kept], y[kept])
    assert torch.equal(_times_inverse_hessian(bundle, place, g, s, y), without)


def test_history_is_bounded_and_follows_new_groups() -> None:
    parameters, objective = mixed()
    optimizer = RiemannianLBFGS(parameters, history_size=2, line_search_fn="strong_wolfe")
    optimizer.step(closure_of(optimizer, objective))
    assert len(optimizer.state[parameters[0]]["old_dirs"]) == 2
    extra = nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer.add_param_group({"params": [extra]})
    optimizer.step(closure_of(optimizer, lambda: objective() + extra.square().sum()))
    assert float(extra.detach().abs().max()) < 1


def test_single_precision() -> None:
    M = ne.manifold("H2 x S2 x E2")
    x = ne.ManifoldParameter(M.random(4), M)
    target = M.random(4)
    optimizer = RiemannianLBFGS([x], line_search_fn="strong_wolfe", tolerance_grad=1e-4)
    for _ in range(3):
        optimizer.step(closure_of(optimizer, lambda: M.dist2(x, target).sum()))
    assert float(M.dist(x.detach(), target).max()) < 1e-3
    assert x.dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1.0}, "Invalid learning rate"),
        ({"lr": torch.ones(2)}, "1-element"),
        ({"history_size": 0}, "history_size must be at least 1, got 0"),
        ({"line_search_fn": "armijo"}, "strong_wolfe.*approximate_wolfe.*got 'armijo'"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RiemannianLBFGS([nn.Parameter(torch.zeros(2))], **options)


def test_missing_curvature_and_closure_are_named() -> None:
    H = ne.Lorentz(2, learnable=True)
    x = ne.ManifoldParameter(H.random(2), H)
    with pytest.warns(UserWarning, match="learnable curvature this optimizer was not given"):
        optimizer = RiemannianLBFGS([x])
    with pytest.raises(TypeError, match=r"step\(closure\) .* calls backward and returns the loss"):
        optimizer.step()
    optimizer.param_groups.append({**optimizer.param_groups[0], "params": [], "lr": 0.5})
    with pytest.raises(ValueError, match=r"lr is 1 in group 0 and 0\.5 in group 1"):
        optimizer.step(lambda: 0.0)
