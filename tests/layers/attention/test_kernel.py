"""KernelAttention: linear cost, cross attention, refusals."""

import pytest
import torch
from layer_cases.case import points

import noneuclid as ne
from noneuclid.layers import KernelAttention


def test_context() -> None:
    """To ask oneself as context is to ask oneself; other points give another answer."""
    m = ne.manifold("H4(-0.7) x S4")
    layer = KernelAttention(m, 2)
    x = points(m, 0.3 * torch.randn(2, 5, 8)).detach()
    torch.testing.assert_close(layer(x, x), layer(x))
    token = layer(x[:, :1], x)
    torch.testing.assert_close(token, layer(x)[:, :1])
    assert not torch.allclose(layer(x[:, :1], x[:, 1:]), token)


def test_no_table_of_pairs() -> None:
    """Nothing of the size queries x keys is formed: 20,000 points would take 1.6 GB."""
    layer = KernelAttention(ne.manifold("H4"), 1)
    c = torch.randn(1, 20_000, 4)
    sizes = []

    class Largest(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                sizes.append(out.numel())
            return out

    with Largest():
        layer.tangent(c)
    assert max(sizes) <= 20_000 * 12


def test_bfloat16_autocast() -> None:
    """Finite, and near the result without autocast."""
    m = ne.manifold("H8(-0.7)*")
    layer = KernelAttention(m, 2)
    x = points(m, 0.3 * torch.randn(2, 5, 8)).detach()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    torch.testing.assert_close(y.float(), layer(x), atol=0.05, rtol=0.05)


def test_refusals() -> None:
    """Heads that do not divide, a power that is not positive, a bias."""
    with pytest.raises(ValueError, match="heads must divide"):
        KernelAttention(ne.manifold("H4"), 3)
    with pytest.raises(ValueError, match="power must be positive, got 0"):
        KernelAttention(ne.manifold("H4"), 2, power=0)
    for x in (torch.zeros(3, 4), torch.zeros(2, 2, 3, 4)):
        with pytest.raises(ValueError, match=r"between sets of points \(B, n, S\)"):
            KernelAttention(ne.manifold("E4"), 2)(x, mask=torch.ones(x.shape[:-1]).bool())
    with pytest.raises(TypeError, match="bias"):
        KernelAttention(ne.manifold("E4"), 2)(torch.zeros(1, 2, 4), bias=torch.zeros(1))
