"""Generators: their counts, their laws, what is known of their curvature."""

import math

import pytest
import torch

from noneuclid.datasets import graphs
from noneuclid.datasets.graphs import Graph

COUNTS = [  # name, arguments, nodes, edges, signs
    ("balanced_tree", {}, 1365, 1364, (-1,)),
    ("balanced_tree", {"branching": 20, "depth": 3}, 8421, 8420, (-1,)),
    ("balanced_tree", {"depth": 0}, 1, 0, (-1,)),
    ("tree_with_features", {"dim": 4}, 1111, 1110, (-1,)),
    ("cycle", {}, 10, 10, (1,)),
    ("ring_of_trees", {}, 80, 80, (-1, 1)),
    ("tree_and_torus", {}, 724, 363 + 720 + 3, (-1, 0)),
    ("grid", {}, 1000, 2700, (0,)),
    ("grid", {"shape": (3, 4)}, 12, 17, (0,)),
    ("tree_grid", {}, 1231, 1565, (-1, 0)),
    ("tree_cycle", {}, 871, 969, (-1, 1)),
    ("ba_shapes", {}, 700, 2055, ()),
    ("sierpinski", {}, 6561, 9840, ()),
    ("sierpinski", {"symbols": 5, "length": 6, "base": "cycle"}, 15625, 19530, ()),
    ("diamond", {}, 684, 1024, ()),
    ("diamond", {"depth": 7}, 10924, 16384, ()),
    ("watts_strogatz", {}, 1000, 5000, ()),
    ("barabasi_albert", {}, 1000, 1996, ()),
    ("disease", {}, 1044, 1043, (-1,)),
]
RANDOM = [
    ("tree_with_features", {"dim": 4}),
    ("tree_and_torus", {}),
    ("sphere_graph", {}),
    ("torus_graph", {}),
    ("random_geometric", {}),
    ("hyperbolic_random_graph", {"n": 300}),
    ("tree_grid", {}),
    ("tree_cycle", {}),
    ("ba_shapes", {}),
    ("erdos_renyi", {}),
    ("watts_strogatz", {}),
    ("barabasi_albert", {}),
    ("stochastic_block_model", {}),
    ("lfr", {"n": 300, "degrees": (8, 40), "communities": (20, 80)}),
    ("disease", {}),
]


def make(name: str, **arguments: object) -> Graph:
    shape = arguments.pop("shape", ())
    return getattr(graphs, name)(*shape, **arguments)


@pytest.mark.parametrize(("name", "arguments", "nodes", "edges", "signs"), COUNTS)
def test_counts(name: str, arguments: dict, nodes: int, edges: int, signs: tuple) -> None:
    graph = make(name, **arguments)
    assert (graph.num_nodes, graph.num_edges) == (nodes, edges)
    assert graph.curvature_signs == signs
    assert graph.name == name
    assert graph.largest_component().num_nodes == nodes


@pytest.mark.parametrize(("name", "arguments"), RANDOM)
def test_a_seed_is_one_graph(name: str, arguments: dict) -> None:
    first, again, other = (make(name, seed=seed, **arguments) for seed in (1, 1, 2))
    assert first.edges.equal(again.edges)
    for column in ("x", "y", "positions"):
        ours, theirs = getattr(first, column), getattr(again, column)
        assert (ours is None) == (theirs is None)
        assert ours is None or ours.equal(theirs)
    same = first.edges.shape == other.edges.shape and first.edges.equal(other.edges)
    if name == "tree_with_features":
        assert not first.x.equal(other.x)
    else:
        assert not same


def test_trees_are_trees() -> None:
    tree = graphs.balanced_tree(3, 3)
    depth = tree.distances(torch.tensor([0]))[0]
    assert depth.long().bincount().tolist() == [1, 3, 9, 27]
    assert tree.degrees.long().bincount().tolist() == [0, 27, 0, 1, 12]


