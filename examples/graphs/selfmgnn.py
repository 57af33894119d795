"""SelfMGNN without labels, its frozen codes decoded for nodes and for edges, and its ablations.

    python examples/graphs/selfmgnn.py                   # the airports that ship, offline
    python examples/graphs/selfmgnn.py --data cora.npz --epochs 200 --dim 64

Nodes: a linear decoder on frozen codes of the whole graph. Edges: a Fermi-Dirac decoder on frozen
codes of the training edges. Beside the mixed signature stand the constant-curvature ones of the
same total dimension, the single-view loss, and Euclidean self-supervised baselines.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from noneuclid.datasets.graphs import (
    Graph,
    LinkTraining,
    NodeTraining,
    evaluate_links,
    evaluate_nodes,
    link_floors,
    link_split,
    load_npz,
    node_floors,
    public_split,
    split_fractions,
    us_airports,
)
from noneuclid.models.graphs import (
    DGI,
    GRACE,
    GraphMAE,
    LinkPredictor,
    MotifRGC,
    NodeClassifier,
    Recipe,
    SelfMGNN,
    SelfSupervised,
)


def encoders(features: int, dim: int) -> dict[str, Callable[[], SelfSupervised]]:
    """Return what is compared, all with codes of 3 `dim` dimensions."""
    mixed = f"K{dim}(-1)* x K{dim}(1)* x E{dim}"
    return {
        "SelfMGNN mixed": lambda: SelfMGNN(features, mixed),
        "SelfMGNN mixed, single view": lambda: SelfMGNN(features, mixed, cross_weight=0.0),
        "SelfMGNN H": lambda: SelfMGNN(features, f"K{3 * dim}(-1)*"),
        "SelfMGNN S": lambda: SelfMGNN(features, f"K{3 * dim}(1)*"),
        "SelfMGNN E": lambda: SelfMGNN(features, f"E{3 * dim}"),
        "MotifRGC": lambda: MotifRGC(features, out=3 * dim),
        "DGI": lambda: DGI(features, 3 * dim),
        "GRACE": lambda: GRACE(features, 3 * dim),
        "GraphMAE": lambda: GraphMAE(features, 3 * dim),
    }


def node_fit(build: Callable[[], SelfSupervised], recipe: Recipe) -> Callable:
    """Return a fit of a linear decoder to the frozen codes of a graph."""

    def fit(training: NodeTraining) -> Tensor:
        graph = training.graph
        torch.manual_seed(recipe.seed)
        model = NodeClassifier(build(), training.num_classes)
        known = training.train, training.validation
        model.fit(graph.x, graph.edge_index, graph.y, *known, recipe)
        with torch.no_grad():
            return model.eval()(graph.x, graph.edge_index)

    return fit


def link_fit(build: Callable[[], SelfSupervised], recipe: Recipe) -> Callable:
    """Return a fit of a Fermi-Dirac decoder to the frozen codes of the training edges."""

    def fit(training: LinkTraining) -> Callable[[Tensor], Tensor]:
        graph, held = training.graph, training.validation
        torch.manual_seed(recipe.seed)
        model = LinkPredictor(build())
        seen = graph.x, graph.edge_index
        model.fit(*seen, training.links.positive, (held.positive, held.negative), recipe)

        def score(pairs: Tensor) -> Tensor:
            with torch.no_grad():
                return model.eval()(*seen, pairs)

        return score

    return fit


def compared(graph: Graph, args: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Return accuracies and AUCs of floors and models, one pair for each seed."""
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in range(args.seeds):
        is_public = graph.train_mask is not None
        nodes = public_split(graph) if is_public else split_fractions(graph, seed=seed)
        links = link_split(graph, seed=seed)
        pretraining: dict[str, Any] = {"epochs": args.epochs, "lr": args.lr}
        recipe = Recipe(100, 0.05, weight_decay=1e-3, seed=seed, pretraining=pretraining)
        for name, fit in node_floors(graph).items():
            value = evaluate_nodes(fit, graph, nodes)["accuracy"]
            rows.setdefault(f"floor: {name}", []).append({"accuracy": value})
        for name, fit in link_floors(links.training.graph).items():
            rows.setdefault(f"floor: {name}", []).append({"auc": evaluate_links(fit, links)["auc"]})
        for name, build in encoders(graph.x.shape[1], args.dim).items():
            found = {
                "accuracy": evaluate_nodes(node_fit(build, recipe), graph, nodes)["accuracy"],
                "auc": evaluate_links(link_fit(build, recipe), links)["auc"],
            }
            rows.setdefault(name, []).append(found)
            print(
                f"seed {seed}  {name:42s} {found['accuracy']:.3f}  {found['auc']:.3f}", flush=True
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a graph as load_npz reads it")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=60, help="of the self-supervised training")
    parser.add_argument("--lr", type=float, default=0.005)
    parser.add_argument("--dim", type=int, default=8, help="of each of three factors")
    parser.add_argument("--out", type=Path, default=Path("selfmgnn"))
    args = parser.parse_args()
    graph = us_airports() if args.data is None else load_npz(args.data)
    print(graph)
    rows = compared(graph, args)
    print(f"\n{'frozen codes':42s}   accuracy of nodes   AUC of held-out edges")
    for name, scores in rows.items():
        cells = []
        for column in ("accuracy", "auc"):
            values = [score[column] for score in scores if column in score]
            error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
            cells.append(f"{np.mean(values):.3f} +- {error:.3f}" if values else f"{'-':14s}")
        print(f"{name:42s}   {'      '.join(cells)}")
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"graph": repr(graph), "scores": rows}, indent=1)
    (args.out / "scores.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
