"""Translation and shortest coordinates: row by row, and by a native kernel as in torch."""

import pytest
import torch

import noneuclid as ne
from noneuclid.layers._normal import from_normal, principal, to_normal, translate
from noneuclid.numerics import plain_formulas

SIGNATURES = (
    "H8(-0.7)",
    "B8(-1.3)",
    "S8(0.8)",
    "P8(1.2)",
    "K8(-0.6)",
    "K8(0)",
    "K8(0.9)",
    "E8",
    "H3 x S5",
)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_translation_takes_a_point_for_each_row(signature: str, dtype: torch.dtype) -> None:
    """x (+) y = exp_x(PT_{o->x} log_o y), for rows of x and y; (-x) (+) x is the origin."""
    m = ne.manifold(signature)
    c, d = 0.6 * torch.randn(2, 7, 8, dtype=dtype)
    x = from_normal(m, c)
    expected = m.expmap(x, m.transp0(x, m.from_frame(d)))
    torch.testing.assert_close(from_normal(m, translate(m, c, d)), expected, rtol=1e-5, atol=1e-5)
    zero = torch.zeros_like(c)
    torch.testing.assert_close(translate(m, -c, c), zero, rtol=0, atol=4e-6)
    torch.testing.assert_close(translate(m, zero, d), d)
    torch.testing.assert_close(translate(m, c[0], d)[3:4], translate(m, c[:1], d[3:4]))


@pytest.mark.parametrize("signature", SIGNATURES)
def test_translation_by_a_weighted_vector(signature: str) -> None:
    """A weight is what b is multiplied by, for the gradients too; for one b and for many."""
    m = ne.manifold(signature)
    c, many = 0.6 * torch.randn(2, 7, 8, dtype=torch.float64)
    s = torch.tensor([0.4], dtype=torch.float64, requires_grad=True)
    for b in (many, many[0]):
        leaves = [t.detach().requires_grad_() for t in (c, b)] + [s]
        found, expected = translate(m, *leaves), translate(m, leaves[0], s * leaves[1])
        torch.testing.assert_close(found, expected)
        g = torch.randn_like(found)
        pairs = zip(
            torch.autograd.grad(found, leaves, g),
            torch.autograd.grad(expected, leaves, g),
            strict=True,
        )
        for a, b in pairs:
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_kernel_is_the_formula(signature: str, dtype: torch.dtype) -> None:
    """Batches large enough for a native kernel give what torch gives, gradients included."""
    m = ne.manifold(signature)
    c = (4 * torch.rand(1024, 1, dtype=dtype) * torch.randn(1024, 8, dtype=dtype)) / 8**0.5
    b = (0.3 * torch.randn(8, dtype=dtype)).requires_grad_()
    c.requires_grad_()
    weight = torch.randn(1024, 8, dtype=dtype)
    found = []
    for way in (torch.enable_grad, plain_formulas):
        with way():
            y = principal(m, 1.5 * translate(m, c, b))
            found.append((y.detach(), *torch.autograd.grad((weight * y).sum(), [c, b])))
    relative = 2e-3 if dtype == torch.float32 else 1e-9
    for native, plain in zip(*found, strict=True):
        near = (native - plain).abs() <= relative * (1 + plain.abs())
        assert float(near.double().mean()) > 0.995  # but next to antipodes of the origin


@pytest.mark.parametrize("signature", ["S8(0.8)", "P8(1.2)", "K8(0.9)"])
def test_shortest_coordinates_are_of_the_same_point(signature: str) -> None:
    """|c| comes to [0, pi K^-1/2] after any number of turns."""
    m = ne.manifold(signature)
    c = 9 * torch.randn(50, 8, dtype=torch.float64)
    short = principal(m, c)
    assert bool((short.square().sum(-1).sqrt() <= m.injectivity_radius + 1e-9).all())
    torch.testing.assert_close(from_normal(m, short), from_normal(m, c), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(short, to_normal(m, from_normal(m, c)), rtol=1e-5, atol=1e-6)
