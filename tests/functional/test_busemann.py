"""Busemann logits: against 100 digits and the manifold's own method, edge cases, derivatives."""

import math

import pytest
import torch

import noneuclid as ne
from noneuclid.functional import _surface_logits, busemann, busemann_logits
from noneuclid.testing.oracle import Truth

SIGNATURES = ["H3(-0.7)", "B3(-0.5)", "K3(-0.5)", "K3(0)", "K3(0.6)", "P3(0.7)", "S3(1.3)", "E3"]
NEVER = 10**18  # so many numbers no batch has
HYPERBOLIC = ["H3(-0.7)", "B3(-0.5)", "K3(-0.5)"]


def sample(signature, dtype=torch.float64, classes=4):
    manifold = ne.manifold(signature).to(dtype)
    x = manifold.random(6, dtype=dtype)
    gains = 0.5 + torch.rand(classes).to(dtype)
    return manifold, x, torch.randn(classes, 3, dtype=dtype), gains


def at(manifold, radius, directions):
    """Return points at this radius, exactly in these directions as far as rounding lets them be."""
    unit = directions / directions.norm(dim=-1, keepdim=True)
    return manifold.expmap0(manifold.from_frame(radius * unit))


@pytest.mark.parametrize("signature", SIGNATURES)
def test_is_the_busemann_function(signature, dtype):
    """-g B, by its definition in 100 digits and by the manifold's method."""
    manifold, x, v, gains = sample(signature, dtype)
    logits = busemann_logits(manifold, x, v, gains)
    own = -gains * manifold.busemann(x[:, None], manifold.from_frame(v))
    eps = torch.finfo(dtype).eps
    assert bool(((logits - own).abs() <= 32 * eps * (1 + own.abs())).all())
    truth = Truth(manifold)
    for row, point in zip(logits.tolist(), x, strict=True):
        for value, direction, gain in zip(row, v, gains.tolist(), strict=True):
            exact = -gain * float(truth.busemann(point, manifold.from_frame(direction)))
            assert abs(value - exact) <= 16 * eps * max(abs(exact), gain)


@pytest.mark.parametrize("smallest", [0, NEVER])
@pytest.mark.parametrize("radius", [1e-6, 1.0, 8.0, 15.0])
@pytest.mark.parametrize("signature", ["H3", "B3"])
def test_points_that_go_toward_a_direction(signature, radius, dtype, smallest, monkeypatch):
    """Aligned with v up to rounding, where T - r s cancels: right to what rounding x leaves.

    Compiled, where that is possible, and in torch.
    """
    monkeypatch.setattr(_surface_logits, "SMALLEST", smallest)
    manifold = ne.manifold(signature)
    v = torch.randn(5, 3, dtype=dtype)
    x, gains = at(manifold, radius, v), torch.ones(5, dtype=dtype)
    logits = busemann_logits(manifold, x, v, gains)
    truth, eps = Truth(manifold), torch.finfo(dtype).eps
    for row, point in zip(logits, x, strict=True):
        for value, direction in zip(row.tolist(), v, strict=True):
            exact = -float(truth.busemann(point, manifold.from_frame(direction)))
            moved = eps * math.exp(radius)  # sideways, by rounding x or v; outward on the ball
            moved = min(moved, moved**2) if signature == "H3" else moved
            loss = 16 * eps * max(abs(exact), 1.0) + 4 * moved
            assert abs(value - exact) <= loss, (value, exact)
    axis = at(manifold, 36.0, torch.eye(3, dtype=dtype))
    for diagonal in busemann_logits(manifold, axis, torch.eye(3, dtype=dtype), gains[:3]).diag():
        assert 16 < float(diagonal) < 37


def test_gradients_of_aligned_points_in_float32():
    """d/dx of far points aligned with v, against the manifold's method, which does not cancel."""
    manifold = ne.Lorentz(3)
    v = torch.randn(4, 3)
    x = at(manifold, 8.0, v).requires_grad_()
    weights = torch.ones(4)
    by_rows = torch.autograd.grad(manifold.busemann(x, manifold.from_frame(v)).sum(), x)[0]
    logits = busemann_logits(manifold, x, v, weights).diag()
    by_table = -torch.autograd.grad(logits.sum(), x)[0]
    lengths = [manifold.norm(x, manifold.egrad2rgrad(x, g)) for g in (by_rows, by_table)]
    torch.testing.assert_close(lengths[0], torch.ones(4), rtol=1e-5, atol=0)
    torch.testing.assert_close(lengths[1], torch.ones(4), rtol=1e-3, atol=0)


