"""What link prediction gives without learning, and without a graph: the floors of every table.

Each takes the ``LinkTraining`` of a split and returns a score of (P, 2) pairs, as
``evaluate_links`` wants it. A, d: adjacency matrix and degrees of the training graph.
"""

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from noneuclid.datasets.graphs.evaluation import FitLinks, PairScore, sklearn
from noneuclid.datasets.graphs.graph import Graph
from noneuclid.datasets.graphs.link_splits import LinkTraining

CHUNK = 4096  # pairs at a time
ROWS = 1024  # of the distance matrix at a time
TABLE = 50_000_000  # numbers that trees are trained on
LEAF = 20  # training pairs in a leaf of a tree


def resource_allocation(training: LinkTraining) -> PairScore:
    """Sum 1 / d_w over the common neighbours w. Source: [zhou2009predicting]."""
    adjacency = training.graph.adjacency()
    return _walks(adjacency, adjacency @ _power(training.graph, -1))


def katz(training: LinkTraining, beta: float = 0.05) -> PairScore:
    """Count walks of up to 3 steps, beta A + beta^2 A^2 + beta^3 A^3. Source: [katz1953new]."""
    adjacency = training.graph.adjacency()
    edge = _walks(adjacency, sparse.eye_array(training.graph.num_nodes))
    two, three = _walks(adjacency, adjacency), _walks(adjacency, adjacency, middle=adjacency)
    return lambda pairs: beta * edge(pairs) + beta**2 * two(pairs) + beta**3 * three(pairs)


def preferential_attachment(training: LinkTraining) -> PairScore:
    """Multiply the degrees, d_u d_v. Source: [barabasi1999emergence]."""
    degrees = training.graph.degrees.double()
    return lambda pairs: degrees[pairs.cpu()].prod(dim=1)


def feature_cosine(training: LinkTraining) -> PairScore:
    """Compare the features alone, cos(x_u, x_v)."""
    return _cosine(features_of(training.graph))


def sgc_cosine(training: LinkTraining, hops: int = 2) -> PairScore:
    """Compare smoothed features, cos of the rows of S^hops X; see ``smooth``."""
    return _cosine(smooth(training.graph, hops))


def sgc_and_feature_cosine(training: LinkTraining, hops: int = 2) -> PairScore:
    """Add the cosines of the features and of the smoothed features."""
    plain, smoothed = feature_cosine(training), sgc_cosine(training, hops)
    return lambda pairs: plain(pairs) + smoothed(pairs)


def shortest_path(training: LinkTraining) -> PairScore:
    """Count the edges between, -dist(u, v); no path at all is n edges long."""
    graph = training.graph

    def score(pairs: Tensor) -> Tensor:
        ends = pairs.cpu()
        sources, row = ends[:, 0].unique(return_inverse=True)
        length = torch.empty(len(ends), dtype=torch.float64)
        for first in range(0, len(sources), ROWS):
            here = (row >= first) & (row < first + ROWS)
            distances = graph.distances(sources[first : first + ROWS]).double()
            length[here] = distances[row[here] - first, ends[here, 1]]
        return -torch.where(length.isfinite(), length, float(graph.num_nodes))

    return score


def svd(training: LinkTraining, rank: int = 16) -> PairScore:
    """Take the entry (u, v) of the best approximation of D^-1/2 A D^-1/2 that has this rank."""
    left, right = _factors(training.graph, rank)
    return lambda pairs: (left[pairs[:, 0].cpu()] * right[pairs[:, 1].cpu()]).sum(dim=1)


def svd_cosine(training: LinkTraining, rank: int = 16) -> PairScore:
    """Compare the rows of U S, where U S V^T is the approximation of ``svd``, by angle."""
    return _cosine(_factors(training.graph, rank)[0])


