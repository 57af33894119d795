"""What the models ask of their arguments."""

import torch
from torch import Tensor


def check_sizes(**sizes: int | None) -> None:
    """Raise ValueError for a size below 1; None is a size that is not given."""
    for name, size in sizes.items():
        if size is not None and size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")


def without_padding(features: Tensor, mask: Tensor | None) -> Tensor:
    """Return the features with 0 in padded slots, whatever stood there.

    Raises:
        ValueError: a mask of the wrong shape or dtype.
    """
    if mask is None:
        return features
    if mask.dtype != torch.bool or mask.shape != features.shape[:-1]:
        raise ValueError(
            f"mask must be a bool tensor of shape {tuple(features.shape[:-1])}, True where a"
            f" particle is, got {mask.dtype} of shape {tuple(mask.shape)}"
        )
    return torch.where(mask[..., None], features, 0)