def test_a_tree_hangs_by_its_root_on_each_node_of_the_ring() -> None:
    graph = graphs.ring_of_trees()
    assert graph.degrees.bincount().tolist() == [0, 40, 0, 40]
    ring = graph.distances(torch.arange(10))
    for i in range(10):
        tree = 10 + 7 * i + torch.arange(7)
        assert ring[i, tree].tolist() == [1, 2, 2, 3, 3, 3, 3]


def test_features_follow_the_tree_as_gamma_says() -> None:
    for gamma in (0.0, 0.8):
        tree = graphs.tree_with_features(gamma=gamma, dim=2000)
        u, v = tree.edges.T
        slope = (tree.x[u] * tree.x[v]).sum() / tree.x[u].square().sum()
        assert abs(float(slope) - gamma) < 0.01
        noise = tree.x[v] - gamma * tree.x[u]
        assert abs(float(noise.var()) - 1) < 0.01


def test_points_are_joined_where_they_are_near() -> None:
    sphere = graphs.sphere_graph(200, 0.5)
    cosine = sphere.positions @ sphere.positions.T
    near = torch.triu(cosine > math.cos(0.5), 1).nonzero()
    assert sphere.edges.equal(near)
    torus = graphs.torus_graph(200, 0.2)
    apart = (torus.positions[:, None] - torus.positions).abs()
    near = torch.triu(torch.minimum(apart, 1 - apart).square().sum(-1) < 0.04, 1).nonzero()
    assert torus.edges.equal(near)
    plane = graphs.random_geometric(200, 0.2)
    near = torch.triu(torch.cdist(plane.positions, plane.positions) < 0.2, 1).nonzero()
    assert plane.edges.equal(near)
    assert plane.num_edges < torus.num_edges  # nothing wraps around


def test_sphere_has_no_crowd_at_the_poles() -> None:
    height = graphs.sphere_graph(4000, 0.01).positions[:, 2]
    counts = torch.histc(height, 8, -1, 1)  # uniform, by Archimedes
    assert (counts - 500).abs().max() < 5 * math.sqrt(500)


def test_hyperbolic_graph_joins_by_distance() -> None:
    graph = graphs.hyperbolic_random_graph(300, 8, seed=3)
    r, angle = graph.positions.double().T
    cosine = (angle[:, None] - angle).cos()
    cosh = r.cosh()[:, None] * r.cosh() - r.sinh()[:, None] * r.sinh() * cosine
    joined = torch.zeros(300, 300, dtype=torch.bool)
    joined[tuple(graph.edges.T)] = True
    joined = joined | joined.T
    off = ~torch.eye(300, dtype=torch.bool)
    # one threshold parts the edges from the rest, and it is the radius of the disc
    limit = cosh[joined].max()
    assert limit <= cosh[off & ~joined].min() * (1 + 1e-4)
    assert limit.log() + math.log(2) >= r.max() - 0.5
    assert abs(2 * graph.num_edges / 300 - 8) < 2


@pytest.mark.parametrize("temperature", [0.0, 0.4])
def test_hyperbolic_graph_has_hubs(temperature: float) -> None:
    graph = graphs.hyperbolic_random_graph(1000, 10, gamma=2.3, temperature=temperature)
    assert abs(float(graph.degrees.float().mean()) - 10) < 1.5
    assert graph.degrees.max() > 100
    with pytest.raises(ValueError, match="gamma must be > 2"):
        graphs.hyperbolic_random_graph(gamma=2.0)


def test_sierpinski_is_made_of_copies() -> None:
    small, large = graphs.sierpinski(3, 2), graphs.sierpinski(3, 3)
    for copy in range(3):
        assert large.subgraph(torch.arange(9) + 9 * copy).edges.equal(small.edges)
    assert large.degrees.bincount().tolist() == [0, 0, 3, 24]  # the corners have no partner
    assert small.distances()[0, 8] == 3  # 2^l - 1 between corners


def test_diamond_doubles_distances() -> None:
    for depth in range(4):
        graph = graphs.diamond(depth)
        assert graph.distances(torch.tensor([0]))[0, 1] == 2**depth


