"""Classify the nodes of a graph: curved networks, their Euclidean twins, and the floors below.

    python examples/graphs/node_classification.py            # the airports that ship, offline
    python examples/graphs/node_classification.py --data cora.npz --seeds 10

Every model is given the same dimension, the same recipe and the same splits; the table has the
mean accuracy on test nodes and its standard error over the seeds.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from noneuclid.datasets.graphs import (
    Graph,
    NodeTraining,
    evaluate_nodes,
    load_npz,
    node_floors,
    public_split,
    split_fractions,
    us_airports,
)
from noneuclid.models.graphs import (
    HGCN,
    HNN,
    GraphEncoder,
    KappaGCN,
    LorentzGCN,
    NodeClassifier,
    Recipe,
    gat,
    gcn,
    mlp,
    sgc,
)

Fit = Callable[[NodeTraining], torch.Tensor]


def encoders(features: int, dropout: float) -> dict[str, Callable[[], GraphEncoder]]:
    """Return what is compared, all with codes of 16 dimensions."""
    options = {"dropout": dropout}
    return {
        "MLP": lambda: mlp(features, **options),
        "GCN": lambda: gcn(features, **options),
        "GAT": lambda: gat(features, **options),
        "SGC": lambda: sgc(features, **options),
        "HNN H16": lambda: HNN(features, "H16*", **options),
        "HGCN H16": lambda: HGCN(features, "H16*", **options),
        "LorentzGCN H16": lambda: LorentzGCN(features, "H16*", **options),
        "KappaGCN E16": lambda: KappaGCN(features, "E16", **options),
        "KappaGCN H16": lambda: KappaGCN(features, "K16(-1)*", **options),
        "KappaGCN S16": lambda: KappaGCN(features, "K16(1)*", **options),
        "KappaGCN H8 x S8": lambda: KappaGCN(features, "K8(-1)* x K8(1)*", **options),
    }


def fitted(build: Callable[[], GraphEncoder], recipe: Recipe) -> Fit:
    """Return a fit of a model to the labels that a training may see."""

    def fit(training: NodeTraining) -> torch.Tensor:
        graph = training.graph
        torch.manual_seed(recipe.seed)
        model = NodeClassifier(build(), training.num_classes)
        known = training.train, training.validation
        model.fit(graph.x, graph.edge_index, graph.y, *known, recipe)
        with torch.no_grad():
            return model.eval()(graph.x, graph.edge_index)

    return fit


def compared(graph: Graph, args: argparse.Namespace) -> dict[str, list[float]]:
    """Return the test accuracies of floors and models, one for each seed."""
    rows: dict[str, list[float]] = {}
    for seed in range(args.seeds):
        is_public = graph.train_mask is not None
        split = public_split(graph) if is_public else split_fractions(graph, seed=seed)
        recipe = Recipe(epochs=args.epochs, lr=args.lr, seed=seed, patience=args.epochs)
        fits = {f"floor: {name}": fit for name, fit in node_floors(graph).items()}
        found = encoders(graph.x.shape[1], args.dropout)
        fits |= {name: fitted(build, recipe) for name, build in found.items()}
        for name, fit in fits.items():
            rows.setdefault(name, []).append(evaluate_nodes(fit, graph, split)["accuracy"])
            print(f"seed {seed}  {name:42s} {rows[name][-1]:.3f}", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a graph as load_npz reads it")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--out", type=Path, default=Path("node_classification"))
    args = parser.parse_args()
    graph = us_airports() if args.data is None else load_npz(args.data)
    print(graph)
    rows = compared(graph, args)
    print(f"\n{'accuracy on test nodes':42s}   mean  +- standard error of {args.seeds} seeds")
    for name, values in rows.items():
        error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
        print(f"{name:42s}   {np.mean(values):.3f} +- {error:.3f}")
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"graph": repr(graph), "accuracy": rows}, indent=1)
    (args.out / "accuracy.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
