"""Residual connections: what `check_layer` does not see."""

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.layers import (
    Chain,
    Drop,
    Linear,
    MultiheadAttention,
    Residual,
    ResidualSum,
    TangentMean,
)
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.testing.law import finite

KINDS = ("mobius", "midpoint", "lorentz")
SIGNATURES = ("H3(-0.7)", "B3(-1.3)", "S3(0.8)", "K3(-0.6)", "K3(0.9)", "H2 x S2 x E1")


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("kind", ["midpoint", "lorentz"])
def test_equal_weights_do_not_care_which_is_first(signature: str, kind: str) -> None:
    """With s = 1 the midpoint, and what is made of it, is symmetric."""
    m = ne.manifold(signature)
    x, y = m.random(2, 5, dtype=torch.float64)
    layer = ResidualSum(m, kind).double()
    torch.testing.assert_close(layer(x, y), layer(y, x))


@pytest.mark.parametrize("signature", SIGNATURES)
def test_midpoint_commutes_with_motions(signature: str, generator: torch.Generator) -> None:
    """f(g x, g y) = g f(x, y) for every motion of the space, not only about the origin."""
    m = ne.manifold(signature)
    x, y = m.random(2, 5, dtype=torch.float64)
    layer = ResidualSum(m, "midpoint", gain=0.3).double()
    move = m.random_isometry(generator)
    torch.testing.assert_close(layer(move(x), move(y)), move(layer(x, y)))


def test_midpoint_weights_have_the_right_denominator() -> None:
    """Weights 1 and 0.2 on nearby points of the ball give a point between them, not at the rim."""
    B = ne.PoincareBall(2)
    x, y = B.projx(torch.tensor([[0.31, 0.0], [0.0, 0.31]], dtype=torch.float64))
    middle = ResidualSum(B, "midpoint", gain=0.2).double()(x, y).detach()
    expected = B.midpoint(torch.stack([x, y]), torch.tensor([1.0, 0.2]))
    torch.testing.assert_close(middle, expected)
    assert float(B.dist(x, middle)) < float(B.dist(x, y))


def test_far_points_keep_their_midpoint_in_float32() -> None:
    """At radius 7, where cosh d by the law of cosines has lost all digits, 5 are left."""
    H = ne.Lorentz(3)
    layer = ResidualSum(H, "midpoint", gain=0.7)
    c, step = torch.randn(50, 3), 0.1 * torch.randn(50, 3)
    c = 7 * c / c.square().sum(-1, keepdim=True).sqrt()
    exact = layer.double().tangent(c.double(), (c + step).double())
    torch.testing.assert_close(
        layer.float().tangent(c, c + step).double(), exact, rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("kind", KINDS)
def test_special_points_have_derivatives(signature: str, kind: str) -> None:
    """The origin, one point twice and (nearly) opposite points give finite values and gradients."""
    m = ne.manifold(signature)
    layer = ResidualSum(m, kind).double()
    c = 0.5 * torch.randn(4, m.dim, dtype=torch.float64)
    for a, b in ((0 * c, 0 * c), (0 * c, c), (c, 0 * c), (c, c), (c, -c), (20 * c, -20 * c)):
        leaves = [t.clone().requires_grad_() for t in (a, b)]
        y = layer.tangent(*leaves)
        finite(y, "the output")
        for gradient in torch.autograd.grad(y.sum(), [*leaves, *layer.parameters()]):
            finite(gradient, "a gradient")


@pytest.mark.parametrize("signature", ["H3(-0.7)", "S3(0.8)", "K3(-0.6)"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_the_derivatives(signature: str, kind: str) -> None:
    """Against finite differences, near the origin and on either side of radius 1."""
    layer = ResidualSum(ne.manifold(signature), kind, gain=0.4).double()
    for scale in (1e-3, 0.7, 1.5):
        c, d = scale * torch.randn(2, 3, 3, dtype=torch.float64)
        leaves = (c.requires_grad_(), d.requires_grad_())
        assert torch.autograd.gradcheck(layer.tangent, leaves)


def test_a_fixed_sum_has_no_parameters() -> None:
    """`learnable=False` keeps s and a in the state dict, as buffers."""
    layer = ResidualSum(ne.Lorentz(3), "lorentz", gain=0.5, learnable=False)
    assert not list(layer.parameters())
    torch.testing.assert_close(layer.flat_parameters()["weight"], torch.tensor([0.5]))
    torch.testing.assert_close(layer.flat_parameters()["scale"], torch.tensor([1.5]))
    assert set(layer.state_dict()) == {"log_weight", "log_scale"}


def test_a_layer_on_points_may_be_wrapped() -> None:
    """A `Chain` within a `Chain` is the same map, in normal coordinates or not."""
    H = ne.Lorentz(4, learnable=True)
    steps = Linear(H, H), Linear(H, H)
    wrapped = Chain(Residual(Chain(*steps)), Drop(H, 2))
    x = H.random(5)
    y = ResidualSum(H)(x, nn.Sequential(*steps)(x))
    torch.testing.assert_close(wrapped(x), wrapped.layers[1](y), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_inside_gets_the_mask(kind: str) -> None:
    """x (+) f(x) with f of the points that are there alone, whatever stands elsewhere."""
    H = ne.Lorentz(4)
    attention = MultiheadAttention(H, 2)
    layer = Residual(attention, kind)
    x, mask = H.random(2, 5), torch.tensor([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]]).bool()
    expected = layer.sum(x, attention(x, mask=mask))
    found = layer(torch.where(mask[..., None], x, float("nan")), mask)
    torch.testing.assert_close(found[mask], expected[mask])
    assert not torch.allclose(found[mask], layer(x)[mask])


def test_what_cannot_be_added_is_refused() -> None:
    """Messages say what is needed."""
    H = ne.Lorentz(3)
    with pytest.raises(ValueError, match="ends where it starts"):
        Residual(Linear(H, H.like(4)))
    with pytest.raises(ValueError, match="ends where it starts"):
        Residual(TangentMean(H))
    with pytest.raises(ValueError, match="one of mobius, midpoint, lorentz"):
        Residual(Linear(H, H), "sum")
    with pytest.raises(ValueError, match="gain must be positive"):
        Residual(Linear(H, H), gain=0.0)
    with pytest.raises(TypeError, match="needs a layer"):
        Residual(nn.Linear(3, 3))
    assert to_normal(H, from_normal(H, torch.zeros(3))).shape == (3,)
