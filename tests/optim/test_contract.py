"""What a training loop relies on: marks, groups, warnings, moving curvature, messages, state."""

import copy
import pickle
import warnings
from typing import Any

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid import optim
from noneuclid.optim import RiemannianAdam, RiemannianSGD

OPTIMIZERS = [
    RiemannianSGD,
    RiemannianAdam,
    optim.RiemannianAdamW,
    optim.RiemannianAdagrad,
    optim.RiemannianRMSprop,
    optim.RiemannianLion,
]


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
    cls([x], weight_decay=0)
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
    assert not any(t.any() for t in optimizer.state[y].values())  # Adagrad's is there already
    optimizer.zero_grad()
    assert x.grad is None


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_nan_gradients_stay_visible(cls: Any) -> None:
    flat = [] if cls is optim.RiemannianLion else [ne.Euclidean(3)]  # sign(nan) is 0 in torch
    for manifold in (*flat, ne.PoincareBall(3), ne.Lorentz(3)):
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
    for kind in (torch.optim.Adam, RiemannianAdam, cls):
        optimizer = kind([nn.Parameter(torch.zeros(2))])
    calls: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    optimizer.step()
    assert calls == ["before", "after"]


# -- single points, late groups, state of others ---------------------------------------------------


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_single_points_and_empty_tables_step_together(cls: Any) -> None:
    M = ne.Product(ne.Lorentz(2), ne.Euclidean(2))
    points = [ne.ManifoldParameter(M.random(*size), M) for size in ((), (), (0,), (3,))]
    alone = copy.deepcopy(points)
    for x, y in zip(points, alone, strict=True):
        x.grad = torch.randn_like(x)
        y.grad = x.grad.clone()
    cls(points, lr=0.1).step()
    for x, y in zip(points, alone, strict=True):
        cls([y], lr=0.1).step()
        torch.testing.assert_close(x.detach(), y.detach(), rtol=1e-6, atol=1e-6)


def test_a_group_added_late_starts_from_the_accumulator_of_the_defaults() -> None:
    B = ne.PoincareBall(2)
    x, y = (ne.ManifoldParameter(B.random(3), B) for _ in "xy")
    optimizer = optim.RiemannianAdagrad([x], initial_accumulator_value=0.5)
    optimizer.add_param_group({"params": [y], "lr": 0.2})
    y.grad = torch.zeros_like(y)
    optimizer.step()
    assert torch.equal(optimizer.state[y]["sum"], torch.full_like(y, 0.5))


@pytest.mark.parametrize("cls", [c for c in OPTIMIZERS if c is not RiemannianSGD])
def test_state_of_another_model_is_refused_before_it_is_read(cls: Any) -> None:
    B = ne.PoincareBall(2)
    x, y = (ne.ManifoldParameter(B.random(n), B) for n in (3, 5))
    ours, other = cls([x], lr=0.1), cls([y], lr=0.1)
    x.grad, y.grad = torch.ones_like(x), torch.ones_like(y)
    other.step()
    ours.load_state_dict(other.state_dict())
    with pytest.raises(RuntimeError, match=r"shape \(5, 2\), its parameter \(3, 2\): the"):
        ours.step()


OWN = {"decays_spheres": True, "error_if_nonfinite": True}


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_own_options_are_options_of_groups(cls: Any) -> None:
    B = ne.PoincareBall(2)
    x, y, z = (ne.ManifoldParameter(B.random(3), B) for _ in "xyz")
    optimizer = cls([{"params": [x]}, {"params": [y], "error_if_nonfinite": False}], **OWN)
    optimizer.add_param_group({"params": [z]})
    for copied in (optimizer, copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert [g["error_if_nonfinite"] for g in copied.param_groups] == [True, False, True]
        assert all(group["decays_spheres"] for group in copied.param_groups)
        assert copied.defaults["decays_spheres"]
        fresh = nn.Parameter(torch.zeros(2))
        copied.add_param_group({"params": [fresh]})
        assert copied.param_groups[-1]["decays_spheres"]
        del copied.param_groups[-1]


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_a_state_dict_without_own_options_leaves_them_as_they_are(cls: Any) -> None:
    """As torch.optim writes it, and as older versions of this library did."""
    B = ne.PoincareBall(2)
    x = ne.ManifoldParameter(B.random(3), B)
    saved = cls([x], lr=0.2).state_dict()
    for name in OWN:
        del saved["param_groups"][0][name]
    optimizer = cls([x], **OWN)
    optimizer.load_state_dict(saved)
    assert OWN.items() <= optimizer.param_groups[0].items()
    assert optimizer.param_groups[0]["lr"] == 0.2
    x.grad = torch.ones_like(x)
    optimizer.step()


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_a_state_dict_of_another_dtype_is_cast_to_the_parameters(cls: Any) -> None:
    M = ne.Product(ne.Lorentz(2), ne.Euclidean(1))
    x = ne.ManifoldParameter(M.random(3), M)
    y = ne.ManifoldParameter(x.detach().double(), M)
    ours, wider = cls([x], lr=0.1), cls([y], lr=0.1)
    for _ in range(2):
        x.grad = torch.randn_like(x)
        ours.step()
    wider.load_state_dict(copy.deepcopy(ours.state_dict()))  # it shares the step count
    y.data.copy_(x.detach())
    kept = {name: t for name, t in wider.state[y].items() if name != "step"}
    assert all(t.dtype == torch.float64 for t in kept.values())
    x.grad = torch.randn_like(x)
    y.grad = x.grad.double()
    ours.step()
    wider.step()
    torch.testing.assert_close(y.detach().float(), x.detach(), rtol=1e-5, atol=1e-5)


# -- what a step refuses ---------------------------------------------------------------------------


@pytest.mark.parametrize("cls", OPTIMIZERS)
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("is_named", [True, False])
def test_error_if_nonfinite_names_the_parameter_and_moves_nothing(
    cls: Any, value: float, is_named: bool
) -> None:
    model = Embedding(ne.Lorentz(2))
    given = model.named_parameters() if is_named else model.parameters()
    optimizer = cls(given, lr=0.1, error_if_nonfinite=True)
    train(model, optimizer, 1)
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()["state"]))
    model().backward()
    model.head.weight.grad[0, 1:] = value
    name = r" \(head\.weight\)" if is_named else ""
    message = rf"gradient of parameter 1{name} of shape \(1, 3\) has 2 entries .* nothing was"
    with pytest.raises(RuntimeError, match=message):
        optimizer.step()
    after = (model.state_dict(), optimizer.state_dict()["state"])
    assert repr(after) == repr(before)
    optimizer.param_groups[0]["error_if_nonfinite"] = False
    optimizer.step()
    after = (model.state_dict(), optimizer.state_dict()["state"])
    assert repr(after) != repr(before)


