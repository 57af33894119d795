"""Hyperplane logits: against 100 digits, across models, both forms of the formula, edge cases."""

import pytest
import torch

import noneuclid as ne
from noneuclid.functional import _signed_distance, hyperplane_logits
from noneuclid.testing.oracle import Truth

SIGNATURES = ["H3(-0.7)", "B3(-0.5)", "K3(-0.5)", "K3(0)", "K3(0.6)", "P3(0.7)", "S3(1.3)", "E3"]


def sample(signature: str, dtype=torch.float64, classes: int = 4):
    manifold = ne.manifold(signature).to(dtype)
    x = manifold.random(6, dtype=dtype)
    return manifold, x, torch.randn(classes, 3, dtype=dtype), 0.4 * torch.randn(classes).to(dtype)


def truth(manifold, x, normal, offset):
    """Return |z| d by the ambient definition, with the plane's normal carried along z."""
    T = Truth(manifold)
    z = [T.mp.mpf(float(a)) for a in normal]
    length = T.mp.sqrt(sum(a * a for a in z))
    unit = [T.mp.mpf(0), *(a / length for a in z)]
    along = T.mp.mpf(float(offset)) * T.rate
    pole = [T.mp.mpf(1 if T.sign else 0), *[T.mp.mpf(0)] * len(z)]
    point = T._shoot(pole, [along * a for a in unit])
    side = T._carry(pole, point, unit)
    ambient = T.lift(x)
    if T.sign == 0:
        return length * T.form([a - b for a, b in zip(ambient, point, strict=True)], side)
    inverse = T.mp.asinh if T.sign < 0 else T.mp.asin
    return length * inverse(T.form(ambient, side)) / T.rate


@pytest.mark.parametrize("signature", SIGNATURES)
def test_is_the_signed_distance(signature, dtype):
    """|z| times the distance to the plane, by the definition in 100 digits."""
    manifold, x, normals, offsets = sample(signature, dtype)
    logits = hyperplane_logits(manifold, x, normals, offsets)
    for row, point in zip(logits.tolist(), x, strict=True):
        for value, normal, offset in zip(row, normals, offsets, strict=True):
            exact = float(truth(manifold, point, normal, offset))
            scale = max(abs(exact), float(normal.norm()))
            assert abs(value - exact) <= 4 * torch.finfo(dtype).eps * scale


@pytest.mark.parametrize("radius", [1.0, 5.0, 10.0, 15.0])
@pytest.mark.parametrize("signature", ["B3", "H3"])
def test_far_points_in_float32(signature, radius):
    """Four units in the last place out to radius 15."""
    manifold = ne.manifold(signature)
    direction = torch.randn(8, 3)
    x = manifold.expmap0(manifold.from_frame(radius * direction / direction.norm(dim=-1)[:, None]))
    normals, offsets = torch.randn(3, 3), torch.tensor([0.0, 1.0, -2.0])
    logits = hyperplane_logits(manifold, x, normals, offsets)
    for row, point in zip(logits.tolist(), x, strict=True):
        for value, normal, offset in zip(row, normals, offsets, strict=True):
            exact = float(truth(manifold, point, normal, offset))
            scale = max(abs(exact), float(normal.norm()))
            assert abs(value - exact) <= 4 * torch.finfo(torch.float32).eps * scale


