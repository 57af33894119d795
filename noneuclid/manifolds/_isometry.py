"""Isometry: a map that preserves distances, with its tangent map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:  # the contract itself returns isometries
    from noneuclid.manifolds._geodesic import HomogeneousManifold

PointMap = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Isometry:
    """A distance-preserving map from `source` to `target`: call it on points (*, S) -> (*, T)."""

    source: HomogeneousManifold
    target: HomogeneousManifold
    point_map: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        """Map points."""
        self.source._check(x)
        return self.point_map(x)

    def tangent(self, x: Tensor, v: Tensor) -> Tensor:
        """Map a tangent vector at `x` to one at the image of `x`, by the derivative of the map."""
        self.source._check(x, v)
        # jvp writes into its arguments, which must not be views of one element
        x, v = (t.contiguous() for t in torch.broadcast_tensors(x, v))
        y, image = torch.func.jvp(self.point_map, (x,), (v.to(x.dtype),))[:2]
        return self.target.proju(y, image)


def side_by_side(maps: list[Isometry]) -> PointMap:
    """Return the map of products that applies one map to each factor."""
    widths = [m.source.point_shape[0] for m in maps]

    def point_map(x: Tensor) -> Tensor:
        images = [m(part) for m, part in zip(maps, x.split(widths, -1), strict=True)]
        return torch.cat(images, dim=-1)

    return point_map
