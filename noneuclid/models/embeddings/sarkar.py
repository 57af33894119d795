"""Trees in the hyperbolic plane without learning: Sarkar's construction."""

import math

import torch
from scipy.optimize import brentq
from torch import Tensor

from noneuclid.manifolds import Lorentz, PoincareBall

_RESOLVED = 1e-3  # relative, of a radius next to the rim of the ball
_FARTHEST = 33.0  # where a unit of length is 50 units in the last place of an angle


def sarkar_embedding(
    edges: Tensor,
    nodes: int,
    manifold: PoincareBall | Lorentz,
    *,
    root: int = 0,
    length: float | None = None,
    distortion: float = 1.1,
) -> Tensor:
    """Place a tree in the hyperbolic plane: edges of one length, equal angles between them.

    At every node its edges part at angles of 2 pi / degree. Longer edges distort less:
    `edge_length` tells how long they must be.

    Polar coordinates follow from one triangle (origin, node, child) each, by half-angle formulas
    that keep their digits at any radius, so errors do not build up along a path. What limits
    float64 is that points at radius R from the origin are told apart to e^R 1e-16: deep trees of
    large degree want few, short edges.

    Args:
        edges: (n - 1, 2) integers, a tree.
        nodes: n.
        manifold: hyperbolic, of dimension 2.
        root: the node at the origin.
        length: of the edges, in units of |K|^-1/2; None: from `distortion`.
        distortion: the worst-case distortion aimed at, > 1.

    Returns:
        (n, S) in float64, points whose distances are `length` |K|^-1/2 times those of the tree, up
        to `distortion`.

    Source: [sarkar2011low]; [sala2018representation] section 3.1 for lengths and precision.

    Raises:
        ValueError: not a tree, a root outside it, no length > 0, a distortion <= 1, or another
            dimension than 2. A tree that reaches further than float64 does, a radius of 30 to 33.
    """
    if manifold.dim != 2:
        raise ValueError(f"the construction is one of the plane, got {manifold!r}")
    neighbors = _tree(edges, nodes)
    if not 0 <= root < nodes:
        raise ValueError(f"root must be one of the {nodes} nodes, got {root}")
    if length is None:
        length = edge_length(max(map(len, neighbors)), distortion)
    elif not 0 < length < math.inf:
        raise ValueError(f"length must be a positive number, got {length}")
    place = _places(neighbors, root, length)
    radius = torch.tensor([r for r, _ in place], dtype=torch.float64)
    angle = torch.tensor([theta for _, theta in place], dtype=torch.float64)
    direction = torch.stack((angle.cos(), angle.sin()), dim=-1)
    unit = (-manifold.curvature(torch.device("cpu"))).rsqrt().detach()
    points = manifold.expmap0(manifold.from_frame((unit * radius)[:, None] * direction))
    bends = max(map(len, neighbors)) > 2
    reached = torch.allclose(manifold.dist0(points), unit * radius, rtol=_RESOLVED)
    if not reached or (bends and float(radius.max()) > _FARTHEST):
        raise ValueError(
            f"the tree reaches {float(radius.max()):.0f} |K|^-1/2 from its root, further than"
            " float64 tells points apart: use shorter edges (a larger distortion)"
        )
    return points


def edge_length(degree: int, distortion: float) -> float:
    """Return the length of edges for a worst-case distortion D of trees of a largest degree q.

    The path that loses most turns to the same side at each node, by the smallest angle there is: it
    is the orbit of an isometry whose translation length t, with cosh(t/2) = cosh(l/2) sin(pi/q),
    bounds its distances from below. What is returned solves t = l / D.
    """
    if not 1 < distortion < math.inf:
        raise ValueError(f"distortion must be above 1, got {distortion}")
    if degree <= 2:  # a path: straight, whatever its length
        return 1.0
    loss = -math.log(math.sin(math.pi / degree))

    def excess(length: float) -> float:
        return _log_cosh(length / 2) - _log_cosh(length / (2 * distortion)) - loss

    longest = 2 * (loss + math.log(2)) * distortion / (distortion - 1)
    return float(brentq(excess, 0.0, longest))


def _log_cosh(x: float) -> float:
    return x + math.log1p(math.exp(-2 * x)) - math.log(2)


def _tree(edges: Tensor, nodes: int) -> list[list[int]]:
    """Return the neighbours of each node, or raise ValueError where edges are no tree."""
    if edges.dim() != 2 or edges.shape[1] != 2 or edges.is_floating_point():
        raise ValueError(f"edges must be integers (n - 1, 2), got {tuple(edges.shape)}")
    if len(edges) != nodes - 1:
        raise ValueError(f"a tree of {nodes} nodes has {nodes - 1} edges, got {len(edges)}")
    neighbors: list[list[int]] = [[] for _ in range(nodes)]
    for u, v in edges.tolist():
        if not (0 <= u < nodes and 0 <= v < nodes):
            raise ValueError(f"edges must join nodes 0 to {nodes - 1}, got ({u}, {v})")
        neighbors[u].append(v)
        neighbors[v].append(u)
    reached, waiting = {0}, [0]
    while waiting:
        fresh = [v for v in neighbors[waiting.pop()] if v not in reached]
        reached.update(fresh)
        waiting.extend(fresh)
    if len(reached) < nodes:
        raise ValueError(f"edges must make a tree, but {nodes - len(reached)} nodes are cut off")
    return neighbors


def _places(neighbors: list[list[int]], root: int, length: float) -> list[tuple[float, float]]:
    """Return radius and angle of every node, breadth first."""
    place = [(0.0, 0.0)] * len(neighbors)
    waiting = [(root, -1, 0.0)]  # node, parent, angle from the outward ray to the parent's edge
    for node, parent, back in waiting:
        children = [child for child in neighbors[node] if child != parent]
        step = 2 * math.pi / len(neighbors[node]) if children else 0.0
        for k, child in enumerate(children, start=0 if parent < 0 else 1):
            radius, theta = place[node]
            turn = math.remainder(back + k * step, 2 * math.pi)
            far, swing, behind = _beyond(radius, length, turn)
            place[child] = (far, theta + swing)
            waiting.append((child, node, behind))
    return place


def _beyond(radius: float, length: float, turn: float) -> tuple[float, float, float]:
    """Return where a geodesic from radius r ends that leaves at an angle from the outward ray.

    Returns:
        The radius r' of its end, how far that has swung about the origin, and the angle there from
        the outward ray to the way back. In the triangle with sides r, l and r', with the angle
        A = pi - turn at the start between the sides r and l,

            sinh^2(r'/2) = sinh^2((r - l)/2) + sinh r sinh l cos^2(turn/2),

        and the angles at origin and end, P + Q and P - Q, from Napier's analogies

            tan P = cosh((l - r)/2) / cosh((l + r)/2) cot(A/2),
            tan Q = sinh((l - r)/2) / sinh((l + r)/2) cot(A/2).
    """
    if radius == 0:
        return length, turn, math.pi
    half = math.tan(abs(turn) / 2)  # cot(A/2)
    low, high = (length - radius) / 2, (length + radius) / 2
    square = math.sinh(low) ** 2
    square += math.sinh(radius) * math.sinh(length) * math.cos(turn / 2) ** 2
    P = math.atan(math.cosh(low) / math.cosh(high) * half)
    Q = math.atan(math.sinh(low) / math.sinh(high) * half)
    sign = math.copysign(1, turn)
    return 2 * math.asinh(math.sqrt(square)), sign * (P + Q), math.pi + sign * (P - Q)
