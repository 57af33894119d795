"""The compiled sums of midpoints agree with their torch form: values and all gradients."""

import pytest
import torch

import noneuclid as ne
from noneuclid.manifolds import _centroid
from noneuclid.numerics.native.build import compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler")

MODELS = ["B1", "B33*", "H7*", "S3", "P3(0.7)*", "K5(-0.5)*", "K5(0)*", "K5(0.5)*"]
NEVER = 10**18  # so many numbers no batch has


@pytest.fixture
def both(monkeypatch):
    """Return values and gradients of the compiled and of the torch form."""

    def run(function, leaves):
        results = []
        for smallest in (0, NEVER):
            monkeypatch.setattr(_centroid, "SMALLEST", smallest)
            value = function()
            g = torch.linspace(-1, 1.3, value.numel()).reshape(value.shape).to(value.dtype)
            results.append([value, *torch.autograd.grad(value, leaves, g)])
        return zip(*results, strict=True)

    return run


def assert_same(compiled, plain, dtype, units=256):
    scale = max(float(plain.detach().abs().max()), 0.1)
    atol = units * torch.finfo(dtype).eps * scale
    torch.testing.assert_close(compiled, plain, rtol=0, atol=atol)


def groups(manifold, radius, shape, dtype):
    """Return points about `radius` from the origin and a unit from one another."""
    place = torch.randn(*shape[:-1], 1, manifold.dim, dtype=dtype)
    place = radius * place / place.norm(dim=-1, keepdim=True)
    spread = torch.randn(*shape, manifold.dim, dtype=dtype) * 0.3 * 2.0**-radius
    return manifold.expmap0(manifold.from_frame(place + spread)).detach().requires_grad_()


@pytest.mark.parametrize("signature", MODELS)
@pytest.mark.parametrize("radius", [0.3, 2.0])
@pytest.mark.parametrize("shape", [(1,), (2, 9), (3, 70)])
def test_midpoints(signature, radius, shape, dtype, both):
    manifold = ne.manifold(signature).to(dtype)
    x = groups(manifold, radius, shape, dtype)
    w = torch.rand(shape, dtype=dtype).requires_grad_()
    leaves = [x, w, *manifold.parameters()]
    for pair in both(lambda: manifold.midpoint(x, w), leaves):
        assert_same(*pair, dtype)


@pytest.mark.parametrize("signature", ["B4", "H4", "K4(-1)*"])
def test_far_midpoints(signature, both):
    """At radius 12 the square of the sum cancels by e^24."""
    manifold = ne.manifold(signature)
    x = groups(manifold, 12.0, (40, 5), torch.float32)
    w = torch.rand(5).requires_grad_()
    for pair in both(lambda: manifold.midpoint(x, w), [x, w]):
        assert_same(*pair, torch.float32)


def test_derivative_of_one_far_point(both):
    """The midpoint of one point is that point: what rounding its direction does cancels."""
    H = ne.Lorentz(4)
    x = groups(H, 10.0, (7, 1), torch.float64)
    _, (compiled, plain) = both(lambda: H.midpoint(x), [x])
    torch.testing.assert_close(compiled, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("K", "size", "points"), [(-1.3, 3.0, 1), (2.0, 1e8, 6)])
def test_rows_beyond_the_last_shell(K, size, points, both):
    """After the curvature has moved, rows stand for their projections: gradients too.

    One by one on the ball, where the weight of a point on the last shell is a matter of rounding.
    """
    K = torch.tensor(K, dtype=torch.float64, requires_grad=True)
    x = torch.randn(7, points, 4)
    x[::2, ::2] *= size / x[::2, ::2].norm(dim=-1, keepdim=True)
    x.requires_grad_()
    manifold = ne.Stereographic(4)
    for compiled, plain in both(lambda: manifold.at(K).midpoint(x), [x, K]):
        torch.testing.assert_close(compiled, plain, rtol=1e-5, atol=1e-6 / size)


@pytest.mark.parametrize("signature", ["B3*", "H3", "S3"])
def test_layouts_and_second_derivatives(signature, monkeypatch):
    """Columns that lie apart, broadcast weights, an empty batch, a derivative of a derivative."""
    monkeypatch.setattr(_centroid, "SMALLEST", 0)
    manifold = ne.manifold(signature).double()
    x = manifold.random(5, 4, dtype=torch.float64)
    apart = x.mT.contiguous().mT.requires_grad_()
    w = torch.rand(4, dtype=torch.float64).requires_grad_()
    expected = torch.stack([manifold.midpoint(row, w) for row in x])
    torch.testing.assert_close(manifold.midpoint(apart, w), expected)
    assert manifold.midpoint(x[:0]).shape == (0, x.shape[-1])
    assert torch.autograd.gradgradcheck(manifold.midpoint, (apart, w))


def test_threads_agree():
    manifold = ne.PoincareBall(16)
    x = manifold.random(3000, 16).requires_grad_()
    before, results = torch.get_num_threads(), []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        mean = manifold.midpoint(x)
        results.append((mean, *torch.autograd.grad(mean.sum(), x)))
    torch.set_num_threads(before)
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("signature", ["B3*", "H3", "S3"])
def test_graphs_hold_the_operator(signature):
    manifold = ne.manifold(signature)
    x = manifold.random(5, 4).requires_grad_()
    names = []
    torch._dynamo.reset()

    def seen(graph, _):
        names.extend(str(node.target) for node in graph.graph.nodes)
        return graph

    torch.compile(manifold.midpoint, fullgraph=True, backend=seen)(x)
    assert any("ambient_sums" in name for name in names)
    compiled = torch.compile(manifold.midpoint, fullgraph=True, backend="aot_eager")
    leaves = [x, *manifold.parameters()]
    results = [
        torch.autograd.grad(f(x).square().sum(), leaves) for f in (compiled, manifold.midpoint)
    ]
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
