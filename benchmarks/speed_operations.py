"""The operations: what each takes, how a manifold is asked for it, and its Euclidean twin."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from noneuclid import Product
from noneuclid.functional import hyperplane_logits
from noneuclid.manifolds import HomogeneousManifold

CLASSES = 10
GROUP = 16  # points of one mean
PAIRS = 512  # points of each of the two sets of cdist
HALF = 0.5


@dataclass(frozen=True)
class Operation:
    """One operation on batches of rows.

    Attributes:
        takes: what the arguments are, words that `arguments` knows.
        method: the name of the method, ours and geoopt's; "" where `ours` says it all.
        twin: what the same step costs in R^n, on the same tensors.
        ours: called with the manifold and the arguments; the method by default.
    """

    takes: tuple[str, ...]
    method: str
    twin: Callable[..., Tensor]
    ours: Callable[..., Tensor] | None = None

    def call(self, manifold: HomogeneousManifold) -> Callable[..., Tensor]:
        """Return the operation of a manifold as a function of the arguments."""
        if self.ours is None:
            return getattr(manifold, self.method)
        ours = self.ours
        return lambda *arguments: ours(manifold, *arguments)

    def exists(self, manifold: HomogeneousManifold) -> bool:
        """Tell whether a manifold has the operation."""
        return self.ours is not None or hasattr(manifold, self.method)


OPERATIONS = {
    "dist": Operation(("point", "point"), "dist", lambda x, y: (x - y).norm(dim=-1)),
    "dist0": Operation(("point",), "dist0", lambda x: x.norm(dim=-1)),
    "exp": Operation(("point", "vector"), "expmap", lambda x, v: x + v),
    "log": Operation(("point", "point"), "logmap", lambda x, y: y - x),
    "exp0": Operation(("origin vector",), "expmap0", lambda v: HALF * v),
    "log0": Operation(("point",), "logmap0", lambda y: HALF * y),
    "mobius_add": Operation(("point", "point"), "mobius_add", lambda x, y: x + y),
    "transp": Operation(("point", "point", "vector"), "transp", lambda x, y, v: v.clone()),
    "transp0": Operation(("point", "origin vector"), "transp0", lambda y, v: v.clone()),
    "projx": Operation(("point",), "projx", lambda x: x.clone()),
    "inner": Operation(("point", "vector", "vector"), "inner", lambda x, u, v: (u * v).sum(-1)),
    "egrad2rgrad": Operation(("point", "gradient"), "egrad2rgrad", lambda x, g: HALF * g),
    "midpoint": Operation(("groups",), "midpoint", lambda x: x.mean(-2)),
    "frechet_mean": Operation(("groups",), "frechet_mean", lambda x: x.mean(-2)),
    "mlr": Operation(
        ("point", "normals", "offsets"),
        "",
        lambda x, z, r: x[..., : z.shape[-1]] @ z.mT + r.reshape(CLASSES, -1)[:, 0],
        hyperplane_logits,
    ),
    "cdist": Operation(("set", "set"), "cdist", torch.cdist),
}


def arguments(
    operation: Operation, manifold: HomogeneousManifold, rows: int, generator: torch.Generator
) -> list[Tensor]:
    """Return the arguments in float32: points at a root mean square radius of about 1.

    They are made once for all libraries; a point of a group or set is drawn like any other.
    """
    made: list[Tensor] = []
    for kind in operation.takes:
        made.append(_argument(kind, manifold, rows, made, generator))
    return made


def _argument(
    kind: str, manifold: HomogeneousManifold, rows: int, before: list[Tensor],
    generator: torch.Generator,
) -> Tensor:  # fmt: skip
    if kind == "vector":
        return manifold.random_tangent(before[0], generator) / manifold.dim**0.5
    shapes = {"point": (rows,), "groups": (rows // GROUP, GROUP), "set": (min(rows, PAIRS),)}
    if kind in shapes:
        return manifold.random(*shapes[kind], generator=generator)
    factors = len(manifold.factors) if isinstance(manifold, Product) else 0
    shape = {
        "origin vector": (rows, manifold.dim),
        "gradient": (rows, *manifold.point_shape),
        "normals": (CLASSES, manifold.dim),
        "offsets": (CLASSES, factors) if factors else (CLASSES, 1),
    }[kind]
    normal = torch.randn(shape, generator=generator)
    if kind == "origin vector":
        return manifold.from_frame(normal / manifold.dim**0.5)
    return normal.squeeze(-1) if kind == "offsets" else normal
