"""Predict held-out edges: curved networks, their Euclidean twins, and the floors below.

    python examples/graphs/link_prediction.py            # the airports that ship, offline
    python examples/graphs/link_prediction.py --data cora.npz --seeds 10

Models see the training edges only. On graphs with hubs the AUC against uniform pairs mostly
measures degree: the second column is against pairs with the degrees of the edges. `--structure`
takes the nodes' features away and gives the degrees in the training graph instead.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from noneuclid.datasets.graphs import (
    Graph,
    LinkTraining,
    degree_features,
    evaluate_links,
    link_floors,
    link_split,
    load_npz,
    us_airports,
)
from noneuclid.models.graphs import (
    HGCN,
    HNN,
    GraphEncoder,
    KappaGCN,
    LinkPredictor,
    LorentzGCN,
    Recipe,
    gcn,
    mlp,
)

COLUMNS = ("auc", "auc_matched")


def encoders(features: int, dropout: float) -> dict[str, Callable[[], GraphEncoder]]:
    """Return what is compared, all with codes of 16 dimensions."""
    options = {"dropout": dropout}
    return {
        "MLP": lambda: mlp(features, **options),
        "GCN": lambda: gcn(features, **options),
        "HNN H16": lambda: HNN(features, "H16*", **options),
        "HGCN H16": lambda: HGCN(features, "H16*", **options),
        "LorentzGCN H16": lambda: LorentzGCN(features, "H16*", **options),
        "KappaGCN E16": lambda: KappaGCN(features, "E16", **options),
        "KappaGCN S16": lambda: KappaGCN(features, "K16(1)*", **options),
        "KappaGCN H8 x S8": lambda: KappaGCN(features, "K8(-1)* x K8(1)*", **options),
    }


def features_of(graph: Graph, structure: bool) -> Tensor:
    """Return the features a model sees: the nodes' own, or degrees in the training graph."""
    return degree_features(graph) if structure or graph.x is None else graph.x


def fitted(build: Callable[[], GraphEncoder], structure: bool, recipe: Recipe) -> Callable:
    """Return a fit of a model to the training edges."""

    def fit(training: LinkTraining) -> Callable[[Tensor], Tensor]:
        graph, held = training.graph, training.validation
        torch.manual_seed(recipe.seed)
        model = LinkPredictor(build())
        seen = features_of(graph, structure), graph.edge_index
        model.fit(*seen, training.links.positive, (held.positive, held.negative), recipe)

        def score(pairs: Tensor) -> Tensor:
            with torch.no_grad():
                return model.eval()(*seen, pairs)

        return score

    return fit


def compared(graph: Graph, args: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Return the scores of floors and models, one for each seed."""
    rows: dict[str, list[dict[str, float]]] = {}
    for seed in range(args.seeds):
        split = link_split(graph, seed=seed)
        training = split.training.graph
        recipe = Recipe(args.epochs, args.lr, weight_decay=0.0, patience=args.epochs, seed=seed)
        fits = {f"floor: {name}": fit for name, fit in link_floors(training).items()}
        found = encoders(features_of(training, args.structure).shape[1], args.dropout)
        fits |= {name: fitted(build, args.structure, recipe) for name, build in found.items()}
        for name, fit in fits.items():
            score = evaluate_links(fit, split)
            rows.setdefault(name, []).append({column: score[column] for column in COLUMNS})
            values = "  ".join(f"{score[column]:.3f}" for column in COLUMNS)
            print(f"seed {seed}  {name:42s} {values}", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a graph as load_npz reads it")
    parser.add_argument("--structure", action="store_true", help="degrees for features")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--out", type=Path, default=Path("link_prediction"))
    args = parser.parse_args()
    graph = us_airports() if args.data is None else load_npz(args.data)
    if args.structure:
        graph = dataclasses.replace(graph, x=None)
    print(graph)
    rows = compared(graph, args)
    print(f"\n{'AUC of held-out edges':42s}   uniform pairs     pairs of the same degrees")
    for name, scores in rows.items():
        cells = []
        for column in COLUMNS:
            values = [score[column] for score in scores]
            error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
            cells.append(f"{np.mean(values):.3f} +- {error:.3f}")
        print(f"{name:42s}   {'   '.join(cells)}")
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"graph": repr(graph), "scores": rows}, indent=1)
    (args.out / "scores.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
