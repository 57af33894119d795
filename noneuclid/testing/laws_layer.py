"""Laws that only some layers claim, and the law of training mode; `check_layer` calls them."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from noneuclid.layers import Layer
from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.manifolds import HomogeneousManifold, Product, SpaceForm
from noneuclid.numerics import tolerance
from noneuclid.testing.law import close, finite, require

_SMALL = 100  # tolerances that a motion of a point within radius 3 may cost


def check_training(layer: Layer, x: Tensor, extra: dict[str, Any]) -> None:
    """In training mode outputs are finite points, and padding alone changes none of them.

    What is random is drawn from the same seed; batch statistics use real points only.
    """
    layer = copy.deepcopy(layer).train()
    state = copy.deepcopy(layer.state_dict())

    def run(x: Tensor, extra: dict[str, Any]) -> Tensor:
        layer.load_state_dict(state)  # running statistics move with every call
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return layer(x, **extra)

    y = run(x, extra).detach()
    finite(y, "the output in training mode")
    good = layer.manifold_out.check_point(y)
    require(bool(good.all()), f"in training mode {int((~good).sum())} outputs leave manifold_out")
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(run(leaf, extra).sum(), leaf)
    finite(gradient, "the gradient in training mode")
    mask = extra.get("mask")
    if mask is not None:
        present = mask[(..., *(None,) * (x.dim() - mask.dim()))]
        filled = run(torch.where(present, x, float("nan")), extra).detach()
        rows = mask if y.shape[:-1] == x.shape[:-1] else slice(None)
        allowed = tolerance(y.dtype) * (1 + y[rows].abs())
        close(filled[rows], y[rows], allowed, "in training mode, NaN in the padding")


def check_attention(layer: Layer, x: Tensor, extra: dict[str, Any]) -> None:
    """The weights over the keys sum to 1, are 0 at masked keys, and are all 0 without a key."""
    weigh: Callable[..., Tensor] = layer.attention_weights  # type: ignore[assignment]
    weights = weigh(x, **extra).detach()
    require(bool((weights >= 0).all()), "an attention weight is negative")
    total = weights.sum(-1)
    mask = extra.get("mask")
    expected = torch.ones_like(total)
    if mask is not None:
        keys = mask.reshape(mask.shape[0], *(1,) * (weights.dim() - 2), mask.shape[1])
        require(not bool(weights.masked_fill(keys, 0).any()), "a masked key has weight")
        expected = expected * keys.any(-1)
    allowed = torch.full_like(total, tolerance(total.dtype))
    close(total, expected, allowed, "the sum of the attention weights over the keys")


def check_permutation(layer: Layer, x: Tensor, extra: dict[str, Any]) -> None:
    """Permuting the points of every set permutes the outputs, or leaves the one output alone."""
    generator = torch.Generator().manual_seed(3)
    order = torch.randperm(x.shape[1], generator=generator)
    y = layer(x, **extra).detach()
    turned = layer(x[:, order], **{name: value[:, order] for name, value in extra.items()})
    expected = y[:, order] if y.shape[:-1] == x.shape[:-1] else y
    allowed = 8 * tolerance(y.dtype) * (1 + expected.abs())
    close(turned.detach(), expected, allowed, "the points in another order")


def check_isometry(layer: Layer, x: Tensor, extra: dict[str, Any], *, only_rotations: bool) -> None:
    """f(g x) = g f(x) for a random motion g; f(g x) = f(x) where the output has no geometry."""
    space, out = layer.manifold_in, layer.manifold_out
    generator = torch.Generator().manual_seed(4)
    state = generator.get_state()

    def move(space: HomogeneousManifold, x: Tensor) -> Tensor:
        generator.set_state(state)  # the same motion for input and output
        if only_rotations:
            return _rotate(space, x, generator)
        return space.random_isometry(generator, dtype=x.dtype)(x)

    y = layer(x, **extra).detach()
    moved = layer(move(space, x), **extra).detach()
    is_score = not _is_curved(out) and not out.same_as(space)
    expected = y if is_score else move(out, y)
    if "mask" in extra:  # a set without points is at the origin, wherever the others are
        some = extra["mask"].flatten(1).any(-1)
        moved, expected = moved[some], expected[some]
    allowed = _SMALL * tolerance(y.dtype) * (1 + expected.abs())
    close(moved, expected, allowed, "a motion before instead of after")


def _rotate(space: HomogeneousManifold, x: Tensor, generator: torch.Generator) -> Tensor:
    """Turn every factor about its origin."""
    factors = space.factors if isinstance(space, Product) else (space,)
    parts = []
    for c, factor in zip(
        to_normal(space, x).split([f.dim for f in factors], dim=-1), factors, strict=True
    ):
        normal = torch.randn(factor.dim, factor.dim, generator=generator, dtype=torch.float64)
        parts.append(c @ torch.linalg.qr(normal)[0].to(c.dtype))
    return from_normal(space, torch.cat(parts, dim=-1))


def _is_curved(space: HomogeneousManifold) -> bool:
    factors = space.factors if isinstance(space, Product) else (space,)
    return any(isinstance(factor, SpaceForm | Product) for factor in factors)
