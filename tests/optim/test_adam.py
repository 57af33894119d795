"""RiemannianAdam: formulas by hand and problems with known answers."""

import copy

import pytest
import torch

import noneuclid as ne
from noneuclid.optim import RiemannianAdam


def marked(manifold: ne.Manifold, *size: int) -> ne.ManifoldParameter:
    return ne.ManifoldParameter(manifold.random(*size, dtype=torch.float64), manifold)


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("manifold", [ne.PoincareBall(3, -0.5), ne.Sphere(3, 2.0)], ids=repr)
def test_three_steps_by_hand(manifold: ne.PoincareBall | ne.Sphere, amsgrad: bool) -> None:
    x = marked(manifold, 5)
    optimizer = RiemannianAdam([x], lr=0.1, betas=(0.8, 0.9), eps=0.01, amsgrad=amsgrad)
    y, m = x.detach().clone(), torch.zeros_like(x)
    v = largest = torch.zeros(5, 1, dtype=torch.float64)
    for step in range(1, 4):
        x.grad = torch.randn_like(x) / step**2
        g = manifold.egrad2rgrad(y, x.grad)
        m = 0.8 * m + 0.2 * g
        v = 0.9 * v + 0.1 * manifold.inner(y, g).unsqueeze(-1)
        largest = torch.maximum(largest, v) if amsgrad else v
        root = (largest / (1 - 0.9**step)).sqrt() + 0.01
        new = manifold.expmap(y, -0.1 * m / (1 - 0.8**step) / root)
        y, m = new, manifold.transp(y, new, m)
        optimizer.step()
        torch.testing.assert_close(x.detach(), y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(optimizer.state[x]["exp_avg"], m, rtol=1e-12, atol=1e-12)
    kept = optimizer.state[x]["exp_avg_sq"]
    torch.testing.assert_close(kept, v.expand_as(kept), rtol=1e-12, atol=1e-12)


def test_the_first_step_has_length_lr_in_every_factor() -> None:
    M = ne.Product(ne.Lorentz(3), ne.Sphere(2), ne.PoincareBall(2))
    x = marked(M, 6)
    before = M.split(x.detach().clone())
    x.grad = torch.randn_like(x) * 100
    RiemannianAdam([x], lr=0.01).step()
    for factor, old, new in zip(M.factors, before, M.split(x.detach()), strict=True):
        length = factor.dist(old, new)
        torch.testing.assert_close(length, torch.full_like(length, 0.01), rtol=1e-6, atol=0)


def test_rayleigh_quotient_finds_the_smallest_eigenvalue() -> None:
    S = ne.Sphere(4)
    A = torch.randn(5, 5, dtype=torch.float64)
    A = A + A.mT
    x = marked(S, 1)
    optimizer = RiemannianAdam([x], lr=0.1)
    for _ in range(600):
        optimizer.zero_grad()
        (x @ A * x).sum().backward()
        optimizer.step()
    best = x.detach()[0]
    assert abs(best @ A @ best - torch.linalg.eigvalsh(A)[0]) < 1e-8


@pytest.mark.parametrize("manifold", [ne.Lorentz(3), ne.Sphere(3)], ids=repr)
def test_frechet_mean_has_no_gradient_left(manifold: ne.Lorentz | ne.Sphere) -> None:
    centre = manifold.random(dtype=torch.float64)
    u = manifold.random_tangent(centre.expand(20, -1)) * 0.3
    y = manifold.expmap(centre.expand(20, -1), u)
    x = marked(manifold, 1)
    optimizer = RiemannianAdam([x], lr=0.1)
    for _ in range(600):
        optimizer.zero_grad()
        (manifold.dist2(x, y).mean() / 2).backward()
        optimizer.step()
    residual = manifold.logmap(x.detach().expand_as(y), y).mean(0, keepdim=True)
    assert manifold.norm(x.detach(), residual) < 1e-6


def test_a_torch_adam_checkpoint_loads() -> None:
    plain = torch.nn.Parameter(torch.randn(4, 3))
    theirs = torch.optim.Adam([plain], lr=0.02)
    plain.grad = torch.randn(4, 3)
    theirs.step()
    ours = RiemannianAdam([ne.ManifoldParameter(plain.detach().clone(), ne.Euclidean(3))])
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))  # loading shares tensors
    (parameter,) = ours.param_groups[0]["params"]
    plain.grad = torch.ones(4, 3)
    parameter.grad = torch.ones(4, 3)
    theirs.step()
    ours.step()
    assert torch.equal(parameter.detach(), plain.detach())
