"""A curvature that starts with the wrong sign learns the right one from distances."""

import math

import pytest
import torch

import noneuclid as ne
from noneuclid.optim import RiemannianAdam


def tree(depth):
    """Return the path lengths between the nodes of a balanced binary tree."""
    count = 2 ** (depth + 1) - 1
    lengths = torch.zeros(count, count)
    for i in range(1, count):
        lengths[i, :i] = lengths[(i - 1) // 2, :i] + 1
        lengths[:i, i] = lengths[i, :i]
    return lengths


def cycle(count):
    """Return the path lengths between the nodes of a cycle."""
    steps = (torch.arange(count)[:, None] - torch.arange(count)).abs()
    return torch.minimum(steps, count - steps).float()


def grid(side):
    """Return the path lengths in a square grid whose diagonals have length sqrt 2.

    They are within 8 % of the lengths in the plane. Without diagonals the lengths are those of the
    taxicab, 41 % longer, and fit a sphere better than the plane (K = 1.3 at mean distance 1).
    """
    points = torch.cartesian_prod(*[torch.arange(side)] * 2).float()
    steps = (points[:, None] - points).abs()
    return steps.amax(-1) + (math.sqrt(2) - 1) * steps.amin(-1)


def learned(lengths, curvature, generator, steps=160):
    """Fit points in a plane and its curvature to relative distances; return all there is."""
    lengths = lengths / lengths.mean()  # K is in units of the mean distance
    plane = ne.Stereographic(2, curvature=curvature, learnable=True)
    start = 0.1 * torch.randn(len(lengths), 2, generator=generator)
    points = ne.ManifoldParameter(plane.projx(start), plane)
    optimizer = RiemannianAdam([points, *plane.parameters()], lr=0.1)
    i, j = torch.triu_indices(len(lengths), len(lengths), offset=1)
    path, loss = [], None
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (plane.dist(points[i], points[j]) / lengths[i, j] - 1).square().mean()
        loss.backward()
        optimizer.step()
        path.append(float(plane.curvature))
        assert plane.check_point(points.detach()).all()
    return plane, points, optimizer, path, float(loss.detach())


@pytest.mark.parametrize(
    ("graph", "start", "low", "high", "misfit"),
    [
        pytest.param(tree(3), 1.0, -math.inf, -2.0, 0.02, id="tree"),
        pytest.param(cycle(16), -1.0, 2.3, 2.6, 1e-3, id="cycle"),
        pytest.param(grid(5), -1.0, -0.5, 0.5, 2e-3, id="grid from below"),
        pytest.param(grid(5), 1.0, -0.5, 0.5, 2e-3, id="grid from above"),
    ],
)
def test_the_sign_of_a_graph_is_learned(graph, start, low, high, misfit, generator):
    """In float32. On a circle of mean distance 1, a quarter of it, K is (pi / 2)^2 = 2.47."""
    _, points, optimizer, path, loss = learned(graph, start, generator)
    assert points.dtype == torch.float32
    assert low < path[-1] < high
    assert loss < misfit
    assert all(map(math.isfinite, path))
    state = optimizer.state[points]
    assert state["step"] == len(path)  # one run: K moved under the moments, nothing started anew
    assert all(v.isfinite().all() for v in state.values())


def test_points_that_a_moving_curvature_leaves_behind_are_written_back():
    """The step that moves K moves points beyond the new last shell onto it; no point is lost."""
    plane = ne.Stereographic(2, curvature=0.0, learnable=True)
    points = ne.ManifoldParameter(torch.tensor([[3.0, 0.0], [0.1, 0.2]]), plane)
    optimizer = RiemannianAdam([points, *plane.parameters()], lr=1.0)
    for _ in range(2):
        optimizer.zero_grad()
        (plane.curvature().float().sum() + 0.0 * plane.dist2(points[0], points[1])).backward()
        optimizer.step()
    assert float(plane.curvature) < -1
    assert plane.check_point(points.detach()).all()
    assert points.detach().norm(dim=-1).max() < 1
    assert torch.allclose(points[1], torch.tensor([0.1, 0.2]))
    assert torch.isfinite(plane.dist(points[0], points[1]))
