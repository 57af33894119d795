"""Cases of convolutions."""

import itertools
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from layer_cases.case import Builder, Case, coordinates, dims_of, points, represents_its_geometry
from noneuclid.layers import Conv1d, Conv2d, Layer
from noneuclid.layers._ambient import to_ambient
from noneuclid.layers._beta import beta_ratio
from noneuclid.manifolds import Euclidean, HomogeneousManifold, Lorentz
from noneuclid.manifolds.product import factors_of


def _patches(layer: Conv1d | Conv2d, x: Tensor) -> list[Tensor]:
    """Return, in order, the points of each patch of one sequence or image with stride 1."""
    m, sizes = layer.manifold_in, layer.kernel_size
    places = [range(n) for n in x.shape[:-1]]
    found = []
    for place in itertools.product(*places):
        rows = []
        for shift in itertools.product(*(range(k) for k in sizes)):
            at = [p + s - k // 2 for p, s, k in zip(place, shift, sizes, strict=True)]
            inside = all(a in r for a, r in zip(at, places, strict=True))
            rows.append(x[tuple(at)] if inside else m.origin(dtype=x.dtype))
        found.append(torch.stack(rows))
    return found


def _read(layer: Conv1d | Conv2d, patch: Tensor) -> list[Tensor]:
    """Return what is put one after another, for each matrix: (k, S) -> several (k, dim)."""
    m = layer.manifold_in
    c = coordinates(m, patch)
    if layer.concat == "direct":
        parts = zip(factors_of(m), c.split(dims_of(m), dim=-1), strict=True)
        return list(torch.cat([to_ambient(f, p)[0] for f, p in parts], -1).split(layer.dims_in, -1))
    return [
        part * beta_ratio(dim, len(patch) * dim)
        for part, dim in zip(c.split(layer.dims_in, dim=-1), layer.dims_in, strict=True)
    ]


def _lifted(m: HomogeneousManifold, X: Tensor) -> Tensor:
    """Return the point with these space parts, on the hyperboloid of each factor."""
    parts = []
    for f, space in zip(factors_of(m), X.split(dims_of(m)), strict=True):
        if isinstance(f, Euclidean):
            parts.append(space)
            continue
        K = f.curvature().to(X)
        sheet = Lorentz(f.dim, K.item())
        time = ((1 - K * (space @ space)) / -K).sqrt()
        parts.append(coordinates(sheet, torch.cat([time, space])))
    return points(m, torch.cat(parts))


def _slow_convolution(layer: Conv1d | Conv2d, x: Tensor, mask: Tensor) -> Tensor:
    """Patch by patch: put the coordinates one after another, then W and the translation by b."""
    m, n = layer.manifold_in, layer.manifold_out
    x = torch.where(mask[..., None], x, m.origin(dtype=x.dtype))
    rows = []
    for patch in itertools.chain.from_iterable(_patches(layer, one) for one in x):
        pairs = zip(_read(layer, patch), layer.weights, strict=True)
        moved = torch.cat([weight.flatten(1) @ part.mT.flatten() for part, weight in pairs])
        y = _lifted(n, moved) if layer.concat == "direct" else points(n, moved)
        rows.append(n.expmap(y, n.transp0(y, n.logmap0(layer.bias))))
    return torch.stack(rows).reshape(*x.shape[:-1], -1)


def _flat_convolution(
    c: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, padding: Any
) -> Tensor:
    convolve = F.conv1d if c.dim() == 3 else F.conv2d
    c = torch.where(mask[..., None], c, 0).movedim(-1, 1)
    return convolve(c, weight, bias, padding=padding).movedim(1, -1)


def conv1d(m: HomogeneousManifold, **options: Any) -> Case:
    """Of three points, to one dimension more."""
    layer = Conv1d(m, m.like(m.dim + 1), 3, padding=1, **options)
    twin = partial(_flat_convolution, padding=1)
    return Case(layer, twin, _slow_convolution, slots=4)


def conv1d_direct(m: HomogeneousManifold) -> Case | None:
    """The space parts one after another, where there is room for them."""
    if any(getattr(f, "curvature_sign", -1) >= 0 for f in factors_of(m)):
        return None
    return conv1d(m, concat="direct")


def conv2d(m: HomogeneousManifold) -> Case | None:
    """Of three by one points, on one model for each geometry: the rest is that of Conv1d."""
    if not represents_its_geometry(m):
        return None
    layer = Conv2d(m, m.like(m.dim + 1), (3, 1), padding="same")
    twin = partial(_flat_convolution, padding="same")
    return Case(layer, twin, _slow_convolution, slots=(3, 2))


CASES: dict[tuple[type[Layer], str], Builder] = {
    (Conv1d, ""): conv1d,
    (Conv1d, "direct"): conv1d_direct,
    (Conv2d, ""): conv2d,
}
