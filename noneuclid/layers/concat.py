"""Points put together to one of more dimensions, and cut apart again."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._beta import beta_ratio
from noneuclid.layers._normal import principal
from noneuclid.layers._space import from_space, to_space
from noneuclid.layers.chain import same_curvature
from noneuclid.manifolds import HomogeneousManifold, Product
from noneuclid.manifolds.product import factors_of

Kind = Literal["beta", "direct", "radius"]


class _Rearrangement(TangentLayer):
    """Part i, factor j of it, has the coordinates `whole` j holds for part i, scaled."""

    def __init__(
        self,
        parts: HomogeneousManifold,
        whole: HomogeneousManifold,
        ends: tuple[HomogeneousManifold, HomogeneousManifold],
        kind: Kind,
    ) -> None:
        super().__init__(*ends)
        if kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")
        self.kind = kind
        _check(parts, whole, type(self).__name__)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return nothing: there are no parameters."""
        return {}

    def extra_repr(self) -> str:
        """Return the manifolds and the kind."""
        return f"{super().extra_repr()}, kind={self.kind!r}"


class Concat(_Rearrangement):
    """One point from k: M_1 x ... x M_k, of one geometry, to that geometry in the sum of the dims.

    | kind | coordinates | each part times | keeps |
    | --- | --- | --- | --- |
    | beta | log_o x | B(n/2, 1/2) / B(n_i/2, 1/2) | the expected radius |
    | direct | space part X | 1 | space parts: T^2 = sum T_i^2 - (k - 1) |
    | radius | space part X | exp((psi(n_i/2) - psi(n/2)) / 2) | the expected log abs(X) |

    n_i is the dimension of part i, n their sum, B the beta and psi the digamma function; the
    expectations are those of normal coordinates of one variance. Where K >= 0 log_o x stands in for
    X, as a sphere has no point for every space part.

    Args:
        manifold_in: the product of the parts: `Product(H, H.like(3))`. Parts that are products
            themselves are put together factor by factor: k of H x E give H x E.
        manifold_out: where the output lives; by default the geometry of the first part, with the
            sum of the dims.
        kind: as in the table.

    Shapes: (*, S_in) -> (*, S_out). No parameters. `Split` of the same kind is its inverse, where
    the whole is not longer than halfway around a sphere, pi K^-1/2.

    Raises:
        ValueError: parts of different geometry or curvature, dims that do not add up, an unknown
            kind. TypeError: `manifold_in` is not a product.

    Initial values: "beta" and "radius" keep the radius of activations; "direct" makes it sqrt k
    times as large, in space parts.

    Flat limit: torch.cat of the parts, each times its number in the table.
    Source: [shimizu2021hyperbolic] section 3.2 (beta); [bdeir2024fully] (direct);
    [shi2026intrinsic] (radius).
    """

    def __init__(
        self,
        manifold_in: Product,
        manifold_out: HomogeneousManifold | None = None,
        kind: Kind = "beta",
    ) -> None:
        if not isinstance(manifold_in, Product):
            raise TypeError(
                "Concat needs the Product of the parts, such as Product(H, H), got"
                f" {type(manifold_in).__name__}"
            )
        whole = _joined(manifold_in) if manifold_out is None else manifold_out
        super().__init__(manifold_in, whole, (manifold_in, whole), kind)

    def tangent(self, c: Tensor) -> Tensor:
        """Return the coordinates of the whole from those of its parts."""
        product = self.manifold_in
        assert isinstance(product, Product)
        wholes = factors_of(self.manifold_out)
        columns: list[list[Tensor]] = [[] for _ in wholes]
        for part, coordinates in zip(product.factors, c.split(product.dims, -1), strict=True):
            leaves = factors_of(part)
            split = coordinates.split([leaf.dim for leaf in leaves], -1)
            for column, whole, leaf, own in zip(columns, wholes, leaves, split, strict=True):
                own = own if self.kind == "beta" else to_space(leaf, own)
                column.append(_scale(self.kind, leaf.dim, whole.dim) * own)
        return _read(self.kind, wholes, [torch.cat(column, -1) for column in columns])


