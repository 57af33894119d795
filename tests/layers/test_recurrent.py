"""The gated recurrent unit: torch's at K = 0, masks that keep the state, the radius of states."""

import pytest
import torch
from torch import nn

import noneuclid as ne
from noneuclid.layers import GRU, GRUCell
from noneuclid.layers._normal import from_normal


def _moved(layer: nn.Module) -> nn.Module:
    """Put the biases off the origin."""
    cell = getattr(layer, "cell", layer)
    space = cell.manifold_out
    with torch.no_grad():
        cell.bias.copy_(from_normal(space, 0.3 * torch.randn(4, space.dim)))
    return layer


def test_at_zero_curvature_it_is_torchs() -> None:
    """Cell and layer equal torch.nn.GRUCell and torch.nn.GRU with the same weights to 1e-6."""
    K, L = ne.manifold("K4(0)"), ne.manifold("K5(0)")
    cell, x, h = _moved(GRUCell(K, L)), torch.randn(7, 4), torch.randn(7, 5)
    twin = nn.GRUCell(4, 5)
    twin.load_state_dict({k: v.detach() for k, v in cell.flat_parameters().items()})
    torch.testing.assert_close(2 * cell(x / 2, h / 2), twin(x, h), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(2 * cell(x / 2), twin(x), rtol=1e-6, atol=1e-6)
    layer, x, h = _moved(GRU(K, L)), torch.randn(3, 6, 4), torch.randn(3, 5)
    flat = nn.GRU(4, 5, batch_first=True)
    flat.load_state_dict({k: v.detach() for k, v in layer.flat_parameters().items()})
    expected = flat(x, h[None])[0]
    torch.testing.assert_close(2 * layer(x / 2, h=h / 2), expected, rtol=1e-6, atol=2e-6)


def test_without_biases() -> None:
    """It is the unit with biases at the origin, and has no parameter for them."""
    H = ne.Lorentz(3)
    bare, full = GRU(H, H, bias=False), GRU(H, H)
    full.load_state_dict(bare.state_dict(), strict=False)
    x = H.random(2, 4)
    torch.testing.assert_close(bare(x), full(x))
    assert set(bare.flat_parameters()) == {"weight_ih_l0", "weight_hh_l0"}


@pytest.mark.parametrize("signature", ["H3", "S3(0.5)", "H2 x E2"])
def test_masked_steps_keep_the_state(signature: str) -> None:
    """The last state is that of the sequence without the masked places, wherever they are."""
    m = ne.manifold(signature)
    layer, x, h = _moved(GRU(m, m)), m.random(2, 5), m.random(2)
    mask = torch.tensor([[False, True, False, True, False], [False] * 5])
    y = layer(torch.where(mask[..., None], x, float("nan")), mask, h)
    torch.testing.assert_close(y[0, -1], layer(x[:1, [1, 3]], h=h[:1])[0, -1])
    torch.testing.assert_close(y[1], h[1].expand(5, -1))
    torch.testing.assert_close(y[0, 0], h[0])


def test_the_layer_is_the_cell_step_by_step() -> None:
    """Also without batch axes; a sequence without steps has no states."""
    m, n = ne.manifold("H2 x S2"), ne.Lorentz(3)
    layer = _moved(GRU(m, n))
    x, state = m.random(4), n.origin()
    y = layer(x)
    for i in range(4):
        state = layer.cell(x[i], state)
        torch.testing.assert_close(y[i], state, rtol=1e-4, atol=1e-5)
    assert layer(m.random(2, 0)).shape == (2, 0, 4)


@pytest.mark.parametrize("letter", "HBSPKE")
def test_fresh_states_stay_where_the_space_bends(letter: str) -> None:
    """Over 40 steps on inputs at radius 1 the state keeps a radius between 0.1 and 2."""
    m = ne.manifold(f"{letter}16")
    c = torch.randn(32, 40, 16)
    x = m.expmap0(m.from_frame(c / c.square().sum(-1, keepdim=True).sqrt()))
    radius = m.dist0(GRU(m, m)(x)[:, -1])
    assert radius.min().item() > 0.1
    assert radius.max().item() < 2


def test_refusals() -> None:
    """A mask must say of every place whether a point is there."""
    H = ne.Lorentz(3)
    with pytest.raises(ValueError, match="mask must be a bool tensor"):
        GRU(H, H)(H.random(2, 4), torch.ones(2, 3, dtype=torch.bool))
    assert ne.manifold_of(GRUCell(H, H).bias) is H
