"""The Moebius linear map: against its definition, across models, through depth."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import Activation, Chain, Linear, TangentLayerNorm


def randomised(layer: Linear) -> Linear:
    with torch.no_grad():
        space = layer.manifold_out
        shift = torch.randn(space.dim, dtype=layer.bias.dtype) * 0.4
        layer.bias.copy_(space.expmap0(space.from_frame(shift)))
    return layer


@pytest.mark.parametrize("signature", ["B5(-0.7)", "P5(0.8)", "K5(-0.5)", "K5(0)", "K5(0.6)*"])
def test_moebius_matvec_and_add(signature: str, generator: torch.Generator) -> None:
    """On the stereographic models it is (W (x) x) (+) b."""
    space = ne.manifold(signature).double()
    layer = randomised(Linear(space, space.like(3)).double())
    x = space.random(20, generator=generator, dtype=torch.float64)
    moved = space.mobius_matvec(layer.weights[0], x)
    expected = space.like(3).mobius_add(moved, layer.bias)
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize(("first", "second"), [("H5(-0.7)", "B5(-0.7)"), ("S5(2)", "P5(2)")])
def test_the_model_does_not_matter(first: str, second: str, generator: torch.Generator) -> None:
    """The same weights are the same map on isometric models."""
    A, B = ne.manifold(first), ne.manifold(second)
    a, b = (randomised(Linear(m, m).double()) for m in (A, B))
    to_b = ne.isometry(A, B)
    with torch.no_grad():
        b.weights[0].copy_(a.weights[0])
        b.bias.copy_(to_b(a.bias))
    x = A.random(20, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(b(to_b(x)), to_b(a(x)), atol=1e-8, rtol=1e-8)


def test_a_far_bias_and_far_points_stay_right() -> None:
    """The closed form keeps its digits where exp and log by themselves do, at radius 8."""
    H = ne.Lorentz(3)
    layer = Linear(H, H).double()
    direction = torch.tensor([[0.6, 0.8, 0.0], [-0.6, -0.8, 0.0]], dtype=torch.float64)
    with torch.no_grad():
        layer.weights[0].copy_(torch.eye(3))
        layer.bias.copy_(H.expmap0(H.from_frame(3 * direction[0])))
    x = H.expmap0(H.from_frame(8 * direction))
    # along one geodesic distances add and subtract
    torch.testing.assert_close(H.dist0(layer(x)), torch.tensor([11.0, 5.0], dtype=torch.float64))


def test_mixing() -> None:
    """By default factor i goes to factor i; with mixing every coordinate reaches every other."""
    P, Q = ne.manifold("H3 x S2"), ne.manifold("E4 x B2")
    apart, mixed = Linear(P, Q), Linear(P, Q, mixing=True)
    assert [tuple(w.shape) for w in apart.weights] == [(4, 3), (2, 2)]
    assert [tuple(w.shape) for w in mixed.weights] == [(6, 5)]
    x = P.random(1).requires_grad_()
    (gradient,) = torch.autograd.grad(Q.split(apart(x))[0].sum(), x)
    assert not P.split(gradient)[1].any()
    (gradient,) = torch.autograd.grad(Q.split(mixed(x))[0].sum(), x)
    assert P.split(gradient)[1].any()
    assert Linear(P, ne.Lorentz(3)).mixing
    with pytest.raises(ValueError, match="equally many factors, got 2 and 1"):
        Linear(P, ne.Lorentz(3), mixing=False)


@pytest.mark.parametrize("letter", "HBSPKE")
def test_radius_through_depth(letter: str) -> None:
    """24 Linear and ReLU layers of width 32 keep the radius within a factor of ten."""
    space = ne.manifold(f"{letter}32")
    steps = [
        step for _ in range(24) for step in (Linear(space, space), Activation(space, torch.relu))
    ]
    c = torch.randn(256, 32) / 32**0.5
    radius = space.dist0(Chain(*steps)(space.expmap0(space.from_frame(c))))
    assert 0.1 < radius.mean().item() < 10


def test_norm_restores_the_radius() -> None:
    """However narrow the stack, TangentLayerNorm puts every point at one curvature radius."""
    space = ne.manifold("H6(-4) x S4")
    steps = []
    for _ in range(24):
        steps += [Linear(space, space), Activation(space, torch.tanh), TangentLayerNorm(space)]
    x = Chain(*steps)(space.random(64))
    for factor, part, size in zip(space.factors, space.split(x), (0.5, 1.0), strict=True):
        torch.testing.assert_close(factor.dist0(part), torch.full((64,), size), rtol=0.05, atol=0.0)


def test_fresh_bias_is_the_origin_and_marked() -> None:
    """A fresh bias is the origin, marked with its manifold, and `reset_parameters` restores it."""
    H = ne.Lorentz(3)
    layer = randomised(Linear(H, H))
    assert ne.manifold_of(layer.bias).same_as(H)
    layer.reset_parameters()
    assert layer.bias.equal(H.origin())
    assert Linear(H, H, bias=False).bias is None
    assert "mixing=True" in repr(layer)
