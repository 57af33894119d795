"""The heads of one factor: where they are cut from a point, and how they become one again."""

from typing import Literal

import torch
from torch import Tensor

from noneuclid.layers._ambient import ambient_rows, from_ambient_rows, to_ambient
from noneuclid.layers._beta import beta_ratio
from noneuclid.layers._trigonometry import TRIGONOMETRY
from noneuclid.manifolds import HomogeneousManifold, SpaceForm

Split = Literal["beta", "lorentz"]
SPLITS = ("beta", "lorentz")


class Heads:
    """Points of a factor as `count` points of `dim` dimensions each, in normal coordinates.

    "beta" scales the coordinates of a head by b = beta_ratio(count dim, dim), so that a head is
    as long as the whole in expectation. Coordinates scaled by b on curvature K are coordinates as
    they were on curvature b^2 K: the heads below are left unscaled, in a space of curvature
    `bend` K with bend = b^2, and all lengths are in units of 1 / b. Nothing has to be multiplied,
    and scores that are taken in this unit have the flat ones as their limit.

    "lorentz" cuts the space part X = sinck(K |c|^2) c of the ambient coordinates and puts space
    parts together again, with the time of each recomputed. A space part has no bound where K <= 0
    only; for K > 0, and on flat space, this is the cut of the normal coordinates themselves.

    Args:
        manifold: the factor, of dimension D = count d.
        count: H, how many heads.
        split: "beta" or "lorentz".

    Source: [shimizu2021hyperbolic] for "beta"; [bdeir2024fully] for the direct
    concatenation of space parts.
    """

    def __init__(self, manifold: HomogeneousManifold, count: int, split: Split) -> None:
        self.manifold, self.count, self.dim = manifold, count, manifold.dim // count
        self.unit = beta_ratio(manifold.dim, self.dim) if split == "beta" else 1.0
        self.bend = self.unit**2
        self.is_curved = isinstance(manifold, SpaceForm)
        self.cuts_space = (
            split == "lorentz" and isinstance(manifold, SpaceForm) and manifold.curvature_sign <= 0
        )

    def cut(self, c: Tensor, parts: int) -> list[Tensor]:
        """Return the heads of `parts` points side by side: (*, n, parts D) -> (*, H, n, d) each."""
        rows = c.unflatten(-1, (parts, self.count, self.dim))
        if self.cuts_space:
            rows = self._cut_space(rows)
        return [part.transpose(-2, -3) for part in rows.unbind(-3)]

    def merge(self, c: Tensor) -> Tensor:
        """Return the point of which these are the heads: (*, H, n, d) -> (*, n, D)."""
        rows = c.transpose(-2, -3)
        return (self._merge_space(rows) if self.cuts_space else rows).flatten(-2)

    def ambient(self, c: Tensor) -> tuple[Tensor, Tensor]:
        """Return (X, T) of the heads: (*, d) -> (*, d), (*, 1)."""
        return to_ambient(self.manifold, c, bend=self.bend)

    def rows(self, c: Tensor) -> Tensor:
        """Return (T, X) of the heads, what a mean adds up: (*, H, n, d) -> (*, H, n, 1 + d).

        On flat space, where the weights of a mean have the sum 1, the heads themselves.
        """
        if not self.is_curved:
            return c
        stored = c.transpose(-2, -3)  # as they were cut: a kernel reads them where they lie
        return ambient_rows(self.manifold, stored, bend=self.bend).transpose(-2, -3)

    def from_rows(self, sums: Tensor) -> Tensor:
        """Return the heads in the direction of sums of `rows`: (*, 1 + d) -> (*, d)."""
        if not self.is_curved:
            return sums
        return from_ambient_rows(self.manifold, sums, bend=self.bend)

    def depth(self, X: Tensor, T: Tensor) -> Tensor:
        """Return (1 - T) / K, half the squared chord from the origin, |c|^2 / 2 on flat space.

        Formula: |X|^2 / (1 + T), and as it stands beyond the equator, where that cancels.
        """
        square = (X * X).sum(-1, keepdim=True)
        if not isinstance(self.manifold, SpaceForm) or self.manifold.curvature_sign < 0:
            return square / (1 + T)
        beyond = T < 0
        curvature = (self.bend * self.manifold.curvature(X.device)).to(X.dtype)
        far = (1 - T) / torch.where(beyond, curvature, 1)
        return torch.where(beyond, far, square / torch.where(beyond, 1, 1 + T))

    def space_part(self, c: Tensor) -> Tensor:
        """Return X of whole points, and `c` where K > 0, whose X is bounded: (*, D) -> (*, D)."""
        if not self.cuts_space:
            return c
        curvature = self._curvature_of_space(c)
        square = (c * c).sum(-1, keepdim=True).to(curvature.dtype)
        # In the rows' own dtype, where the sign is known, sinh stays within its range.
        z = (curvature * square).to(c.dtype if self._sign else curvature.dtype)
        return TRIGONOMETRY[self._sign][0](z)[1].to(c.dtype) * c

    def from_space_part(self, X: Tensor) -> Tensor:
        """Return the points of which `space_part` is X."""
        if not self.cuts_space:
            return X
        curvature = self._curvature_of_space(X)
        z = curvature * (X * X).sum(-1, keepdim=True).to(curvature.dtype)
        return TRIGONOMETRY[self._sign][1]((1 - z).sqrt(), z).to(X.dtype) * X

    def _cut_space(self, rows: Tensor) -> Tensor:
        """Return normal coordinates of the heads of space parts: (*, H, d) -> (*, H, d)."""
        curvature = self._curvature_of_space(rows)
        squares = (rows * rows).sum(-1, keepdim=True).to(curvature.dtype)
        cosines, unbend = TRIGONOMETRY[self._sign]
        sine = cosines(curvature * squares.sum(-2, keepdim=True))[1]
        z = curvature * sine * sine * squares
        return (sine * unbend((1 - z).sqrt(), z)).to(rows.dtype) * rows

    def _merge_space(self, rows: Tensor) -> Tensor:
        """Return normal coordinates of the point with the heads' space parts."""
        curvature = self._curvature_of_space(rows)
        squares = (rows * rows).sum(-1, keepdim=True).to(curvature.dtype)
        cosines, unbend = TRIGONOMETRY[self._sign]
        sine = cosines(curvature * squares)[1]
        z = curvature * (sine * sine * squares).sum(-2, keepdim=True)
        return (sine * unbend((1 - z).sqrt(), z)).to(rows.dtype) * rows

    @property
    def _sign(self) -> int:
        assert isinstance(self.manifold, SpaceForm)
        return self.manifold.curvature_sign

    def _curvature_of_space(self, rows: Tensor) -> Tensor:
        """Return min(K, 0) in float64: sinh and its inverse would overflow in between."""
        assert isinstance(self.manifold, SpaceForm)
        return self.manifold.curvature(rows.device).clamp(max=0)
