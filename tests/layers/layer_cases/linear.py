"""Cases of linear maps."""

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layer_cases.case import Builder, Case, coordinates, dims_of, points
from layer_cases.classifier import slow_depths
from noneuclid.layers import (
    BusemannLinear,
    GatedLinear,
    HTCLinear,
    Layer,
    Linear,
    MobiusLinear,
    PoincareLinear,
    SpacelikeLinear,
    TangentLayer,
)
from noneuclid.manifolds import Euclidean, HomogeneousManifold, Product, SpaceForm
from noneuclid.manifolds.product import factors_of


def _below(manifold: HomogeneousManifold) -> Tensor:
    """Return min(K, 0)."""
    if isinstance(manifold, Euclidean):
        return torch.zeros((), dtype=torch.float64)
    assert isinstance(manifold, SpaceForm)
    return manifold.curvature()[0].clamp(max=0)


def _ambient(manifold: HomogeneousManifold, x: Tensor) -> Tensor:
    """Return (T, X) of one point, by its distance from the origin."""
    c = coordinates(manifold, x).double()
    rate, length = (-_below(manifold)).sqrt(), (c * c).sum().sqrt()
    angle = rate * length
    return torch.cat([torch.cosh(angle)[None], c * _over(torch.sinh(angle), angle)])


def _over(sine: Tensor, angle: Tensor) -> Tensor:
    return torch.where(angle > 0, sine / torch.where(angle > 0, angle, 1), 1)


