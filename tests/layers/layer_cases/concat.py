"""Cases of points put together and cut apart."""

import math
from functools import partial

import torch
from torch import Tensor

import noneuclid as ne
from layer_cases.case import Builder, Case, coordinates, points
from layer_cases.norm import factors, on_space
from noneuclid.layers import Concat, Layer, Split
from noneuclid.manifolds import HomogeneousManifold, Product

KINDS = ("beta", "direct", "radius")


def number(kind: str, part: int, whole: int) -> float:
    """Return what a part is multiplied by, from the definition of the kind."""
    if kind == "direct":
        return 1.0
    n, m = (torch.tensor(dim / 2, dtype=torch.float64) for dim in (part, whole))
    if kind == "radius":
        return math.exp(float(torch.digamma(n) - torch.digamma(m)) / 2)
    half = torch.tensor(0.5, dtype=torch.float64)
    logs = [torch.lgamma(a) + torch.lgamma(half) - torch.lgamma(a + half) for a in (m, n)]
    return float((logs[0] - logs[1]).exp())


def _slow_space(m: HomogeneousManifold, x: Tensor) -> Tensor:
    """Return the space part of points; normal coordinates where K >= 0."""
    kept: list[Tensor] = []

    def keep(space: Tensor) -> Tensor:
        kept.append(space)
        return space

    on_space(m, x, keep)
    return kept[0]


def _slow_point(m: HomogeneousManifold, space: Tensor) -> Tensor:
    return on_space(m, m.origin(len(space), dtype=space.dtype), lambda _: space)


def _slow_concat(layer: Concat, x: Tensor) -> Tensor:
    product, whole = layer.manifold_in, layer.manifold_out
    split = [
        p.split(part) if isinstance(p, Product) else [part]
        for p, part in zip(product.factors, product.split(x), strict=True)
    ]
    result = []
    for j, out in enumerate(factors(whole)):
        column = [(factors(p)[j], own[j]) for p, own in zip(product.factors, split, strict=True)]
        read, write = (coordinates, points) if layer.kind == "beta" else (_slow_space, _slow_point)
        parts = [number(layer.kind, f.dim, out.dim) * read(f, own) for f, own in column]
        result.append(write(out, torch.cat(parts, dim=-1)))
    return torch.cat(result, dim=-1)


def concat(m: HomogeneousManifold, kind: str) -> Case:
    """Of a point and one of another dimension on each factor."""
    other = [f.like(f.dim + 1) for f in factors(m)]
    layer = Concat(Product(m, other[0] if len(other) == 1 else Product(*other)), kind=kind)

    def twin(c: Tensor) -> Tensor:
        dims = [f.dim for f in factors(m)]
        others = [dim + 1 for dim in dims]
        pairs = zip(c[:, : m.dim].split(dims, -1), c[:, m.dim :].split(others, -1), strict=True)
        return torch.cat(
            [
                number(kind, part.shape[-1], 2 * a.shape[-1] + 1) * part
                for a, b in pairs
                for part in (a, b)
            ],
            dim=-1,
        )

    return Case(layer, twin, _slow_concat)


def _slow_split(layer: Split, x: Tensor) -> Tensor:
    """What `Concat` takes back to x, found by undoing one factor after another."""
    product, whole = layer.manifold_out, layer.manifold_in
    split = whole.split(x) if isinstance(whole, Product) else [x]
    places: list[int] = [0] * len(split)
    result = []
    for part in product.factors:
        for j, f in enumerate(factors(part)):
            out = factors(whole)[j]
            read, write = (
                (coordinates, points) if layer.kind == "beta" else (_slow_space, _slow_point)
            )
            own = read(out, split[j])[:, places[j] : places[j] + f.dim]
            result.append(write(f, own / number(layer.kind, f.dim, out.dim)))
            places[j] += f.dim
    return torch.cat(result, dim=-1)


def split(m: HomogeneousManifold, kind: str) -> Case | None:
    """Into parts of dimension 1 and the rest, of every factor."""
    rests = [f.like(f.dim - 1) for f in factors(m)]
    ones = [f.like(1) for f in factors(m)]
    parts = [p[0] if len(p) == 1 else Product(*p) for p in (ones, rests)]

    def twin(c: Tensor) -> Tensor:
        columns = [
            part.split([1, f.dim - 1], -1)
            for f, part in zip(factors(m), c.split([f.dim for f in factors(m)], -1), strict=True)
        ]
        return torch.cat(
            [
                column[i] / number(kind, column[i].shape[-1], f.dim)
                for i in (0, 1)
                for f, column in zip(factors(m), columns, strict=True)
            ],
            dim=-1,
        )

    return Case(Split(m, ne.Product(*parts), kind), twin, _slow_split)


CASES: dict[tuple[type[Layer], str], Builder] = {
    **{(Concat, kind): partial(concat, kind=kind) for kind in KINDS},
    **{(Split, kind): partial(split, kind=kind) for kind in KINDS},
}
