"""Trees and hubs with small shapes hung on them, which the node's class tells apart.

The graphs of [ying2019gnnexplainer]: each shape is joined by an edge to a random node of the base,
then random edges are added, 1 % of those there are, rounded down.
"""

import numpy as np
import torch

from noneuclid.datasets.graphs.geometric import grid
from noneuclid.datasets.graphs.graph import Graph, make_graph
from noneuclid.datasets.graphs.random_graphs import barabasi_albert
from noneuclid.datasets.graphs.trees import balanced_tree, cycle

NOISE = 0.01  # random edges for each edge there is
HOUSE = make_graph([(0, 1), (1, 2), (2, 3), (0, 3), (0, 4), (1, 4)], 5)  # two walls, floor, roof
HOUSE_CLASSES = (1, 1, 2, 2, 3)  # below the roof, on the floor, the top


def tree_grid(height: int = 8, shapes: int = 80, seed: int = 0) -> Graph:
    """Hang 3 x 3 grids on a binary tree: 1,231 nodes, 1,565 edges; ``y`` = 1 on a grid.

    Signs -1 and 0.
    """
    return _hang(balanced_tree(2, height), grid(3, 3), [1] * 9, shapes, seed, "tree_grid", (-1, 0))


def tree_cycle(height: int = 8, shapes: int = 60, seed: int = 0) -> Graph:
    """Hang hexagons on a binary tree, every other by two edges: 871 nodes, 969 edges.

    ``y`` = 1 on a hexagon. Signs -1 and 1.
    """
    tree, hexagon = balanced_tree(2, height), cycle(6)
    return _hang(tree, hexagon, [1] * 6, shapes, seed, "tree_cycle", (-1, 1), twice=True)


def ba_shapes(n: int = 300, shapes: int = 80, seed: int = 0) -> Graph:
    """Hang houses of five nodes on a graph with hubs: 700 nodes, 2,055 edges.

    ``y``: 0 on the base, 1 below the roof, 2 on the floor, 3 the top. No known sign.

    Raises:
        ImportError: networkx is not installed (``noneuclid[graphs]``).
    """
    base = barabasi_albert(n, 5, seed)
    return _hang(base, HOUSE, list(HOUSE_CLASSES), shapes, seed, "ba_shapes", ())


def _hang(
    base: Graph, shape: Graph, classes: list[int], count: int, seed: int, name: str,
    signs: tuple[int, ...], *, twice: bool = False,
) -> Graph:  # fmt: skip
    rng = np.random.default_rng(seed)
    first = base.num_nodes + shape.num_nodes * np.arange(count)
    n = base.num_nodes + shape.num_nodes * count
    edges = [base.edges.numpy(), *(shape.edges.numpy() + start for start in first)]
    edges.append(np.stack([rng.choice(base.num_nodes, count), first], axis=1))
    if twice:  # the node opposite, of every other shape
        other = first[::2] + shape.num_nodes // 2
        edges.append(np.stack([rng.choice(base.num_nodes, len(other)), other], axis=1))
    graph = make_graph(np.concatenate(edges), n)
    added = _new_edges(graph, int(NOISE * graph.num_edges), rng)
    return make_graph(
        torch.cat([graph.edges, added]), n, name=name, curvature_signs=signs,
        y=torch.tensor([0] * base.num_nodes + classes * count),
    )  # fmt: skip


def _new_edges(graph: Graph, count: int, rng: np.random.Generator) -> torch.Tensor:
    """Draw pairs that are no edges yet, without repeats."""
    n, known = graph.num_nodes, {(u, v) for u, v in graph.edges.tolist()}
    added: list[tuple[int, int]] = []
    while len(added) < count:
        u, v = sorted(int(i) for i in rng.choice(n, 2, replace=False))
        if (u, v) not in known:
            known.add((u, v))
            added.append((u, v))
    return torch.tensor(added, dtype=torch.int64).reshape(-1, 2)
