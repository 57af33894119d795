"""Weight decay on curved spaces: equal to its definition in the manifolds' public methods."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor

import noneuclid as ne
from noneuclid import optim

LR, DECAY = 0.1, 0.3
HADAMARD = [
    ne.PoincareBall(3, -0.5),
    ne.Lorentz(3, -2.0),
    ne.Stereographic(3, -0.5),
    ne.Stereographic(3, -0.5, learnable=True),
]
SPHERES = [ne.Sphere(3, 2.0), ne.SphereProjection(3), ne.Stereographic(3, 0.5)]


def marked(manifold: ne.HomogeneousManifold) -> ne.ManifoldParameter:
    return ne.ManifoldParameter(manifold.random(5, dtype=torch.float64), manifold)


def frozen(manifold: ne.HomogeneousManifold) -> ne.HomogeneousManifold:
    return copy.deepcopy(manifold).requires_grad_(False)  # type: ignore[return-value]


def pull(manifold: ne.HomogeneousManifold, x: Tensor) -> Tensor:
    return manifold.logmap(x, manifold.origin(5, dtype=x.dtype))


def inward(manifold: ne.HomogeneousManifold, x: Tensor, *vectors: Tensor) -> list[Tensor]:
    """Return exp_x(lr wd log_x(o)), with tangent vectors at x carried there."""
    y = manifold.expmap(x, LR * DECAY * pull(manifold, x))
    return [y, *(manifold.transp(x, y, v) for v in vectors)]


@pytest.mark.parametrize("manifold", HADAMARD, ids=repr)
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("is_adamw", [True, False])
def test_adamw_is_a_move_to_the_origin_and_the_step_of_adam_from_there(
    manifold: Any, maximize: bool, is_adamw: bool
) -> None:
    manifold = frozen(manifold)
    x = marked(manifold)
    options: dict[str, Any] = {"lr": LR, "weight_decay": DECAY, "maximize": maximize}
    if is_adamw:
        optimizer = optim.RiemannianAdamW([x], **options)
    else:
        optimizer = optim.RiemannianAdam([x], decoupled_weight_decay=True, **options)
    y, m, v = x.detach().clone(), torch.zeros_like(x), torch.zeros(5, 1, dtype=x.dtype)
    for step in range(1, 4):
        g = torch.randn_like(x)
        x.grad = g.clone()
        optimizer.step()
        assert torch.equal(x.grad, g)
        u = manifold.egrad2rgrad(y, -g if maximize else g)
        y, u, m = inward(manifold, y, u, m)
        m = 0.9 * m + 0.1 * u
        v = 0.999 * v + 0.001 * manifold.inner(y, u).unsqueeze(-1)
        root = (v / (1 - 0.999**step)).sqrt() + 1e-8
        new = manifold.expmap(y, -LR * m / (1 - 0.9**step) / root)
        y, m = new, manifold.transp(y, new, m)
        torch.testing.assert_close(x.detach(), y, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(optimizer.state[x]["exp_avg"], m, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("manifold", HADAMARD[:2], ids=repr)
def test_lion_moves_to_the_origin_and_then_by_lr(manifold: Any) -> None:
    x = marked(manifold)
    optimizer = optim.RiemannianLion([x], lr=LR, weight_decay=DECAY)
    y, m = x.detach().clone(), torch.zeros_like(x)
    for _ in range(3):
        x.grad = torch.randn_like(x)
        optimizer.step()
        y, u, m = inward(manifold, y, manifold.egrad2rgrad(y, x.grad), m)
        c = 0.9 * m + 0.1 * u
        new = manifold.expmap(y, -LR * c / manifold.norm(y, c).unsqueeze(-1))
        y, m = new, manifold.transp(y, new, 0.99 * m + 0.01 * u)
        torch.testing.assert_close(x.detach(), y, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(optimizer.state[x]["exp_avg"], m, rtol=1e-11, atol=1e-11)


def adagrad(M: Any, y: Tensor, u: Tensor, state: dict[str, Tensor], step: int) -> Tensor:
    state["s"] = state.get("s", 0) + M.inner(y, u).unsqueeze(-1)
    return -LR / (1 + (step - 1) * 0.2) * u / (state["s"].sqrt() + 1e-10)


def rmsprop(M: Any, y: Tensor, u: Tensor, state: dict[str, Tensor], step: int) -> Tensor:
    v = state["v"] = 0.7 * state.get("v", 0) + 0.3 * M.inner(y, u).unsqueeze(-1)
    a = state["a"] = 0.7 * state.get("a", 0) + 0.3 * u
    scaled = u / ((v - M.inner(y, a).unsqueeze(-1)).sqrt() + 0.01)
    state["b"] = 0.5 * state.get("b", 0) + scaled
    return -LR * state["b"]


def sgd(M: Any, y: Tensor, u: Tensor, state: dict[str, Tensor], step: int) -> Tensor:
    return -LR * u


@pytest.mark.parametrize(
    ("cls", "direction", "options"),
    [
        (optim.RiemannianSGD, sgd, {}),
        (optim.RiemannianAdagrad, adagrad, {"lr_decay": 0.2}),
        (
            optim.RiemannianRMSprop,
            rmsprop,
            {"alpha": 0.7, "centered": True, "momentum": 0.5, "eps": 0.01},
        ),
    ],
)
@pytest.mark.parametrize("manifold", [HADAMARD[0], HADAMARD[1], ne.Sphere(3, 2.0)], ids=repr)
def test_coupled_decay_is_part_of_the_gradient(
    cls: Any, direction: Any, options: dict[str, Any], manifold: Any
) -> None:
    x = marked(manifold)
    optimizer = cls([x], lr=LR, weight_decay=DECAY, decays_spheres=True, **options)
    y, state = x.detach().clone(), {}
    for step in range(1, 4):
        g = torch.randn_like(x)
        x.grad = g.clone()
        optimizer.step()
        assert torch.equal(x.grad, g)
        u = manifold.egrad2rgrad(y, g) - DECAY * pull(manifold, y)
        new = manifold.expmap(y, direction(manifold, y, u, state, step))
        for name in {"a", "b"} & state.keys():
            state[name] = manifold.transp(y, new, state[name])
        y = new
        torch.testing.assert_close(x.detach(), y, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("manifold", SPHERES, ids=repr)
@pytest.mark.parametrize("cls", [optim.RiemannianAdamW, optim.RiemannianSGD, optim.RiemannianLion])
def test_spheres_decay_where_they_are_asked_to(cls: Any, manifold: Any) -> None:
    start = manifold.random(5, dtype=torch.float64)
    reached = []
    for options in ({"weight_decay": 0.0}, {}, {"decays_spheres": True}):
        x = ne.ManifoldParameter(start.clone(), manifold)
        optimizer = cls([x], **{"lr": LR, "weight_decay": DECAY, **options})
        x.grad = torch.zeros_like(x)
        optimizer.step()
        reached.append(x.detach())
    torch.testing.assert_close(reached[1], reached[0], rtol=1e-14, atol=1e-14)
    ratio = manifold.dist0(reached[2]) / manifold.dist0(start)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 1 - LR * DECAY))


def test_a_free_curvature_decays_while_it_is_not_positive() -> None:
    """K is looked at in each step, whatever it was when the optimizer was made."""
    M = ne.Stereographic(2, 0.5, learnable=True)
    x = ne.ManifoldParameter(M.random(5, dtype=torch.float64), M)
    optimizer = optim.RiemannianAdamW([x, *M.parameters()], lr=LR, weight_decay=DECAY)
    for K, ratio in ((0.5, 1.0), (-0.5, 1 - LR * DECAY), (0.0, 1 - LR * DECAY), (0.5, 1.0)):
        M.curvature.raw.data.fill_(K)
        before = M.dist0(x.detach())
        x.grad = torch.zeros_like(x)
        optimizer.step()
        after = M.dist0(x.detach())
        torch.testing.assert_close(after, ratio * before, rtol=1e-12, atol=1e-12)


def test_no_decay_costs_nothing_even_where_the_rate_is_a_tensor() -> None:
    B = ne.PoincareBall(2)
    x = ne.ManifoldParameter(B.random(3), B)
    optimizer = optim.RiemannianAdamW([x], lr=torch.tensor(LR), weight_decay=0.0)
    group = optimizer.param_groups[0]
    x.grad = torch.zeros_like(x)
    optimizer.step()
    piece = optimizer._piece(group, x, B)
    assert not optimizer._rule(group, [piece]).decays
