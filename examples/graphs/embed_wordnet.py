"""Embed a hierarchy of WordNet: who is an ancestor of a synset is nearer to it than who is none.

    python examples/graphs/embed_wordnet.py                   # the 1,180 mammals of the package
    python examples/graphs/embed_wordnet.py --wordnet /usr/share/wordnet --part verbs

Poincare embeddings of the transitive closure in --dim dimensions; the Euclidean twin of the same
loss, steps and number of parameters; two training-free floors, Sarkar's construction of the tree
of first hypernyms and random points; and the disk, which is drawn. All closure edges are seen: this
measures how well a space holds a hierarchy, not what it predicts. The learning rate of each space
is the better of two on the first --tuning epochs. Writes wordnet.png and wordnet.json to --out.
Source: [nickel2017poincare], [sarkar2011low].
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import torch
from torch import Tensor

import noneuclid as ne
from noneuclid import metrics, viz
from noneuclid.datasets.graphs import Graph, mammals, read_wordnet, transitive_closure
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.models.embeddings import NeighborhoodEmbedding, sarkar_embedding

RATES = (0.1, 0.3)
COLORS = ("#d1495b", "#1f7a8c", "#e09f3e", "#5b5f97", "#6a994e", "#9c6644", "#3d405b", "#bc4b9a")
INK = "#2b2d42"
LABELS = 40
Embed = Callable[[HomogeneousManifold], Tensor]


class Hierarchy(NamedTuple):
    """Synsets, joined to their hypernyms; edges of the closure from a synset to its ancestors."""

    graph: Graph
    ancestors: Tensor
    parents: list[int]  # the first hypernym of each, -1 of a root


class Result(NamedTuple):
    """Where the synsets are, and what is said of it."""

    name: str
    manifold: HomogeneousManifold
    points: Tensor
    row: dict[str, float]


def load(options: argparse.Namespace) -> Hierarchy:
    """Read the hypernyms, and close them."""
    if options.wordnet is None:
        graph = mammals(closure=False)
    else:
        graph = read_wordnet(options.wordnet, options.part, closure=False)
    parents = [-1] * graph.num_nodes
    for above, below in reversed(graph.edges.tolist()):
        parents[below] = above
    return Hierarchy(graph, transitive_closure(graph).edges.flip(-1), parents)


class Embedder:
    """All ways to embed one hierarchy, each a method from a manifold to points."""

    def __init__(self, hierarchy: Hierarchy, options: argparse.Namespace) -> None:
        self.hierarchy, self.options = hierarchy, options
        self.nodes = hierarchy.graph.num_nodes

    def neighbors(self, manifold: HomogeneousManifold) -> Tensor:
        """Learn points whose nearest are their ancestors."""
        rates = {self._fit(manifold, rate, self.options.tuning)[1]: rate for rate in RATES}
        return self._fit(manifold, rates[min(rates)], self.options.epochs)[0]

    def _fit(self, manifold: HomogeneousManifold, rate: float, epochs: int) -> tuple[Tensor, float]:
        embedding = NeighborhoodEmbedding(
            self.nodes, manifold, directed=True, lr=rate, batch=self.options.batch,
            burn_in=max(1, epochs // 10), seed=self.options.seed,
        )  # fmt: skip
        fitted = embedding.fit(self.hierarchy.ancestors, epochs)
        return fitted.points, fitted.losses[-1]

    def construction(self, manifold: HomogeneousManifold) -> Tensor:
        """Place the tree of first hypernyms by Sarkar's construction; roots hang from the first."""
        assert isinstance(manifold, ne.PoincareBall)
        parents = self.hierarchy.parents
        tree = [(max(above, 0), below) for below, above in enumerate(parents) if below > 0]
        return sarkar_embedding(torch.tensor(tree), self.nodes, manifold, length=1.0)

    def chance(self, manifold: HomogeneousManifold) -> Tensor:
        """Draw points."""
        generator = torch.Generator().manual_seed(self.options.seed)
        return manifold.random(self.nodes, generator=generator, dtype=torch.float64)

    def measured(self, name: str, manifold: HomogeneousManifold, embed: Embed) -> Result:
        """Embed, and measure by float64 distances."""
        print(name)
        start = time.perf_counter()
        points = embed(manifold)
        seconds = time.perf_counter() - start
        found = metrics.reconstruction(
            manifold, manifold.projx(points.double()), self.hierarchy.ancestors, directed=True
        )
        row = {
            "mAP": float(found.mean_average_precision),
            "mean rank": float(found.mean_rank),
            "seconds": seconds,
        }
        return Result(name, manifold, points, row)

    def results(self) -> list[Result]:
        """Embed the hierarchy in every way there is; the disk stands last."""
        dim = self.options.dim
        ball, flat, disk = ne.PoincareBall(dim), ne.Euclidean(dim), ne.PoincareBall(2)
        return [
            self.measured(f"Poincare ball, {dim} dimensions", ball, self.neighbors),
            self.measured(f"Euclidean space, {dim} dimensions", flat, self.neighbors),
            self.measured("floor: Sarkar's construction, 2", disk, self.construction),
            self.measured(f"floor: random points, {dim}", ball, self.chance),
            self.measured("Poincare disk, 2 dimensions", disk, self.neighbors),
        ]