def test_torus_half_is_regular() -> None:
    graph = graphs.tree_and_torus(bridges=0)
    assert graph.y.bincount().tolist() == [364, 360]
    assert set(graph.degrees[graph.y == 1].tolist()) == {4}
    assert graph.distances()[0, graph.y == 1].isinf().all()


def test_motifs_have_their_classes() -> None:
    graph = graphs.ba_shapes()
    assert graph.y.bincount().tolist() == [300, 160, 160, 80]
    for first in (300, 345):
        house = graph.subgraph(torch.arange(first, first + 5))
        assert house.num_edges >= 6
    assert graphs.tree_cycle().y.bincount().tolist() == [511, 360]


def test_blocks_and_communities() -> None:
    graph = graphs.stochastic_block_model((200, 200), inside=0.2, outside=0.02)
    inside = (graph.y[graph.edges[:, 0]] == graph.y[graph.edges[:, 1]]).sum()
    assert abs(int(inside) - 0.2 * 200 * 199) < 5 * math.sqrt(0.2 * 200 * 199)
    assert abs(graph.num_edges - int(inside) - 0.02 * 200**2) < 5 * math.sqrt(800)
    hubs = graphs.stochastic_block_model((200, 200), degree_exponent=2.2)
    assert hubs.degrees.max() > 2 * graph.degrees.max()
    lfr = graphs.lfr(mixing=0.1)
    u, v = lfr.edges.T
    assert abs(float((lfr.y[u] != lfr.y[v]).float().mean()) - 0.1) < 0.05
    assert 20 <= lfr.y.bincount().min() <= lfr.y.bincount().max() <= 110
    with pytest.raises(ValueError, match="no LFR graph with n = 30"):
        graphs.lfr(30, degrees=(15, 29), communities=(29, 30), mixing=0.01, beta=1.01)


def test_erdos_renyi_pairs_are_uniform() -> None:
    count = torch.zeros(6, 6)
    for seed in range(400):
        count[tuple(graphs.erdos_renyi(6, 0.5, seed).edges.T)] += 1
    pairs = count[tuple(torch.triu_indices(6, 6, 1))]
    assert (pairs - 200).abs().max() < 5 * math.sqrt(100)
    assert count.sum() == pairs.sum()
    assert graphs.erdos_renyi(100_000, 1e-4).num_edges > 490_000


def test_classes_of_random_graphs() -> None:
    made = graphs.random_graph_classes(2, seed=4, nodes=(30, 40))
    assert [int(g.y) for g in made] == [0, 1, 2] * 2
    assert all(30 <= g.num_nodes <= 40 for g in made)
    assert made[2].name == "barabasi_albert"


def test_epidemic_comes_from_above() -> None:
    graph = graphs.disease(2000, seed=2)
    parent, child = graph.edges.T
    assert graph.y[0] == 1
    assert (graph.y[child] <= graph.y[parent]).all()
    assert set(child.tolist()) == set(range(1, 2000))  # each has one parent
    reachable = graph.y[parent] == 1
    caught, s = graph.y[child][reachable].double(), graph.x[child, 0][reachable].double()
    assert abs(float((caught - (0.5 + 0.5 * s)).mean())) < 5 * 0.5 / math.sqrt(len(s))
    assert graphs.disease(infection=(0, 0)).y.sum() == 1
    assert graphs.disease(infection=(1, 1)).y.all()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("cycle", {"n": 2}),
        ("balanced_tree", {"branching": 0}),
        ("ring_of_trees", {"length": 2}),
        ("sierpinski", {"base": "path"}),
        ("diamond", {"depth": -1}),
        ("disease", {"infection": (0.9, 0.3)}),
        ("stochastic_block_model", {"degree_exponent": 1.5}),
    ],
)
def test_impossible_numbers_are_refused(name: str, arguments: dict) -> None:
    with pytest.raises(ValueError, match="got"):
        make(name, **arguments)


def test_a_torus_needs_three_nodes_each_way() -> None:
    with pytest.raises(ValueError, match=r"3 nodes each way at least, got \(2, 5\)"):
        graphs.tree_and_torus(shape=(2, 5))
