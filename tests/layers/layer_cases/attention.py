"""Cases of attention."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

import noneuclid as ne
from layer_cases.case import Builder, Case, coordinates, dims_of, points
from noneuclid.layers import KernelAttention, Layer, MultiheadAttention
from noneuclid.layers._beta import beta_ratio
from noneuclid.manifolds import HomogeneousManifold, Product, SpaceForm

SLOTS = 4


def curvature_of(m: HomogeneousManifold) -> float:
    return float(m.curvature) if isinstance(m, SpaceForm) else 0.0


def space_part(c: Tensor, K: float) -> Tensor:
    """The space part on the hyperboloid; on other spaces the coordinates themselves."""
    if K >= 0:
        return c
    return points(ne.Lorentz(c.shape[-1], K), c)[..., 1:]


def from_space_part(X: Tensor, K: float) -> Tensor:
    if K >= 0:
        return X
    m = ne.Lorentz(X.shape[-1], K)
    return coordinates(m, m.projx(torch.cat([torch.zeros_like(X[..., :1]), X], dim=-1)))


def split_of(m: HomogeneousManifold, heads: int, split: str) -> tuple[Callable, Callable]:
    """The cut of coordinates (n, D) into a list of (n, d), and the way back."""
    K, dim = curvature_of(m), m.dim // heads
    b = beta_ratio(m.dim, dim)
    if split == "beta":
        return lambda c: [
            b * part for part in c.split(dim, -1)
        ], lambda parts: torch.cat(parts, -1) / b
    return (
        lambda c: [from_space_part(part, K) for part in space_part(c, K).split(dim, -1)],
        lambda parts: from_space_part(torch.cat([space_part(p, K) for p in parts], -1), K),
    )


def slow_scores(score: str, m: HomogeneousManifold, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scores of heads in coordinates, (n, d) each, pair by pair: (n, n)."""
    K = curvature_of(m)
    if score == "transported":
        chart = ne.Stereographic(m.dim, K)
        at = points(chart, v)
        q, k = (chart.to_frame(chart.transp0back(at, chart.from_frame(t))) for t in (q, k))
    rows = []
    for i in range(len(q)):
        if score in ("tangent", "transported"):
            rows.append(torch.stack([q[i] @ k[j] for j in range(len(k))]))
            continue
        r = torch.stack([m.dist(points(m, q[i]), points(m, k[j])) for j in range(len(k))])
        if score == "lorentz":
            half = math.sqrt(abs(K)) / 2
            sine = torch.sinh(half * r) if K < 0 else torch.sin(half * r)
            r = r * r if K == 0 else (sine / half) ** 2
        rows.append(-r * r if score == "squared distance" else -r)
    return torch.stack(rows)


def _slow_attention(layer: MultiheadAttention, x: Tensor, mask: Tensor) -> Tensor:
    m, o = layer.manifold_in, layer.options
    factors = m.factors if isinstance(m, Product) else (m,)
    sets = []
    for c, present in zip(coordinates(m, x) * mask[..., None], mask, strict=True):
        parts = zip(factors, layer.parts, c.split(dims_of(m), -1), strict=True)
        if not present.any():
            sets.append(torch.zeros_like(c))
            continue
        sets.append(torch.cat([_slow_factor(f, p, o, u, present) for f, p, u in parts], -1))
    return points(m, torch.stack(sets))


def _slow_factor(m: HomogeneousManifold, part: Any, o: Any, c: Tensor, present: Tensor) -> Tensor:
    dim = m.dim // o.heads
    small, unit = m.like(dim), beta_ratio(m.dim, dim) if o.split == "beta" else 1.0
    cut, merge = split_of(m, o.heads, o.split)
    qkv = (c @ part.in_proj_weight.mT + part.in_proj_bias).split(m.dim, -1)
    heads = []
    for h, (q, k, v) in enumerate(zip(*map(cut, qkv), strict=True)):
        scale = part.scale if part.log_scale is None else part.log_scale[h].exp()
        scores = slow_scores(o.score, small, q, k, v)
        scores = scale * scores / (unit if o.score == "distance" else unit**2)
        rows = []
        for i in range(len(c)):
            w = torch.softmax(scores[i][present], -1)
            rows.append(coordinates(small, small.midpoint(points(small, v[present]), w)))
        heads.append(torch.stack(rows))
    return merge(heads) @ part.out_proj.weight.mT + part.out_proj.bias


def _heads_of(m: HomogeneousManifold) -> int:
    return 2 if all(dim % 2 == 0 for dim in dims_of(m)) else 1