def boosted_links(training: LinkTraining) -> PairScore:
    """Boost trees on min(x_u, x_v), max(x_u, x_v) and abs(x_u - x_v): the features alone.

    Trained on the training edges and as many pairs that are none, or on a random part of them where
    the table would have more than 5e7 entries. This is no score of a graph: what it reaches is in
    the features.
    """
    x = features_of(training.graph)
    order = torch.randperm(training.graph.num_edges, generator=torch.Generator().manual_seed(0))
    taken = order[: max(1, TABLE // (6 * max(x.shape[1], 1)))]
    positive, negative = training.links.positive[taken], training.links.negative[taken]
    rows = _pair_features(x, torch.cat([positive, negative]))
    columns = splittable(rows, LEAF)
    if not columns.any():  # nothing to learn from
        return lambda pairs: torch.zeros(len(pairs), dtype=torch.float64)
    model = sklearn("ensemble").HistGradientBoostingClassifier(
        random_state=0, min_samples_leaf=LEAF
    )
    model.fit(rows[:, columns], np.repeat([1, 0], [len(positive), len(negative)]))

    def score(pairs: Tensor) -> Tensor:
        parts = [_pair_features(x, part)[:, columns] for part in pairs.split(CHUNK)]
        return torch.from_numpy(np.concatenate([model.decision_function(part) for part in parts]))

    return score


STRUCTURE_FLOORS: dict[str, FitLinks] = {
    "resource allocation": resource_allocation,
    "Katz": katz,
    "preferential attachment": preferential_attachment,
    "shortest path": shortest_path,
    "SVD": svd,
    "SVD cosine": svd_cosine,
}
FEATURE_FLOORS: dict[str, FitLinks] = {
    "feature cosine": feature_cosine,
    "SGC cosine": sgc_cosine,
    "SGC + feature cosine": sgc_and_feature_cosine,
    "boosted trees, features only": boosted_links,
}


def link_floors(graph: Graph) -> dict[str, FitLinks]:
    """Give the floors that a graph allows, by name: without ``x`` those of structure alone."""
    return STRUCTURE_FLOORS if graph.x is None else STRUCTURE_FLOORS | FEATURE_FLOORS


def features_of(graph: Graph) -> Tensor:
    """Give the (n, F) features.

    Raises:
        ValueError: There are none.
    """
    if graph.x is None:
        raise ValueError(f"{graph!r} has no features")
    return graph.x.cpu()


def smooth(graph: Graph, hops: int = 2) -> Tensor:
    """Average features over neighbours: S^hops X, S = (D + I)^-1/2 (A + I) (D + I)^-1/2.

    Source: [wu2019simplifying].
    """
    root = _power(graph, -0.5, loops=True)
    operator = root @ (graph.adjacency() + sparse.eye_array(graph.num_nodes)) @ root
    x = sparse.csr_array(features_of(graph).double().numpy())
    for _ in range(hops):
        x = operator @ x
    return torch.from_numpy(x.toarray())


def splittable(rows: np.ndarray, leaf: int) -> np.ndarray:
    """Find the columns that some cut parts with ``leaf`` rows on each side.

    A tree can use no other, and of a bag of words in few rows those are most.
    """
    if len(rows) < 2 * leaf:
        return np.zeros(rows.shape[1], dtype=bool)
    ends = (leaf - 1, len(rows) - leaf)
    low, high = np.partition(rows, ends, axis=0)[list(ends)]
    return low < high


def _factors(graph: Graph, rank: int) -> tuple[Tensor, Tensor]:
    """Give U S and V of the truncated singular value decomposition of D^-1/2 A D^-1/2."""
    root = _power(graph, -0.5)
    operator = sparse.csr_array(root @ graph.adjacency() @ root)
    start = np.random.default_rng(0).standard_normal(graph.num_nodes)
    left, values, right = sparse.linalg.svds(operator, k=min(rank, graph.num_nodes - 1), v0=start)
    return torch.from_numpy(left * values), torch.from_numpy(right.T.copy())


def _power(graph: Graph, exponent: float, *, loops: bool = False) -> sparse.dia_array:
    """Build the diagonal matrix of d^exponent, 0 where d is; with ``loops`` of (d + 1)^exponent."""
    degrees = graph.degrees.double().numpy() + loops
    values = np.power(degrees, exponent, out=np.zeros_like(degrees), where=degrees > 0)
    return sparse.diags_array(values)


def _walks(
    first: sparse.csr_array, last: sparse.csr_array, middle: sparse.csr_array | None = None
) -> PairScore:
    """Take the entries (u, v) of first middle last^T, a part of the pairs at a time."""
    first, last = sparse.csr_array(first), sparse.csr_array(last)

    def score(pairs: Tensor) -> Tensor:
        found = [np.zeros(0)]
        for part in pairs.cpu().split(CHUNK):
            rows = first[part[:, 0].numpy()]
            rows = rows if middle is None else rows @ middle
            found.append(np.asarray((rows * last[part[:, 1].numpy()]).sum(axis=1)).reshape(-1))
        return torch.from_numpy(np.concatenate(found))

    return score


def _cosine(x: Tensor) -> PairScore:
    """Compare rows by angle; a row of zeros has cosine 0 with any other."""
    length = x.square().sum(dim=1, keepdim=True).sqrt()
    unit = torch.where(length > 0, x / torch.where(length > 0, length, 1), 0)

    def score(pairs: Tensor) -> Tensor:
        parts = pairs.cpu().split(CHUNK)
        found = [(unit[part[:, 0]] * unit[part[:, 1]]).sum(dim=1) for part in parts]
        return torch.cat([torch.zeros(0, dtype=x.dtype), *found]).double()

    return score


def _pair_features(x: Tensor, pairs: Tensor) -> np.ndarray:
    u, v = x[pairs[:, 0].cpu()], x[pairs[:, 1].cpu()]
    return torch.cat([torch.minimum(u, v), torch.maximum(u, v), (u - v).abs()], dim=1).numpy()
