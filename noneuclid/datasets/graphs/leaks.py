"""Leak tests: on random edges and on random labels whatever is fitted must get chance.

A model that has seen the test, through its edges, its labels or anything computed from them, scores
above chance where there is nothing to learn; one that was trained against the test scores below.
"""

import math
from collections.abc import Callable

import numpy as np
import torch

from noneuclid.datasets.graphs.evaluation import (
    FitLinks,
    FitNodes,
    evaluate_links,
    evaluate_nodes,
)
from noneuclid.datasets.graphs.graph import Graph, make_graph
from noneuclid.datasets.graphs.link_splits import LinkSplit, link_split
from noneuclid.datasets.graphs.node_splits import split_fractions
from noneuclid.datasets.graphs.random_graphs import erdos_renyi


class LeakError(AssertionError):
    """A score on random data that chance does not explain."""


def check_link_leak(
    fit: FitLinks,
    *,
    split: Callable[[Graph, int], LinkSplit] = link_split,
    repeats: int = 3,
    num_nodes: int = 500,
    mean_degree: float = 20.0,
    num_features: int = 16,
    errors: float = 4.0,
) -> dict[str, float]:
    """Fit on random graphs with random features and compare the AUC on test edges with 1/2.

    Given the training graph, the test edges of an Erdos-Renyi graph and its other pairs are
    exchangeable, so that the rank sum of uniform pairs has its null distribution exactly: a
    standard error of sqrt((P + N + 1) / (12 P N)). By the default this is 0.01 over three repeats.

    Args:
        fit: As ``evaluate_links`` takes it.
        split: What splits the edges, called with a graph and a seed.
        repeats: Graphs.
        num_nodes: Nodes of each.
        mean_degree: Of each.
        num_features: Columns of ``x``, N(0, 1).
        errors: Standard errors from 1/2 that are let pass.

    Returns:
        The mean ``auc`` and ``auc_matched``, and the standard ``error`` of the former.

    Raises:
        LeakError: The mean AUC is not chance, against uniform or against matched pairs.
    """
    results, variance = [], 0.0
    for seed in range(repeats):
        plain = erdos_renyi(num_nodes, mean_degree / (num_nodes - 1), seed)
        x = torch.randn(num_nodes, num_features, generator=torch.Generator().manual_seed(seed))
        parts = split(make_graph(plain.edges, num_nodes, x=x, name="random edges"), seed)
        results.append(evaluate_links(fit, parts))
        count = len(parts.test.positive)
        variance += (2 * count + 1) / (12 * count**2) / repeats**2
    error = math.sqrt(variance)
    means = {
        key: float(np.mean([result[key] for result in results])) for key in ("auc", "auc_matched")
    }
    for key, mean in means.items():
        if abs(mean - 0.5) > errors * error:
            raise LeakError(
                f"{key} on random edges is {mean:.3f}, {abs(mean - 0.5) / error:.1f} standard "
                "errors from 1/2: the fit has seen the test, or was trained against it"
            )
    return means | {"error": error}


def check_node_leak(
    fit: FitNodes,
    *,
    repeats: int = 3,
    num_nodes: int = 500,
    mean_degree: float = 6.0,
    num_features: int = 16,
    num_classes: int = 3,
    errors: float = 4.0,
) -> dict[str, float]:
    """Fit on random labels and compare the accuracy on the test nodes with 1 / ``num_classes``.

    Labels that are independent of everything are guessed right as often as a die is, by whatever
    has not seen them: the number of hits is binomial exactly.

    Args:
        fit: As ``evaluate_nodes`` takes it.
        repeats: Graphs.
        num_nodes: Nodes of each, half of them tested.
        mean_degree: Of each.
        num_features: Columns of ``x``, N(0, 1).
        num_classes: Classes.
        errors: Standard errors from chance that are let pass.

    Returns:
        The mean ``accuracy`` and its standard ``error``.

    Raises:
        LeakError: The mean accuracy is not chance.
    """
    hits = tested = 0.0
    for seed in range(repeats):
        plain = erdos_renyi(num_nodes, mean_degree / (num_nodes - 1), seed)
        generator = torch.Generator().manual_seed(seed)
        graph = make_graph(
            plain.edges, num_nodes, name="random labels",
            x=torch.randn(num_nodes, num_features, generator=generator),
            y=torch.randint(num_classes, (num_nodes,), generator=generator),
        )  # fmt: skip
        parts = split_fractions(graph, (0.3, 0.2, 0.5), seed)
        count = int(parts.test.sum())
        hits += evaluate_nodes(fit, graph, parts)["accuracy"] * count
        tested += count
    chance = 1 / num_classes
    accuracy, error = hits / tested, math.sqrt(chance * (1 - chance) / tested)
    if abs(accuracy - chance) > errors * error:
        raise LeakError(
            f"accuracy on random labels is {accuracy:.3f}, {abs(accuracy - chance) / error:.1f} "
            f"standard errors from {chance:.3f}: the fit has seen the labels of the test"
        )
    return {"accuracy": accuracy, "error": error}