def _flat_parts(m: HomogeneousManifold, flat: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    if not isinstance(m, Product):
        return [flat]
    return [
        {k.removeprefix(f"{i}_"): v for k, v in flat.items() if k.startswith(f"{i}_")}
        for i in range(len(m.factors))
    ]


def flat_attention(c: Tensor, mask: Tensor, heads: int, score: str, p: dict[str, Tensor]) -> Tensor:
    """Ordinary attention, with the scores that are the limits of the curved ones."""
    qkv = (c @ p["in_proj_weight"].mT + p["in_proj_bias"]).chunk(3, -1)
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in qkv)
    scale = q.shape[-1] ** -0.5
    if score in ("tangent", "transported"):
        scores = scale * q @ k.mT
    else:
        square = (q[..., :, None, :] - k[..., None, :, :]).square().sum(-1)
        if "log_scale" in p:
            scale = p["log_scale"].exp()[:, None, None]
        scores = -scale * (square.sqrt() if score == "distance" else square)
    scores = scores.masked_fill(~mask[:, None, None], -1e30)
    o = (torch.softmax(scores, -1) @ v).transpose(1, 2).flatten(-2)
    y = o @ p["out_proj_weight"].mT + p["out_proj_bias"]
    return torch.where(mask.any(-1)[:, None, None], y, 0)


def multihead(m: HomogeneousManifold, *, compiled: bool = True, **options: Any) -> Case:
    """Attention with two heads where the dimensions are even."""
    heads, dims = _heads_of(m), dims_of(m)
    score = options.get("score", "tangent")

    def twin(c: Tensor, mask: Tensor, **flat: Tensor) -> Tensor:
        parts = zip((c * mask[..., None]).split(dims, -1), _flat_parts(m, flat), strict=True)
        return torch.cat([flat_attention(c, mask, heads, score, p) for c, p in parts], -1)

    claims = {"permutes": True} | ({} if compiled else {"compiled": False})
    layer = MultiheadAttention(m, heads, **options)
    return Case(layer, twin, _slow_attention, SLOTS, claims)


def _slow_kernel(layer: KernelAttention, x: Tensor, mask: Tensor) -> Tensor:
    m = layer.manifold_in
    factors = m.factors if isinstance(m, Product) else (m,)
    sets = []
    for c, present in zip(coordinates(m, x) * mask[..., None], mask, strict=True):
        parts = zip(factors, layer.parts, c.split(dims_of(m), -1), strict=True)
        if not present.any():
            sets.append(torch.zeros_like(c))
            continue
        outputs = []
        for f, p, u in parts:
            K = curvature_of(f)
            qkv = (u @ p.in_proj_weight.mT + p.in_proj_bias).split(f.dim, -1)
            space = _kernel_formula(*(space_part(t, K) for t in qkv), present, layer.heads, p)
            outputs.append(from_space_part(space, K) @ p.out_proj.weight.mT + p.out_proj.bias)
        sets.append(torch.cat(outputs, -1))
    return points(m, torch.stack(sets))


def _kernel_formula(q: Tensor, k: Tensor, v: Tensor, present: Tensor, heads: int, p: Any) -> Tensor:
    """The sums over keys one query at a time, with explicit weights: (n, D) each."""

    def phi(f: Tensor) -> Tensor:
        r = torch.relu(f)
        return r.norm() * r**2 / (r**2).norm() if r.any() else r

    dim = q.shape[-1] // heads
    rows = []
    for i in range(len(q)):
        pieces = []
        for a, b, c in zip(q[i].split(dim), k.split(dim, -1), v.split(dim, -1), strict=True):
            w = torch.stack([phi(a) @ phi(key) for key in b]) * present
            pieces.append((w @ c) / w.sum() if w.any() else torch.zeros_like(a))
        rows.append(torch.cat(pieces))
    return torch.stack(rows) + v @ p.skip.weight.mT + p.skip.bias


def kernel(m: HomogeneousManifold) -> Case:
    """Attention by a kernel."""
    heads, dims = _heads_of(m), dims_of(m)

    def one(c: Tensor, present: Tensor, p: dict[str, Tensor]) -> Tensor:
        if not present.any():
            return torch.zeros_like(c)
        q, k, v = (c @ p["in_proj_weight"].mT + p["in_proj_bias"]).chunk(3, -1)
        skip = torch.nn.Linear(c.shape[-1], c.shape[-1], dtype=c.dtype)
        skip.load_state_dict({"weight": p["skip_weight"], "bias": p["skip_bias"]})
        module = torch.nn.ModuleDict({"skip": skip})
        o = _kernel_formula(q, k, v, present, heads, module)
        return o @ p["out_proj_weight"].mT + p["out_proj_bias"]

    def twin(c: Tensor, mask: Tensor, **flat: Tensor) -> Tensor:
        parts = list(zip((c * mask[..., None]).split(dims, -1), _flat_parts(m, flat), strict=True))
        return torch.stack(
            [torch.cat([one(part[b], mask[b], p) for part, p in parts], -1) for b in range(len(c))]
        )

    claims = {"permutes": True, "compiled": False}
    return Case(KernelAttention(m, heads), twin, _slow_kernel, SLOTS, claims)


_plain = partial(multihead, compiled=False)
CASES: dict[tuple[type[Layer], str], Builder] = {
    (MultiheadAttention, ""): multihead,
    (MultiheadAttention, "math"): partial(_plain, attention="math", split="lorentz"),
    (MultiheadAttention, "transported"): partial(_plain, score="transported"),
    (MultiheadAttention, "lorentz"): partial(multihead, score="lorentz", split="lorentz"),
    (MultiheadAttention, "distance"): partial(_plain, score="distance"),
    (MultiheadAttention, "squared distance"): partial(_plain, score="squared distance"),
    (KernelAttention, ""): kernel,
}
