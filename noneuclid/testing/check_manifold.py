"""`check_manifold(m)`: every law that applies to a manifold, in one call."""

from collections.abc import Callable

import torch

from noneuclid.manifolds import Manifold
from noneuclid.testing import (  # noqa: F401  (importing registers the laws)
    laws_accuracy,
    laws_batch,
    laws_busemann,
    laws_curvature,
    laws_degenerate,
    laws_derivative,
    laws_geodesic,
    laws_metric,
    laws_object,
    laws_origin,
    laws_torch,
    laws_transport,
)
from noneuclid.testing.law import all_laws

Check = Callable[..., None]  # (manifold, dtype, generator)


def manifold_laws(manifold: Manifold, dtype: torch.dtype | None = None) -> list[tuple[str, Check]]:
    """Return the laws that apply to the manifold's tier, as (name, check).

    A test suite makes one case of each: `check(manifold, dtype, generator)`.

    Args:
        manifold: decides which laws apply.
        dtype: only the laws that say something in this dtype (default: all).
    """
    laws = [
        (law.name, law.check)
        for law in all_laws()
        if law.applies(manifold) and (dtype is None or dtype in law.dtypes)
    ]
    # Accuracy last: a law that says what is wrong comes before one that says how much.
    return sorted(laws, key=lambda pair: pair[1].__module__ == laws_accuracy.__name__)


def check_manifold(
    manifold: Manifold,
    dtype: torch.dtype = torch.float64,
    *,
    generator: torch.Generator | None = None,
) -> None:
    """Check every law of a manifold.

    Args:
        manifold: the manifold to check.
        dtype: float32 or float64; laws about derivatives and objects are checked in float64 only.
        generator: source of the sample points (default: a new one with a fixed seed).

    Raises:
        LawViolation: names the first broken law, the numbers and the worst index.
    """
    for _, check in manifold_laws(manifold, dtype):
        check(manifold, dtype, generator or torch.Generator().manual_seed(0))
