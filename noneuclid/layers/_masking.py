"""Padding: what stands where there is no point must never reach a formula."""

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold


def checked_mask(mask: Tensor, shape: torch.Size) -> Tensor:
    """Return `mask` if it is a bool tensor of `shape`, True where a point is.

    Raises:
        ValueError: it is not.
    """
    if mask.dtype != torch.bool or mask.shape != shape:
        raise ValueError(
            f"mask must be a bool tensor of shape {tuple(shape)}, True where a point is, got"
            f" {mask.dtype} of shape {tuple(mask.shape)}"
        )
    return mask


def points_only(manifold: HomogeneousManifold, x: Tensor, mask: Tensor | None) -> Tensor:
    """Return points (*, S) with the origin where `mask` is False.

    Before log_o, whose gradient at the NaN or the overflow that padding may hold would be NaN.
    """
    if mask is None:
        return x
    present = checked_mask(mask, x.shape[:-1])[..., None]
    return torch.where(present, x, manifold.origin(dtype=x.dtype, device=x.device))


def coordinates_only(c: Tensor, mask: Tensor | None) -> Tensor:
    """Return normal coordinates with those of the origin, 0, where `mask` is False."""
    return c if mask is None else torch.where(checked_mask(mask, c.shape[:-1])[..., None], c, 0)
