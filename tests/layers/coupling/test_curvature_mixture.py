"""CurvatureMixture: routing, balance, noise, curvatures that learn, what it refuses."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import CurvatureMixture, Linear


def mixture(**options: object) -> CurvatureMixture:
    return CurvatureMixture(ne.Lorentz(4), ne.Lorentz(3), (-1.0, -0.3, 0.3, 1.0), **options)


def test_routing() -> None:
    """Each point has k weights that sum to 1; the load sums to 1."""
    layer, x = mixture(top_k=3), ne.Lorentz(4).random(50)
    weights = layer.router(ne.Lorentz(4).logmap0(x)[:, 1:])
    assert ((weights > 0).sum(-1) == 3).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(50))
    torch.testing.assert_close(layer.load(x).sum(), torch.tensor(1.0))


def test_balance_loss() -> None:
    """1 where all experts get the same, E where one gets all; padding does not count."""
    layer, x = mixture(), ne.Lorentz(4).random(3, 7)
    with torch.no_grad():
        layer.router.weight.zero_(), layer.router.bias.zero_()
    torch.testing.assert_close(layer.balance_loss(x), torch.tensor(1.0))
    with torch.no_grad():
        layer.router.bias.copy_(torch.tensor([40.0, 39.9, 0.0, 0.0]))
    torch.testing.assert_close(layer.balance_loss(x), torch.tensor(2.0), atol=1e-5, rtol=0)
    layer.reset_parameters()
    mask = torch.rand(3, 7) < 0.6
    expected = layer.balance_loss(x[mask])
    x[~mask] = float("nan")
    found = layer.balance_loss(x, mask)
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found, layer.router.weight)
    assert torch.isfinite(gradient).all()
    assert gradient.any()
    assert layer.balance_loss(x, torch.zeros_like(mask)) == 0
    with pytest.raises(ValueError, match=r"bool tensor of shape \(3, 7\)"):
        layer.balance_loss(x, mask[0])


def test_balance_loss_is_of_use() -> None:
    """A few steps on it alone even out the load, and so does `rebalance` without a gradient."""
    x = ne.Lorentz(4).random(256)
    for steps in ("loss", "offset"):
        layer = mixture()
        with torch.no_grad():
            layer.router.bias.copy_(torch.tensor([1.0, 0.5, -0.5, -1.0]))
        start = layer.load(x).std()
        weights = layer.router.weight.clone()
        optimizer = torch.optim.SGD(layer.router.parameters(), lr=1.0)
        for _ in range(60):
            if steps == "loss":
                optimizer.zero_grad()
                layer.balance_loss(x).backward()
                optimizer.step()
            else:
                layer.rebalance(x, rate=0.03)
        assert layer.load(x).std() < 0.3 * start
        assert layer.router.weight.equal(weights) == (steps == "offset")


def test_an_offset_chooses_and_does_not_weigh() -> None:
    """Moving all offsets together, or of experts that stay chosen, changes no output."""
    layer, x = mixture(top_k=4), ne.Lorentz(4).random(9)
    y = layer(x)
    layer.router.offset.copy_(torch.tensor([5.0, -3.0, 0.0, 1.0]))
    assert layer(x).equal(y)
    assert "router.offset" in layer.state_dict()


def test_noise_in_training_only() -> None:
    """Evaluation is deterministic; training draws."""
    layer, x = mixture(noise=1.0), ne.Lorentz(4).random(9)
    assert not layer(x).equal(layer(x))
    layer.eval()
    assert layer(x).equal(layer(x))


def test_curvatures_learn_from_the_first_step() -> None:
    """Each chosen expert's K has a gradient when the layer is fresh, K = 0 included."""
    layer = CurvatureMixture(ne.Lorentz(4), ne.Euclidean(3), top_k=3)
    layer(ne.Lorentz(4).random(20)).square().sum().backward()
    curvatures = {n: p for n, p in layer.named_parameters() if n.endswith("curvature.raw")}
    assert len(curvatures) == 3
    assert all(p.grad.abs() > 0 for p in curvatures.values())


def test_a_sign_changes_while_it_learns() -> None:
    """A teacher on a sphere moves an expert that starts hyperbolic through 0."""
    plane = ne.Euclidean(2)
    teacher = CurvatureMixture(plane, plane, (1.0, 1.0), width=8).requires_grad_(False)
    pupil = CurvatureMixture(plane, plane, (-0.3, -0.3), width=8)
    state = {k: v for k, v in teacher.state_dict().items() if not k.endswith("curvature.raw")}
    pupil.load_state_dict(state, strict=False)
    x = 0.4 * torch.randn(256, 2)
    y = teacher(x)
    raw = [p for n, p in pupil.named_parameters() if n.endswith("curvature.raw")]
    optimizer = torch.optim.Adam(raw, lr=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        (pupil(x) - y).square().mean().backward()
        optimizer.step()
    assert all(p > 0.1 for p in raw)


def test_radius_at_the_start() -> None:
    """Outputs of fresh mixtures stay within a factor of ten of min(1, |K|^-1/2)."""
    for signature in ("H16", "S16", "K16(0)", "H8 x E8"):
        space = ne.manifold(signature)
        c = torch.randn(128, 16) / 4
        for mean in ("tangent", "midpoint"):
            layer = CurvatureMixture(space, space, mean=mean, shared=True)
            radius = space.dist0(layer(space.expmap0(space.from_frame(c)))).mean().item()
            assert 0.1 < radius < 10


def test_refusals() -> None:
    """Wrong arguments are named."""
    H = ne.Lorentz(4)
    with pytest.raises(ValueError, match="at least two experts, got 1"):
        CurvatureMixture(H, H, [0.0])
    for top_k in (1, 4):
        with pytest.raises(ValueError, match=r"top_k must be in \[2, 3\]"):
            CurvatureMixture(H, H, top_k=top_k)
    with pytest.raises(ValueError, match="a layer from"):
        CurvatureMixture(H, H, [0.0, Linear(H, ne.Lorentz(3))])
    with pytest.raises(ValueError, match="mean must be"):
        CurvatureMixture(H, H, mean="sum")
    with pytest.raises(ValueError, match="noise must be at least 0"):
        CurvatureMixture(H, H, noise=-1.0)
    with pytest.raises(ValueError, match="width must be at least 1"):
        CurvatureMixture(H, H, width=0)
    with pytest.raises(TypeError, match="curvature must be a number"):
        CurvatureMixture(H, H, ["H", "S"])
