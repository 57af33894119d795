"""Dropout in training."""

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.layers import Chain, Dropout, Linear
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.layers._space import to_space

SIGNATURES = ("H6(-0.7)", "B6(-1.3)", "S6(0.8)", "K6(0)", "K6(-0.6)", "E6")


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("kind", ["tangent", "space"])
def test_coordinates_are_dropped_or_scaled(signature: str, kind: str) -> None:
    """Each is 0 or 1/(1-p) times what it was, and the share of zeros is p."""
    m = ne.manifold(signature)
    c = 0.3 * torch.randn(200, 6, dtype=torch.float64)
    read = to_space if kind == "space" else lambda _, c: c
    y = read(m, to_normal(m, Dropout(m, 0.25, kind)(from_normal(m, c))))
    zero = y.abs() < 1e-12
    assert 0.2 < float(zero.double().mean()) < 0.3
    torch.testing.assert_close(y[~zero], (read(m, c) / 0.75)[~zero])


@pytest.mark.parametrize("kind", ["tangent", "space"])
def test_on_flat_space_it_is_torchs(kind: str) -> None:
    """The same seed drops the same coordinates."""
    x = torch.randn(20, 6)
    results = []
    for layer in (Dropout(ne.Euclidean(6), 0.4, kind), nn.Dropout(0.4)):
        torch.manual_seed(1)
        results.append(layer(x))
    assert torch.equal(*results)


@pytest.mark.parametrize("kind", ["tangent", "space"])
def test_in_a_chain_it_drops_in_training_only(kind: str) -> None:
    """In evaluation it is not there."""
    H = ne.Lorentz(6)
    linear = Linear(H, H)
    chain = Chain(linear, Dropout(H, 0.5, kind))
    x = H.random(30)
    assert not torch.allclose(chain(x), linear(x))
    torch.testing.assert_close(chain.eval()(x), linear(x))


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_bad_probability(p: float) -> None:
    """1 would divide by 0."""
    with pytest.raises(ValueError, match="0 <= p < 1"):
        Dropout(ne.Lorentz(3), p)
    with pytest.raises(ValueError, match="'tangent' or 'space'"):
        Dropout(ne.Lorentz(3), kind="time")
