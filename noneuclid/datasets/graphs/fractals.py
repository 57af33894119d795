"""Graphs that repeat themselves at every scale."""

from itertools import product

import numpy as np

from noneuclid.datasets.graphs.graph import Graph, make_graph


def sierpinski(symbols: int = 3, length: int = 8, base: str = "clique") -> Graph:
    """Build the Sierpinski graph of a clique or a cycle.

    Nodes are the words of ``length`` over ``symbols`` letters. Words w a b^k and w b a^k are joined
    for each edge (a, b) of the base graph: the graph of length l is ``symbols`` copies of that of
    length l - 1, joined at their corners as the base is. K3 of length 8 has 6,561 nodes and 9,840
    edges, C5 of length 6 has 15,625 and 19,530. No known sign. Source: [gravier2011generalized].
    """
    if base not in ("clique", "cycle") or symbols < 3 or length < 1:
        raise ValueError(
            'base must be "clique" or "cycle", symbols >= 3 and length >= 1, '
            f"got {base!r}, {symbols} and {length}"
        )
    letters = [
        (a, b)
        for a, b in product(range(symbols), repeat=2)
        if a < b and (base == "clique" or b - a in (1, symbols - 1))
    ]
    edges, size = np.zeros((0, 2), dtype=np.int64), 1
    for _ in range(length):
        copies = [edges + a * size for a in range(symbols)]
        corner = (size - 1) // (symbols - 1)  # the number of the word 1 1 ... 1
        joints = [(a * size + b * corner, b * size + a * corner) for a, b in letters]
        edges, size = np.concatenate([*copies, np.array(joints)]), size * symbols
    return make_graph(edges, size, name="sierpinski")


def diamond(depth: int = 5) -> Graph:
    """Replace each edge by a 4-cycle, ``depth`` times, from one edge on.

    4^depth edges and 2 + 2 (4^depth - 1) / 3 nodes: depth 5 has 684 nodes and 1,024 edges. No
    space of constant curvature embeds it well. No known sign.
    """
    if depth < 0:
        raise ValueError(f"depth must be >= 0, got {depth}")
    edges, n = np.array([[0, 1]]), 2
    for _ in range(depth):
        u, v = edges.T
        left, right = n + 2 * np.arange(len(edges)), n + 1 + 2 * np.arange(len(edges))
        sides = [(u, left), (left, v), (u, right), (right, v)]
        edges, n = np.concatenate([np.stack(side, axis=1) for side in sides]), n + 2 * len(u)
    return make_graph(edges, n, name="diamond")
