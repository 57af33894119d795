"""Logits of many classes on any manifold: shapes checked, the factors of a product added up."""

from collections.abc import Callable

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold, Product
from noneuclid.manifolds._calling import without_autocast
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import working_dtype

Formula = Callable[[HomogeneousManifold, Tensor, Tensor, Tensor], Tensor]


def logits_per_class(
    formula: Formula,
    manifold: HomogeneousManifold,
    x: Tensor,
    vectors: Tensor,
    numbers: Tensor,
    names: tuple[str, str, str],
) -> Tensor:
    """Return formula(manifold, x, vectors, numbers), summed over factors: (*, S) -> (*, C).

    Args:
        formula: of one factor: points (*, S), (C, dim) and (C,) to logits (*, C).
        manifold: where the points live.
        x: points.
        vectors: one for each class, (C, dim), in the orthonormal frame at the origin.
        numbers: one for each class, (C,), on a product for each class and factor, (C, factors).
        names: of the public function, of `vectors` and of `numbers`, for errors.

    Raises:
        ValueError: a shape that does not fit.
    """
    manifold._check(x)
    factors = factors_of(manifold)
    _check_shapes(manifold, vectors, numbers, names)
    dtype = torch.promote_types(torch.promote_types(x.dtype, vectors.dtype), numbers.dtype)
    x = x.to(working_dtype(dtype))
    with without_autocast(x.device.type):
        if not isinstance(manifold, Product):
            return formula(manifold, x, vectors, numbers).to(dtype)
        parts = zip(
            factors,
            x.split([f.point_shape[0] for f in factors], dim=-1),
            vectors.split([f.dim for f in factors], dim=-1),
            numbers.unbind(-1),
            strict=True,
        )
        return torch.stack([formula(*part) for part in parts]).sum(0).to(dtype)


def _check_shapes(
    manifold: HomogeneousManifold, vectors: Tensor, numbers: Tensor, names: tuple[str, str, str]
) -> None:
    caller, first, second = names
    if vectors.dim() != 2 or vectors.shape[1] != manifold.dim:
        raise ValueError(
            f"{caller} expects {first} of shape (classes, {manifold.dim}), got"
            f" {tuple(vectors.shape)}"
        )
    classes, factors = vectors.shape[0], len(factors_of(manifold))
    expected = (classes, factors) if isinstance(manifold, Product) else (classes,)
    if tuple(numbers.shape) != expected:
        raise ValueError(
            f"{caller} expects {second} of shape {expected}, got {tuple(numbers.shape)}"
        )
