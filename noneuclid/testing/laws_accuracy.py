"""The law of accuracy: every error is within its budget."""

import torch

from noneuclid.manifolds import HomogeneousManifold
from noneuclid.testing.error_budget import error_budget
from noneuclid.testing.law import law
from noneuclid.testing.oracle import has_truth


@law(has_truth)
def errors_are_within_budget(
    manifold: HomogeneousManifold, dtype: torch.dtype, generator: torch.Generator
) -> None:
    """Distances, maps and transport against mpmath on the same rounded inputs."""
    rows = error_budget(manifold, dtype, generator=generator, draws=2)
    broken = [row for row in rows if not row.error <= row.allowed]
    if broken:
        worst = max(broken, key=lambda row: row.error / (row.allowed or row.error))
        raise AssertionError(
            f"{worst.operation} ({worst.case}) at radius {worst.radius:g}: error {worst.error:.3g}"
            f" exceeds {worst.allowed:.3g}; {len(broken)} of {len(rows)} rows are too large"
        )
