"""The compiled distances and logits agree with their torch forms: values and all gradients."""

import pytest
import torch

import noneuclid as ne
from noneuclid.functional import _surface_logits, busemann_logits, hyperplane_logits
from noneuclid.manifolds import _pairwise
from noneuclid.numerics.native.build import compiler

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler")

MODELS = [
    "E1", "B1", "B33*", "H7*", "S3", "P3(0.7)*", "K5(-0.5)*", "K5(0)*", "K5(0.5)*", "H2* x S2 x E3",
]  # fmt: skip
NEVER = 10**18  # so many numbers no batch has


def both(monkeypatch, module, function, leaves):
    """Return values and gradients of the compiled and of the torch form."""
    results = []
    for smallest in (0, NEVER):
        monkeypatch.setattr(module, "SMALLEST", smallest)
        value = function()
        g = torch.linspace(-1, 1.3, value.numel()).reshape(value.shape).to(value.dtype)
        results.append([value, *torch.autograd.grad(value, leaves, g)])
    return zip(*results, strict=True)


def assert_same(compiled, plain, dtype):
    eps = torch.finfo(dtype).eps
    scale = float(plain.detach().abs().max()) if plain.numel() else 0.0
    torch.testing.assert_close(compiled, plain, rtol=0, atol=256 * eps * max(scale, 0.1))


@pytest.mark.parametrize("signature", MODELS)
@pytest.mark.parametrize(("shape", "m"), [((1,), 7), ((9,), 130), ((2, 11), 5), ((3,), 600)])
def test_distances(signature, shape, m, dtype, monkeypatch):
    manifold = ne.manifold(signature).to(dtype)
    x, y = manifold.random(*shape, dtype=dtype), manifold.random(m, dtype=dtype)
    y[0] = x.reshape(-1, x.shape[-1])[0]
    x, y = (t.mT.contiguous().mT.requires_grad_() for t in (x, y))  # columns that lie apart
    leaves = [x, y, *manifold.parameters()]
    for pair in both(monkeypatch, _pairwise, lambda: manifold.cdist(x, y), leaves):
        assert_same(*pair, dtype)


@pytest.mark.parametrize("signature", [s for s in MODELS if "x" not in s and "E" not in s])
@pytest.mark.parametrize(("n", "classes"), [(0, 3), (1, 1), (17, 10), (50, 33)])
def test_logits(signature, n, classes, dtype, monkeypatch):
    manifold = ne.manifold(signature).to(dtype)
    x = manifold.random(n, dtype=dtype).requires_grad_()
    z = torch.randn(classes, manifold.dim, dtype=dtype).requires_grad_()
    r = (0.4 * torch.randn(classes)).to(dtype).requires_grad_()
    leaves = [x, z, r, *manifold.parameters()]
    function = lambda: hyperplane_logits(manifold, x, z, r)  # noqa: E731
    for pair in both(monkeypatch, _surface_logits, function, leaves):
        assert_same(*pair, dtype)


@pytest.mark.parametrize("signature", ["B2", "B33*", "H7*", "K5(-0.5)*", "K5(0.5)*"])
@pytest.mark.parametrize(("n", "classes"), [(0, 3), (1, 1), (17, 10), (50, 33)])
def test_depths_in_horospheres(signature, n, classes, dtype, monkeypatch):
    manifold = ne.manifold(signature).to(dtype)
    x = manifold.random(n, dtype=dtype).requires_grad_()
    v = torch.randn(classes, manifold.dim, dtype=dtype).requires_grad_()
    gains = (0.5 + torch.rand(classes)).to(dtype).requires_grad_()
    leaves = [x, v, gains, *manifold.parameters()]
    function = lambda: busemann_logits(manifold, x, v, gains)  # noqa: E731
    for pair in both(monkeypatch, _surface_logits, function, leaves):
        assert_same(*pair, dtype)


@pytest.mark.parametrize("signature", ["B3", "H3"])
def test_threads_agree(signature, monkeypatch):
    """Rows split over threads: the same gradients, those by y summed over the threads."""
    manifold = ne.manifold(signature)
    x, y = manifold.random(700).requires_grad_(), manifold.random(650).requires_grad_()
    results = []
    before = torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        table = manifold.cdist(x, y)
        results.append((table, *torch.autograd.grad(table.sum(), (x, y))))
    torch.set_num_threads(before)
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("signature", ["B3*", "H3", "S3"])
def test_graphs_hold_the_operators(signature, dtype):
    manifold = ne.manifold(signature).to(dtype)
    x, y = (manifold.random(n, dtype=dtype).requires_grad_() for n in (6, 5))
    z, r = torch.randn(4, 3, dtype=dtype), torch.zeros(4, dtype=dtype)
    names = []
    torch._dynamo.reset()

    def seen(graph, _):
        names.extend(str(node.target) for node in graph.graph.nodes)
        return graph

    def function(x, y):
        return manifold.cdist(x, y).sum() + hyperplane_logits(manifold, x, z, r).sum()

    torch.compile(function, fullgraph=True, backend=seen)(x, y)
    assert any("pair_distances" in name for name in names)
    assert any("surface_logits" in name for name in names)
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    for a, b in zip(
        torch.autograd.grad(compiled(x, y), (x, y)),
        torch.autograd.grad(function(x, y), (x, y)),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
