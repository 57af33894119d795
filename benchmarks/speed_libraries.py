"""The manifolds of the table, and the same operations in the libraries one would use instead."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import noneuclid as ne
from noneuclid.manifolds import HomogeneousManifold

Call = Callable[..., Tensor]


@dataclass(frozen=True)
class Model:
    """A manifold of the table: `make(dim)` is ours, `geoopt` the name of its twin there."""

    make: Callable[[int], HomogeneousManifold]
    geoopt: str = ""
    dims: int = 0  # where the dimension is its own, not that of the size


MODELS = {
    "PoincareBall": Model(ne.PoincareBall, "PoincareBall"),
    "Lorentz": Model(ne.Lorentz, "Lorentz"),
    "Sphere": Model(ne.Sphere, "Sphere"),
    "Stereographic": Model(
        lambda dim: ne.Stereographic(dim, curvature=-1.0, learnable=True), "Stereographic"
    ),
    "H16 x S4 x E32": Model(lambda _: ne.manifold("H16 x S4 x E32"), "ProductManifold", dims=52),
}


def installed(name: str) -> Any | None:
    """Return a library, or None where it is not there or does not import."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def geoopt_call(model: Model, operation: str, method: str) -> tuple[Call, list[Tensor]] | None:
    """Return the operation of geoopt and its learnable parameters, None where it has none."""
    geoopt = installed("geoopt")
    if geoopt is None:
        return None
    manifold = _geoopt_manifold(geoopt, model.geoopt)
    special = _GEOOPT.get(operation)
    if special is not None:
        call = special(manifold)
    elif operation == "mlr" or not _is_supplied(geoopt, manifold, method):
        call = None
    else:
        call = getattr(manifold, method)
    learned = [parameter for parameter in manifold.parameters() if parameter.requires_grad]
    return None if call is None else (call, learned)


def _geoopt_manifold(geoopt: Any, name: str) -> Any:
    if name == "Stereographic":
        return geoopt.Stereographic(k=-1.0, learnable=True)
    if name == "ProductManifold":
        factors = ((geoopt.Lorentz(), 17), (geoopt.Sphere(), 5), (geoopt.Euclidean(1), 32))
        return geoopt.ProductManifold(*factors)
    return getattr(geoopt, name)()


def _is_supplied(geoopt: Any, manifold: Any, method: str) -> bool:
    """Tell whether a method is there: geoopt's base class has some that only raise."""
    found = getattr(type(manifold), method, None)
    return found is not None and found is not getattr(geoopt.manifolds.base.Manifold, method, None)


def _geoopt_midpoint(manifold: Any) -> Call | None:
    if not hasattr(manifold, "weighted_midpoint"):
        return None
    return lambda x: manifold.weighted_midpoint(x, reducedim=[-2])


def _geoopt_logits(manifold: Any) -> Call | None:
    if not hasattr(manifold, "dist2plane"):
        return None

    def logits(x: Tensor, normals: Tensor, offsets: Tensor) -> Tensor:
        places = manifold.expmap0(offsets[:, None] * torch.nn.functional.normalize(normals) / 2)
        x = x.unsqueeze(-2)
        return manifold.dist2plane(x, p=places, a=normals, signed=True, scaled=True)

    return logits


def _geoopt_pairs(manifold: Any) -> Call:
    return lambda x, y: manifold.dist(x.unsqueeze(-2), y.unsqueeze(-3))


_GEOOPT: dict[str, Callable[[Any], Call | None]] = {
    "midpoint": _geoopt_midpoint,
    "frechet_mean": lambda manifold: None,
    "mlr": _geoopt_logits,
    "cdist": _geoopt_pairs,
}


def hypll_call(model: Model, operation: str) -> tuple[Call, list[Tensor]] | None:
    """Return the operation of hypll, on plain tensors without its wrapper; the ball only."""
    if model.geoopt != "PoincareBall" or installed("hypll") is None:
        return None
    base = "hypll.manifolds.poincare_ball.math"
    geometry, linear, means = (
        importlib.import_module(f"{base}.{part}") for part in ("diffgeom", "linalg", "stats")
    )
    c = torch.tensor(1.0)
    calls: dict[str, Call] = {
        "dist": lambda x, y: geometry.dist(x, y, c),
        "exp": lambda x, v: geometry.expmap(x, v, c),
        "log": lambda x, y: geometry.logmap(x, y, c),
        "exp0": lambda v: geometry.expmap0(v, c),
        "log0": lambda y: geometry.logmap0(y, c),
        "mobius_add": lambda x, y: geometry.mobius_add(x, y, c),
        "transp": lambda x, y, v: geometry.transp(x, y, v, c),
        "cdist": lambda x, y: geometry.cdist(x[None], y[None], c)[0],
        "midpoint": lambda x: means.midpoint(x, c, man_dim=-1, batch_dim=-2),
        "mlr": lambda x, z, r: linear.poincare_hyperplane_dists(x, z.mT, r, c),
    }
    return (calls[operation], []) if operation in calls else None
