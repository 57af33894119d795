"""Embedding: a table of points that only the looked-up rows of learn."""

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor

import noneuclid as ne
from noneuclid.layers import Embedding
from noneuclid.layers._normal import initial_radius
from noneuclid.manifolds.product import factors_of
from noneuclid.optim import RiemannianAdam, RiemannianSGD

SIGNATURES = ["E3", "H3(-0.7)*", "B3(-4)", "S3(2)", "P3", "K3(0)*", "H2 x S2(0.5)* x E2"]
every_signature = pytest.mark.parametrize("signature", SIGNATURES)
INDEX = torch.tensor([[1, 4], [4, 2]])


@every_signature
def test_lookup(signature: str, dtype: torch.dtype) -> None:
    """Indices become the rows of the table, points at rms radius min(1, |K|^-1/2)."""
    m = ne.manifold(signature)
    table = Embedding(2000, m, dtype=dtype)
    assert table.manifold is m
    assert ne.manifold_of(table.weight) is m
    assert table(INDEX).equal(table.weight[INDEX])
    assert table(INDEX[:0]).shape == (0, 2, *m.point_shape)
    assert m.check_point(table.weight).all()
    dims = [factor.dim for factor in factors_of(m)]
    parts = table.flat_parameters()["weight"].split(dims, dim=-1)
    for factor, c in zip(factors_of(m), parts, strict=True):
        expected = initial_radius(factor).item()
        assert c.square().sum(-1).mean().sqrt().item() == pytest.approx(expected, rel=0.1)


def test_initial_laws() -> None:
    """`scale` scales the normal law; the uniform one stays within its cube next to the origin."""
    m = ne.PoincareBall(4, -4.0)
    near = Embedding(1000, m, scale=0.01)
    assert m.dist0(near.weight).square().mean().sqrt().item() == pytest.approx(0.005, rel=0.1)
    cube = Embedding(1000, m, law="uniform", scale=2.0)
    largest = cube.flat_parameters()["weight"].abs().max().item()
    assert 0.0009 < largest < 0.001001


