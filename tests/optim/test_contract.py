"""What a training loop relies on: marks, groups, warnings, moving curvature, messages, state."""

import copy
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.optim import RiemannianAdam, RiemannianSGD

OPTIMIZERS = [RiemannianSGD, RiemannianAdam]


class Embedding(nn.Module):
    """A table of points and a plain head, with the manifold as a sub-module."""

    def __init__(self, manifold: ne.HomogeneousManifold) -> None:
        super().__init__()
        self.manifold = manifold
        self.table = ne.ManifoldParameter(manifold.random(6), manifold)
        self.head = nn.Linear(manifold.point_shape[0], 1)

    def forward(self) -> torch.Tensor:
        first = self.table[:1]
        return self.manifold.dist2(first, self.table).sum() + self.head(self.table).square().sum()


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 3) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model().backward()
        optimizer.step()


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_a_copied_model_trains_the_same(cls: Any) -> None:
    model = Embedding(ne.Product(ne.Lorentz(2), ne.Sphere(2)))
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        original = copy.deepcopy(model)
        train(original, cls(original.parameters(), lr=0.05))
        train(twin, cls(twin.parameters(), lr=0.05))
        assert torch.equal(original.table.detach(), twin.table.detach())
        assert twin.manifold.check_point(twin.table.detach()).all()
        assert not torch.equal(twin.table.detach(), model.table.detach())


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_the_optimizer_itself_can_be_copied(cls: Any) -> None:
    model = Embedding(ne.Lorentz(2))
    optimizer = cls(model.named_parameters(), lr=0.05)
    train(model, optimizer)
    model2, optimizer2 = copy.deepcopy((model, optimizer))
    train(model, optimizer)
    train(model2, optimizer2)
    assert torch.equal(model.table.detach(), model2.table.detach())


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_missing_learnable_curvature_warns(cls: Any) -> None:
    H = ne.Lorentz(2, learnable=True)
    x = ne.ManifoldParameter(H.random(3), H)
    with pytest.warns(UserWarning, match="learnable curvature this optimizer was not given"):
        cls([x])
    optimizer = cls([nn.Parameter(torch.zeros(2))])
    with pytest.warns(UserWarning, match="manifold.parameters()"):
        optimizer.add_param_group({"params": [x]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cls([{"params": [x]}, {"params": list(H.parameters()), "lr": 0.1}])
        cls([x, *H.parameters()])
        H.requires_grad_(False)
        cls([x])


@pytest.mark.parametrize("cls", OPTIMIZERS)
@pytest.mark.parametrize(
    "manifold",
    [
        ne.PoincareBall(2, -0.25, learnable=True),
        ne.Lorentz(2, learnable=True),
        ne.Sphere(2, learnable=True),
        ne.Product(ne.Euclidean(1), ne.Stereographic(2, -0.25, learnable=True)),
    ],
    ids=repr,
)
def test_points_are_written_back_when_the_curvature_moves(cls: Any, manifold: Any) -> None:
    """K goes from -1/4 towards -1 or more: the points at the rim must come along."""
    manifold = copy.deepcopy(manifold)
    far = manifold.projx(torch.randn(4, *manifold.point_shape) * 10)
    x = ne.ManifoldParameter(far, manifold)
    (raw,) = manifold.parameters()
    # the curvature's group comes last and first: the order must not matter
    for groups in ([x, raw], [raw, x]):
        optimizer = cls(groups, lr=0.5)
        for _ in range(3):
            raw.grad = torch.full_like(
                raw, 1.0 if manifold.injectivity_radius == torch.inf else 0.5
            )
            if isinstance(manifold, ne.PoincareBall | ne.Lorentz):
                raw.grad = -raw.grad  # |K| grows with raw where the sign is fixed
            optimizer.step()
            assert torch.equal(x.detach(), manifold.projx(x.detach()))
            assert manifold.check_point(x.detach()).all()


def test_marked_steps_use_the_curvature_of_their_gradient() -> None:
    B = ne.PoincareBall(2, -1.0, learnable=True)
    start = B.random(4)
    x = ne.ManifoldParameter(start.clone(), B)
    (raw,) = B.parameters()
    optimizer = RiemannianSGD([raw, x], lr=0.1)
    x.grad = torch.randn_like(x)
    raw.grad = torch.ones_like(raw)
    expected = B.expmap(start, -0.1 * B.egrad2rgrad(start, x.grad)).detach()
    optimizer.step()
    assert torch.equal(x.detach(), B.projx(expected))


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (RiemannianSGD, {"differentiable": True}, "differentiable=True has no form"),
        (RiemannianAdam, {"differentiable": True}, "differentiable=True has no form"),
        (RiemannianSGD, {"fused": True}, "fused=True has no form .* leave fused=None"),
        (RiemannianAdam, {"fused": True}, "fused=True has no form"),
        (RiemannianSGD, {"lr": -1.0}, "Invalid learning rate"),
        (RiemannianAdam, {"betas": (1.0, 0.9)}, "Invalid beta"),
        (RiemannianSGD, {"nesterov": True}, "Nesterov momentum requires"),
    ],
)
def test_refusals(cls: Any, options: dict[str, Any], message: str) -> None:
    x = ne.ManifoldParameter(torch.zeros(2, 3), ne.PoincareBall(3))
    with pytest.raises(ValueError, match=message):
        cls([x], **options)


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_decay_needs_an_origin(cls: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    S = ne.Sphere(2)
    x = ne.ManifoldParameter(S.random(2), S)
    monkeypatch.setattr("noneuclid.optim._checks.HomogeneousManifold", ne.Lorentz)
    cls([x])
    with pytest.raises(ValueError, match="Sphere has none; put its parameters into a group"):
        cls([x], weight_decay=0.1)
    optimizer = cls([nn.Parameter(torch.zeros(2))], weight_decay=0.1)
    with pytest.raises(ValueError, match="origin"):
        optimizer.add_param_group({"params": [x]})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_sparse_gradients_that_are_not_of_rows_say_what_to_do(cls: Any) -> None:
    x = ne.ManifoldParameter(torch.zeros(2, 3), ne.PoincareBall(3))
    x.grad = torch.ones(2, 3).to_sparse()
    with pytest.raises(RuntimeError, match=r"entries are rows.*to_dense"):
        cls([x]).step()


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_parameters_without_gradient_are_left_alone(cls: Any) -> None:
    H = ne.Lorentz(2)
    x, y = (ne.ManifoldParameter(H.random(2), H) for _ in range(2))
    before = y.detach().clone()
    optimizer = cls([x, y], weight_decay=0.1)
    assert optimizer.step() is None
    x.grad = torch.ones_like(x)
    optimizer.step()
    assert torch.equal(y.detach(), before)
    assert not optimizer.state[y]
    optimizer.zero_grad()
    assert x.grad is None


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_nan_gradients_stay_visible(cls: Any) -> None:
    for manifold in (ne.Euclidean(3), ne.PoincareBall(3), ne.Lorentz(3)):
        x = ne.ManifoldParameter(manifold.random(2), manifold)
        x.grad = torch.full_like(x, torch.nan)
        cls([x]).step()
        assert x.detach().isnan().any(-1).all(), manifold


@pytest.mark.parametrize("cls", OPTIMIZERS)
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_parameters(cls: Any, half: torch.dtype) -> None:
    M = ne.Product(ne.PoincareBall(2), ne.Sphere(2), ne.Euclidean(2))
    x = ne.ManifoldParameter(M.random(4, dtype=half), M)
    optimizer = cls([x], lr=0.05)
    for _ in range(10):
        x.grad = torch.randn_like(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            optimizer.step()
    assert x.dtype == half
    assert M.check_point(x.detach()).all()


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_a_step_outdates_the_graph_it_came_from(cls: Any) -> None:
    """As in torch: a backward pass through values that the step overwrote is an error."""
    H = ne.Lorentz(2)
    x = ne.ManifoldParameter(H.random(2), H)
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    cls([x], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_step_hooks_run_once(cls: Any) -> None:
    for kind in (cls.__mro__[2], cls):
        optimizer = kind([nn.Parameter(torch.zeros(2))])
    calls: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    optimizer.step()
    assert calls == ["before", "after"]
