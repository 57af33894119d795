"""All pairwise distances: as exact as `dist`, in both of its forms, for every model."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor

import noneuclid as ne
from noneuclid.manifolds._geodesic import GeodesicManifold
from noneuclid.testing.oracle import Truth

MODELS = [
    ne.Euclidean(3),
    ne.PoincareBall(3, curvature=-0.7),
    ne.Lorentz(3, curvature=-0.7),
    ne.Sphere(3, curvature=1.3),
    ne.SphereProjection(3, curvature=1.3),
    ne.Stereographic(3, curvature=0.0),
    ne.Stereographic(3, curvature=0.4),
    ne.Stereographic(3, curvature=-0.4),
    ne.Product(ne.Lorentz(2), ne.Sphere(2), ne.Euclidean(2)),
]
CURVED = [m for m in MODELS if hasattr(m, "curvature")]

models = pytest.mark.parametrize("manifold", MODELS, ids=repr)
curved = pytest.mark.parametrize("manifold", CURVED, ids=repr)


def sample(manifold: GeodesicManifold, dtype: torch.dtype, *sizes: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [manifold.random(n, generator=generator, dtype=dtype) for n in sizes]


def broadcast_dist(manifold: GeodesicManifold, x: Tensor, y: Tensor) -> Tensor:
    return manifold.dist(x.double().unsqueeze(-2), y.double().unsqueeze(-3))


def at_radius(manifold: GeodesicManifold, radius: float, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    frame = torch.randn(3, manifold.dim, generator=generator, dtype=torch.float64)
    frame = frame * (radius / frame.square().sum(-1, keepdim=True).sqrt())
    return manifold.expmap0(manifold.from_frame(frame)).to(dtype)


def moved(manifold: GeodesicManifold, x: Tensor, length: float) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    u = manifold.random_tangent(x.double(), generator=generator)
    u = u * (length / manifold.norm(x.double(), u)).unsqueeze(-1)
    return manifold.expmap(x.double(), u).to(x.dtype)


@models
@pytest.mark.parametrize("radius", [0.0, 0.3, 1.5])
def test_against_the_truth(manifold: GeodesicManifold, radius: float, dtype: torch.dtype) -> None:
    """Generic and near pairs: 2 eps in float32, 8 in float64 (Lorentz near pairs: eps e^R / d)."""
    if isinstance(manifold, ne.Product):
        pytest.skip("the truth of a product is its factors'")
    truth = Truth(manifold)
    x = at_radius(manifold, radius, dtype)
    y = torch.cat([moved(manifold, x, length) for length in (1e-6, 1e-3, 1.0)])
    table = manifold.cdist(x, y)
    eps = torch.finfo(dtype).eps
    for i in range(len(x)):
        for j in range(len(y)):
            d = float(truth.dist(x[i], y[j]))
            allowed = (2 if dtype == torch.float32 else 8) * eps
            if isinstance(manifold, ne.Lorentz) and dtype == torch.float64:
                allowed *= max(1, 1 / d)
            assert abs(float(table[i, j]) - d) <= allowed * d


@pytest.mark.parametrize("manifold", [ne.PoincareBall(4), ne.Lorentz(4)], ids=repr)
@pytest.mark.parametrize(("radius", "near"), [(5.0, 1e-4), (10.0, 1e-2), (15.5, 1.0)])
def test_far_from_the_origin(manifold: GeodesicManifold, radius: float, near: float) -> None:
    truth = Truth(manifold)
    x = at_radius(manifold, radius, torch.float32)
    y = torch.cat([moved(manifold, x, near), -x, x.flip(0)])
    if isinstance(manifold, ne.Lorentz):
        y = manifold.projx(y)
    table = manifold.cdist(x, y)
    for i in range(len(x)):
        for j in range(len(y)):
            d = float(truth.dist(x[i], y[j]))
            assert abs(float(table[i, j]) - d) <= 2 * torch.finfo(torch.float32).eps * max(d, 1e-30)


@models
def test_gradient_is_that_of_dist(manifold: GeodesicManifold, dtype: torch.dtype) -> None:
    x, y = (t.requires_grad_() for t in sample(manifold, dtype, 7, 5))
    g = torch.randn(7, 5, dtype=dtype)
    own = torch.autograd.grad(manifold.cdist(x, y), (x, y), g)
    other = torch.autograd.grad(broadcast_dist(manifold, x, y), (x, y), g.double())
    for a, b in zip(own, other, strict=True):
        torch.testing.assert_close(
            a, b, rtol=0, atol=float(16 * torch.finfo(dtype).eps * b.abs().max())
        )


@models
def test_distances_to_themselves(manifold: GeodesicManifold, dtype: torch.dtype) -> None:
    """The diagonal is exactly 0 and adds nothing to the gradient."""
    x = sample(manifold, dtype, 9)[0].requires_grad_()
    table = manifold.cdist(x, x)
    assert (table.diagonal() == 0).all()
    own = torch.autograd.grad(table.sum(), x)[0]
    expected = torch.autograd.grad(broadcast_dist(manifold, x, x).sum(), x)[0]
    assert own.isfinite().all()
    tolerance = float(64 * torch.finfo(dtype).eps * expected.abs().max())
    torch.testing.assert_close(own, expected, rtol=0, atol=tolerance)


@models
def test_blocks_agree(
    manifold: GeodesicManifold, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of one batch, or several batches at a time: the same numbers, forward and backward."""
    x, y = (t.reshape(2, -1, t.shape[-1]).requires_grad_() for t in sample(manifold, dtype, 14, 10))
    results = []
    for block in (2**20, 7, 80):
        monkeypatch.setattr("noneuclid.manifolds._pairwise._BLOCK", block)
        table = manifold.cdist(x, y)
        results.append((table, *torch.autograd.grad(table.square().sum(), (x, y))))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@models