class Split(_Rearrangement):
    """k points from one, the inverse of `Concat`: each part is divided by its number in the table.

    Args:
        manifold_in: where the input lives.
        manifold_out: the product of the parts; or k, for equal parts of every factor.
        kind: "beta", "direct" or "radius", as for `Concat`.

    Shapes: (*, S_in) -> (*, S_out). No parameters.

    Raises:
        ValueError: parts of different geometry or curvature, dims that do not add up or that k does
            not divide, an unknown kind. TypeError: `manifold_out` is neither a product nor k.

    Initial values: "beta" and "radius" keep the radius of activations; "direct" divides space parts
    by sqrt k.

    Flat limit: torch.split, each part divided by its number in the table of `Concat`.
    Source: as `Concat`.
    """

    def __init__(
        self,
        manifold_in: HomogeneousManifold,
        manifold_out: Product | int,
        kind: Kind = "beta",
    ) -> None:
        if isinstance(manifold_out, int):
            manifold_out = _divided(manifold_in, manifold_out)
        if not isinstance(manifold_out, Product):
            raise TypeError(
                "Split needs the Product of the parts, or their number, got"
                f" {type(manifold_out).__name__}"
            )
        super().__init__(manifold_out, manifold_in, (manifold_in, manifold_out), kind)

    def tangent(self, c: Tensor) -> Tensor:
        """Return the coordinates of the parts from those of the whole."""
        product = self.manifold_out
        assert isinstance(product, Product)
        wholes = factors_of(self.manifold_in)
        rows = [factors_of(part) for part in product.factors]
        pieces = []
        split = c.split([whole.dim for whole in wholes], dim=-1)
        for whole, own, column in zip(wholes, split, zip(*rows, strict=True), strict=True):
            own = own if self.kind == "beta" else to_space(whole, own)
            cut = own.split([leaf.dim for leaf in column], dim=-1)
            pieces.append(
                [
                    piece / _scale(self.kind, leaf.dim, whole.dim)
                    for leaf, piece in zip(column, cut, strict=True)
                ]
            )
        flat = [piece for row in zip(*pieces, strict=True) for piece in row]
        return _read(self.kind, [leaf for row in rows for leaf in row], flat)


def _read(kind: Kind, factors: Sequence[HomogeneousManifold], parts: list[Tensor]) -> Tensor:
    """Return the normal coordinates of a point, given as the kind's coordinates of its factors."""
    read = principal if kind == "beta" else from_space
    return torch.cat([read(f, part) for f, part in zip(factors, parts, strict=True)], dim=-1)


def _scale(kind: Kind, part: int, whole: int) -> float:
    """Return what `Concat` multiplies a part by."""
    if kind == "beta":
        return beta_ratio(part, whole)
    if kind == "direct":
        return 1.0
    return math.exp((_digamma_of_half(part) - _digamma_of_half(whole)) / 2)


def _digamma_of_half(n: int) -> float:
    """Return psi(n / 2) but for Euler's constant, by psi(x + 1) = psi(x) + 1/x."""
    start = 0.0 if n % 2 == 0 else -2 * math.log(2)
    return start + sum(2 / k for k in range(2 - n % 2, n, 2))


def _joined(product: Product) -> HomogeneousManifold:
    """Return the whole that parts give: the first one's geometry with the sum of the dims."""
    rows = [factors_of(part) for part in product.factors]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(f"Concat needs parts with equally many factors, got {product!r}")
    columns = zip(*rows, strict=True)
    wholes = [column[0].like(sum(leaf.dim for leaf in column)) for column in columns]
    return wholes[0] if len(wholes) == 1 else Product(*wholes)


def _divided(manifold: HomogeneousManifold, count: int) -> Product:
    """Return the product of `count` equal parts of every factor."""
    leaves = factors_of(manifold)
    if count < 1 or any(leaf.dim % count for leaf in leaves):
        raise ValueError(
            f"Split into {count} equal parts needs dims that {count} divides, got"
            f" {[leaf.dim for leaf in leaves]}; give the product of the parts instead"
        )
    shares = [leaf.like(leaf.dim // count) for leaf in leaves]
    part = shares[0] if len(shares) == 1 else Product(*shares)
    return Product(*[part] * count)


def _check(parts: HomogeneousManifold, whole: HomogeneousManifold, name: str) -> None:
    """Raise unless every part has the factors of the whole, and their dims add up to its own."""
    assert isinstance(parts, Product)
    wholes = factors_of(whole)
    rows = [factors_of(part) for part in parts.factors]
    fits = all(
        len(row) == len(wholes) and all(map(same_curvature, row, wholes)) for row in rows
    ) and [f.dim for f in wholes] == [
        sum(f.dim for f in column) for column in zip(*rows, strict=True)
    ]
    if not fits:
        raise ValueError(
            f"{name} needs parts of the geometry of the whole, whose dims add up to its, got"
            f" {parts!r} and {whole!r}; share a learnable curvature with manifold.like(dim)"
        )
