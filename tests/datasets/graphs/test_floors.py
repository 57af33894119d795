"""Floors against formulas on dense matrices, on graphs where the answer is known."""

import pytest
import torch

from noneuclid.datasets.graphs import (
    Graph,
    NodeSplit,
    balanced_tree,
    barabasi_albert,
    degree_features,
    evaluate_links,
    evaluate_nodes,
    link_floors,
    link_split,
    make_graph,
    node_floors,
    ring_of_trees,
    score_links,
    split_fractions,
    stochastic_block_model,
    us_airports,
)
from noneuclid.datasets.graphs import floors_for_links as links
from noneuclid.datasets.graphs import floors_for_nodes as nodes
from noneuclid.datasets.graphs.link_splits import Links, LinkSplit, LinkTraining

sklearn = pytest.importorskip("sklearn")
EVERY_PAIR = torch.combinations(torch.arange(82))


def training_of(graph: Graph) -> LinkTraining:
    nothing = Links(graph.edges, graph.edges[:0], graph.edges[:0])
    return LinkTraining(graph, nothing, nothing)


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Give a graph with two nodes without an edge, one of them without a feature."""
    x = torch.randn(82, 5, generator=torch.Generator().manual_seed(0)).relu()
    x[81] = 0
    extra = torch.tensor([[0, 2], [10, 12], [40, 70]])
    return make_graph(torch.cat([ring_of_trees().edges, extra]), 82, x=x)


def dense(graph: Graph) -> tuple[torch.Tensor, torch.Tensor]:
    adjacency = torch.from_numpy(graph.adjacency().toarray())
    assert adjacency.equal(adjacency.T)
    return adjacency, adjacency.sum(1)


def cosine(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cosine_similarity(x[:, None], x, dim=-1)


def test_scores_equal_the_dense_formulas(graph: Graph) -> None:
    a, d = dense(graph)
    inverse = torch.where(d > 0, 1 / d, 0)
    s = (a + torch.eye(82)) / ((d + 1).sqrt()[:, None] * (d + 1).sqrt())
    smooth = s @ s @ graph.x.double()
    length = graph.distances().double()
    t = a * inverse.sqrt()[:, None] * inverse.sqrt()
    left, values, right = torch.linalg.svd(t)
    short = left[:, :5] * values[:5]
    expected = {
        links.resource_allocation: a @ inverse.diag() @ a,
        links.katz: 0.05 * a + 0.05**2 * a @ a + 0.05**3 * a @ a @ a,
        links.preferential_attachment: d[:, None] * d,
        links.feature_cosine: cosine(graph.x.double()),
        links.sgc_cosine: cosine(smooth),
        links.sgc_and_feature_cosine: cosine(smooth) + cosine(graph.x.double()),
        links.shortest_path: -torch.where(length.isinf(), 82, length),
        lambda training: links.svd(training, 5): short @ right[:5],
        lambda training: links.svd_cosine(training, 5): cosine(short),
    }
    u, v = EVERY_PAIR.T
    for fit, matrix in expected.items():
        score = fit(training_of(graph))(EVERY_PAIR)
        assert score.shape == (len(EVERY_PAIR),)
        torch.testing.assert_close(score, matrix[u, v], rtol=1e-5, atol=1e-6)
        assert fit(training_of(graph))(EVERY_PAIR[:0]).shape == (0,)


def test_many_pairs_are_scored_in_their_order() -> None:
    graph = balanced_tree(2, 10)
    pairs = torch.randint(graph.num_nodes, (9000, 2))
    for fit in (links.shortest_path, links.katz):
        score = fit(training_of(graph))
        some = torch.randperm(9000)[:50]
        assert score(pairs)[some].equal(score(pairs[some]))


def test_hubs_are_found_by_degree_alone_but_not_among_their_like() -> None:
    result = evaluate_links(links.preferential_attachment, link_split(us_airports(), 0))
    assert result["auc"] > 0.9
    assert result["auc_matched"] < 0.6
    spread = evaluate_links(links.preferential_attachment, link_split(barabasi_albert(600, 4), 0))
    assert abs(spread["auc_matched"] - 0.5) < 0.02 < spread["auc"] - 0.5


def test_boosted_trees_find_what_is_in_the_features() -> None:
    blocks = stochastic_block_model((60, 60, 60, 60), 0.3, 0.01)
    x = torch.nn.functional.one_hot(blocks.y, 4).float() + 0.1 * torch.randn(240, 4)
    informed = link_split(make_graph(blocks.edges, 240, x=x), 0)
    assert evaluate_links(links.boosted_links, informed)["auc"] > 0.8
    graph = make_graph(blocks.edges, 240, x=x, y=blocks.y)
    split = split_fractions(graph, (0.3, 0.2, 0.5))
    for floor in node_floors(graph).values():
        score = evaluate_nodes(floor, graph, split)["accuracy"]
        assert score > 0.95 if floor is not nodes.majority else score == 0.25


def test_smoothing_helps_where_neighbours_agree() -> None:
    blocks = stochastic_block_model((100, 100), 0.2, 0.01)
    x = blocks.y[:, None] + 2 * torch.randn(200, 1)
    graph = make_graph(blocks.edges, 200, x=x, y=blocks.y)
    split = split_fractions(graph, (0.3, 0.2, 0.5))
    plain = evaluate_nodes(nodes.logistic_features, graph, split)["accuracy"]
    for floor in (nodes.logistic_sgc, nodes.logistic_pagerank):
        assert evaluate_nodes(floor, graph, split)["accuracy"] > plain + 0.2


def test_a_class_without_training_nodes_is_never_chosen() -> None:
    y = torch.tensor([0, 1, 2]).repeat(40)
    graph = make_graph(ring_of_trees(15, 2, 1).edges, 120, x=torch.randn(120, 3), y=y)
    place = torch.arange(120)
    split = NodeSplit((y < 2) & (place < 60), (y < 2) & (place >= 100), (y == 2))
    for floor in node_floors(graph).values():
        assert evaluate_nodes(floor, graph, split)["accuracy"] == 0


def test_floors_are_those_that_the_graph_allows() -> None:
    assert set(link_floors(us_airports())) > set(link_floors(ring_of_trees()))
    assert "SGC cosine" not in link_floors(ring_of_trees())
    assert set(node_floors(ring_of_trees())) == {"majority"}
    with pytest.raises(ValueError, match="has no features"):
        links.feature_cosine(training_of(ring_of_trees()))


def test_features_that_say_nothing_get_chance() -> None:
    graph = make_graph(us_airports().edges, 352, x=torch.ones(352, 2), y=us_airports().y)
    assert evaluate_links(links.boosted_links, link_split(graph))["auc"] == 0.5
    split = split_fractions(graph)
    even = evaluate_nodes(nodes.majority, graph, split)
    assert evaluate_nodes(nodes.boosted_nodes, graph, split) == even


def test_splittable_columns() -> None:
    rows = torch.zeros(20, 4)
    rows[:3, 1] = 1
    rows[:4, 2] = 1
    rows[:, 3] = torch.arange(20)
    assert links.splittable(rows.numpy(), 4).tolist() == [False, False, True, True]
    assert not links.splittable(rows.numpy(), 11).any()


def test_degree_features() -> None:
    x = degree_features(balanced_tree(4, 2), 4)
    assert x.shape == (21, 4)
    assert x[0].tolist() == [torch.tensor(5.0).log2(), 1, 1, 1]
    assert x[20].tolist() == [1, 1, 0, 0]


def test_metrics_are_the_known_ones() -> None:
    pairs = torch.tensor([[0, 1], [1, 2], [2, 3]])
    part = Links(pairs[:2], pairs[2:], pairs[2:].repeat(2, 1))
    values = torch.tensor([0.0, 3.0, 1.0, 2.0])
    result = score_links(lambda p: values[p[:, 1]], part)
    assert result["auc"] == 0.5
    assert result["auc_matched"] == 0.5
    assert result["ap"] == pytest.approx((1 + 2 / 3) / 2)
    assert result["ap_matched"] == pytest.approx((1 + 2 / 4) / 2)
    split = LinkSplit(training_of(ring_of_trees()), part)
    with pytest.raises(ValueError, match="finite for each of 2 pairs"):
        evaluate_links(lambda _: lambda p: values[p[:, 1]] / 0, split)
    with pytest.raises(ValueError, match=r"got \(1,\)"):
        evaluate_links(lambda _: lambda p: values[:1], split)


def test_wrong_node_scores_are_refused() -> None:
    graph = make_graph(ring_of_trees().edges, 80, y=torch.arange(80) % 2)
    split = split_fractions(graph)
    with pytest.raises(ValueError, match=r"finite \(80, C\) scores, got \(3, 2\)"):
        evaluate_nodes(lambda _: torch.zeros(3, 2), graph, split)
    with pytest.raises(ValueError, match="finite"):
        evaluate_nodes(lambda _: torch.full((80, 2), torch.nan), graph, split)
    result = evaluate_nodes(lambda _: torch.eye(2)[graph.y], graph, split)
    assert result == {"accuracy": 1.0, "macro_f1": 1.0}
