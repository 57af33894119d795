"""Scores of anything that can be fitted, on test pairs or test nodes that it cannot see."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from noneuclid.datasets.graphs.graph import Graph
from noneuclid.datasets.graphs.link_splits import Links, LinkSplit, LinkTraining
from noneuclid.datasets.graphs.node_splits import NodeSplit, NodeTraining, labels_of

PairScore: TypeAlias = Callable[[Tensor], Tensor]  # (P, 2) pairs -> (P,) scores
FitLinks: TypeAlias = Callable[[LinkTraining], PairScore]
FitNodes: TypeAlias = Callable[[NodeTraining], Tensor]  # -> (n, C) scores


def evaluate_links(fit: FitLinks, split: LinkSplit) -> dict[str, float]:
    """Fit on the training part and score the test pairs.

    Args:
        fit: Takes a ``LinkTraining``, returns a function from (P, 2) pairs to (P,) scores.
        split: As ``link_split`` gives it.

    Returns:
        ``auc`` and ``ap``, area under the ROC curve and average precision against uniform pairs;
        ``auc_matched`` and ``ap_matched`` against pairs of the same degrees. In [0, 1]; chance is
        0.5.

    Raises:
        ValueError: A score is not finite, or there is not one for each pair.
        ImportError: scikit-learn is not installed (``noneuclid[graphs]``).
    """
    return score_links(fit(split.training), split.test)


def score_links(score: PairScore, links: Links) -> dict[str, float]:
    """Score the pairs of one part, as ``evaluate_links`` does those of the test."""
    metrics = sklearn("metrics")
    positive, uniform, matched = (
        _checked(score(pairs), len(pairs))
        for pairs in (links.positive, links.negative, links.matched)
    )
    result = {}
    for suffix, negative in (("", uniform), ("_matched", matched)):
        label = np.repeat([1, 0], [len(positive), len(negative)])
        both = np.concatenate([positive, negative])
        result[f"auc{suffix}"] = float(metrics.roc_auc_score(label, both))
        result[f"ap{suffix}"] = float(metrics.average_precision_score(label, both))
    return result


def evaluate_nodes(fit: FitNodes, graph: Graph, split: NodeSplit) -> dict[str, float]:
    """Fit with the test labels hidden and score the test nodes.

    Args:
        fit: Takes a ``NodeTraining``, returns (n, C) scores of the classes.
        graph: The graph with all labels.
        split: Its parts.

    Returns:
        ``accuracy`` and ``macro_f1`` of the class with the highest score, in [0, 1].

    Raises:
        ValueError: A score is not finite, or there is not one for each node.
        ImportError: scikit-learn is not installed (``noneuclid[graphs]``).
    """
    scores = fit(split.training(graph)).detach().cpu()
    if len(scores) != graph.num_nodes or not bool(scores[split.test.cpu()].isfinite().all()):
        raise ValueError(
            f"the fit must give finite ({graph.num_nodes}, C) scores, got {tuple(scores.shape)}"
        )
    truth = labels_of(graph)[split.test].cpu().numpy()
    guess = scores.argmax(dim=1)[split.test.cpu()].numpy()
    macro = sklearn("metrics").f1_score(truth, guess, average="macro")
    return {"accuracy": float((truth == guess).mean()), "macro_f1": float(macro)}


def sklearn(module: str) -> Any:
    """Import a module of scikit-learn, or say how to get it."""
    try:
        from importlib import import_module

        return import_module(f"sklearn.{module}")
    except ImportError as error:
        raise ImportError(
            "scikit-learn is not installed: pip install 'noneuclid[graphs]'"
        ) from error


def _checked(scores: Tensor, count: int) -> np.ndarray:
    values = scores.detach().cpu().to(torch.float64).numpy()
    if values.shape != (count,) or not np.isfinite(values).all():
        raise ValueError(f"a score must be finite for each of {count} pairs, got {values.shape}")
    return values