def test_both_forms_agree(manifold: GeodesicManifold, dtype: torch.dtype) -> None:
    """The backward in blocks and the differentiable formula; forward mode; vmap."""
    x, y = sample(manifold, dtype, 4, 5)
    direction = torch.randn_like(x)
    leaf, g = x.clone().requires_grad_(), torch.randn(4, 5, dtype=dtype)
    blocks = torch.autograd.grad(manifold.cdist(leaf, y), leaf, g)[0]
    plain = torch.autograd.grad(manifold.cdist(leaf, y), leaf, g, create_graph=True)[0].detach()
    torch.testing.assert_close(blocks, plain, rtol=1e-5, atol=1e-5)
    table, tangent = torch.func.jvp(lambda x: manifold.cdist(x, y), (x,), (direction,))
    torch.testing.assert_close(table, manifold.cdist(x, y))
    jacobian = torch.func.jacrev(lambda x: manifold.cdist(x, y))(x)
    product = (jacobian * direction).sum((-1, -2))
    torch.testing.assert_close(product, tangent, rtol=1e-4, atol=1e-5)
    stacked = torch.func.vmap(manifold.cdist, in_dims=(0, None))(torch.stack([x, x.flip(0)]), y)
    torch.testing.assert_close(stacked[1], manifold.cdist(x.flip(0), y))


@models
def test_derivatives_of_both_orders(manifold: GeodesicManifold) -> None:
    x, y = (t.requires_grad_() for t in sample(manifold, torch.float64, 2, 3))
    assert torch.autograd.gradcheck(manifold.cdist, (x, y))
    assert torch.autograd.gradgradcheck(manifold.cdist, (x, y))


@curved
def test_derivative_by_curvature(manifold: GeodesicManifold) -> None:
    x, y = sample(manifold, torch.float64, 3, 4)
    K = torch.tensor([float(manifold.curvature)], dtype=torch.float64)

    def table(K: Tensor) -> Tensor:
        return manifold.at(K).cdist(x, y)

    assert torch.autograd.gradcheck(table, (K.clone().requires_grad_(),))
    assert torch.autograd.gradgradcheck(table, (K.clone().requires_grad_(),))
    torch.testing.assert_close(torch.func.vmap(table)(torch.stack([K, 1.1 * K]))[0], table(K))


@models
def test_empty_sets(manifold: GeodesicManifold, dtype: torch.dtype) -> None:
    x, y = sample(manifold, dtype, 4, 5)
    none = x[:0].clone().requires_grad_()
    table = manifold.cdist(none, y)
    table.sum().backward()
    assert table.shape == (0, 5)
    assert none.grad.shape == none.shape
    assert manifold.cdist(x, y[:0]).shape == (4, 0)
    assert manifold.cdist(x.expand(0, *x.shape), y).shape == (0, 4, 5)


@pytest.mark.parametrize("manifold", [ne.PoincareBall(3), ne.Sphere(3)], ids=repr)
def test_compiled(manifold: GeodesicManifold, dtype: torch.dtype) -> None:
    x, y = (t.requires_grad_() for t in sample(manifold, dtype, 6, 5))
    compiled = torch.compile(manifold.cdist, fullgraph=True, backend="aot_eager")
    results = []
    for run in (manifold.cdist, compiled):
        table = run(x, y)
        results.append((table, *torch.autograd.grad(table.sum(), (x, y))))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


MEMORY = """
import resource, torch, noneuclid as ne
torch.set_num_threads(1)
ball = ne.PoincareBall(16)
x, y = (ball.random(n).requires_grad_() for n in (3000, 3000))
ball.cdist(x[:9], y[:9]).sum().backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ball.cdist(x, y).sum().backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_memory() -> None:
    """Output, its gradient, blocks: not twice the output more. (n m d would be 576 MB here.)"""
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 4 * 3000 * 3000 * 4
