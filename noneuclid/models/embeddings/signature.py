"""Which product of spaces suits a graph: an estimate by curvature, and a search by fitting."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.manifolds import manifold
from noneuclid.metrics import sample_sectional_curvature
from noneuclid.models.embeddings.distance import DistanceEmbedding

_REACH = 10.0  # diameter of a fresh hyperbolic factor, in units of |K|^-1/2


class Candidate(NamedTuple):
    """A signature, and the metrics of its embedding."""

    signature: str
    metrics: dict[str, float]


def signatures(dim: int) -> tuple[str, ...]:
    """Return the products of one total dimension that [gu2019learning] compares, all learnable.

    One factor, two of each kind and of both, as many planes as fit, and a mixture of all three.
    """
    if dim < 2:
        raise ValueError(f"dim must be at least 2, got {dim}")
    half, planes = dim // 2, dim // 2
    rest = f" x E{dim % 2}" if dim % 2 else ""
    found = [f"E{dim}", f"H{dim}*", f"S{dim}*"]
    found += [f"{a}{half}* x {b}{dim - half}*" for a, b in ("HH", "SS", "HS")]
    found += [" x ".join([f"{kind}2*"] * planes) + rest for kind in "HS"]
    if dim >= 6:
        flat = dim - 4 * ((dim - 2) // 4)
        pairs = (dim - flat) // 4
        found.append(" x ".join(["H2*"] * pairs + [f"E{flat}"] + ["S2*"] * pairs))
    return tuple(dict.fromkeys(found))


def scaled_signature(signature: str, diameter: float) -> str:
    """Write the curvatures into a signature that suit distances up to `diameter`.

    Hyperbolic factors without a curvature start at -(10 / diameter)^2, spherical ones at
    (pi / diameter)^2: then a graph fits on a sphere, and is large enough in a hyperbolic space for
    branches to part.
    """
    if not 0 < diameter < math.inf:
        raise ValueError(f"diameter must be a positive number, got {diameter}")
    values = {"H": -((_REACH / diameter) ** 2), "S": (math.pi / diameter) ** 2}
    values |= {"B": values["H"], "P": values["S"]}
    parts = []
    for part in signature.split(" x "):
        value = values.get(part[:1])
        if value is None or "(" in part:
            parts.append(part)
        else:
            parts.append(f"{part.rstrip('*')}({value!r}){'*' if part.endswith('*') else ''}")
    return " x ".join(parts)


def estimate_signature(
    edges: Tensor,
    distances: Tensor,
    dim: int,
    *,
    samples: int = 10_000,
    generator: torch.Generator | None = None,
) -> str:
    """Estimate a product for a graph from its discrete sectional curvature, without fitting.

    Samples xi of `sample_sectional_curvature` below and above 0 are added up, and the planes that
    fit into `dim` are shared out between H2 and S2 in that ratio; a share of E, the rest, where
    all of xi is 0. It sees triangles alone; `search_signature` fits.

    Args:
        edges: (E, 2) integers, each edge once.
        distances: (n, n).
        dim: in total, at least 2.
        samples: of xi.
        generator: on the CPU.

    Source: [gu2019learning] section 3.2, whose estimator this simplifies.
    """
    if dim < 2:
        raise ValueError(f"dim must be at least 2, got {dim}")
    xi = sample_sectional_curvature(edges, distances, samples, generator=generator)
    negative, positive = float(-xi.clamp(max=0).sum()), float(xi.clamp(min=0).sum())
    if negative + positive == 0:
        return f"E{dim}"
    planes = dim // 2
    hyperbolic = round(planes * negative / (negative + positive))
    parts = ["H2*"] * hyperbolic + ["S2*"] * (planes - hyperbolic) + ["E1"] * (dim % 2)
    return " x ".join(parts)


def search_signature(
    distances: Tensor,
    candidates: Iterable[str],
    *,
    epochs: int = 100,
    seed: int = 0,
    progress: bool = True,
) -> list[Candidate]:
    """Fit an embedding in each of some products, and return them by average distortion.

    Args:
        distances: (n, n) of a graph, connected.
        candidates: signatures, as of `signatures`; curvatures that are left out are scaled.
        epochs: of each.
        seed: the same for all.
        progress: whether to show progress bars.

    Raises:
        ValueError: as for `noneuclid.manifold` and `DistanceEmbedding`.
    """
    found = []
    diameter = float(distances.max())
    for signature in candidates:
        space = manifold(scaled_signature(signature, diameter))
        embedding = DistanceEmbedding(len(distances), space, seed=seed)
        fitted = embedding.fit(distances, epochs, progress=progress)
        found.append(Candidate(signature, fitted.metrics))
    return sorted(found, key=lambda each: each.metrics["average_distortion"])