@every_signature
def test_copies_keep_the_marks(signature: str) -> None:
    """State dict, deepcopy, pickle and `assign=True` give the same table, marked."""
    table = Embedding(6, ne.manifold(signature), padding_idx=0)
    buffer = io.BytesIO()
    torch.save(table.state_dict(), buffer)
    buffer.seek(0)
    state = torch.load(buffer, weights_only=True)
    loaded, assigned = copy.deepcopy(table), copy.deepcopy(table)
    loaded.reset_parameters()
    assert not loaded.weight.equal(table.weight)
    loaded.load_state_dict(state)
    assigned.load_state_dict(state, assign=True)
    for other in (loaded, assigned, copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        assert other(INDEX).equal(table(INDEX))
        assert ne.manifold_of(other.weight).same_as(table.manifold)


@pytest.mark.parametrize("signature", ["H3(-0.7)*"])
def test_compiled(signature: str) -> None:
    """One graph, equal to the eager module, the bound on the radius included."""
    torch._dynamo.reset()
    table = Embedding(6, ne.manifold(signature), padding_idx=1, max_radius=0.8)
    compiled = torch.compile(table, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(INDEX), table(INDEX))


def _pull(table: Embedding, index: Tensor) -> Tensor:
    m = table.manifold
    goal = m.expmap0(m.from_frame(torch.full((m.dim,), 0.3, dtype=table.weight.dtype)))
    return m.dist2(table(index), goal).sum()


@every_signature
@pytest.mark.parametrize("optimizer", [RiemannianSGD, RiemannianAdam])
def test_a_sparse_step_moves_the_touched_rows(signature: str, optimizer: type) -> None:
    """The others stay, bit for bit; the touched ones move as with the dense gradient."""
    m = ne.manifold(signature.replace("*", ""))  # a curvature that moves rewrites every time
    sparse = Embedding(6, m, sparse=True, dtype=torch.float64)
    dense = copy.deepcopy(sparse)
    dense.sparse = False
    before = sparse.weight.detach().clone()
    for table in (sparse, dense):
        step = optimizer(table.parameters(), lr=0.05)
        _pull(table, INDEX).backward()
        step.step()
    assert sparse.weight.grad.is_sparse
    touched = torch.tensor([False, True, True, False, True, False])
    assert sparse.weight[~touched].equal(before[~touched])
    assert (sparse.weight != before)[touched].any(-1).all()
    torch.testing.assert_close(sparse.weight, dense.weight, rtol=1e-12, atol=1e-12)
    assert sparse.manifold.check_point(sparse.weight).all()


@pytest.mark.parametrize("sparse", [True, False])
@every_signature
def test_padding_is_the_origin_and_stays(signature: str, sparse: bool) -> None:
    """The row of `padding_idx` has no gradient and does not move."""
    m = ne.manifold(signature)
    table = Embedding(6, m, padding_idx=-2, sparse=sparse)
    assert table.padding_idx == 4
    assert m.dist0(table.weight[4]).item() == 0
    step = RiemannianSGD(table.parameters(), lr=0.01, momentum=0.9)
    _pull(table, INDEX).backward()
    assert not table.weight.grad.to_dense()[4].any()
    assert table.weight.grad.to_dense()[1].any()
    step.step()
    assert m.dist0(table.weight[4]).item() == 0


@every_signature
def test_max_radius(signature: str, dtype: torch.dtype) -> None:
    """Points beyond are read at that distance, in the same direction; the others as they are."""
    m = ne.manifold(signature)
    table = Embedding(200, m, dtype=dtype)
    radius = m.dist0(table.weight).detach()
    table.max_radius = bound = radius.sort().values[99:101].mean().item()
    x = table(torch.arange(200))
    far = radius > bound
    assert far.sum() == 100
    assert x[~far].equal(table.weight[~far])
    torch.testing.assert_close(m.dist0(x)[far], torch.full_like(radius[far], bound))
    moved = m.dist(x, table.weight)[far]
    torch.testing.assert_close(moved, radius[far] - bound, atol=1e-5, rtol=1e-4)
    (gradient,) = torch.autograd.grad(m.dist0(x).sum(), table.weight)
    assert torch.isfinite(gradient).all()


@every_signature
def test_from_pretrained(signature: str) -> None:
    """The given points are the table, frozen unless asked otherwise."""
    m = ne.manifold(signature)
    points = m.random(4)
    table = Embedding.from_pretrained(points, m, padding_idx=1)
    assert table.weight.equal(points)
    assert not table.weight.requires_grad
    assert table.padding_idx == 1
    free = Embedding.from_pretrained(points, m, freeze=False, sparse=True)
    assert free.weight.requires_grad
    assert ne.manifold_of(free.weight) is m
    assert all(not parameter.is_meta for parameter in free.parameters())
    with pytest.raises(ValueError, match=r"expects points of shape \(num_embeddings"):
        Embedding.from_pretrained(points[0], m)


def test_flat_limit() -> None:
    """In normal coordinates it is torch.nn.Embedding."""
    table = Embedding(6, ne.manifold("K3(0)"))
    twin = torch.nn.Embedding(6, 3)
    twin.load_state_dict({k: v.detach() for k, v in table.flat_parameters().items()})
    torch.testing.assert_close(2 * table(INDEX), twin(INDEX))


def test_meta_device() -> None:
    """A table can be made without memory, and filled later."""
    m = ne.Lorentz(3, -0.7)
    table = Embedding(6, m, padding_idx=0, device="meta").to_empty(device="cpu")
    table.reset_parameters()
    assert ne.manifold_of(table.weight).same_as(m)
    assert m.check_point(table.weight).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_embeddings": 0}, "at least one row"),
        ({"padding_idx": 6}, "must be a row of the table of 6, got 6"),
        ({"padding_idx": -7}, "must be a row"),
        ({"max_radius": 0.0}, "positive length or None"),
        ({"law": "cauchy"}, "'normal' or 'uniform'"),
        ({"scale": -1.0}, "scale must be positive"),
    ],
)
def test_refusals(options: dict[str, object], message: str) -> None:
    """Arguments that mean nothing are refused, by what was expected and what came."""
    with pytest.raises(ValueError, match=message):
        Embedding(**{"num_embeddings": 6, "manifold": ne.Lorentz(3), **options})
    with pytest.raises(TypeError, match="manifold with an origin"):
        Embedding(6, torch.nn.Linear(2, 2))
