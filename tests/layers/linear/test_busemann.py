"""What the laws of layers do not say of the Busemann linear layer."""

import pytest
import torch

import noneuclid as ne
from noneuclid.functional import busemann_logits
from noneuclid.layers import BusemannLinear


@pytest.mark.parametrize("signature", ["H16(-0.5)", "B16(-4)", "S16(0.5)", "K16(0)", "E16"])
def test_a_fresh_layer_keeps_the_radius(signature):
    """Points at radius min(1, |K|^-1/2) stay near it, in wide and narrow outputs."""
    manifold = ne.manifold(signature)
    K = float(getattr(manifold, "curvature", 0.0))
    radius = min(1.0, abs(K) ** -0.5) if K else 1.0
    c = torch.randn(200, 16)
    x = manifold.expmap0(manifold.from_frame(radius * c / c.norm(dim=-1, keepdim=True)))
    for dim in (8, 16, 32):
        y = BusemannLinear(manifold, manifold.like(dim))(x).detach()
        rms = float(manifold.like(dim).dist0(y).square().mean().sqrt())
        assert 0.4 * radius < rms < 1.6 * radius


def test_responses_are_distances_from_coordinate_hyperplanes():
    """phi(v_k) is the signed distance of y from the k-th hyperplane through the origin."""
    ball, out = ne.PoincareBall(3, -0.7), ne.PoincareBall(4, -1.3)
    layer = BusemannLinear(ball, out, activation=torch.tanh, dtype=torch.float64)
    x = ball.random(5, dtype=torch.float64)
    v = busemann_logits(ball, x, layer.direction, layer.log_gain.exp()) + layer.bias
    y, o = layer(x), out.origin(dtype=torch.float64)
    normals = out.from_frame(torch.eye(4, dtype=torch.float64))
    found = out.dist2plane(y[:, None], o, normals, signed=True)
    torch.testing.assert_close(found, torch.tanh(v))


def test_without_bias_the_origin_stays():
    layer = BusemannLinear(ne.Lorentz(3), ne.Lorentz(5), bias=False)
    assert layer.bias is None
    assert set(layer.flat_parameters()) == {"weight"}
    torch.testing.assert_close(layer(ne.Lorentz(3).origin()), ne.Lorentz(5).origin())


@pytest.mark.parametrize("out", ["H4", "B4", "K4(-1)"])
def test_huge_responses_are_bounded(out, dtype):
    """Far points and large gains: finite points and gradients."""
    manifold = ne.manifold("H3").to(dtype)
    layer = BusemannLinear(manifold, ne.manifold(out)).to(dtype)
    with torch.no_grad():
        layer.log_gain.fill_(8.0)
    x = manifold.projx(1e6 * torch.randn(5, 4, dtype=dtype)).requires_grad_()
    y = layer(x)
    for t in (y, *torch.autograd.grad(y.sum(), [x, *layer.parameters()])):
        assert bool(t.isfinite().all())


def test_what_is_refused():
    with pytest.raises(TypeError, match="manifold with an origin"):
        BusemannLinear(3, ne.Lorentz(3))
