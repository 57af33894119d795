"""The stereographic model: rows from which all distances are read, see `_pairwise.py`.

The letters and the way of writing are those of `_stereographic_formulas.py`.
"""

import torch
from torch import Tensor

from noneuclid.manifolds._pairwise import Chart
from noneuclid.manifolds._stereographic_formulas import Model, project
from noneuclid.numerics import compute, dots, gap, joined, row_dot, rows
from noneuclid.numerics.arc import Shape


def charts(K: Tensor, x: Tensor, model: Model) -> tuple[Chart, ...]:
    """Return x with the conformal factor for K < 0; for K > 0 the points of the sphere.

    Those are (sqrt K lambda |x|^2, lambda x), a sphere through 0: analytic at K = 0, and the
    points around the antipode of the origin do not set the scale for all others.
    """
    if model.moves:
        x = compute(project, (K,), (x,), model=model, dtype=x.dtype)
    weight = compute(_chart_weight, (K,), (x,), sign=model.sign)
    if model.sign < 0:
        return (Chart(x, weight, K, Shape.HYPERBOLIC),)
    points = compute(_lifted, (K,), (x,))
    shape = Shape.CIRCULAR if model.sign > 0 else Shape.ANY
    if x.dtype != torch.float64:
        return (Chart(points, weight, K, shape),)
    positive, factor = K > 0, 2 / gap(K, x, row_dot(x, x))
    top = 2 / torch.where(positive, K, 1.0).sqrt()
    opposite = torch.cat([top - points[..., :1], -points[..., 1:]], dim=-1)
    stretch = torch.where(positive, factor, 1.0).sqrt()
    near = torch.cat([x, torch.zeros_like(stretch), stretch], dim=-1)
    return (Chart(points, weight, K, shape, opposite, near),)


def _chart_weight(K: Tensor, x: Tensor, sign: int) -> Tensor:
    """Return the root of the conformal factor, 1 for K > 0."""
    (X,) = rows(x)
    (xx,) = dots((X, X))
    factor = 2 / gap(K, x, xx)
    return factor.sqrt() if sign < 0 else torch.where(K > 0, 1.0, factor).sqrt()


def _lifted(K: Tensor, x: Tensor) -> Tensor:
    """Return (sqrt K lambda |x|^2, lambda x) where K > 0, else (0, x): (*, 1 + n) in float64."""
    (X,) = rows(x)
    (xx,) = dots((X, X))
    positive = K > 0
    factor = 2 / gap(K, x, xx)
    height = torch.where(positive, torch.where(positive, K, 1.0).sqrt() * factor * xx, 0.0)
    return joined(height, (torch.where(positive, factor, 1.0) * X).to(torch.float64))
