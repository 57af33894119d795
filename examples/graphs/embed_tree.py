"""Embed a tree in the Poincare disk: one picture, one table, the Euclidean twin beside it.

    python examples/graphs/embed_tree.py                     # branching 3, depth 4: 121 nodes
    python examples/graphs/embed_tree.py --branching 2 --depth 6 --length 1.0

The large disk starts from the tree drawn in rings, its leaves evenly spaced, and moves points by
Riemannian gradient descent until their distances are those of the tree, as far as they can be.
Beside it: the Euclidean plane with the same start, loss and steps; points that learned from
nothing which nodes are neighbours, on the disk and on the plane; Sarkar's construction with edges
long enough to need no learning; and the floor, points that know nothing of the tree. Writes
tree.png and tree.json to --out.
Source: [nickel2017poincare], [gu2019learning], [sarkar2011low].
"""

import argparse
import json
import math
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
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.models.embeddings import (
    DistanceEmbedding,
    NeighborhoodEmbedding,
    edge_length,
    sarkar_embedding,
)

COLORS = ("#d1495b", "#1f7a8c", "#e09f3e", "#5b5f97", "#6a994e", "#9c6644")
ROOT_COLOR = "#2b2d42"
Embed = Callable[[HomogeneousManifold], Tensor]


class Tree(NamedTuple):
    """Edges from parent to child, breadth first; names, depths and top branches of the nodes."""

    edges: Tensor
    names: list[str]
    depths: list[int]
    branches: list[int]


class Result(NamedTuple):
    """Where the nodes are, and what is said of it."""

    name: str
    manifold: HomogeneousManifold
    points: Tensor
    row: dict[str, float]


def grow(branching: int, depth: int) -> Tree:
    """Grow a balanced tree; a node is named by the turns that lead to it."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    edges, names, depths, branches = [], ["root"], [0], [-1]
    for node in range(sum(branching**k for k in range(depth))):
        for turn in range(branching):
            edges.append((node, len(names)))
            names.append(("" if node == 0 else names[node]) + letters[turn])
            depths.append(depths[node] + 1)
            branches.append(turn if node == 0 else branches[node])
    return Tree(torch.tensor(edges), names, depths, branches)


def rings(tree: Tree, length: float) -> Tensor:
    """Place nodes at radius length x depth: leaves evenly, others amid their children."""
    angles: dict[int, float] = {}
    leaves = [k for k, depth in enumerate(tree.depths) if depth == max(tree.depths)]
    for turn, leaf in enumerate(leaves):
        angles[leaf] = 2 * math.pi * turn / len(leaves)
    inner = len(tree.names) - len(leaves)
    for node in reversed(range(inner)):
        children = tree.edges[tree.edges[:, 0] == node, 1].tolist()
        angles[node] = sum(angles[child] for child in children) / len(children)
    angle = torch.tensor([angles[k] for k in range(len(tree.names))], dtype=torch.float64)
    radius = length * torch.tensor(tree.depths, dtype=torch.float64)
    return radius[:, None] * torch.stack((angle.cos(), angle.sin()), dim=-1)


class Embedder:
    """All ways to embed one tree, each a method from a manifold to points."""

    def __init__(self, tree: Tree, options: argparse.Namespace) -> None:
        self.tree, self.options = tree, options
        self.nodes = len(tree.names)
        self.steps = metrics.graph_distances(tree.edges, self.nodes).double()

    def distances(self, manifold: HomogeneousManifold) -> Tensor:
        """Fit distances, from the tree drawn in rings."""
        start = manifold.expmap0(manifold.from_frame(rings(self.tree, self.options.length)))
        embedding = DistanceEmbedding(self.nodes, manifold, start=start, lr=0.01, rows=self.nodes)
        return embedding.fit(self.options.length * self.steps, self.options.epochs).points

    def neighbors(self, manifold: HomogeneousManifold) -> Tensor:
        """Learn from random points who is whose neighbour."""
        embedding = NeighborhoodEmbedding(
            self.nodes, manifold, negatives=20, batch=32, seed=self.options.seed,
            dtype=torch.float64,
        )  # fmt: skip
        return embedding.fit(self.tree.edges, self.options.epochs).points

    def construction(self, manifold: HomogeneousManifold) -> Tensor:
        """Place nodes by Sarkar's construction, for a distortion of 1.3 where float64 has room."""
        assert isinstance(manifold, ne.PoincareBall)
        length = min(edge_length(self.options.branching + 1, 1.3), 30 / self.options.depth)
        return sarkar_embedding(self.tree.edges, self.nodes, manifold, length=length)

    def chance(self, manifold: HomogeneousManifold) -> Tensor:
        """Draw points."""
        generator = torch.Generator().manual_seed(self.options.seed)
        return manifold.random(self.nodes, generator=generator, dtype=torch.float64)

    def measured(self, name: str, manifold: HomogeneousManifold, embed: Embed) -> Result:
        """Embed and measure; distances may be in any unit, and are read in the best one."""
        start = time.perf_counter()
        points = embed(manifold)
        seconds = time.perf_counter() - start
        if isinstance(manifold, ne.PoincareBall):  # the root to the centre, by an isometry
            points = manifold.mobius_add(-points[:1], points)
        found = metrics.reconstruction(manifold, points, self.tree.edges)
        upper = torch.triu(self.steps) > 0
        embedded, steps = manifold.cdist(points, points)[upper], self.steps[upper]
        distortion = metrics.distortion(embedded / (embedded / steps).median(), steps)
        row = {
            "mAP": float(found.mean_average_precision),
            "mean rank": float(found.mean_rank),
            "average distortion": float(distortion.average),
            "seconds": seconds,
        }
        return Result(name, manifold, points, row)

    def results(self) -> list[Result]:
        """Embed the tree in every way there is."""
        disk, plane = ne.PoincareBall(2), ne.Euclidean(2)
        ways: tuple[tuple[str, HomogeneousManifold, Embed], ...] = (
            ("Poincare disk, distances", disk, self.distances),
            ("Euclidean plane, distances", plane, self.distances),
            ("Poincare disk, neighbours", disk, self.neighbors),
            ("Euclidean plane, neighbours", plane, self.neighbors),
            ("Sarkar's construction", disk, self.construction),
            ("floor: random points", disk, self.chance),
        )
        return [self.measured(*way) for way in ways]


