"""How tree-like the particles of each jet are: Gromov's delta, in batches."""

import numpy as np
import torch
from torch import Tensor

from noneuclid.datasets import Jets
from noneuclid.metrics import angular_distance, relative_gromov_delta

METRICS = ("angle", "features")
_BATCH = 256


def relative_delta(jets: Jets, metric: str = "angle", base: int | None = None) -> Tensor:
    """Compute 2 delta / diameter of the particles of each jet: (N,), 0 for trees.

    Args:
        jets: whose particles are compared, those that were read.
        metric: "angle", Delta R; "features", the distance of the standardised inputs, as in
            [woodward2024product].
        base: of the Gromov products, 0 for the leading particle; None: all, the four-point delta,
            at O(P^4) a jet.

    Raises:
        ValueError: an unknown metric.
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    found = []
    for low in range(0, len(jets), _BATCH):
        some = jets.subset(slice(low, low + _BATCH))
        between = _angles(some.momenta) if metric == "angle" else _distances(some.features)
        found.append(relative_gromov_delta(between, base, mask=some.mask))
    return torch.cat(found) if found else torch.zeros(0)


def _angles(momenta: Tensor) -> Tensor:
    """Return Delta R of all pairs: (B, P, P)."""
    px, py, pz, _ = momenta.unbind(-1)
    pt = torch.hypot(px, py)
    there = pt > 0
    eta = torch.where(there, torch.asinh(pz / torch.where(there, pt, 1)), 0)
    return angular_distance(torch.stack([eta, torch.atan2(py, px)], dim=-1))


def _distances(features: Tensor) -> Tensor:
    """Return Euclidean distances of all pairs, from differences: (B, P, P)."""
    return (features[:, :, None] - features[:, None]).square().sum(-1).sqrt()


def describe(jets: Jets) -> dict[str, np.ndarray]:
    """Return mass / GeV, multiplicity and the deltas of each jet, by name.

    "delta" is the four-point delta of the angles, "delta_base" that with the leading particle as
    the base, "delta_features" the latter of the taggers' inputs: all relative to the diameter.
    """
    columns = {
        "mass": jets.observables[:, 0],
        "multiplicity": jets.observables[:, 1],
        "delta": relative_delta(jets),
        "delta_base": relative_delta(jets, base=0),
        "delta_features": relative_delta(jets, "features", base=0),
    }
    return {name: values.numpy() for name, values in columns.items()}
