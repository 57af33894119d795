"""What node classification gives without a network, and without a graph.

Each takes the ``NodeTraining`` of a split and returns (n, C) scores, as ``evaluate_nodes`` wants
it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from noneuclid.datasets.graphs.evaluation import FitNodes, sklearn
from noneuclid.datasets.graphs.floors_for_links import features_of, smooth, splittable
from noneuclid.datasets.graphs.graph import Graph
from noneuclid.datasets.graphs.node_splits import NodeTraining, labels_of

LEAF = 5  # training nodes in a leaf of a tree
PENALTIES = (0.1, 1.0, 10.0, 100.0)  # inverse strengths to choose from by validation


def majority(training: NodeTraining) -> Tensor:
    """Score each class by its share of the training nodes."""
    y = labels_of(training.graph)[training.train]
    share = torch.bincount(y.cpu(), minlength=training.num_classes) / len(y)
    return share.expand(training.graph.num_nodes, -1)


def boosted_nodes(training: NodeTraining) -> Tensor:
    """Boost trees on ``x``: the features alone, no graph."""
    x = features_of(training.graph).numpy()
    x = x[:, splittable(x[training.train.cpu().numpy()], LEAF)]
    if not x.shape[1]:  # nothing to learn from
        return majority(training)
    model = sklearn("ensemble").HistGradientBoostingClassifier(
        random_state=0, early_stopping=False, min_samples_leaf=LEAF
    )
    return _fit(model, x, training)[0]


def logistic_features(training: NodeTraining) -> Tensor:
    """Logistic regression on ``x``: the features alone, no graph."""
    return _logistic(features_of(training.graph).double(), training)


def logistic_sgc(training: NodeTraining, hops: int = 2) -> Tensor:
    """Logistic regression on S^hops X. Source: [wu2019simplifying]."""
    return _logistic(smooth(training.graph, hops), training)


def logistic_pagerank(training: NodeTraining, alpha: float = 0.1, steps: int = 20) -> Tensor:
    """Logistic regression on features diffused by personalised PageRank.

    Z <- (1 - alpha) S Z + alpha X, ``steps`` times from Z = X, with S as in ``smooth``.
    Source: [gasteiger2019predict].
    """
    graph = training.graph
    x = features_of(graph).double().numpy()
    root = 1 / np.sqrt(graph.degrees.double().numpy() + 1)
    joined = graph.adjacency() + sparse.eye_array(graph.num_nodes)
    operator = sparse.csr_array(joined * root[:, None] * root)
    z = x
    for _ in range(steps):
        z = (1 - alpha) * (operator @ z) + alpha * x
    return _logistic(torch.from_numpy(z), training)


NODE_FLOORS: dict[str, FitNodes] = {
    "logistic regression, features only": logistic_features,
    "boosted trees, features only": boosted_nodes,
    "SGC": logistic_sgc,
    "PPR": logistic_pagerank,
}


def node_floors(graph: Graph) -> dict[str, FitNodes]:
    """Give the floors that a graph allows, by name: without ``x`` the majority class alone."""
    return {"majority": majority} | ({} if graph.x is None else NODE_FLOORS)


def degree_features(graph: Graph, dim: int = 16) -> Tensor:
    """Build (n, ``dim``) float32 features of degree alone: log2(1 + d), and d >= 2^k for k >= 0.

    Of the graph given: give it the training graph of a split.
    """
    degrees = graph.degrees
    steps = degrees[:, None] >= 2 ** torch.arange(dim - 1)
    return torch.cat([torch.log2(1.0 + degrees)[:, None], steps], dim=1).float()


def _logistic(x: Tensor, training: NodeTraining) -> Tensor:
    """Fit with each penalty and keep the one with the best accuracy in validation."""
    make: Callable[..., Any] = sklearn("linear_model").LogisticRegression
    columns = x.double().numpy()
    scale = np.sqrt((columns**2).mean()) or 1.0
    fits = [_fit(make(C=c, max_iter=2000), columns / scale, training) for c in PENALTIES]
    return max(fits, key=lambda fit: fit[1])[0]


def _fit(model: Any, x: np.ndarray, training: NodeTraining) -> tuple[Tensor, float]:
    """Give (n, C) log-probabilities, and the accuracy in validation."""
    y = labels_of(training.graph).cpu().numpy()
    train, validation = training.train.cpu().numpy(), training.validation.cpu().numpy()
    model.fit(x[train], y[train])
    scores = torch.full((len(x), training.num_classes), -torch.inf, dtype=torch.float64)
    probability = torch.from_numpy(model.predict_proba(x))
    scores[:, torch.from_numpy(model.classes_)] = probability.log()
    right = scores.argmax(dim=1).numpy()[validation] == y[validation]
    return scores.exp(), float(right.mean()) if len(right) else 0.0
