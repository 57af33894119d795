"""Draw the picture of the README: a tree in the Poincare disk, and how right float32 distances are.

Usage: python docs/figures/overview.py [FILE]   (default: overview.png beside this script)
"""

import math
import sys
import warnings
from pathlib import Path

import matplotlib
import mpmath
import torch

import noneuclid as ne

matplotlib.use("Agg")
import matplotlib.pyplot as plt

RADII = torch.linspace(0.25, 16, 64).tolist()
PAIRS = 24


def ball_distance(x: torch.Tensor, y: torch.Tensor) -> mpmath.mpf:
    """Return the distance of two float32 points of the unit ball with 60 digits."""
    xs, ys = ([mpmath.mpf(float(t)) for t in point] for point in (x, y))
    chord = mpmath.fsum((a - b) ** 2 for a, b in zip(xs, ys, strict=True))
    gaps = [1 - mpmath.fsum(t * t for t in point) for point in (xs, ys)]
    return 2 * mpmath.asinh(mpmath.sqrt(chord / (gaps[0] * gaps[1])))


def errors() -> dict[str, list[float]]:
    """Return the worst relative error of float32 distances at each radius, by library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # geoopt warns about torch.jit at import
        import geoopt
    ours, theirs = ne.PoincareBall(4), geoopt.PoincareBall()
    generator = torch.Generator().manual_seed(0)
    result: dict[str, list[float]] = {"noneuclid": [], "geoopt": []}
    for radius in RADII:
        u = torch.randn(2, PAIRS, 4, generator=generator)
        x, y = ours.expmap0(radius / 2 * u / u.norm(dim=-1, keepdim=True))
        truth = [ball_distance(a, b) for a, b in zip(x, y, strict=True)]
        for name, library in (("noneuclid", ours), ("geoopt", theirs)):
            values = library.dist(x, y).tolist()
            worst = max(float(abs(d - t) / t) for d, t in zip(values, truth, strict=True))
            result[name].append(max(worst, 1e-9))
    return result


def grow_tree(depth: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return the edges of a ternary tree whose edges all have length 1.1, by expmap alone."""
    disk = ne.PoincareBall(2)
    root = disk.origin(dtype=torch.float64)
    edges, front = [], []
    for k in range(3):
        angle = 2 * math.pi * k / 3 + math.pi / 2
        step = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        front.append((root, disk.expmap0(0.55 * step)))
    for _ in range(depth):
        edges += front
        grown = []
        for parent, child in front:
            back = disk.logmap(child, parent)
            for turn in (2 * math.pi / 3, -2 * math.pi / 3):
                c, s = math.cos(turn), math.sin(turn)
                turned = torch.stack([c * back[0] - s * back[1], s * back[0] + c * back[1]])
                grown.append((child, disk.expmap(child, turned)))
        front = grown
    return edges


def main() -> None:
    """Draw both panels."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("overview.png")
    disk = ne.PoincareBall(2)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9.6, 4.2), width_ratios=[1, 1.25], layout="constrained"
    )
    times = torch.linspace(0, 1, 16, dtype=torch.float64)
    for parent, child in grow_tree(7):
        path = disk.geodesic(parent, child, times)
        left.plot(*path.T, color="#1f5f8b", linewidth=0.8)
        left.plot(*child, "o", color="#d1495b", markersize=1.6)
    left.add_patch(plt.Circle((0, 0), 1, fill=False, color="black", linewidth=1))
    left.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02), aspect="equal")
    left.set_title("a tree in the Poincaré disk: all edges equally long", fontsize=9)
    left.axis("off")
    for (name, values), style in zip(errors().items(), ("o-", "s-"), strict=True):
        right.semilogy(RADII, values, style, markersize=2.5, linewidth=1, label=name)
    right.axhline(2**-24, color="grey", linewidth=0.8, linestyle=":")
    right.text(0.3, 2**-24 * 1.25, "half a unit in the last place", fontsize=7, color="grey")
    right.set_title("float32 distances on the ball: worst relative error", fontsize=9)
    right.set_xlabel("distance of the points from the origin")
    right.legend(frameon=False)
    right.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, dpi=130)
    print(target)


if __name__ == "__main__":
    main()
