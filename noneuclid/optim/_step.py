"""The tangent space at a point, for one step of an optimizer: what a rule computes with."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold, Manifold
from noneuclid.numerics import combination


class TangentSpace:
    """The tangent space of a manifold at x: gradients, lengths, and ways out of it.

    Here everything is put together from the operations of the manifold; where a geodesic and what
    is carried along it have closed forms (`_closed_forms.py`), those are used.

    Args:
        manifold: any, as a formula sees it.
        x: points (*, S).
    """

    def __init__(self, manifold: Any, x: Tensor) -> None:
        self.manifold, self.x = manifold, x

    def vector(self, stored: Tensor) -> Tensor:
        """Return what the state holds of a vector in the form that this class computes with."""
        return stored

    def gradient(self, g: Tensor) -> Tensor:
        """Return the Riemannian gradient of an ambient one."""
        return self.manifold._egrad2rgrad(self.x, g)

    def square(self, u: Tensor) -> Tensor:
        """Return <u, u>_x as a row scalar, with the axes of rows."""
        manifold: Manifold = self.manifold
        return manifold._inner(self.x, u, u)[(..., *(None,) * len(manifold.point_shape))]

    def pull(self) -> Tensor:
        """Return log_x(o), the vector to the origin."""
        manifold: HomogeneousManifold = self.manifold
        back = manifold._transp0(self.x, manifold._logmap0(self.x))
        return combination((-1.0, back))

    def shrunk(
        self, share: Tensor, vectors: Sequence[Tensor], dtype: torch.dtype
    ) -> tuple["TangentSpace", list[Tensor]]:
        """Return the space at exp_x(share log_x(o)), and vectors carried there."""
        y, *carried = self.moved(combination((share, self.pull())), vectors, dtype)
        return type(self)(self.manifold, y), carried

    def moved(self, d: Tensor, vectors: Sequence[Tensor], dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Return retr_x(d), as it will be stored in `dtype`, and vectors carried there."""
        y = self.manifold._retr(self.x, d, dtype)
        return y, *(self.manifold._transp(self.x, y, vector) for vector in vectors)