@pytest.mark.parametrize(
    "signature", [s + "*" for s in SIGNATURES if "E" not in s and "S" not in s]
)
def test_both_forms_agree(signature, monkeypatch):
    """The kernel and the plain formula: values, and gradients by x, z, r and K."""
    manifold, x, normals, offsets = sample(signature)
    leaves = [t.requires_grad_() for t in (x.detach(), normals, offsets)]
    weights = torch.randn(6, 4, dtype=torch.float64)

    def both():
        logits = hyperplane_logits(manifold, *leaves)
        return logits, *torch.autograd.grad(logits, [*leaves, manifold.curvature.raw], weights)

    fused = both()
    monkeypatch.setattr(_signed_distance, "is_transformed", lambda: True)
    for a, b in zip(fused, both(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_derivatives(signature):
    """First and second order, reverse and forward, by points, normals and offsets."""
    manifold, x, normals, offsets = sample(signature)
    leaves = [t.requires_grad_() for t in (x.detach()[:2], normals[:2], offsets[:2])]

    def logits(x, normals, offsets):
        return hyperplane_logits(manifold, manifold.projx(x), normals, offsets)

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


@pytest.mark.parametrize("signature", ["K3(-0.5)", "K3(0)", "K3(0.6)", "H3", "S3"])
def test_derivative_by_curvature(signature):
    manifold, x, normals, offsets = sample(signature)
    K = manifold.curvature().detach().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda K: hyperplane_logits(manifold.at(K), x, normals, offsets), K
    )


@pytest.mark.parametrize("signature", SIGNATURES)
def test_finite_where_a_formula_could_fail(signature, dtype):
    """z = 0 gives the logit 0; at the origin with r = 0 the derivative by x is still z's."""
    manifold, _, normals, offsets = sample(signature, dtype)
    normals[0] = 0
    offsets[1] = 0
    x = manifold.origin(2, dtype=dtype)
    x[1] = manifold.projx(x[1] + 3e4)
    leaves = [t.requires_grad_() for t in (x, normals, offsets)]
    logits = hyperplane_logits(manifold, *leaves)
    assert bool((logits[:, 0] == 0).all())
    for t in (logits, *torch.autograd.grad(logits.sum(), leaves, retain_graph=True)):
        assert bool(t.isfinite().all())
    slope = manifold.egrad2rgrad(x, torch.autograd.grad(logits[0, 1], x)[0])[0]
    expected = manifold.from_frame(normals)[1]
    torch.testing.assert_close(slope, expected)


def test_a_product_adds_its_factors():
    H, S, E = ne.Lorentz(2), ne.Sphere(2), ne.Euclidean(3)
    P = ne.Product(H, ne.Product(S, E))
    x, normals, offsets = P.random(5), torch.randn(4, 7), torch.randn(4, 3)
    expected = sum(
        hyperplane_logits(factor, part, z, r)
        for factor, part, z, r in zip(
            (H, S, E), x.split([3, 3, 3], -1), normals.split([2, 2, 3], -1), offsets.T, strict=True
        )
    )
    torch.testing.assert_close(hyperplane_logits(P, x, normals, offsets), expected)
    with pytest.raises(ValueError, match=r"offsets of shape \(4, 3\)"):
        hyperplane_logits(P, x, normals, offsets[:, 0])


def test_what_is_kept_for_backward():
    """Beyond inputs and outputs: one (rows, classes) tensor and single numbers per row."""
    B = ne.PoincareBall(8)
    x, normals = B.random(100).requires_grad_(), torch.randn(5, 8, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        logits = hyperplane_logits(B, x, normals, torch.zeros(5))
    rest = [t for t in kept if t.shape[:1] == (100,) and t.shape[1] > 1]
    rest = [t for t in rest if t.data_ptr() not in (x.data_ptr(), logits.data_ptr())]
    assert [tuple(t.shape) for t in rest] == [(100, 5)]


@pytest.mark.slow
@pytest.mark.parametrize("signature", ["H3", "B3", "K3(0)*", "S3"])
def test_compiles(signature):
    manifold, x, normals, offsets = sample(signature, torch.float32)
    compiled = torch.compile(lambda *t: hyperplane_logits(manifold, *t), fullgraph=True)
    leaves = [t.requires_grad_() for t in (x.detach(), normals, offsets)]
    results = []
    for function in (compiled, lambda *t: hyperplane_logits(manifold, *t)):
        logits = function(*leaves)
        results.append((logits, *torch.autograd.grad(logits.square().sum(), leaves)))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
