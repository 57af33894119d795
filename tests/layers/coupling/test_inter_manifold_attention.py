"""InterManifoldAttention: where points go, nested products, radius through depth."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import Chain, InterManifoldAttention


def test_points_move_along_geodesics() -> None:
    """Each part ends between itself and the common point, by less than half the way."""
    space = ne.manifold("H3(-0.7) x S3 x K3(-2) x E3").double()
    layer = InterManifoldAttention(space).double()
    x = space.random(20, dtype=torch.float64)
    y = layer(x)
    c = space.to_frame(space.logmap0(x))
    mu = layer.common(c)
    shares = []
    for linear, factor, a, b in zip(
        layer.linears, space.factors, space.split(x), space.split(y), strict=True
    ):
        inner = linear.manifold_in
        target = linear(inner.expmap0(inner.from_frame(mu)))
        first, second = factor.dist(a, b), factor.dist(b, target)
        torch.testing.assert_close(first + second, factor.dist(a, target))
        shares.append(first / (first + second))
    assert (torch.stack(shares) < 0.5 + 1e-9).all()


def test_gate() -> None:
    """Weights of the factors sum to 1; without the gate they are equal."""
    space = ne.manifold("H3 x E3")
    c = torch.randn(5, 6)
    weights = InterManifoldAttention(space).gate_weights(c)
    torch.testing.assert_close(weights.sum(-1), torch.ones(5))
    assert weights.std() > 0
    layer = InterManifoldAttention(space, gate=False)
    assert (layer.gate_weights(c) == 0.5).all()
    torch.testing.assert_close(layer.common(c), (c[:, :3] + c[:, 3:]) / 2)
    assert not len(layer.weights)  # of one dimension: they enter as they are
    assert [w.shape for w in InterManifoldAttention(ne.manifold("H3 x E2")).weights] == [(3, 2)]


def test_nested_products_are_flat_ones() -> None:
    """The factors of nested products count one by one."""
    H, S, E = ne.Lorentz(3, -4.0), ne.Sphere(2), ne.Euclidean(3)
    nested = InterManifoldAttention(ne.Product(ne.Product(H, S), E))
    flat = InterManifoldAttention(ne.Product(H, S, E))
    flat.load_state_dict(nested.state_dict(), strict=False)
    x = ne.Product(H, S, E).random(6)
    torch.testing.assert_close(nested(x), flat(x))


@pytest.mark.parametrize("signature", ["H16 x E16", "H8(-25) x S8 x K8(0)", "S12(16) x B4"])
def test_radius_through_depth(signature: str) -> None:
    """24 of them keep every factor's radius within a factor of ten of min(1, |K|^-1/2)."""
    space = ne.manifold(signature)
    sizes = [abs(float(getattr(factor, "curvature", 0.0))) for factor in space.factors]
    radii = [max(1.0, size) ** -0.5 for size in sizes]
    c = torch.cat(
        [
            r * torch.randn(64, f.dim) / f.dim**0.5
            for r, f in zip(radii, space.factors, strict=True)
        ],
        dim=-1,
    )
    x = space.expmap0(space.from_frame(c))
    y = Chain(*(InterManifoldAttention(space) for _ in range(24)))(x)
    for factor, part, radius in zip(space.factors, space.split(y), radii, strict=True):
        assert 0.1 < factor.dist0(part).mean().item() / radius < 10


def test_refusals() -> None:
    """Wrong arguments are named."""
    with pytest.raises(TypeError, match="needs a Product, got Lorentz"):
        InterManifoldAttention(ne.Lorentz(3))
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        InterManifoldAttention(ne.manifold("H3 x E2"), 0)
