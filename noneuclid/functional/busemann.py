"""Logits from Busemann functions: how far a point lies inside the horospheres of each class.

With K < 0 the curvature, r = sqrt -K, (T, X) the ambient coordinates of x and v_k unit vectors,
    -B_k(x) = -log(T - r <X, v_k>) / r,
so that all classes together are one product of matrices and scalar work on (*, classes).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from noneuclid.functional._per_class import logits_per_class
from noneuclid.functional._signed_distance import Read
from noneuclid.functional._surface_logits import is_transformed, surface_logits
from noneuclid.functional.hyperplane import hyperplane_logits
from noneuclid.manifolds import (
    Euclidean,
    GyrovectorSpace,
    HomogeneousManifold,
    Lorentz,
    SpaceForm,
)
from noneuclid.numerics import (
    gap,
    row_dot,
    safe_divide,
    safe_norm,
    safe_sqrt,
    wide,
    with_derivative_of,
)
from noneuclid.numerics.native.logits import Surface
from noneuclid.numerics.pairs import direct_distances


def busemann_logits(
    manifold: HomogeneousManifold, x: Tensor, directions: Tensor, gains: Tensor
) -> Tensor:
    """Return -g_k B_k(x), B_k the Busemann function of the ideal point in the direction v_k.

    Where K > 0 it is g_k times the signed distance from the great sphere across v_k, as in
    `SpaceForm.busemann`. A product adds the logits of its factors, each with its own gain.

    Args:
        manifold: Euclidean, of constant curvature, or a product of such.
        x: points, (*, S).
        directions: v, (C, dim), in the orthonormal frame at the origin; only the direction of the
            part in each factor counts; where it is 0 that factor's logit is finite and means
            nothing.
        gains: g, (C,); on a product (C, number of factors), those of nested products counted one
            by one.

    Returns:
        (*, C), in the common dtype of the arguments.

    Raises:
        TypeError: the manifold has no Busemann functions known here.
        ValueError: a shape that does not fit.

    Flat limit: g_k <x, v_k/|v_k|>, which is torch.nn.functional.linear; the difference falls like
    |K|^1/2 as K -> 0 from below.
    Accuracy: float32 values are right to 2 units in the last place of max(|logit|, g |K|^-1/2),
    float64 to 16, wherever rounding x and v does not move them farther. Gradients by x and v of
    float64 points at radius R that are aligned with v lose eps e^2R; of float32 points they keep
    what rounding them leaves.
    Source: [chen2026hyperbolic], the Busemann multinomial regression.
    """
    names = ("busemann_logits", "directions", "gains")
    return logits_per_class(_logits, manifold, x, directions, gains, names)


def _logits(manifold: HomogeneousManifold, x: Tensor, directions: Tensor, gains: Tensor) -> Tensor:
    v, g = wide(directions), wide(gains)
    v = safe_divide(v, safe_norm(v))
    if isinstance(manifold, Euclidean):
        return torch.nn.functional.linear(x, (g[:, None] * v).to(x.dtype))
    if not isinstance(manifold, SpaceForm):
        raise TypeError(f"busemann_logits needs constant curvature, got {manifold!r}")
    if manifold.curvature_sign > 0:
        return hyperplane_logits(manifold, x, g[:, None] * v, torch.zeros_like(g)).to(x.dtype)
    if not isinstance(manifold, Lorentz | GyrovectorSpace):
        raise TypeError(f"busemann_logits does not know the coordinates of {manifold!r}")
    if manifold.curvature_sign < 0:
        return _hyperbolic(manifold, x, v, g)
    flat = hyperplane_logits(manifold, x, g[:, None] * v, torch.zeros_like(g)).to(x.dtype)
    return torch.where(manifold._curvature_at(x) < 0, _hyperbolic(manifold, x, v, g), flat)


def _hyperbolic(manifold: Lorentz | GyrovectorSpace, x: Tensor, v: Tensor, g: Tensor) -> Tensor:
    """Return -g log(T - r s) / r; where K >= 0, which the caller leaves out, it is finite."""
    K = manifold._curvature_at(x)
    K = torch.where(K < 0, K, -1.0)
    if isinstance(manifold, Lorentz):
        return _horosphere_logits(K, x[..., 1:], v, g, "hyperboloid")
    if manifold.curvature_sign == 0:
        x = torch.where(manifold._curvature_at(x) < 0, x, 0.0)
    read = None
    if manifold.curvature.learnable:  # K may have moved: read the point that x stands for

        def read(K: Tensor, x: Tensor) -> Tensor:
            return manifold.at(K)._projx(x, x.dtype)

    return _horosphere_logits(K, x, v, g, "stereographic", read)


def _horosphere_logits(
    K: Tensor, space: Tensor, v: Tensor, g: Tensor, model: str, read: Read | None = None
) -> Tensor:
    rows = space.reshape(-1, space.shape[-1])
    r = (-K).sqrt()
    planes = -r * v, -torch.ones_like(g), g / r

    def plain(rows: Tensor, normal: Tensor, _: Tensor, length: Tensor, K: Tensor) -> Tensor:
        r = (-K).sqrt()
        rows = rows if read is None else read(K, rows)
        return _plain(K, rows, -normal / r, length * r, model)

    surface = Surface("horospheres", model, read is not None)
    logits = surface_logits(surface, plain, rows, planes, K)
    if logits is None:
        rows = rows if read is None else read(K, rows)
        if torch.compiler.is_compiling() or is_transformed():
            logits = _plain(K, rows, v, g, model)
        else:
            logits = _Logits.apply(model, K, rows, v, g)
    return logits.reshape(*space.shape[:-1], v.shape[0])


def _plain(K: Tensor, space: Tensor, v: Tensor, g: Tensor, model: str) -> Tensor:
    """Return -g log(h) / r with h = T - r s = 1 + u.

    Where the terms of h cancel it is formed from chords, of float64 rows: products of float32 rows
    are exact, so that what is lost there is less than what rounding x has lost. h is never below
    1 / (T + r|X|), its value at v aligned with x.
    """
    r, rows = (-K).sqrt(), wide(space)  # widened once: the parts of its gradient cancel
    scale, rise, lowest, reach = _row_scalars(K, rows, model, space)
    u = rise - (r * scale) * (rows @ v.mT)
    far, h = u < -0.5, 1 + u
    if space.dtype == torch.float64:
        far = far | (rise > 1)
        outward = safe_divide(rows, safe_norm(rows))
        chords = direct_distances(outward.detach(), v.detach())
        h = with_derivative_of(lowest + reach / 2 * chords.square(), h)
    h = torch.maximum(h, lowest)
    far_logarithm = torch.log(torch.where(far, h, 1.0))
    logarithm = torch.where(far, far_logarithm, torch.log1p(torch.where(far, 0.0, u)))
    return ((-g / r) * logarithm).to(space.dtype)


def _row_scalars(
    K: Tensor, rows: Tensor, model: str, given: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return X / rows, T - 1, 1 / (T + r|X|) and r|X|, each (*, 1) in float64."""
    square = row_dot(rows, rows)
    size = safe_sqrt(-K * square)
    if model == "stereographic":
        g = gap(K, given, square)
        return 2 / g, -2 * K * square / g, g / (1 + size).square(), 2 * size / g
    time = (1 - K * square).sqrt()
    return torch.ones_like(time), -K * square / (1 + time), 1 / (time + size), size


class _Logits(torch.autograd.Function):
    """`_plain`, keeping its arguments only: the rest is computed again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, model: str, *tensors: Tensor) -> Tensor:
        ctx.model = model
        ctx.save_for_backward(*tensors)
        K, space, v, g = tensors
        return _plain(K, space, v, g, model)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        needs, again = ctx.needs_input_grad[1:], torch.is_grad_enabled()
        inputs = [
            t.view_as(t) if again else t.detach().requires_grad_(need)
            for t, need in zip(ctx.saved_tensors, needs, strict=True)
        ]
        wanted = [t for t, need in zip(inputs, needs, strict=True) if need]
        with torch.enable_grad():
            K, space, v, gains = inputs
            logits = _plain(K, space, v, gains, ctx.model)
            found = iter(torch.autograd.grad(logits, wanted, g, create_graph=again))
        return (None, *(next(found) if need else None for need in needs))
