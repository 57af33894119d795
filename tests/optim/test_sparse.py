"""Gradients of a few rows of a table, as of `torch.nn.Embedding(sparse=True)`."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import noneuclid as ne
from noneuclid import optim

OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (optim.RiemannianSGD, {}),
    "momentum": (optim.RiemannianSGD, {"momentum": 0.9, "weight_decay": 0.1}),
    "adam": (optim.RiemannianAdam, {"amsgrad": True}),
    "adamw": (optim.RiemannianAdamW, {}),
    "adagrad": (optim.RiemannianAdagrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    "rmsprop": (optim.RiemannianRMSprop, {"momentum": 0.9, "centered": True}),
    "lion": (optim.RiemannianLion, {"weight_decay": 0.1}),
}
MANIFOLDS = [
    ne.PoincareBall(3),
    ne.Lorentz(3),
    ne.Euclidean(3),
    ne.Product(ne.Lorentz(2), ne.Product(ne.Sphere(2), ne.Euclidean(2))),
]
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
every_manifold = pytest.mark.parametrize("manifold", MANIFOLDS, ids=repr)


def made(name: str, params: Any, **options: Any) -> torch.optim.Optimizer:
    cls, chosen = OPTIMIZERS[name]
    return cls(params, **{"lr": 0.05, **chosen, **options})


def table_of(manifold: ne.HomogeneousManifold, *size: int) -> ne.ManifoldParameter:
    return ne.ManifoldParameter(manifold.random(*size, dtype=torch.float64), manifold)


def sparse(rows: list[int], values: Tensor, like: Tensor) -> Tensor:
    indices = torch.tensor([rows], dtype=torch.long)
    return torch.sparse_coo_tensor(indices, values, like.shape, check_invariants=True)


def everything_kept(optimizer: torch.optim.Optimizer, table: Tensor) -> dict[str, Tensor]:
    state = {n: t for n, t in optimizer.state[table].items() if n != "step"}
    return {"table": table.detach(), **state}


@every_optimizer
@every_manifold
def test_all_rows_touched_move_as_with_the_dense_gradient(
    name: str, manifold: ne.HomogeneousManifold
) -> None:
    x = table_of(manifold, 5)
    y = copy.deepcopy(x)
    ours, dense = made(name, [x]), made(name, [y])
    for _ in range(4):
        y.grad = torch.randn_like(y)
        order = torch.randperm(5).tolist()
        x.grad = sparse(order, y.grad[order], x)
        ours.step()
        dense.step()
    for part, other in everything_kept(dense, y).items():
        assert torch.equal(everything_kept(ours, x)[part], other), part


@every_optimizer
@every_manifold
def test_untouched_rows_and_their_state_do_not_change(
    name: str, manifold: ne.HomogeneousManifold
) -> None:
    x = table_of(manifold, 6)
    optimizer = made(name, [x])
    x.grad = torch.randn_like(x)
    optimizer.step()
    before = {part: t.clone() for part, t in everything_kept(optimizer, x).items()}
    for _ in range(2):
        x.grad = sparse([4, 1], torch.randn(2, *x.shape[1:], dtype=x.dtype), x)
        optimizer.step()
    for part, t in everything_kept(optimizer, x).items():
        assert torch.equal(t[[0, 2, 3, 5]], before[part][[0, 2, 3, 5]]), part
        assert not torch.equal(t[[1, 4]], before[part][[1, 4]]), part
    assert manifold.check_point(x.detach()).all()


@pytest.mark.parametrize("name", ["sgd", "adam", "lion"])
def test_rows_named_twice_have_the_sum_of_their_gradients(name: str) -> None:
    x = table_of(ne.Lorentz(3), 4)
    y = copy.deepcopy(x)
    g = torch.randn(3, 4, dtype=torch.float64)
    x.grad = sparse([2, 0, 2], g, x)
    y.grad = sparse([0, 2], torch.stack([g[1], g[0] + g[2]]), y)
    made(name, [x]).step()
    made(name, [y]).step()
    assert torch.equal(x.detach(), y.detach())


@every_optimizer
@every_manifold
def test_no_rows_at_all(name: str, manifold: ne.HomogeneousManifold) -> None:
    x, y = table_of(manifold, 4), table_of(manifold, 3)
    before = x.detach().clone()
    optimizer = made(name, [x, y])
    x.grad = sparse([], torch.zeros(0, *x.shape[1:], dtype=x.dtype), x)
    y.grad = torch.randn_like(y)
    optimizer.step()
    assert torch.equal(x.detach(), before)


@every_optimizer
def test_several_tables_dense_parameters_and_plain_ones(name: str) -> None:
    """In one optimizer as in one each; rows of a table may be rows of points themselves."""
    M = ne.Product(ne.Lorentz(2), ne.Euclidean(2))
    tables = [table_of(M, 5), table_of(M, 4, 2), table_of(ne.Euclidean(3), 5)]
    dense = [table_of(M, 3), nn.Parameter(torch.randn(2, 3, dtype=torch.float64))]
    alone = [copy.deepcopy(p) for p in (*tables, *dense)]
    together = made(name, [*tables, *dense])
    optimizers = [made(name, [p]) for p in alone]
    for _ in range(3):
        for p, q in zip((*tables, *dense), alone, strict=True):
            if any(p is table for table in tables):
                p.grad = sparse([3, 1, 3], torch.randn(3, *p.shape[1:], dtype=p.dtype), p)
            else:
                p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        together.step()
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip((*tables, *dense), alone, strict=True):
        torch.testing.assert_close(p.detach(), q.detach(), rtol=1e-14, atol=1e-14)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # torch.optim.Adagrad's own
@pytest.mark.parametrize("name", ["sgd", "momentum", "adagrad", "adam"])
def test_plain_tables_behave_as_the_twin(name: str) -> None:
    cls, options = OPTIMIZERS[name]
    options = {**options, "weight_decay": 0.0}
    start, rows = torch.randn(5, 3), torch.randn(2, 3)
    outcomes = []
    for kind in (getattr(torch.optim, cls.__name__.removeprefix("Riemannian")), cls):
        p = nn.Parameter(start.clone())
        optimizer = kind([p], lr=0.1, **options)
        try:
            for _ in range(3):
                p.grad = sparse([4, 0], rows, p)
                optimizer.step()
            outcomes.append(p.detach())
        except RuntimeError as error:
            outcomes.append(str(error))
    expected, found = outcomes
    assert found == expected if isinstance(expected, str) else torch.equal(found, expected)


def test_lion_says_why_it_refuses_a_plain_table() -> None:
    p = nn.Parameter(torch.zeros(5, 3))
    p.grad = sparse([1], torch.ones(1, 3), p)
    with pytest.raises(RuntimeError, match="no form for sparse gradients of plain parameters"):
        optim.RiemannianLion([p]).step()


@pytest.mark.parametrize("shape", [(3,), (4, 3)])
def test_gradients_that_are_sparse_within_points_are_refused_and_nothing_moves(
    shape: tuple[int, ...],
) -> None:
    B = ne.PoincareBall(3)
    first, x = table_of(B, 2), table_of(B, *shape[:-1])
    before = first.detach().clone()
    optimizer = optim.RiemannianAdam([first, x])
    first.grad, x.grad = torch.ones_like(first), torch.ones_like(x).to_sparse()
    with pytest.raises(RuntimeError, match=r"entries are rows.*to_dense\(\)"):
        optimizer.step()
    assert torch.equal(first.detach(), before)
    assert not optimizer.state[first]


class Largest(TorchDispatchMode):
    """Notes the most numbers of a tensor that an operation made, or wrote densely."""

    made = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        result = function(*args, **(kwargs or {}))
        held = {t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if dense(t)}
        for t in tree_leaves(result):
            writes = function._schema.name.endswith("_") and "index_copy" not in str(function)
            if dense(t) and (writes or t.untyped_storage().data_ptr() not in held):
                self.made = max(self.made, t.numel())
        return result


def dense(x: Any) -> bool:
    return isinstance(x, Tensor) and x.layout is torch.strided


@every_optimizer
@pytest.mark.parametrize("manifold", [MANIFOLDS[1], MANIFOLDS[3]], ids=repr)
def test_work_is_that_of_the_touched_rows(name: str, manifold: ne.HomogeneousManifold) -> None:
    x = table_of(manifold, 1000)
    optimizer = made(name, [x])
    for _ in range(2):  # the state is made in the first step
        x.grad = sparse([7, 900, 7], torch.randn(3, *x.shape[1:], dtype=x.dtype), x)
        with Largest() as seen:
            optimizer.step()
    assert 0 < seen.made <= 3 * x.shape[-1]


@pytest.mark.parametrize("native", [True, False])
def test_a_kernel_takes_the_touched_rows(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noneuclid.numerics.formula.SMALLEST", 0 if native else 2**60)
    L = ne.Lorentz(9, -0.7)
    x = ne.ManifoldParameter(L.random(50), L)
    y = copy.deepcopy(x)
    ours, dense = optim.RiemannianAdam([x], lr=0.05), optim.RiemannianAdam([y], lr=0.05)
    for _ in range(2):
        y.grad = torch.zeros_like(y)
        y.grad[10:20] = torch.randn(10, 10)
        x.grad = sparse([*range(10, 20)], y.grad[10:20], x)
        ours.step()
        dense.step()
    assert torch.equal(x.detach()[10:20], y.detach()[10:20])


class Words(nn.Module):
    """A table of points that is looked up by torch's own function, and a head."""

    def __init__(self, manifold: ne.HomogeneousManifold, sparse: bool) -> None:
        super().__init__()
        self.manifold, self.sparse = manifold, sparse
        start = manifold.random(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        self.table = ne.ManifoldParameter(start, manifold)

    def forward(self, words: Tensor, others: Tensor) -> Tensor:
        x = nn.functional.embedding(words, self.table, sparse=self.sparse)
        y = nn.functional.embedding(others, self.table, sparse=self.sparse)
        return self.manifold.dist2(x, y).mean()


@pytest.mark.parametrize("name", ["sgd", "adam", "adagrad"])
@pytest.mark.parametrize("manifold", [MANIFOLDS[1], MANIFOLDS[3]], ids=repr)
def test_an_embedding_is_trained(name: str, manifold: ne.HomogeneousManifold) -> None:
    models = [Words(manifold, sparse=True), Words(manifold, sparse=False)]
    optimizers = [made(name, model.parameters(), lr=0.02) for model in models]
    untouched = models[0].table.detach()[10:].clone()
    losses = []
    for _ in range(5):
        words, others = torch.randperm(10), torch.randperm(10)  # all of the first ten rows
        for model, optimizer in zip(models, optimizers, strict=True):
            optimizer.zero_grad()
            loss = model(words, others)
            loss.backward()
            optimizer.step()
            assert model.table.grad.is_sparse == model.sparse
            losses.append(loss.detach())
    assert torch.equal(models[0].table.detach()[10:], untouched)
    torch.testing.assert_close(
        models[0].table.detach()[:10], models[1].table.detach()[:10], rtol=1e-12, atol=1e-12
    )
    model = models[0]
    words = torch.arange(10)
    assert model(words, words.roll(1)) < Words(manifold, sparse=True)(words, words.roll(1))
