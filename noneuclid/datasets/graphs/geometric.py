"""Random points of a space of constant curvature, joined where they are near."""

import math

import numpy as np
import torch
from scipy.spatial import cKDTree

from noneuclid.datasets.graphs.graph import Graph, make_graph

PAIRS = 100_000  # drawn to find the radius of the hyperbolic disc
BISECTIONS = 24  # of a radius below 100: to 1e-5
BLOCK = 512  # rows of the distance matrix at a time


def sphere_graph(n: int = 1000, angle: float = 0.2, dim: int = 2, seed: int = 0) -> Graph:
    """Join uniform points of the unit sphere S^dim at an angle below ``angle``, in radians.

    The points are normed Gaussian vectors: uniform angles would crowd at the poles. ``positions``
    are the points. Sign 1.
    """
    points = np.random.default_rng(seed).standard_normal((n, dim + 1))
    points /= np.sqrt((points**2).sum(axis=1, keepdims=True))
    edges = cKDTree(points).query_pairs(2 * math.sin(angle / 2), output_type="ndarray")
    return _graph(edges, points, "sphere_graph", 1)


def torus_graph(n: int = 1000, radius: float = 0.1, dim: int = 2, seed: int = 0) -> Graph:
    """Join uniform points of the flat torus [0, 1)^dim at a distance below ``radius``, around.

    The default joins at a squared distance below 0.01. Locally flat; a product of dim circles
    embeds it. ``positions`` are the points. Sign 0.
    """
    points = np.random.default_rng(seed).random((n, dim))
    edges = cKDTree(points, boxsize=1.0).query_pairs(radius, output_type="ndarray")
    return _graph(edges, points, "torus_graph", 0)


def random_geometric(n: int = 1000, radius: float = 0.125, dim: int = 2, seed: int = 0) -> Graph:
    """Join uniform points of the cube [0, 1]^dim at a distance below ``radius``. Sign 0.

    ``positions`` are the points.
    """
    points = np.random.default_rng(seed).random((n, dim))
    edges = cKDTree(points).query_pairs(radius, output_type="ndarray")
    return _graph(edges, points, "random_geometric", 0)


def grid(*shape: int) -> Graph:
    """Build the grid of a shape, 10 x 10 x 10 where it is left out (1,000 nodes, 2,700 edges).

    ``positions`` are the integer coordinates. Its distance is the L1 one. Sign 0.
    """
    shape = shape or (10, 10, 10)
    place = np.arange(math.prod(shape)).reshape(shape)
    edges = [
        np.stack([np.delete(place, -1, axis), np.delete(place, 0, axis)], -1).reshape(-1, 2)
        for axis in range(len(shape))
    ]
    points = np.stack(np.unravel_index(np.arange(place.size), shape), axis=1)
    return _graph(np.concatenate(edges), points, "grid", 0)


def hyperbolic_random_graph(
    n: int = 1000, mean_degree: float = 10.0, gamma: float = 2.5, temperature: float = 0.0,
    seed: int = 0,
) -> Graph:  # fmt: skip
    """Join random points of a disc of the hyperbolic plane (K = -1) that are near.

    Angles are uniform, radii have density a sinh(a r) / (cosh(a R) - 1) on [0, R] with
    a = (gamma - 1) / 2, so that degrees follow a power law of exponent gamma > 2. Two points at
    distance d are joined where d < R, at temperature T > 0 with probability
    1 / (1 + exp((d - R) / 2T)). R is the radius at which the mean degree is expected, found by
    bisection over 100,000 random pairs, to a few per cent. ``positions`` are radius and angle.
    Sign -1. Source: [krioukov2010hyperbolic].

    Raises:
        ValueError: gamma <= 2, temperature not in [0, 1), or more neighbours than there are nodes.
    """
    if gamma <= 2 or not 0 <= temperature < 1 or not 0 < mean_degree < n - 1:
        raise ValueError(
            "gamma must be > 2, temperature in [0, 1) and mean_degree in (0, n - 1), "
            f"got {gamma}, {temperature} and {mean_degree}"
        )
    rng = np.random.default_rng(seed)
    quantile, angle = rng.random(n), rng.uniform(0, 2 * math.pi, n)
    first, second = rng.integers(n, size=PAIRS), rng.integers(1, n, size=PAIRS)
    second = (first + second) % n
    exponent, low, high = (gamma - 1) / 2, 0.0, 4 * math.log(n) + 20
    for _ in range(BISECTIONS):
        limit = (low + high) / 2
        r = _radii(quantile, exponent, limit)
        d = _distance(r[first], angle[first], r[second], angle[second])
        enough = (n - 1) * _probability(d, limit, temperature).mean() > mean_degree
        low, high = (limit, high) if enough else (low, limit)
    r = _radii(quantile, exponent, high)
    edges = []
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        d = _distance(r[rows, None], angle[rows, None], r, angle)
        joined = rng.random(d.shape) < _probability(d, high, temperature)
        u, v = np.nonzero(joined)
        edges.append(np.stack([u + start, v], axis=1)[u + start < v])
    points = np.stack([r, angle], axis=1)
    return _graph(np.concatenate(edges), points, "hyperbolic_random_graph", -1)


def _radii(quantile: np.ndarray, exponent: float, limit: float) -> np.ndarray:
    """Invert the distribution of the radius, (cosh(a r) - 1) / (cosh(a R) - 1)."""
    half = np.sqrt(quantile) * math.sinh(exponent * limit / 2)  # sinh(a r / 2)
    return 2 / exponent * np.arcsinh(half)


def _distance(r: np.ndarray, angle: np.ndarray, s: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute sinh^2(d/2) = sinh^2((r - s)/2) + sinh r sinh s sin^2((a - b)/2), without loss."""
    apart = np.sinh(r) * np.sinh(s) * np.sin((angle - other) / 2) ** 2
    return 2 * np.arcsinh(np.sqrt(np.sinh((r - s) / 2) ** 2 + apart))


def _probability(d: np.ndarray, limit: float, temperature: float) -> np.ndarray:
    if temperature == 0:
        return (d < limit).astype(np.float64)
    return 0.5 * (1 - np.tanh((d - limit) / (4 * temperature)))  # the logistic function


def _graph(edges: np.ndarray, points: np.ndarray, name: str, sign: int) -> Graph:
    positions = torch.from_numpy(points.astype(np.float32))
    return make_graph(edges, len(points), positions=positions, name=name, curvature_signs=(sign,))
