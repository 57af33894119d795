"""Random graphs of no geometry: those of Erdos and Renyi, small worlds and hubs, and blocks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from noneuclid.datasets.graphs.graph import Graph, make_graph

FAMILIES = ("erdos_renyi", "watts_strogatz", "barabasi_albert")


def erdos_renyi(n: int = 1000, probability: float = 0.005, seed: int = 0) -> Graph:
    """Join each pair of n nodes with the same probability, in O(E) memory. No known sign."""
    rng = np.random.default_rng(seed)
    pairs = n * (n - 1) // 2
    count = rng.binomial(pairs, probability)
    code = rng.choice(pairs, count, replace=False, shuffle=False)
    return make_graph(_decode(code), n, name="erdos_renyi")


def watts_strogatz(
    n: int = 1000, neighbors: int = 10, rewiring: float = 0.1, seed: int = 0
) -> Graph:
    """Build a small world: a ring lattice whose edges are rewired with a probability.

    Each node starts with edges to ``neighbors`` others, half on each side; an odd number is rounded
    down. No known sign.

    Raises:
        ImportError: networkx is not installed (``noneuclid[graphs]``).
    """
    made = networkx().watts_strogatz_graph(n, neighbors, rewiring, seed=seed)
    return from_networkx(made, "watts_strogatz")


def barabasi_albert(n: int = 1000, edges_per_node: int = 2, seed: int = 0) -> Graph:
    """Grow a graph whose new nodes choose old ones in proportion to their degree. No known sign.

    Raises:
        ImportError: networkx is not installed (``noneuclid[graphs]``).
    """
    made = networkx().barabasi_albert_graph(n, edges_per_node, seed=seed)
    return from_networkx(made, "barabasi_albert")


def random_graph_classes(
    count: int = 6000, seed: int = 0, nodes: tuple[int, int] = (200, 500)
) -> list[Graph]:
    """Make graphs of three families to be told apart, ``count`` of each, in turn.

    n is uniform in ``nodes``. Erdos-Renyi (``y`` = 0): p in (0.01, 1); Watts-Strogatz (1): 1 to 199
    neighbours, rewiring in (0.01, 1); Barabasi-Albert (2): 1 to 199 edges per node; all uniform.
    The numbers of neighbours stay below ``nodes[0]``. Source: [liu2019hyperbolic], who draw 6,000
    graphs of each and take a third for training, validation and test each.
    """
    rng = np.random.default_rng(seed)
    graphs = []
    most = min(199, nodes[0] - 1)
    for _ in range(count):
        n = [int(k) for k in rng.integers(nodes[0], nodes[1] + 1, size=3)]
        k, m = (int(k) for k in rng.integers(1, most + 1, size=2))
        p, rewiring = rng.uniform(0.01, 1, size=2)
        seeds = [int(s) for s in rng.integers(2**31, size=3)]
        graphs += [
            erdos_renyi(n[0], p, seeds[0]),
            watts_strogatz(n[1], k, rewiring, seeds[1]),
            barabasi_albert(n[2], m, seeds[2]),
        ]
    classes = [torch.tensor([i % len(FAMILIES)]) for i in range(len(graphs))]
    return [
        make_graph(g.edges, g.num_nodes, y=y, name=g.name)
        for g, y in zip(graphs, classes, strict=True)
    ]


def stochastic_block_model(
    sizes: Sequence[int] = (100, 100, 100, 100), inside: float = 0.2, outside: float = 0.01,
    degree_exponent: float | None = None, seed: int = 0,
) -> Graph:  # fmt: skip
    """Join pairs with one probability inside a block and another between blocks.

    Args:
        sizes: Nodes of each block; ``y`` is the block.
        inside: Probability inside, usually 0.1 to 0.3.
        outside: Probability between.
        degree_exponent: Where given, each probability is multiplied by w_u w_v and cut at 1, with
            weights of mean 1 drawn from a power law of this exponent (> 2): blocks with hubs.
        seed: Seed. Memory is O(n^2). No known sign.
    """
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(len(sizes)), sizes)
    probability = np.where(block[:, None] == block, inside, outside)
    if degree_exponent is not None:
        if degree_exponent <= 2:
            raise ValueError(f"degree_exponent must be > 2, got {degree_exponent}")
        weight = 1 + rng.pareto(degree_exponent - 1, len(block))
        weight /= weight.mean()
        probability = probability * np.outer(weight, weight)
    edges = np.argwhere(np.triu(rng.random(probability.shape) < probability, 1))
    return make_graph(edges, len(block), y=torch.from_numpy(block), name="stochastic_block_model")


def lfr(
    n: int = 1000, mixing: float = 0.3, gamma: float = 2.5, beta: float = 1.5,
    degrees: tuple[int, int] = (15, 50), communities: tuple[int, int] = (20, 100), seed: int = 0,
) -> Graph:  # fmt: skip
    """Make a graph with communities whose sizes, and whose degrees, follow power laws.

    Args:
        n: Nodes, usually 1,000 or 5,000.
        mixing: Share of a node's edges that leave its community, usually 0.1 to 0.6.
        gamma: Exponent of the degrees, 2 to 3.
        beta: Exponent of the sizes of communities, 1 to 2.
        degrees: Mean and largest degree.
        communities: Smallest and largest size.
        seed: Seed. ``y`` is the community. No known sign. Source: [lancichinetti2008benchmark].

    Raises:
        ValueError: No graph with these numbers was found.
        ImportError: networkx is not installed (``noneuclid[graphs]``).
    """
    nx = networkx()
    try:
        made = nx.LFR_benchmark_graph(
            n, gamma, beta, mixing, average_degree=degrees[0], max_degree=degrees[1],
            min_community=communities[0], max_community=communities[1], seed=seed, max_iters=1000,
        )  # fmt: skip
    except nx.ExceededMaxIterations as error:
        raise ValueError(
            f"no LFR graph with n = {n}, degrees {degrees}, communities {communities} was found: "
            "try another seed, a larger maximal degree or larger communities"
        ) from error
    label = np.zeros(n, dtype=np.int64)
    for i, members in enumerate({min(c): c for _, c in made.nodes(data="community")}.values()):
        label[list(members)] = i
    return from_networkx(made, "lfr", y=torch.from_numpy(label))


def from_networkx(graph: Any, name: str, **columns: Any) -> Graph:
    """Take the edges of a networkx graph on 0..n-1."""
    return make_graph(list(graph.edges()), graph.number_of_nodes(), name=name, **columns)


def networkx() -> Any:
    """Import networkx, or say how to get it."""
    try:
        import networkx as module
    except ImportError as error:
        raise ImportError("networkx is not installed: pip install 'noneuclid[graphs]'") from error
    return module


def _decode(code: np.ndarray) -> np.ndarray:
    """Turn numbers of pairs into pairs u < v: v (v - 1) / 2 + u is the number."""
    v = ((1 + np.sqrt(1 + 8.0 * code)) / 2).astype(np.int64)
    v -= v * (v - 1) // 2 > code  # where the root was rounded up
    v += v * (v + 1) // 2 <= code  # or down
    return np.stack([code - v * (v - 1) // 2, v], axis=1)
