"""The induced metric: one factor for all groups, nothing else touched."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.optim import InducedMetric, RiemannianAdam, RiemannianSGD, riemannian_grad_norm

M = ne.Product(ne.Lorentz(3), ne.Sphere(2))


def parameters() -> list[nn.Parameter]:
    marked = ne.ManifoldParameter(M.random(4, dtype=torch.float64), M)
    both = [marked, nn.Parameter(torch.randn(3, dtype=torch.float64))]
    for parameter in both:
        parameter.grad = torch.randn_like(parameter)
    return both


def copied(given: list[nn.Parameter]) -> list[nn.Parameter]:
    result = copy.deepcopy(given)
    for new, old in zip(result, given, strict=True):
        new.grad = old.grad.clone()
    return result


@pytest.mark.parametrize("cls", [RiemannianSGD, RiemannianAdam, torch.optim.SGD])
def test_without_weight_it_is_the_wrapped_optimizer(cls: Any) -> None:
    ours = parameters() if cls is not torch.optim.SGD else parameters()[1:]
    theirs = copied(ours)
    InducedMetric(cls(ours, lr=0.1), xi=0.0).step()
    cls(theirs, lr=0.1).step()
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a.detach(), b.detach())


@pytest.mark.parametrize("form", ["plain", "log"])
def test_the_step_is_the_gradient_in_the_induced_metric(form: str) -> None:
    """Solve (g + xi dL dL^T) v = dL in the frame of one tangent space, by a dense system."""
    H, xi, loss, lr = ne.Lorentz(3), 0.7, 2.5, 0.01
    start = H.random(dtype=torch.float64)
    x = ne.ManifoldParameter(start.clone().unsqueeze(0), H)
    x.grad = torch.randn_like(x)
    u = H.egrad2rgrad(start, x.grad[0])
    frame = torch.stack([H.transp0(start, H.from_frame(e)) for e in torch.eye(3).double()])
    d = torch.stack([H.inner(start, u, e) for e in frame])  # dL in an orthonormal frame
    if form == "log":  # the graph of log L
        d = d / loss
    v = torch.linalg.solve(torch.eye(3).double() + xi * torch.outer(d, d), d)
    expected = H.expmap(start, -lr * (v @ frame))
    optimizer = InducedMetric(RiemannianSGD([x], lr=lr), xi, form=form)
    optimizer.step(lambda: torch.tensor(loss))
    torch.testing.assert_close(x.detach()[0], expected, rtol=1e-12, atol=1e-12)
    assert optimizer.param_groups[0]["lr"] == lr


def test_groups_schedulers_and_state_are_shared() -> None:
    both = parameters()
    inner = RiemannianAdam([{"params": both[:1]}, {"params": both[1:], "lr": 0.5}], lr=0.1)
    optimizer = InducedMetric(inner, 0.3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    assert [group["lr"] for group in inner.param_groups] == [0.05, 0.25]
    extra = nn.Parameter(torch.zeros(2))
    optimizer.add_param_group({"params": [extra]})
    assert len(inner.param_groups) == len(optimizer.param_groups) == 3
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert optimizer.param_groups is inner.param_groups
    assert optimizer.state is inner.state
    twin = copy.deepcopy(optimizer)
    assert twin.xi == 0.3
    assert twin.param_groups is twin.optimizer.param_groups
    optimizer.zero_grad()
    assert riemannian_grad_norm(both) == 0


def test_what_is_refused() -> None:
    optimizer = RiemannianSGD(parameters())
    with pytest.raises(ValueError, match="at least 0, got -1"):
        InducedMetric(optimizer, -1.0)
    with pytest.raises(ValueError, match="form must be one of"):
        InducedMetric(optimizer, form="root")
    for closure in (None, lambda: -1.0):
        with pytest.raises(ValueError, match="positive loss"):
            InducedMetric(optimizer, form="log").step(closure)
