"""The feed-forward maps of a block."""

import pytest
import torch

import noneuclid as ne
from noneuclid.models.pm_transformer.feed_forward import FeedForward
from noneuclid.models.pm_transformer.options import Options


@pytest.mark.parametrize("signature", ["H3 x S3 x E3", "H3 x E2", "H4"])
def test_each_factor_has_its_own_maps(signature: str) -> None:
    """Those of one dimension, which go in one product, too."""
    space = ne.manifold(signature)
    maps = FeedForward(space, 2, Options(activation=torch.tanh), 0.0)
    with torch.no_grad():
        for parameter in maps.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    c = 0.3 * torch.randn(2, 5, space.dim)
    parts = zip(c.split(maps.dims, dim=-1), maps.up, maps.down, strict=True)
    expected = torch.cat([down(torch.tanh(up(part))) for part, up, down in parts], dim=-1)
    torch.testing.assert_close(maps(c), expected)
