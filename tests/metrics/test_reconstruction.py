"""Mean average precision and mean rank: by hand, against a slow reading, ties, bad input."""

import pytest
import torch
from sklearn.metrics import average_precision_score

import noneuclid as ne
from noneuclid.metrics import reconstruction

E = ne.Euclidean(1)
PATH = torch.tensor([[0, 1], [1, 2], [2, 3], [3, 4]])


def by_reading(manifold, points, edges, directed):
    """Return both metrics, one node at a time."""
    precisions, ranks = [], []
    for a in range(len(points)):
        near = {int(v) for u, v in edges if u == a}
        near |= set() if directed else {int(u) for u, v in edges if v == a}
        if not near:
            continue
        others = [b for b in range(len(points)) if b != a]
        d = {b: float(manifold.dist(points[a], points[b])) for b in others}
        labels, scores = [b in near for b in others], [-d[b] for b in others]
        precisions.append(average_precision_score(labels, scores))
        ranks += [1 + sum(d[x] <= d[b] for x in others if x not in near) for b in near]
    return sum(precisions) / len(precisions), sum(ranks) / len(ranks)


def test_a_path_on_a_line_is_read_off():
    found = reconstruction(E, torch.arange(5.0)[:, None], PATH)
    assert (found.mean_average_precision, found.mean_rank) == (1, 1)


def test_known_values():
    x = torch.tensor([[0.0], [3.0], [1.0]])
    found = reconstruction(E, x, torch.tensor([[0, 1]]))  # 0 has 2 before 1, and so has 1
    assert (found.mean_average_precision, found.mean_rank) == (0.5, 2)
    found = reconstruction(E, x, torch.tensor([[0, 2], [2, 0]]), directed=True)
    assert (found.mean_average_precision, found.mean_rank) == (1, 1)


def test_ties_count_against_the_embedding():
    found = reconstruction(E, torch.zeros(11, 1), torch.tensor([[0, 1], [0, 2]]), directed=True)
    assert float(found.mean_average_precision) == pytest.approx(2 / 10)
    assert found.mean_rank == 9


@pytest.mark.parametrize("signature", ["H2", "S3", "E2 x H2"])
@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("block", [1, 5, 64])
def test_it_is_what_reading_gives(signature, directed, block, generator):
    manifold = ne.manifold(signature)
    x = manifold.random(17, generator=generator, dtype=torch.float64)
    pairs = torch.triu_indices(17, 17, 1).T
    edges = pairs[torch.randperm(len(pairs), generator=generator)[:25]]
    found = reconstruction(manifold, x, edges, directed=directed, block=block)
    expected = by_reading(manifold, x, edges.tolist(), directed)
    assert [float(value) for value in found] == pytest.approx(expected)


def test_an_isometry_changes_nothing(dtype, generator):
    manifold = ne.Lorentz(3)
    x = manifold.random(40, generator=generator, dtype=dtype)
    edges = torch.triu_indices(40, 40, 1).T[::9]
    moved = manifold.random_isometry(generator, dtype=dtype)(x)
    for before, after in zip(
        reconstruction(manifold, x, edges), reconstruction(manifold, moved, edges), strict=True
    ):
        torch.testing.assert_close(before, after)


def test_samples(generator):
    x = torch.arange(5.0)[:, None]
    x[4] = -1  # node 4 is far from 3, its only neighbour
    every = reconstruction(E, x, PATH)
    same = reconstruction(E, x, PATH, nodes=99, generator=generator)
    assert same == every
    seen = {float(reconstruction(E, x, PATH, nodes=1, generator=generator)[0]) for _ in range(30)}
    each = {float(reconstruction(E, x, PATH[3:].flip(-1), directed=True)[0])}
    assert each <= seen
    assert 1.0 in seen


def test_no_edges():
    found = reconstruction(E, torch.zeros(3, 1), torch.zeros(0, 2, dtype=torch.int64))
    assert found.mean_average_precision.isnan()
    assert found.mean_rank.isnan()


@pytest.mark.parametrize(
    ("edges", "words"),
    [([[0.0, 1.0]], "integers"), ([[0, 1, 2]], "integers"), ([[0, 3]], "rows"), ([[1, 1]], "diff")],
)
def test_bad_edges(edges, words):
    with pytest.raises(ValueError, match=words):
        reconstruction(E, torch.zeros(3, 1), torch.tensor(edges))


def test_bad_samples():
    with pytest.raises(ValueError, match="nodes"):
        reconstruction(E, torch.arange(5.0)[:, None], PATH, nodes=0)