def table(results: Sequence[Result]) -> str:
    """Return the table that is printed."""
    columns = list(results[0].row)
    lines = [f"{'':30}" + "".join(f"{column:>20}" for column in columns)]
    lines += [
        f"{result.name:30}" + "".join(f"{result.row[column]:20.3f}" for column in columns)
        for result in results
    ]
    return "\n".join(lines)


# -- the picture -----------------------------------------------------------------------------------


def draw(tree: Tree, results: Sequence[Result], path: Path) -> None:
    """Draw the first disk large, with labels, and two others small beside it."""
    figure, axes = plt.subplot_mosaic(
        [["large", "plane"], ["large", "disk"]], figsize=(13.2, 8.8), width_ratios=(2, 1),
        layout="constrained", facecolor="white",
    )  # fmt: skip
    draw_disk(axes["large"], tree, results[0], labelled=True)
    draw_plane(axes["plane"], tree, results[1])
    draw_disk(axes["disk"], tree, results[2], labelled=False)
    figure.savefig(path, dpi=160)
    plt.close(figure)


def draw_disk(axes: plt.Axes, tree: Tree, result: Result, *, labelled: bool) -> None:
    viz.draw_disk(axes, circles=(1, 2, 3, 4, 5), margin=0.09 if labelled else 0.03)
    x = result.points
    scale = 1.0 if labelled else 0.55
    start, end = tree.edges.unbind(-1)
    widths = [scale * 2.4 * 0.72 ** (tree.depths[node] - 1) for node in end.tolist()]
    viz.draw_geodesics(axes, result.manifold, x[start], x[end], widths=widths,
                       colors=[color(tree, node) for node in end.tolist()])  # fmt: skip
    sizes = [scale * 70 * 0.62**depth for depth in tree.depths]
    fonts = [max(4.6, 10.5 - 1.9 * depth) for depth in tree.depths]
    colors = [color(tree, node) for node in range(len(x))]
    last = max(tree.depths)  # its names tell those one level up, for which there is no room
    skipped = last - 1 if last > 2 else -1
    pairs = zip(tree.names, tree.depths, strict=True)
    names = ["" if depth == skipped else name for name, depth in pairs]
    viz.draw_points(axes, result.manifold, x, labels=names if labelled else None, sizes=sizes,
                    font=fonts, color=colors)  # fmt: skip
    caption(axes, result)


def draw_plane(axes: plt.Axes, tree: Tree, result: Result) -> None:
    x = result.points.numpy()
    for parent, child in tree.edges.tolist():
        width = 1.3 * 0.72 ** (tree.depths[child] - 1)
        axes.plot(*x[[parent, child]].T, color=color(tree, child), linewidth=width, zorder=2)
    sizes = [38 * 0.62**depth for depth in tree.depths]
    axes.scatter(*x.T, s=sizes, c=[color(tree, k) for k in range(len(x))], linewidths=0, zorder=3)
    axes.set_aspect("equal", adjustable="datalim")
    axes.axis("off")
    caption(axes, result)


def color(tree: Tree, node: int) -> str:
    branch = tree.branches[node]
    return ROOT_COLOR if branch < 0 else COLORS[branch % len(COLORS)]


def caption(axes: plt.Axes, result: Result) -> None:
    axes.set_title(f"{result.name}: mAP {result.row['mAP']:.2f}", fontsize=11, color=ROOT_COLOR)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--branching", type=int, default=3, help="children of a node, at most 26")
    parser.add_argument("--depth", type=int, default=4, help="levels below the root")
    parser.add_argument("--length", type=float, default=1.25, help="of the edges of the large disk")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/tree"))
    options = parser.parse_args(argv)
    if not 2 <= options.branching <= 26 or min(options.depth, options.epochs) < 1:
        parser.error("needs 2 <= branching <= 26, depth >= 1 and epochs >= 1")
    if not 0 < options.length * options.depth < 15:
        parser.error("needs edges of a positive length that reach no further than 15")
    tree = grow(options.branching, options.depth)
    results = Embedder(tree, options).results()
    print(table(results))
    options.out.mkdir(parents=True, exist_ok=True)
    draw(tree, results, options.out / "tree.png")
    arguments = {key: value for key, value in vars(options).items() if key != "out"}
    report = {"arguments": arguments, "results": {result.name: result.row for result in results}}
    (options.out / "tree.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {options.out / 'tree.png'} and {options.out / 'tree.json'}")


if __name__ == "__main__":
    main()
