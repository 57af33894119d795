"""Tensors without numbers: shapes and dtypes come through every operation of a manifold."""

import pytest
import torch

import noneuclid as ne

SIGNATURES = ["E4", "H4*", "S4", "K4(0)*"]


@pytest.mark.parametrize("signature", SIGNATURES)
def test_shapes_on_the_meta_device(signature: str) -> None:
    """As when a model is built without memory, or its parameters are counted."""
    with torch.device("meta"):
        m = ne.manifold(signature)
        x = m.origin(5000)
        u = torch.empty_like(x)
        points = {
            "projx": m.projx(u), "expmap": m.expmap(x, u), "expmap0": m.expmap0(u),
            "logmap": m.logmap(x, x), "logmap0": m.logmap0(x), "transp": m.transp(x, x, u),
            "egrad2rgrad": m.egrad2rgrad(x, u), "transp0": m.transp0(x, u),
        }  # fmt: skip
        scalars = {"dist": m.dist(x, x), "inner": m.inner(x, u), "dist0": m.dist0(x)}
        means = {"midpoint": m.midpoint(x)}
        table = m.cdist(x, x[:7])
    assert table.is_meta
    assert table.shape == (5000, 7)
    for results, shape in ((points, x.shape), (scalars, (5000,)), (means, x.shape[1:])):
        for name, result in results.items():
            assert result.is_meta, name
            assert result.shape == shape, name
            assert result.dtype == x.dtype, name