@pytest.mark.parametrize("signature", [s + "*" for s in SIGNATURES if s != "E3"])
def test_both_forms_agree(signature, monkeypatch):
    """Computing again in backward and the plain formula: values, and gradients by x, v, g, K."""
    manifold, x, v, gains = sample(signature)
    leaves = [t.requires_grad_() for t in (x.detach(), v, gains)]
    weights = torch.randn(6, 4, dtype=torch.float64)

    def both():
        logits = busemann_logits(manifold, *leaves)
        return logits, *torch.autograd.grad(logits, [*leaves, manifold.curvature.raw], weights)

    again = both()
    monkeypatch.setattr(busemann, "is_transformed", lambda: True)
    for a, b in zip(again, both(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_derivatives(signature):
    """First and second order, reverse and forward, by points, directions and gains."""
    manifold, x, v, gains = sample(signature)
    leaves = [t.requires_grad_() for t in (x.detach()[:2], v[:2], gains[:2])]

    def logits(x, v, gains):
        return busemann_logits(manifold, manifold.projx(x), v, gains)

    assert torch.autograd.gradcheck(logits, leaves)
    assert torch.autograd.gradgradcheck(logits, leaves)
    vmapped = torch.func.vmap(logits, (0, None, None))(*leaves)
    torch.testing.assert_close(vmapped, logits(*leaves))
    for a, b in zip(
        torch.func.jacrev(logits, (0, 1, 2))(*leaves),
        torch.func.jacfwd(logits, (0, 1, 2))(*leaves),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("signature", ["K3(-0.5)", "K3(0.6)", "H3", "B3", "S3"])
def test_derivative_by_curvature(signature):
    manifold, x, v, gains = sample(signature)
    K = manifold.curvature().detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda K: busemann_logits(manifold.at(K), x, v, gains), K)


def test_through_zero_curvature():
    """Continuous in K; from below the difference falls like the root of |K|."""
    manifold = ne.Stereographic(3, 0.0)
    x, v = 0.3 * torch.randn(5, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    gains = torch.ones(4, dtype=torch.float64)
    flat = 2 * x @ (v / v.norm(dim=-1, keepdim=True)).mT
    torch.testing.assert_close(busemann_logits(manifold, x, v, gains), flat)
    above = busemann_logits(manifold.at(1e-8), x, v, gains)
    torch.testing.assert_close(above, flat, rtol=1e-7, atol=1e-7)
    gap = [(busemann_logits(manifold.at(k), x, v, gains) - flat) for k in (-1e-8, -1e-6)]
    torch.testing.assert_close(10 * gap[0], gap[1], rtol=1e-2, atol=1e-6)
    expected = -(4 * x.square().sum(-1, keepdim=True) - flat.square()) / 2 * 1e-4
    torch.testing.assert_close(gap[0], expected, rtol=1e-2, atol=1e-7)


@pytest.mark.parametrize("signature", [*SIGNATURES, "K3(-0.5)*", "K3(0)*"])
def test_finite_where_a_formula_could_fail(signature, dtype):
    """v = 0, the origin, and the last shell, there exactly along v too."""
    manifold, _, v, gains = sample(signature, dtype)
    v[0] = 0
    x = manifold.origin(3, dtype=dtype)
    x[1] = manifold.projx(x[1] + 3e4)
    x[2] = manifold.projx(x[2] + 1e30 * manifold.from_frame(v[1] / v[1].norm()))
    leaves = [t.requires_grad_() for t in (x, v, gains)]
    logits = busemann_logits(manifold, *leaves)
    assert bool((logits[0] == 0).all())
    for t in (logits, *torch.autograd.grad(logits.sum(), leaves)):
        assert bool(t.isfinite().all())


def test_a_product_adds_its_factors():
    H, S, E = ne.Lorentz(2), ne.Sphere(2), ne.Euclidean(3)
    P = ne.Product(H, ne.Product(S, E))
    x, v, gains = P.random(5), torch.randn(4, 7), torch.rand(4, 3)
    expected = sum(
        busemann_logits(factor, part, u, g)
        for factor, part, u, g in zip(
            (H, S, E), x.split([3, 3, 3], -1), v.split([2, 2, 3], -1), gains.T, strict=True
        )
    )
    torch.testing.assert_close(busemann_logits(P, x, v, gains), expected)
    with pytest.raises(ValueError, match=r"gains of shape \(4, 3\)"):
        busemann_logits(P, x, v, gains[:, 0])
    with pytest.raises(ValueError, match=r"directions of shape \(classes, 7\)"):
        busemann_logits(P, x, v[:, 1:], gains)


def test_the_busemann_function_of_a_product_has_its_direction_as_gains():
    P = ne.manifold("H2 x S3 x K2(-0.5) x E1")
    x, v = P.random(5, dtype=torch.float64), torch.randn(4, 8, dtype=torch.float64)
    lengths = torch.stack([part.norm(dim=-1) for part in v.split(P.dims, -1)], -1)
    gains = lengths / v.norm(dim=-1, keepdim=True)
    own = P.busemann(x[:, None], P.from_frame(v))
    torch.testing.assert_close(busemann_logits(P, x, v, gains), -own)


def test_what_is_kept_for_backward(monkeypatch):
    """In torch the arguments, no table of (rows, classes)."""
    monkeypatch.setattr(_surface_logits, "SMALLEST", NEVER)
    B = ne.PoincareBall(8)
    x, v = B.random(100).requires_grad_(), torch.randn(5, 8, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        busemann_logits(B, x, v, torch.ones(5))
    rest = [t for t in kept if t.shape[:1] == (100,) and t.data_ptr() != x.data_ptr()]
    assert not rest
