"""Checked: a wrapper that validates what goes into and comes out of any manifold."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.manifolds._base import Manifold


class OffManifoldError(ValueError):
    """A tensor is not on the manifold; says the worst violation and where it is."""


# How many leading arguments of a method are points; the others are vectors at the first.
_POINTS = {
    "inner": 1,
    "norm": 1,
    "component_inner": 1,
    "retr": 1,
    "expmap": 1,
    "transp": 2,
    "logmap": 2,
    "dist": 2,
    "dist2": 2,
    "cdist": 2,
    "logmap0": 1,
    "dist0": 1,
}
_RETURNS_POINT = frozenset({"projx", "retr", "expmap", "expmap0", "midpoint", "random"})


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
        self.manifold = manifold

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            member = getattr(super().__getattr__("manifold"), name)
        return self._guard(name, member) if name in _POINTS or name in _RETURNS_POINT else member

    def _guard(self, name: str, method: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def guarded(*args: Any, **kwargs: Any) -> Tensor:
            count = _POINTS.get(name, 0)
            tensors = [a for a in args if isinstance(a, Tensor)]
            for position, x in enumerate(tensors[:count]):
                self._require_points(x, f"argument {position + 1} of {name}")
            for position, u in enumerate(tensors[count:] if count else []):
                self._require_vectors(tensors[0], u, f"argument {count + position + 1} of {name}")
            result = method(*args, **kwargs)
            if name in _RETURNS_POINT:
                self._require_points(result, f"result of {name}")
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
