"""Checked: a wrapper that validates what goes into and comes out of any manifold."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.manifolds._base import Manifold


class OffManifoldError(ValueError):
    """A tensor is not on the manifold; says the worst violation and where it is."""


# What the tensor arguments of a method are: a point, a vector at the first point, or anything.
_ARGUMENTS = {
    "inner": "pvv",
    "norm": "pv",
    "component_inner": "pv",
    "proju": "pa",
    "egrad2rgrad": "pa",
    "random_tangent": "p",
    "retr": "pv",
    "transp": "ppv",
    "retr_transp": "pv",
    "expmap": "pv",
    "logmap": "pp",
    "dist": "pp",
    "dist2": "pp",
    "cdist": "pp",
    "geodesic": "ppa",
    "midpoint": "pa",
    "frechet_mean": "pa",
    "dist2plane": "ppa",
    "busemann": "pa",
    "logmap0": "p",
    "dist0": "p",
    "transp0": "pa",
    "transp0back": "pv",
    "lambda_x": "p",
    "mobius_add": "pp",
    "gyration": "ppv",
    "coadd": "pp",
    "mobius_scalar_mul": "ap",
    "mobius_matvec": "ap",
}
_RETURNS_POINT = frozenset(
    {"projx", "retr", "expmap", "expmap0", "geodesic", "midpoint", "random", "mobius_add", "coadd"}
    | {"mobius_scalar_mul", "frechet_mean"}
)


class Checked(nn.Module):
    """A manifold whose every call is checked: `Checked(M).dist(x, y)` raises on bad points.

    For debugging, off the hot path (it synchronises with the device). It offers all methods of the
    wrapped manifold; the result of each call is the bare manifold's.

    Args:
        manifold: the manifold to guard.

    Raises:
        OffManifoldError: from the calls, with the argument, the worst violation and its index.
    """

    def __init__(self, manifold: Manifold) -> None:
        super().__init__()
        if not isinstance(manifold, Manifold):
            raise TypeError(f"Checked guards a manifold, got {type(manifold).__name__}")
        self.manifold = manifold

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            member = getattr(super().__getattr__("manifold"), name)
        guarded = name in _ARGUMENTS or name in _RETURNS_POINT
        return self._guard(name, member) if guarded else member

    def _guard(self, name: str, method: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def guarded(*args: Any, **kwargs: Any) -> Tensor:
            bound = inspect.signature(method).bind(*args, **kwargs)
            given = [*bound.args, *bound.kwargs.values()]
            kinds = _ARGUMENTS.get(name, "")
            kinds += kinds[-1:] * (len(given) - len(kinds))  # vectors that are carried along
            for position, (kind, tensor) in enumerate(zip(kinds, given, strict=False), start=1):
                if kind == "p":
                    self._require_points(tensor, f"argument {position} of {name}")
                elif kind == "v" and tensor is not None:
                    self._require_vectors(given[0], tensor, f"argument {position} of {name}")
            result = method(*args, **kwargs)
            if name in _RETURNS_POINT:
                point = result[0] if isinstance(result, tuple) else result
                self._require_points(point, f"result of {name}")
            return result

        return guarded

    def _require_points(self, x: Tensor, what: str) -> None:
        good = self.manifold.check_point(x)
        if not bool(good.all()):
            self._fail(good, self.manifold._violation(x), f"{what} is not on {self.manifold!r}")

    def _require_vectors(self, x: Tensor, u: Tensor, what: str) -> None:
        good = self.manifold.check_vector(x, u)
        if not bool(good.all()):
            violation = self.manifold._tangent_violation(x, u)
            self._fail(good, violation, f"{what} is not tangent to {self.manifold!r}")

    def _fail(self, good: Tensor, violation: Tensor, what: str) -> None:
        violation = torch.where(good, 0, violation.nan_to_num(float("inf")))
        worst = int(violation.flatten().argmax())
        index = tuple(int(i) for i in torch.unravel_index(torch.tensor(worst), violation.shape))
        raise OffManifoldError(
            f"{what}: worst relative violation {float(violation.flatten()[worst]):.3g} at index"
            f" {index} of {tuple(violation.shape)}; project with projx (points) or proju (vectors)"
        )