def table(results: Sequence[Result]) -> str:
    """Return the table that is printed."""
    columns = list(results[0].row)
    lines = [f"{'':34}" + "".join(f"{column:>12}" for column in columns)]
    lines += [
        f"{result.name:34}" + "".join(f"{result.row[column]:12.3f}" for column in columns)
        for result in results
    ]
    return "\n".join(lines)


# -- the picture -----------------------------------------------------------------------------------


def branches(hierarchy: Hierarchy) -> list[int]:
    """Return the largest group that each synset lies in, 0 for the largest; -1 above them.

    The groups are what the smallest synset that holds most others splits into.
    """
    sizes = subtree_sizes(hierarchy.parents)
    split = max(k for k, size in enumerate(sizes) if 2 * size >= max(sizes))
    groups = [k for k, above in enumerate(hierarchy.parents) if above == split]
    groups.sort(key=lambda k: -sizes[k])
    number = {node: turn for turn, node in enumerate(groups[: len(COLORS)])}
    found: list[int] = []
    for node, above in enumerate(hierarchy.parents):  # an ancestor stands before its descendants
        found.append(number.get(node, found[above] if above >= 0 else -1))
    return found


def subtree_sizes(parents: Sequence[int]) -> list[int]:
    """Return how many synsets lie below each in the tree of first hypernyms, itself included."""
    sizes = [1] * len(parents)
    for node in range(len(parents) - 1, -1, -1):
        if parents[node] >= 0:
            sizes[parents[node]] += sizes[node]
    return sizes


def draw(hierarchy: Hierarchy, result: Result, path: Path) -> None:
    """Draw the disk with the hypernyms as geodesics and the names of the largest groups."""
    figure, axes = plt.subplots(figsize=(11, 11), layout="constrained", facecolor="white")
    viz.draw_disk(axes, circles=(1, 2, 3, 4, 5), margin=0.12)
    colors = [INK if k < 0 else COLORS[k] for k in branches(hierarchy)]
    x, disk = result.points, result.manifold
    above, below = hierarchy.graph.edges.unbind(-1)
    viz.draw_geodesics(axes, disk, x[above], x[below], widths=0.5, alpha=0.6,
                       colors=[colors[k] for k in below.tolist()])  # fmt: skip
    sizes = subtree_sizes(hierarchy.parents)
    largest = set(sorted(range(len(sizes)), key=lambda k: -sizes[k])[:LABELS])
    names = hierarchy.graph.names or ()
    labels = [
        name.partition(".")[0].replace("_", " ") if k in largest else ""
        for k, name in enumerate(names)
    ]
    dots = [2.5 + 1.6 * size**0.5 for size in sizes]
    viz.draw_points(axes, disk, x, labels=labels, sizes=dots, font=7.5, color=colors)
    title = f"{result.name}: mAP {result.row['mAP']:.2f}, mean rank {result.row['mean rank']:.1f}"
    axes.set_title(title, fontsize=12, color=INK)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--wordnet", type=Path, help="dict directory of WordNet 3.0")
    parser.add_argument("--part", choices=("mammals", "verbs", "nouns"), default="mammals")
    parser.add_argument("--dim", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--tuning", type=int, default=20, help="epochs of each learning rate")
    parser.add_argument("--batch", type=int, default=32, help="edges of a step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/wordnet"))
    options = parser.parse_args(argv)
    if min(options.dim, options.epochs, options.tuning, options.batch) < 1:
        parser.error("needs dim, epochs, tuning and batch of at least 1")
    if options.part != "mammals" and options.wordnet is None:
        parser.error(f"{options.part} are not in the package: give --wordnet, a dict directory")
    try:
        hierarchy = load(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    results = Embedder(hierarchy, options).results()
    print(table(results))
    options.out.mkdir(parents=True, exist_ok=True)
    draw(hierarchy, results[-1], options.out / "wordnet.png")
    arguments = {
        key: value if key != "wordnet" else value is not None
        for key, value in vars(options).items() if key != "out"
    }  # fmt: skip
    report = {"arguments": arguments, "results": {result.name: result.row for result in results}}
    (options.out / "wordnet.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {options.out / 'wordnet.png'} and {options.out / 'wordnet.json'}")


if __name__ == "__main__":
    main()
