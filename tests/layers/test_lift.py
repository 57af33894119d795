"""Lift and Drop: where features land, and the snippet of the guide."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import Activation, Chain, Drop, Lift, Linear, TangentLayerNorm


@pytest.mark.parametrize(
    "signature", ["E8", "H16", "H8(-9)", "B4(-0.25)", "S3", "P6(4)", "K5(0)", "H8 x S4(16) x E2"]
)
def test_features_land_at_one_curvature_radius(signature: str) -> None:
    """Standardised features start at rms radius min(1, |K|^-1/2) on every factor."""
    space = ne.manifold(signature)
    x = Lift(7, space)(torch.randn(4096, 7))
    factors = getattr(space, "factors", [space])
    parts = space.split(x) if len(factors) > 1 else [x]
    for factor, part in zip(factors, parts, strict=True):
        size = abs(float(factor.curvature)) if hasattr(factor, "curvature") else 0.0
        expected = min(1.0, size**-0.5 if size else 1.0)
        assert factor.dist0(part).square().mean().sqrt().item() == pytest.approx(expected, rel=0.1)


def test_the_guide() -> None:
    """Layers stack in torch.nn.Sequential, one learnable curvature shared by all of them."""
    H = ne.Lorentz(16, learnable=True)
    net = torch.nn.Sequential(
        Lift(7, H), Linear(H, H.like(8)), Activation(H.like(8), torch.relu), Drop(H.like(8), 2)
    )
    x = torch.randn(5, 7)
    y = net(x)
    assert y.shape == (5, 2)
    y.square().sum().backward()
    assert H.curvature.raw.grad.abs() > 0
    assert sum(p is H.curvature.raw for p in net.parameters()) == 1
    torch.testing.assert_close(Chain(*net)(x), y)


def test_chain_wants_one_space() -> None:
    """Neighbours in a chain live on one manifold, and share a curvature that learns."""
    H = ne.Lorentz(4, learnable=True)
    with pytest.raises(ValueError, match=r"layer 0 ends on .* share a learnable curvature"):
        Chain(Lift(7, H), Drop(ne.Lorentz(4, learnable=True), 2))
    with pytest.raises(ValueError, match="at least one layer"):
        Chain()
    with pytest.raises(TypeError, match="needs layers"):
        Chain(torch.nn.Linear(2, 2))


def test_errors() -> None:
    """Wrong arguments are named."""
    with pytest.raises(TypeError, match="needs a manifold with an origin"):
        Lift(7, 16)
    with pytest.raises(ValueError, match=r"shape \(\*, 7\), got \(3, 6\)"):
        Lift(7, ne.Lorentz(3))(torch.zeros(3, 6))
    with pytest.raises(TypeError, match="floating-point"):
        Lift(7, ne.Lorentz(3))(torch.zeros(3, 7, dtype=torch.int64))


def test_no_bias() -> None:
    """Without a bias the origin stays where it is."""
    S = ne.Sphere(3)
    assert Lift(4, S, bias=False)(torch.zeros(2, 4)).equal(S.origin(2))
    assert Drop(S, 2, bias=False)(S.origin(2)).equal(torch.zeros(2, 2))
    assert set(Drop(S, 2, bias=False).flat_parameters()) == {"weight"}


def test_nested_products_start_like_flat_ones() -> None:
    """Every factor gets its own scale and radius, however deep it lies in products."""
    sphere = ne.Sphere(4, 100.0)
    nested = ne.Product(ne.Product(ne.Product(sphere), ne.Lorentz(3, -4.0)), ne.Euclidean(2))
    flat = ne.Product(sphere, ne.Lorentz(3, -4.0), ne.Euclidean(2))
    radii = torch.tensor([0.1] * 4 + [0.5] * 3 + [1.0] * 2)
    dims = torch.tensor([4.0] * 4 + [3.0] * 3 + [2.0] * 2)
    torch.testing.assert_close(TangentLayerNorm(nested).weight, radii / dims.sqrt())
    one, two = Lift(7, nested), Lift(7, flat)
    assert one.log_scale.equal(two.log_scale)
    two.load_state_dict(one.state_dict(), strict=False)  # curvatures have other names, like values
    x = torch.randn(20, 7)
    torch.testing.assert_close(one(x), two(x))
    assert [tuple(p.weight.shape) for p in Linear(nested, flat).parts] == [(4, 4), (3, 3), (2, 2)]
