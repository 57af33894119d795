"""RiemannianSGD: formulas by hand and problems with known answers."""

import pytest
import torch

import noneuclid as ne
from noneuclid.optim import RiemannianSGD


def marked(manifold: ne.Manifold, *size: int) -> ne.ManifoldParameter:
    return ne.ManifoldParameter(manifold.random(*size, dtype=torch.float64), manifold)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("dampening", [0.0, 0.2])
def test_two_steps_by_hand(nesterov: bool, dampening: float) -> None:
    if nesterov and dampening:
        return
    H = ne.Lorentz(3)
    x = marked(H, 5)
    optimizer = RiemannianSGD(
        [x], lr=0.1, momentum=0.9, dampening=dampening, nesterov=nesterov, weight_decay=0.3
    )
    first, second = torch.randn(2, 5, 4, dtype=torch.float64)

    def gradient(point: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return H.egrad2rgrad(point, g) - 0.3 * H.logmap(point, H.origin(5, dtype=torch.float64))

    x0 = x.detach().clone()
    b = gradient(x0, first)
    u = -0.1 * (b + 0.9 * b if nesterov else b)
    x1 = H.expmap(x0, u)
    b = H.transp(x0, x1, b)
    g = gradient(x1, second)
    b = 0.9 * b + (1 - dampening) * g
    u = -0.1 * (g + 0.9 * b if nesterov else b)
    expected = H.expmap(x1, u)
    for g in (first, second):
        x.grad = g
        optimizer.step()
    torch.testing.assert_close(x.detach(), expected, rtol=1e-12, atol=1e-12)
    y = H.transp(x1, expected, b)
    torch.testing.assert_close(optimizer.state[x]["momentum_buffer"], y, rtol=1e-11, atol=1e-11)


def test_rayleigh_quotient_finds_the_smallest_eigenvalue() -> None:
    S = ne.Sphere(4)
    A = torch.randn(5, 5, dtype=torch.float64)
    A = A + A.mT
    values, vectors = torch.linalg.eigh(A)
    for maximize, index in ((False, 0), (True, -1)):
        x = marked(S, 1)
        optimizer = RiemannianSGD([x], lr=0.05, momentum=0.5, maximize=maximize)
        for _ in range(600):
            optimizer.zero_grad()
            (x @ A * x).sum().backward()
            optimizer.step()
        best = x.detach()[0]
        assert abs(best @ A @ best - values[index]) < 1e-12
        assert abs(abs(best @ vectors[:, index]) - 1) < 1e-12


@pytest.mark.parametrize("manifold", [ne.Lorentz(3), ne.Sphere(3)], ids=repr)
def test_frechet_mean_has_no_gradient_left(manifold: ne.Lorentz | ne.Sphere) -> None:
    """Karcher's equation sum log_x(y_i) = 0 at the end of a long run."""
    centre = manifold.random(dtype=torch.float64)
    u = manifold.random_tangent(centre.expand(20, -1)) * 0.3
    y = manifold.expmap(centre.expand(20, -1), u)
    x = marked(manifold, 1)
    optimizer = RiemannianSGD([x], lr=0.4)
    for _ in range(200):
        optimizer.zero_grad()
        (manifold.dist2(x, y).mean() / 2).backward()
        optimizer.step()
    residual = manifold.logmap(x.detach().expand_as(y), y).mean(0, keepdim=True)
    assert manifold.norm(x.detach(), residual) < 1e-12
    assert manifold.dist(x.detach(), centre) < 0.5


def test_decay_pulls_hyperbolic_factors_to_the_origin_and_leaves_spheres() -> None:
    M = ne.Product(ne.Lorentz(2), ne.Sphere(2), ne.SphereProjection(2), ne.Stereographic(2, -1.0))
    x = marked(M, 3)
    before = M.split(x.detach().clone())
    optimizer = RiemannianSGD([x], lr=0.1, weight_decay=0.5)
    x.grad = torch.zeros_like(x)
    optimizer.step()
    after = M.split(x.detach())
    for index in (0, 3):  # geodesic contraction by 1 - lr wd
        factor = M.factors[index]
        ratio = factor.dist0(after[index]) / factor.dist0(before[index])
        torch.testing.assert_close(ratio, torch.full_like(ratio, 0.95))
    for index in (1, 2):
        torch.testing.assert_close(after[index], before[index], rtol=1e-14, atol=1e-14)


def test_a_mark_set_by_hand_is_seen() -> None:
    """On an ordinary parameter, alone among ordinary ones."""
    sphere = ne.Sphere(2)
    x = torch.nn.Parameter(sphere.random(5, dtype=torch.float64))
    x.manifold = sphere  # type: ignore[attr-defined]
    x.grad = torch.randn_like(x)
    RiemannianSGD([x], lr=0.5).step()
    torch.testing.assert_close(x.norm(dim=-1), torch.ones(5, dtype=torch.float64))
