"""Distances from hyperplanes against the truth, on both sides and at the pole of the plane."""

import math

import pytest
import torch

import noneuclid as ne
from noneuclid.testing.oracle import Truth

SIGNATURES = ["B3(-0.5)", "H3(-0.7)", "S3(1.3)", "P3(0.7)", "K3(-0.5)", "K3(0)", "K3(0.6)"]


def sample(signature, dtype, generator, count=8):
    M = ne.manifold(signature).to(dtype)
    x = M.random(count, generator=generator, dtype=dtype)
    p = M.random(count, generator=generator, dtype=dtype)
    return M, x, p, M.random_tangent(p, generator)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_is_the_distance(signature, dtype, generator):
    M, x, p, a = sample(signature, dtype, generator)
    truth = Truth(M)
    for value, *rows in zip(M.dist2plane(x, p, a), x, p, a, strict=True):
        true = abs(float(truth.dist2plane(*(truth.chart(row) for row in rows))))
        assert float(value) == pytest.approx(true, rel=16 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_along_the_normal(signature, generator):
    """exp_p(t a/|a|) is at signed distance t, on either side and to the pole of a great sphere."""
    M, _, p, a = sample(signature, torch.float64, generator)
    unit = a / M.norm(p, a)[:, None]
    K = float(M.curvature)
    reach = [0.5, 1.0] if K > 0 else [1.0, 5.0]
    lengths = [t * (math.pi / 2 / math.sqrt(K) if K > 0 else 1.0) for t in reach]
    for t in (1e-9, 0.3, *lengths):
        for sign in (1, -1):
            found = M.dist2plane(M.expmap(p, sign * t * unit), p, a, signed=True)
            expected = torch.full_like(found, sign * t)
            torch.testing.assert_close(found, expected, rtol=1e-7 if t > 1 else 1e-9, atol=3e-8)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_options_and_broadcasting(signature, generator):
    M, x, p, a = sample(signature, torch.float64, generator)
    table = M.dist2plane(x[:, None], p, a, signed=True)
    assert table.shape == (8, 8)
    for i in range(8):
        torch.testing.assert_close(table[:, i], M.dist2plane(x, p[i], a[i], signed=True))
    torch.testing.assert_close(M.dist2plane(x, p, a), table.diagonal().abs())
    torch.testing.assert_close(
        M.dist2plane(x, p, a, signed=True, scaled=True), table.diagonal() * M.norm(p, a)
    )
    assert (M.dist2plane(x, p, 0 * a) == 0).all()
    assert (M.dist2plane(p, p, a) == 0).all()


@pytest.mark.parametrize("signature", SIGNATURES)
def test_gradients(signature, generator):
    M, x, p, a = sample(signature, torch.float64, generator, count=2)

    def function(x, p, a):
        return M.dist2plane(M.projx(x), M.projx(p), a, signed=True)

    leaves = [t.clone().requires_grad_() for t in (x, p, a)]
    assert torch.autograd.gradcheck(function, leaves)
    assert torch.autograd.gradgradcheck(function, leaves)


@pytest.mark.parametrize("K", [1.0, 4.0])
@pytest.mark.parametrize("model", [ne.Sphere, ne.SphereProjection])
def test_near_the_pole_of_the_plane(model, K):
    """Within 1e-9 of pi/2 no digit is lost, where asin of a rounded sine has half of them."""
    M = model(2, K)
    p = M.origin(dtype=torch.float64)
    a = M.from_frame(torch.tensor([1.0, 0.0], dtype=torch.float64))
    t = (math.pi / 2 - 1e-9) / math.sqrt(K)
    found = float(M.dist2plane(M.expmap(p, t * a), p, a))
    assert math.pi / 2 - found * math.sqrt(K) == pytest.approx(1e-9, rel=1e-5)
