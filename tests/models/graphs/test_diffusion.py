"""The diffused graph: the series against closed forms, and what it may see."""

import pytest
import torch

from noneuclid.models.graphs import diffusion

NODES = 12


def random_edges() -> torch.Tensor:
    """Return both directions of the edges of a random graph in which node 11 is alone."""
    a = (torch.rand(NODES, NODES) < 0.3).triu(1)
    a[:, -1] = False
    edges = a.nonzero().T
    return torch.cat([edges, edges.flip(0)], dim=1)


def transition(edges: torch.Tensor) -> torch.Tensor:
    a = torch.eye(NODES, dtype=torch.float64)
    a[edges[1], edges[0]] = 1
    share = a.sum(1).rsqrt()
    return share[:, None] * a * share


def dense(edges: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return torch.zeros(NODES, NODES).index_put((edges[1], edges[0]), weight, accumulate=True)


@pytest.mark.parametrize("kernel", ["ppr", "heat"])
@pytest.mark.parametrize("block", [5, 100])
def test_closed_forms(kernel: str, block: int) -> None:
    """With nothing left out, S is the inverse and the exponential."""
    edges = random_edges()
    walk, one = transition(edges), torch.eye(NODES, dtype=torch.float64)
    expected = 0.2 * torch.linalg.inv(one - 0.8 * walk)
    if kernel == "heat":
        expected = torch.matrix_exp(2.0 * (walk - one))
    found = diffusion(
        edges, NODES, kernel=kernel, time=2.0, top_k=NODES, threshold=0.0, block=block
    )
    torch.testing.assert_close(dense(*found), expected.float(), atol=2e-6, rtol=0)


def test_rows_keep_their_largest_entries() -> None:
    edges = random_edges()
    whole = dense(*diffusion(edges, NODES, top_k=NODES, threshold=0.0))
    few = dense(*diffusion(edges, NODES, top_k=3, threshold=0.0))
    kept = whole.topk(3, dim=1)
    torch.testing.assert_close(few, torch.zeros_like(whole).scatter(1, kept.indices, kept.values))
    rough = dense(*diffusion(edges, NODES, top_k=NODES, threshold=1e-3))
    assert 0 < (rough - whole).abs().max() < 0.01


def test_only_the_edges_that_are_given_are_seen() -> None:
    """No weight between components, and none for who is alone but its own."""
    edges = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]])
    s = dense(*diffusion(edges, NODES))
    assert not s[:2, 2:].any()
    assert not s[2:4, 4:].any()
    torch.testing.assert_close(s[11, 11], torch.tensor(1.0), atol=2e-3, rtol=0)


def test_weights_of_edges() -> None:
    edges = torch.tensor([[0, 1, 0, 2], [1, 0, 2, 0]])
    weight = torch.tensor([3.0, 3.0, 1.0, 1.0])
    s = dense(*diffusion(edges, NODES, weight))
    assert s[0, 1] > s[0, 2]


def test_empty_graphs_and_refusals() -> None:
    none = torch.zeros(2, 0, dtype=torch.long)
    assert diffusion(none, 0)[0].shape == (2, 0)
    assert dense(*diffusion(none, 3)).diagonal()[:3].min() > 0.99
    for options in ({"kernel": "katz"}, {"alpha": 0.0}, {"time": -1.0}, {"top_k": 0}):
        with pytest.raises(ValueError, match=r"must"):
            diffusion(none, 3, **options)