def test_error_if_nonfinite_is_of_a_group_and_sees_sparse_rows() -> None:
    B = ne.PoincareBall(2)
    x, y = (ne.ManifoldParameter(torch.zeros(3, 2), B) for _ in "xy")
    groups = [{"params": [x]}, {"params": [y], "error_if_nonfinite": True}]
    optimizer = RiemannianAdam(groups)
    x.grad = torch.full_like(x, torch.nan)
    optimizer.step()
    values = torch.full((1, 2), torch.nan)
    y.grad = torch.sparse_coo_tensor([[1]], values, y.shape, check_invariants=True)
    with pytest.raises(RuntimeError, match="parameter 1 of shape"):
        optimizer.step()


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_a_scaler_skips_steps_with_infinite_gradients(cls: Any) -> None:
    model = Embedding(ne.Product(ne.Lorentz(2), ne.Euclidean(1)))
    twin = copy.deepcopy(model)
    optimizer, other = cls(model.parameters(), lr=0.1), cls(twin.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for is_spoilt in (False, True, False):
        optimizer.zero_grad()
        scaler.scale(model()).backward()
        if is_spoilt:
            model.table.grad[0, 0] = torch.inf
        scaler.step(optimizer)
        scaler.update()
        if not is_spoilt:
            train(twin, other, 1)
    assert scaler.get_scale() == 512.0
    torch.testing.assert_close(model.table, twin.table, rtol=1e-5, atol=1e-5)


# -- options that change while training ------------------------------------------------------------


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_a_rate_that_is_a_tensor_is_the_number_it_holds(cls: Any) -> None:
    model = Embedding(ne.Product(ne.Lorentz(2), ne.Sphere(1)))
    twin = copy.deepcopy(model)
    rate = torch.tensor(0.125)
    optimizer, other = cls(model.parameters(), lr=rate), cls(twin.parameters(), lr=0.125)
    train(model, optimizer, 1)
    train(twin, other, 1)
    rate.fill_(0.25)
    other.param_groups[0]["lr"] = 0.25
    train(model, optimizer, 1)
    train(twin, other, 1)
    assert torch.equal(rate, torch.tensor(0.25))
    torch.testing.assert_close(model.table, twin.table, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_one_cycle_of_rate_and_momentum(cls: Any) -> None:
    model = Embedding(ne.Lorentz(2))
    options = {"momentum": 0.9} if "momentum" in cls([nn.Parameter(torch.ones(1))]).defaults else {}
    optimizer = cls(model.parameters(), lr=0.001, **options)
    cycles = "momentum" in optimizer.defaults or "betas" in optimizer.defaults
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.01, total_steps=6, cycle_momentum=cycles
    )
    seen = []
    for _ in range(5):
        before = model.table.detach().clone()
        train(model, optimizer, 1)
        seen.append(float((model.table.detach() - before).abs().amax()))
        scheduler.step()
    assert model.manifold.check_point(model.table.detach()).all()
    assert max(seen) > 2 * seen[-1]


def test_groups_of_different_manifolds_and_options() -> None:
    L, S = ne.Lorentz(2), ne.Sphere(2)
    x, y = ne.ManifoldParameter(L.random(3), L), ne.ManifoldParameter(S.random(3), S)
    alone = copy.deepcopy([x, y])
    options = [{"lr": 0.1, "maximize": True}, {"lr": 0.2, "amsgrad": True, "betas": (0.5, 0.7)}]
    together = RiemannianAdam([{"params": [p], **o} for p, o in zip((x, y), options, strict=True)])
    optimizers = [RiemannianAdam([p], **o) for p, o in zip(alone, options, strict=True)]
    for _ in range(3):
        for p, q in zip((x, y), alone, strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        for optimizer in (together, *optimizers):
            optimizer.step()
    assert torch.equal(x, alone[0])
    assert torch.equal(y, alone[1])
