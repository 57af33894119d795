"""Masks: which places of a set or sequence hold a point."""

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold


def check_mask(mask: Tensor, shape: torch.Size) -> None:
    """Raise unless `mask` is a bool tensor of this shape.

    Raises:
        ValueError: another dtype or shape.
    """
    if mask.dtype != torch.bool or mask.shape != shape:
        raise ValueError(
            f"mask must be a bool tensor of shape {tuple(shape)}, True where a point is,"
            f" got {mask.dtype} of shape {tuple(mask.shape)}"
        )


def origin_where_masked(
    manifold: HomogeneousManifold, x: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Return points (*, S) with the origin in place of those where `mask` (*,) is False.

    The origin must stand in for padding before log_o, whose gradient at NaN would be NaN.

    Raises:
        ValueError: `mask` has another dtype or shape.
    """
    if mask is None:
        return x
    check_mask(mask, x.shape[:-1])
    return torch.where(mask[..., None], x, manifold.origin(dtype=x.dtype, device=x.device))
