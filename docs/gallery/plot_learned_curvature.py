r"""
A learned curvature finds the shape of a graph
==============================================

Embed the distances of a tree and of a cycle in a plane whose curvature may take either sign,
starting from flat: the tree makes it negative, the cycle positive. The points are marked by
`ManifoldParameter`, the curvature is an ordinary parameter, and one optimizer trains both.
"""

import matplotlib.pyplot as plt
import torch

import noneuclid as ne
from noneuclid.optim import RiemannianAdam


def tree_distances(depth: int) -> torch.Tensor:
    """Return the path lengths between all nodes of a binary tree."""
    count = 2 ** (depth + 1) - 1
    lengths = torch.zeros(count, count)
    for i in range(1, count):
        parent = (i - 1) // 2
        lengths[i, :i] = lengths[parent, :i] + 1
        lengths[:i, i] = lengths[i, :i]
    return lengths


def cycle_distances(count: int) -> torch.Tensor:
    """Return the path lengths between all nodes of a cycle."""
    steps = (torch.arange(count)[:, None] - torch.arange(count)).abs()
    return torch.minimum(steps, count - steps).float()


def embed(lengths: torch.Tensor, steps: int = 400) -> tuple[list[float], float]:
    """Fit points and curvature; return the curvature's path and the misfit."""
    torch.manual_seed(0)
    plane = ne.Stereographic(2, curvature=0.0, learnable=True)
    lengths = lengths / lengths.mean()
    points = ne.ManifoldParameter(0.1 * torch.randn(len(lengths), 2), plane)
    optimizer = RiemannianAdam([points, *plane.parameters()], lr=0.05)
    pairs = torch.triu_indices(len(lengths), len(lengths), offset=1)
    history = []
    for _ in range(steps):
        optimizer.zero_grad()
        distance = plane.dist(points[pairs[0]], points[pairs[1]])
        loss = ((distance / lengths[pairs[0], pairs[1]] - 1) ** 2).mean()
        loss.backward()
        optimizer.step()
        history.append(float(plane.curvature))
    return history, float(loss)


# %%
# Both start at K = 0 and never meet a singularity on their way.
figure, axis = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, lengths in (("binary tree", tree_distances(4)), ("cycle", cycle_distances(24))):
    history, misfit = embed(lengths)
    print(f"{name}: K = {history[-1]:+.2f}, mean squared relative error {misfit:.4f}")
    axis.plot(history, label=name)
axis.axhline(0, color="grey", linewidth=0.8)
axis.set(xlabel="step", ylabel="curvature K (mean distance 1)")
axis.legend(frameon=False)
plt.show()
