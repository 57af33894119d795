"""Layer normalisation in the tangent space: what `check_layer` does not see."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers import TangentLayerNorm


@pytest.mark.parametrize("signature", ["H3 x S3 x E3", "H3 x S2", "H1 x E1"])
def test_factors_are_normalised_by_themselves(signature: str) -> None:
    """Those of one dimension, which go in one pass, too; a factor of dimension 1 is its bias."""
    m = ne.manifold(signature)
    layer = TangentLayerNorm(m)
    with torch.no_grad():
        layer.weight.normal_()
        layer.bias.normal_(std=0.3)
    x = m.random(5)
    parts = zip(m.factors, m.split(x), m.split(layer(x)), strict=True)
    start = 0
    for factor, part, found in parts:
        own, alone = slice(start, start + factor.dim), TangentLayerNorm(factor)
        alone.load_state_dict({"weight": layer.weight[own], "bias": layer.bias[own]})
        torch.testing.assert_close(found, alone(part))
        start += factor.dim
    if m.dims == (1, 1):
        expected = m.expmap0(m.from_frame(layer.bias)).expand(5, -1)
        torch.testing.assert_close(layer(x), expected)
