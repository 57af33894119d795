"""Trees and cycles: graphs that one hyperbolic, or one spherical, space embeds."""

import numpy as np
import torch

from noneuclid.datasets.graphs.graph import Graph, make_graph


def balanced_tree(branching: int = 4, depth: int = 5) -> Graph:
    """Build the tree where each node above the last level has ``branching`` children.

    n = 1 + b + ... + b^depth, numbered level by level from the root: b = 4, depth 5 gives 1,365,
    b = 20, depth 3 gives 8,421. Hyperbolic: distances of a tree embed in H^2 with distortion as
    near to 1 as wanted [sala2018representation]. Sign -1.
    """
    if branching < 1 or depth < 0:
        raise ValueError(f"branching must be >= 1 and depth >= 0, got {branching} and {depth}")
    n = sum(branching**level for level in range(depth + 1))
    child = np.arange(1, n)
    edges = np.stack([(child - 1) // branching, child], axis=1)
    return make_graph(edges, n, name="balanced_tree", curvature_signs=(-1,))


def tree_with_features(
    branching: int = 10, depth: int = 3, gamma: float = 0.4, dim: int = 1000, seed: int = 0
) -> Graph:
    """Build a balanced tree whose features follow it as much as ``gamma`` says.

    x_root ~ N(0, I), x_child = gamma x_parent + N(0, I): with gamma = 0 the tree is in the edges
    alone, with growing gamma it is in the features too. The default is Tree1111; used are gamma in
    0, .05, .1, .15, .2, .4, .6, .8, 1. Sign -1. Source: [katsman2024shedding].
    """
    tree = balanced_tree(branching, depth)
    noise = np.random.default_rng(seed).standard_normal((tree.num_nodes, dim), dtype=np.float32)
    for parent, child in tree.edges.tolist():  # a parent comes before its children
        noise[child] += gamma * noise[parent]
    return make_graph(
        tree.edges, tree.num_nodes, x=torch.from_numpy(noise), name="tree_with_features",
        curvature_signs=(-1,),
    )  # fmt: skip


def cycle(n: int = 10) -> Graph:
    """Build the cycle of n >= 3 nodes; the circle of length n embeds it exactly. Sign 1."""
    if n < 3:
        raise ValueError(f"a cycle needs at least 3 nodes, got {n}")
    return make_graph(_ring(n), n, name="cycle", curvature_signs=(1,))


def ring_of_trees(length: int = 10, branching: int = 2, depth: int = 2) -> Graph:
    """Hang a balanced tree by an edge on each node of a cycle.

    The default has 80 nodes: 10 on the cycle, 7 in each tree. One space embeds it badly, a product
    of a hyperbolic and a spherical one well. Signs -1 and 1. Source: [gu2019learning].
    """
    if length < 3:
        raise ValueError(f"a cycle needs at least 3 nodes, got {length}")
    tree = balanced_tree(branching, depth)
    size = tree.num_nodes
    edges = [_ring(length)]
    for i in range(length):
        root = length + i * size
        edges += [np.array([[i, root]]), tree.edges.numpy() + root]
    n = length * (1 + size)
    return make_graph(np.concatenate(edges), n, name="ring_of_trees", curvature_signs=(-1, 1))


def tree_and_torus(
    branching: int = 3, depth: int = 5, shape: tuple[int, int] = (18, 20), bridges: int = 3,
    seed: int = 0,
) -> Graph:  # fmt: skip
    """Join a balanced tree and a grid on the torus by a few edges between random nodes.

    About half of each: 364 nodes of the tree (``y`` = 0), then 360 of the grid (``y`` = 1). The
    curvatures of the two parts cancel on average, so that a choice of space by mean curvature must
    fail, while a product with one factor of negative curvature and circles fits. Signs -1 and 0.
    """
    if min(shape) < 3:
        raise ValueError(f"a grid on the torus needs 3 nodes each way at least, got {shape}")
    tree, (rows, columns) = balanced_tree(branching, depth), shape
    place = np.arange(rows * columns).reshape(shape)
    around = [np.stack([place, np.roll(place, 1, axis)], -1).reshape(-1, 2) for axis in (0, 1)]
    rng = np.random.default_rng(seed)
    ends = rng.choice(tree.num_nodes, bridges), rng.choice(place.size, bridges)
    bridge = np.stack([ends[0], tree.num_nodes + ends[1]], axis=1)
    edges = [tree.edges.numpy(), np.concatenate(around) + tree.num_nodes, bridge]
    n = tree.num_nodes + place.size
    return make_graph(
        np.concatenate(edges), n, y=(torch.arange(n) >= tree.num_nodes).long(),
        name="tree_and_torus", curvature_signs=(-1, 0),
    )  # fmt: skip


def _ring(n: int) -> np.ndarray:
    return np.stack([np.arange(n), (np.arange(n) + 1) % n], axis=1)
