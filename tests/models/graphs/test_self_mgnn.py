"""SelfMGNN: its loss against a slow one, its options, its parts."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from noneuclid.layers._normal import from_normal
from noneuclid.manifolds import manifold
from noneuclid.manifolds.product import factors_of
from noneuclid.models.graphs import DualContrast, RiemannianProjector, SelfMGNN, diffusion

MIXED = "K4(-1)* x K4(1)* x E4"


def test_as_the_readme_calls_it(blocks: Any) -> None:
    data = SimpleNamespace(x=blocks.x, edge_index=blocks.edge_index, num_features=6)
    enc = SelfMGNN(data.num_features, signature="K8(-1)* x K8(1)* x E8")
    z = enc(data.x, data.edge_index)
    loss = enc.contrast(data)
    assert enc.manifold.check_point(z.detach()).all()
    assert loss.shape == ()
    loss.backward()


OPTIONS: list[dict[str, Any]] = [
    {"discriminator": "transport", "temperature": 0.5},
    {"discriminator": "cosine", "temperature": 0.5, "flat_views": True},
    {"discriminator": "neighbor"},
    {"discriminator": "neighbor", "neighbors": "diffusion", "negatives": 9},
    {"neighbors": "diffusion", "codes": "first"},
    {"center": "nodes", "heads": 2},
    {"projector_depth": 0, "cross_weight": 0.0},
    {"projector_depth": 1, "width": 6, "layers": 1},
    {"diffusion": {"kernel": "heat", "time": 3.0}, "normalize": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options(options: dict[str, Any], blocks: Any) -> None:
    """Every option has a loss with gradients, which steps against them make smaller."""
    encoder = SelfMGNN(6, MIXED, **options)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
    losses = []
    for _ in range(12):
        torch.manual_seed(0)  # the same sample of nodes
        loss = encoder.contrast(blocks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("signature", ["H4", "E4", "S4* x E4", "B4 x B4"])
def test_other_signatures(signature: str, blocks: Any) -> None:
    """The constant-curvature ablations, the flat one among them."""
    encoder = SelfMGNN(6, signature)
    assert encoder.contrast(blocks).isfinite()
    assert len(encoder.curvatures()) == len(factors_of(encoder.manifold))


def _slow(loss: DualContrast, first: Tensor, second: Tensor) -> Tensor:
    """The loss of a pair of views, node by node."""
    count, nodes = first.shape[:2]

    def score(u: Tensor, v: Tensor, m: int, n: int) -> Tensor:
        if loss.discriminator == "bilinear":
            return u @ loss.form[m, n] @ v / loss.temperature
        if loss.discriminator == "neighbor":
            space = loss.manifolds[m]
            x, y = from_normal(space, u), from_normal(space, v)
            return -(space.dist(x, y) ** 2) / (2 * loss.temperature**2)
        product = u @ v / loss.temperature
        if loss.discriminator == "cosine":
            product = product / ((u @ u) * (v @ v)).sqrt()
        return product

    table: dict[bool, list[Tensor]] = {True: [], False: []}
    for m in range(count):
        for n in range(count):
            value = torch.zeros(())
            for i in range(nodes):
                rows = [score(first[m, i], second[n, j], m, n) for j in range(nodes)]
                columns = [score(first[m, j], second[n, i], m, n) for j in range(nodes)]
                for row in (rows, columns):
                    value = value - (row[i] - torch.stack(row).logsumexp(0)) / (2 * nodes)
            table[m == n].append(value)
    single, cross = (torch.stack(table[same]).mean() for same in (True, False))
    return single + loss.cross_weight * cross


@pytest.mark.parametrize("discriminator", ["bilinear", "transport", "cosine", "neighbor"])
def test_dual_contrast_is_its_formula(discriminator: str) -> None:
    spaces = [manifold("K3(-0.7)"), manifold("K3(0.8)"), manifold("E3")]
    loss = DualContrast(spaces, discriminator, temperature=0.7, cross_weight=0.3)
    if loss.form is not None:
        torch.nn.init.normal_(loss.form)
    first, second = 0.5 * torch.randn(3, 6, 3), 0.5 * torch.randn(3, 6, 3)
    torch.testing.assert_close(
        loss(first, second), _slow(loss, first, second), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("discriminator", ["cosine", "neighbor"])
def test_neighbors_that_are_given(discriminator: str) -> None:
    """With p the identity nothing changes; else it is the mean of the logarithms, row by row."""
    spaces, first, second = [manifold("K3(-1)")], torch.randn(1, 5, 3), torch.randn(1, 5, 3)
    loss = DualContrast(spaces, discriminator)
    torch.testing.assert_close(loss(first, second, torch.eye(5)), loss(first, second))
    if discriminator == "neighbor":
        return
    p = torch.rand(5, 5)
    p[2] = 0
    logits = loss.scores(first, second, 0, 0)
    expected = torch.zeros(())
    for table, weights in ((logits, p), (logits.mT, p.mT)):
        rows = [
            -(w / w.sum() * row.log_softmax(0)).sum()
            for row, w in zip(table, weights, strict=True)
            if w.any()
        ]
        expected = expected + torch.stack(rows).mean() / 2
    torch.testing.assert_close(loss(first, second, p), expected)


def test_without_cross_views_and_alone() -> None:
    spaces = [manifold("K3(-1)"), manifold("K3(1)")]
    first, second = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    both = DualContrast(spaces, "cosine", cross_weight=0.0)(first, second)
    parts = [
        DualContrast(spaces[m : m + 1], "cosine")(first[m : m + 1], second[m : m + 1])
        for m in range(2)
    ]
    torch.testing.assert_close(both, sum(parts) / 2)


def test_projector() -> None:
    m = manifold("H4* x S4* x E4")
    c = 0.3 * torch.randn(5, 12)
    plain = RiemannianProjector(m, 4, depth=0)
    torch.testing.assert_close(plain(c), torch.stack([c[:, :4], c[:, 4:8]]))
    assert len(RiemannianProjector(m, 4, depth=0, flat=True)(c)) == 3
    deep = RiemannianProjector(m, 7, depth=2)
    views = deep.points(c)
    assert [v.shape[-1] for v in views] == [8, 8]
    for space, own, view in zip(deep.manifolds, factors_of(m), views, strict=False):
        assert space.check_point(view.detach()).all()
        assert space.curvature is own.curvature
    with pytest.raises(ValueError, match="depth=1"):
        RiemannianProjector(m, 5, depth=0)
    with pytest.raises(ValueError, match="depth must be"):
        RiemannianProjector(m, 4, depth=3)


def test_the_second_view(blocks: Any) -> None:
    """It is the diffused graph of the edges that are given, computed once."""
    encoder = SelfMGNN(6, MIXED, diffusion={"top_k": 4})
    second = encoder.diffused(blocks.edge_index, 40)
    first, both = encoder(blocks.x, blocks.edge_index), encoder(blocks.x, *second)
    middle = encoder.manifold.midpoint(torch.stack([first, both], dim=-2)).detach()
    torch.testing.assert_close(encoder.embed(blocks.x, blocks.edge_index), middle)
    data = SimpleNamespace(x=blocks.x, edge_index=blocks.edge_index)
    first = encoder.contrast(data)
    kept = encoder._diffused
    encoder.contrast(data)
    assert encoder._diffused is kept
    torch.manual_seed(0)
    a = encoder.contrast(data)
    torch.manual_seed(0)
    b = encoder.contrast(data, diffusion(data.edge_index, 40, top_k=4))
    torch.testing.assert_close(a, b)
    torch.manual_seed(0)
    assert encoder.contrast(data, diffusion(data.edge_index, 40, top_k=2)) != b
    assert first.isfinite()


def test_rows_of_the_diffused_graph_among_a_sample(blocks: Any) -> None:
    encoder = SelfMGNN(6, MIXED, neighbors="diffusion", discriminator="neighbor")
    second = encoder.diffused(blocks.edge_index, 40)
    nodes = torch.tensor([3, 30, 7])
    whole = torch.zeros(40, 40).index_put((second[0][1], second[0][0]), second[1])
    torch.testing.assert_close(encoder._near(nodes, second, 40), whole[nodes][:, nodes])


def test_refusals() -> None:
    with pytest.raises(ValueError, match="discriminator must be"):
        SelfMGNN(6, discriminator="mean")
    with pytest.raises(ValueError, match="neighbors must be"):
        SelfMGNN(6, neighbors="all")
    with pytest.raises(ValueError, match="negatives must be at least 1"):
        SelfMGNN(6, negatives=0)
    with pytest.raises(ValueError, match="temperature must be"):
        SelfMGNN(6, temperature=0.0)
