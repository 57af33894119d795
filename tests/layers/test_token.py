"""Class tokens: learned points in front of sequences, and the mask that goes with them."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import Chain, ClassToken, Linear, MidpointPool


def test_tokens_stand_in_front() -> None:
    """The same for every sequence, whatever its batch axes; points are passed on bit for bit."""
    P = ne.manifold("H3 x S2")
    layer = ClassToken(P, 2)
    x = P.random(2, 3, 4)
    y = layer(x)
    assert y.shape == (2, 3, 6, 7)
    assert y[..., 2:, :].equal(x)
    assert (y[..., :2, :] == layer.tokens).all()
    assert layer(P.random(0, 4)).shape == (0, 6, 7)
    assert layer(P.random(2, 0)).equal(layer.tokens.expand(2, 2, 7))


def test_the_mask_of_the_longer_sequence() -> None:
    """Tokens are always there, so that a set without points still has something to gather."""
    H = ne.Lorentz(3)
    layer, mask = ClassToken(H, 2), torch.tensor([[True, False], [False, False]])
    longer = layer.extend_mask(mask)
    assert longer.tolist() == [[True, True, True, False], [True, True, False, False]]
    assert longer.dtype == torch.bool
    x = torch.where(mask[..., None], H.random(2, 2), float("nan"))
    pooled = MidpointPool(H)(layer(x), mask=longer)
    torch.testing.assert_close(pooled[1], H.midpoint(layer.tokens))


def test_chain_takes_the_tangent_form() -> None:
    """Inside a chain tokens are put in front in coordinates, which is the same map."""
    P = ne.manifold("H3 x S2").double()
    steps = [ClassToken(P).double(), Linear(P, P).double()]
    x = P.random(2, 4, dtype=torch.float64)
    torch.testing.assert_close(Chain(*steps)(x), steps[1](steps[0](x)), rtol=1e-9, atol=1e-9)


def test_fresh_tokens() -> None:
    """Marked points near the origin, at a tenth of the radius of activations."""
    B = ne.PoincareBall(16, -4.0)
    layer = ClassToken(B, 300)
    assert ne.manifold_of(layer.tokens) is B
    radius = B.dist0(layer.tokens).square().mean().sqrt().item()
    assert radius == pytest.approx(0.05, rel=0.1)
    with pytest.raises(ValueError, match="at least one token, got count=0"):
        ClassToken(B, 0)
