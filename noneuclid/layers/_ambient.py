"""Ambient coordinates (T, X) from normal ones and back: where points are added up.

A space of curvature K is T^2 + K |X|^2 = 1, T without unit and X a length: the hyperboloid for
K < 0, a sphere for K > 0, the plane T = 1 for K = 0. The weighted sum of points, read back by its
direction, is the gyromidpoint of the stereographic models, the Lorentz centroid, the Einstein
midpoint and the normalised sum on a sphere: one mean, which is why an attention is two products of
matrices on every model.
"""

import torch
from torch import Tensor

from noneuclid.layers._trigonometry import TRIGONOMETRY, reach, unrounded
from noneuclid.manifolds import Euclidean, HomogeneousManifold, SpaceForm
from noneuclid.numerics import Row, compute, dots, joined, working_dtype
from noneuclid.numerics.rows import first


def to_ambient(
    manifold: HomogeneousManifold, c: Tensor, *, bend: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return (X, T) of points with normal coordinates `c`: (*, dim) -> (*, dim), (*, 1).

    Args:
        manifold: of constant curvature, or Euclidean; a product is taken factor by factor.
        c: normal coordinates, of any dimension.
        bend: the curvature is `bend` K: to scale coordinates by s is to bend the space by s^2.

    Formula: X = sinck(K |c|^2) c, T = cosk(K |c|^2), in the dtype of `c`.

    Raises:
        TypeError: a manifold without ambient coordinates of this kind.
    """
    if isinstance(manifold, Euclidean):
        return c, torch.ones_like(c[..., :1])
    space, rows = _space_form(manifold), c.to(working_dtype(c.dtype))
    cosine, sine = _turned(bend * space.curvature(c.device), rows, space.curvature_sign)
    return (sine * rows).to(c.dtype), cosine.to(c.dtype)


def from_ambient(
    manifold: HomogeneousManifold, X: Tensor, T: Tensor, *, bend: float = 1.0
) -> Tensor:
    """Return the normal coordinates of the direction of (X, T): (*, dim), (*, 1) -> (*, dim).

    (X, T) need not be normalised; 0 gives the origin. `bend` is that of `to_ambient`.

    Formula: with m^2 = T^2 + K |X|^2 and cos theta = T / m, c = (theta / sin theta) X / m.
    Accuracy: for K < 0 m^2 cancels, and a sum at radius R |K|^-1/2 is right to eps e^2R; in float32
    it reads as radius 8 what lies beyond.
    """
    if isinstance(manifold, Euclidean):
        return X / torch.where(T == 0, 1, T)
    space, rows = _space_form(manifold), X.to(working_dtype(X.dtype))
    curvature, eps = bend * space.curvature(X.device), torch.finfo(rows.dtype).eps
    return (_stretch(curvature, T, rows, space.curvature_sign, eps) * rows).to(X.dtype)


def ambient_rows(manifold: HomogeneousManifold, c: Tensor, *, bend: float = 1.0) -> Tensor:
    """Return `to_ambient` as rows (T, X): (*, dim) -> (*, 1 + dim).

    In eager mode a row formula, of which nothing but `c` is kept for the backward pass.
    """
    space = _space_form(manifold)
    curvature, sign = bend * space.curvature(c.device), space.curvature_sign
    if torch.compiler.is_compiling():  # it belongs into the loops before and after
        return _ambient(curvature, c, sign)
    return compute(_ambient, (curvature,), (c,), sign=sign)


def from_ambient_rows(manifold: HomogeneousManifold, x: Tensor, *, bend: float = 1.0) -> Tensor:
    """Return `from_ambient` of rows (T, X): (*, 1 + dim) -> (*, dim), likewise."""
    space = _space_form(manifold)
    curvature, sign = bend * space.curvature(x.device), space.curvature_sign
    eps = torch.finfo(working_dtype(x.dtype)).eps
    if torch.compiler.is_compiling():
        return _direction(curvature, x[..., :1], x[..., 1:], sign, eps)
    return compute(_direction, (curvature, first(x)), (x,), skip=1, sign=sign, eps=eps)


def _ambient(K: Tensor, c: Tensor, sign: int) -> Tensor:
    (C,) = unrounded(c)
    cosine, sine = _turned(K, C, sign, reach(working_dtype(c.dtype)))
    return joined(cosine, (sine * C).to(c.dtype))


def _direction(K: Tensor, T: Tensor, x: Tensor, sign: int, eps: float) -> Tensor:
    (X,) = unrounded(x)
    return (_stretch(K, T, X, sign, eps) * X).to(x.dtype)


def _turned(K: Tensor, C: Row, sign: int, largest: float | None = None) -> tuple[Tensor, Tensor]:
    """Return cosk, sinck of K |C|^2."""
    cosines, _ = TRIGONOMETRY[sign]
    return cosines(K.to(C.dtype) * dots((C, C))[0], largest)


def _stretch(K: Tensor, T: Tensor, X: Row, sign: int, eps: float) -> Tensor:
    """Return the factor of X in `from_ambient`."""
    T, square = T.to(X.dtype), dots((X, X))[0]
    bent = K.to(X.dtype) * square
    # What rounding leaves of m^2 where all of it cancels; no points at all have no direction.
    length2 = torch.maximum(T * T + bent, eps * T * T)
    inverse = 1 / torch.where((T == 0) & (square == 0), 1, length2).sqrt()
    _, unbend = TRIGONOMETRY[sign]
    return unbend(T * inverse, bent * inverse * inverse) * inverse


def _space_form(manifold: HomogeneousManifold) -> SpaceForm:
    if not isinstance(manifold, SpaceForm):
        raise TypeError(
            "this layer needs a factor of constant curvature or a Euclidean one, got"
            f" {type(manifold).__name__}"
        )
    return manifold
