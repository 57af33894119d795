"""Learning rates of curvatures: a group of their own, or a scale that the curvature carries."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.layers import Drop, Lift, Linear
from noneuclid.optim import RiemannianAdam, RiemannianSGD, groups


def network() -> nn.Module:
    H = ne.Lorentz(4, learnable=True)
    return nn.Sequential(Lift(3, H), Linear(H, H.like(2)), Drop(H.like(2), 2))


def test_curvatures_have_a_group_of_their_own() -> None:
    model = network()
    rest, curvatures = groups(model, curvature_lr=1e-4, betas=(0.5, 0.9))
    assert [name for name, _ in curvatures["params"]] == ["0.manifold_out.curvature.raw"]
    assert curvatures["lr"] == 1e-4
    assert curvatures["betas"] == (0.5, 0.9)
    both = [p for _, p in rest["params"]] + [p for _, p in curvatures["params"]]
    assert {id(p) for p in both} == {id(p) for p in model.parameters()}
    assert len(both) == len(list(model.parameters()))
    optimizer = RiemannianAdam([rest, curvatures], lr=0.1, weight_decay=0.0)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 1e-4]


def test_curvatures_that_only_a_point_knows_are_found() -> None:
    H = ne.Lorentz(2, learnable=True)

    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.points = ne.ManifoldParameter(H.random(3), H)

    rest, curvatures = groups(Table(), curvature_lr=1.0)
    assert [name for name, _ in curvatures["params"]] == ["points.manifold.curvature.raw"]
    assert [name for name, _ in rest["params"]] == ["points"]
    assert len(groups(nn.Linear(2, 2), curvature_lr=1.0)) == 1


@pytest.mark.parametrize("cls", [RiemannianSGD, RiemannianAdam])
def test_the_scale_multiplies_the_rate_of_that_curvature_alone(cls: Any) -> None:
    slow = ne.Curvature(-1.0, learnable=True, sign=-1, lr_scale=0.25)
    usual = ne.Curvature(-1.0, learnable=True, sign=-1)
    expected = {scale: nn.Parameter(usual.raw.detach().clone()) for scale in (0.25, 1.0)}
    optimizer = cls([slow.raw, usual.raw], lr=0.1)
    others = [cls([raw], lr=0.1 * scale) for scale, raw in expected.items()]
    for _ in range(3):
        for raw in (slow.raw, usual.raw, *expected.values()):
            raw.grad = torch.full_like(raw, 0.3)
        for one in (optimizer, *others):
            one.step()
    assert torch.equal(slow.raw.detach(), expected[0.25].detach())
    assert torch.equal(usual.raw.detach(), expected[1.0].detach())


def test_the_scale_survives_copies_and_exchanged_parameters() -> None:
    H = ne.Lorentz(2, ne.Curvature(-1.0, learnable=True, sign=-1, lr_scale=0.5))
    for copied in (copy.deepcopy(H), pickle.loads(pickle.dumps(H))):
        copied.load_state_dict(H.state_dict(), assign=True)
        (raw,) = copied.parameters()
        before = raw.detach().clone()
        raw.grad = torch.ones_like(raw)
        RiemannianSGD([raw], lr=0.1).step()
        torch.testing.assert_close(before - raw.detach(), torch.full_like(before, 0.05))


def test_a_scale_must_be_positive() -> None:
    with pytest.raises(ValueError, match="lr_scale must be a positive number, got 0"):
        ne.Curvature(-1.0, learnable=True, lr_scale=0)