def _point(manifold: HomogeneousManifold, space: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the point with the space part X."""
    sine = (-_below(manifold)).sqrt() * (space * space).sum().sqrt()
    return points(manifold, (space * _over(torch.asinh(sine), sine)).to(dtype))


def _sine(K: Tensor, d: Tensor) -> Tensor:
    return d if K == 0 else torch.sinh((-K).sqrt() * d) / (-K).sqrt()


def _arc(K: Tensor, s: Tensor) -> Tensor:
    return s if K == 0 else torch.asinh((-K).sqrt() * s) / (-K).sqrt()


def _plane(K: Tensor, ambient: Tensor, normal: Tensor, offset: Tensor) -> Tensor:
    """Return sin_K of the signed distance to the hyperplane at `offset` along `normal`."""
    unit = normal / (normal * normal).sum().sqrt()
    return torch.cosh((-K).sqrt() * offset) * (unit @ ambient[1:]) - _sine(K, offset) * ambient[0]


def _slow_mobius(layer: MobiusLinear, x: Tensor) -> Tensor:
    """exp_o(W log_o x) (+) b row by row, by the manifold's own exp and transport."""
    m, n, rows = layer.manifold_in, layer.manifold_out, []
    for row in x:
        if not layer.translates:
            rows.append(points(n, layer.weight @ coordinates(m, row) + layer.bias))
            continue
        moved = points(n, layer.weight @ coordinates(m, row))
        rows.append(n.expmap(moved, n.transp0(moved, n.logmap0(layer.bias))))
    return torch.stack(rows)


def _slow_spacelike(layer: SpacelikeLinear, x: Tensor) -> Tensor:
    """|u| sin_K(distance) unit by unit."""
    m, n, rows = layer.manifold_in, layer.manifold_out, []
    for row in x:
        ambient, units = _ambient(m, row), []
        for u, b in zip(layer.weight.double(), layer.bias.double(), strict=True):
            length = (u * u).sum().sqrt()
            units.append(length * _plane(_below(m), ambient, u, -b / length))
        space = torch.stack(units)
        activated = space if layer.activation is None else layer.activation(space)
        rows.append(_point(n, activated, x.dtype))
    return torch.stack(rows)


def _slow_poincare(layer: PoincareLinear, x: Tensor) -> Tensor:
    """sin_K(|z| distance) unit by unit."""
    m, n, rows = layer.manifold_in, layer.manifold_out, []
    for row in x:
        ambient, units = _ambient(m, row), []
        for z, r in zip(layer.weight.double(), layer.offset.double(), strict=True):
            v = (z * z).sum().sqrt() * _arc(_below(m), _plane(_below(m), ambient, z, r))
            units.append(_sine(_below(n), v))
        rows.append(_point(n, torch.stack(units), x.dtype))
    return torch.stack(rows)


def _slow_gated(layer: GatedLinear, x: Tensor) -> Tensor:
    """A time from the gate, and a space part of the length that belongs to it."""
    n, rows = layer.manifold_out, []
    K = _below(n)
    for row in x:
        v = layer.weight.double() @ _ambient(layer.manifold_in, row) + layer.bias.double()
        q = layer.log_scale.double().exp() * torch.sigmoid(v[0])
        time = 1 - K * q / 2
        length = q.sqrt() if K == 0 else ((time * time - 1) / -K).sqrt()
        rows.append(_point(n, (length * v[1:] / (v[1:] * v[1:]).sum().sqrt())[:], x.dtype))
    return torch.stack(rows)


def _slow_htc(layer: HTCLinear, x: Tensor) -> Tensor:
    """W (T, X) + b row by row; equal curvatures."""
    m, n = layer.manifold_in, layer.manifold_out
    weight, bias = layer.weight.double(), layer.bias.double()
    return torch.stack([_point(n, weight @ _ambient(m, row) + bias, x.dtype) for row in x])


def _gated_twin(c: Tensor, weight: Tensor, bias: Tensor, log_scale: Tensor) -> Tensor:
    v = F.linear(c, weight, bias)
    root = (log_scale.exp() * torch.sigmoid(v[..., :1])).sqrt()
    return root * F.normalize(v[..., 1:], dim=-1)


def _linear_tanh(c: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.tanh(F.linear(c, weight, bias))


def _one_factor(
    m: HomogeneousManifold,
    build: Callable[[HomogeneousManifold, HomogeneousManifold], TangentLayer],
    twin: Callable[..., Tensor] | None,
    oracle: Callable[..., Tensor],
) -> Case | None:
    """To one dimension more, on manifolds that are no products."""
    if isinstance(m, Product):
        return None
    return Case(build(m, m.like(m.dim + 1)), twin or nn.Linear(m.dim, m.dim + 1), oracle)


def _variant(
    cls: Callable[..., TangentLayer],
    oracle: Callable[..., Tensor],
    twin: Callable[..., Tensor] | None = None,
    **options: object,
) -> Builder:
    build = functools.partial(cls, **options)
    return lambda m: _one_factor(m, build, twin, oracle)


def _part_by_part(layer: Linear, x: Tensor) -> Tensor:
    """Each part by itself, by way of the tangent space, on its factor."""
    ins, outs = layer.manifold_in, layer.manifold_out
    if len(layer.parts) == 1:
        return points(outs, layer.parts[0].tangent(coordinates(ins, x)))
    pieces = zip(layer.parts, ins.factors, outs.factors, ins.split(x), strict=True)
    return outs.join([points(n, part.tangent(coordinates(m, y))) for part, m, n, y in pieces])


def linear(m: HomogeneousManifold) -> Case:
    """The default, to one dimension more."""
    return Case(Linear(m, m.like(m.dim + 1)), nn.Linear(m.dim, m.dim + 1), _part_by_part)


def poincare(m: HomogeneousManifold) -> Case:
    """The Poincare variant, on products too."""
    layer = Linear(m, m.like(m.dim + 1), variant="poincare")
    return Case(layer, nn.Linear(m.dim, m.dim + 1), _part_by_part)


def _slow_busemann_linear(layer: BusemannLinear, x: Tensor) -> Tensor:
    """The point whose signed distances from the coordinate hyperplanes are the responses."""
    m, n = layer.manifold_in, layer.manifold_out
    v = layer.bias + slow_depths(m, x, layer.direction, layer.log_gain.exp())
    parts = []
    for factor, part in zip(factors_of(n), v.split(dims_of(n), -1), strict=True):
        curvature = float(factor.curvature) if isinstance(factor, SpaceForm) else 0.0
        if curvature >= 0:
            parts.append(points(factor, part))
            continue
        r = (-curvature) ** 0.5
        space = torch.sinh(r * part.double()) / r
        length = space.norm(dim=-1, keepdim=True)
        parts.append(points(factor, (torch.asinh(r * length) / (r * length) * space).to(x.dtype)))
    return torch.cat(parts, dim=-1)


def busemann_linear(m: HomogeneousManifold) -> Case:
    """To one dimension more."""
    layer, twin = BusemannLinear(m, m.like(m.dim + 1)), nn.Linear(m.dim, m.dim + 1)
    return Case(layer, twin, _slow_busemann_linear)


CASES: dict[tuple[type[Layer], str], Builder] = {
    (Linear, ""): linear,
    (Linear, "poincare"): poincare,
    (MobiusLinear, ""): lambda m: Case(
        MobiusLinear(m, m.like(m.dim + 1)), nn.Linear(m.dim, m.dim + 1), _slow_mobius
    ),
    (MobiusLinear, "tangent bias"): _variant(MobiusLinear, _slow_mobius, bias="tangent"),
    (PoincareLinear, ""): _variant(PoincareLinear, _slow_poincare),
    (SpacelikeLinear, ""): _variant(SpacelikeLinear, _slow_spacelike),
    (SpacelikeLinear, "tanh"): _variant(
        SpacelikeLinear, _slow_spacelike, _linear_tanh, activation=torch.tanh
    ),
    (GatedLinear, ""): _variant(GatedLinear, _slow_gated, _gated_twin),
    (HTCLinear, ""): _variant(HTCLinear, _slow_htc),
    (BusemannLinear, ""): busemann_linear,
}
