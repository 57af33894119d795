"""The draws of the accuracy benchmark: every operation on every model, ours and a peer's error."""

import math
import random
from collections.abc import Iterator
from typing import NamedTuple

import torch
from accuracy_peers import geoopt_operation
from tqdm import tqdm

import noneuclid as ne
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.testing.cases import Case, Cases, operations_of, radii
from noneuclid.testing.measured import Error

DTYPES = (torch.float32, torch.float64)
DIMENSIONS = (1, 2, 4, 16, 128)
MODELS = {  # column of the table: (class, sign of K)
    "ball": [(ne.PoincareBall, -1)],
    "Lorentz": [(ne.Lorentz, -1)],
    "sphere": [(ne.Sphere, 1)],
    "stereographic": [(ne.Stereographic, -1), (ne.Stereographic, 0), (ne.SphereProjection, 1)],
}
THROUGH_ZERO = (0.0, 1e-8, 1e-4, 1.0, 100.0)  # |K|


class Measured(NamedTuple):
    """One error of ours and of the peer (None where it has no such operation)."""

    model: str
    operation: str
    dtype: torch.dtype
    regime: str
    ours: Error
    peer: float | None
    curvature: float
    dim: int
    radius: float


def measure(
    draws: int,
    seed: int,
    model: str | None = None,
    operation: str | None = None,
    quick: bool = False,
) -> list[Measured]:
    """Measure every operation, model, dtype and radius, `draws` times each kind of pair.

    The curvature and the dimension of each draw are taken at random from their ranges. `model`
    and `operation` select; `quick` takes every tenth step once.
    """
    source, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    plan = [step for step in _plan() if model in (None, step[0]) and operation in (None, step[1])]
    found: list[Measured] = []
    for model, operation, dtype, kind, radius in tqdm(plan[:: 10 if quick else 1], desc="draws"):
        cls, sign = kind
        for _ in range(1 if quick else draws):
            size = source.choice([1e-4, 1.0, 100.0, 10 ** source.uniform(-4, 2)])
            curvature = sign * float(torch.tensor(size, dtype=torch.float32))
            if model == "sphere" and source.random() < 0.5:
                curvature = 1.0  # the only one that peers have
            manifold = cls(source.choice(DIMENSIONS), curvature)
            for case in Cases(manifold, dtype, generator).of(operation, radius):
                found.extend(_errors(model, operation, case, _regime(manifold, case)))
    return found


def measure_through_zero(
    seed: int, operation: str | None = None, quick: bool = False
) -> list[Measured]:
    """Measure values and derivatives in K at radius 1, for K from -100 through 0 to 100."""
    generator = torch.Generator().manual_seed(seed)
    found: list[Measured] = []
    curvatures = sorted({sign * k for k in THROUGH_ZERO for sign in (1, -1)})
    for curvature in tqdm(curvatures[:: 2 if quick else 1], desc="K through 0"):
        for dtype in DTYPES:
            for dim in (4,) if quick else (1, 4, 16):
                manifold = ne.Stereographic(dim, curvature)
                radius = min(1.0, abs(curvature) ** 0.5) if curvature else 1.0
                for name in [operation] if operation else operations_of(manifold):
                    for case in Cases(manifold, dtype, generator).of(name, radius):
                        found.extend(_errors("stereographic", name, case, f"{curvature:g}"))
    return found


def _plan() -> Iterator[tuple]:
    for model, kinds in MODELS.items():
        for kind in kinds:
            cls, sign = kind
            manifold = cls(2, float(sign))
            for operation in operations_of(manifold):
                for dtype in DTYPES:
                    for radius in radii(manifold, dtype):
                        yield model, operation, dtype, kind, radius


def _regime(manifold: HomogeneousManifold, case: Case) -> str:
    if case.name == "near":
        return "near pairs"
    if float(manifold.curvature) > 0 and case.radius >= 3:
        return "to the antipode"
    if case.radius <= 2:
        return "R to 2"
    return "R to 10" if case.radius <= 10 else "to the reach"


def _errors(model: str, operation: str, case: Case, regime: str) -> Iterator[Measured]:
    call = case.call
    manifold = call.manifold
    peer = geoopt_operation(manifold, operation, call.dtype)
    ours = [call.value_error(), *call.gradient_errors()]
    theirs: dict[str, float] = {}
    if peer is not None:
        errors = [call.value_error(peer), *call.gradient_errors(peer)]
        theirs = {e.argument: e.error if math.isfinite(e.error) else math.inf for e in errors}
        if isinstance(manifold, ne.Sphere):
            del theirs["K"]  # its sphere has no curvature
    for error in ours:
        yield Measured(
            model,
            operation,
            call.dtype,
            regime,
            error,
            theirs.get(error.argument),
            float(manifold.curvature),
            manifold.dim,
            case.radius,
        )
