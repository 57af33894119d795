"""What all taggers have in common: the inputs they take and the logits they give."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn


class Tagger(nn.Module, ABC):
    """A network from the particles of a jet to the logits of its class.

    Shapes: features (B, P, F), mask (B, P) bool, True where a particle is, momenta (B, P, 4) px,
    py, pz, E in GeV -> logits (B, classes). Without a mask every slot is a particle. A jet without
    particles has finite logits.

    Attributes:
        uses_momenta: whether the momenta make a difference.
        recipe: the arguments of `build_tagger` that give such a tagger again; a checkpoint has it.
    """

    uses_momenta = False
    recipe: dict[str, Any]

    @abstractmethod
    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes) of jets whose padded slots hold zeros."""

    def forward(
        self, features: Tensor, mask: Tensor | None = None, momenta: Tensor | None = None
    ) -> Tensor:
        """Return the logits (B, classes).

        Raises:
            ValueError: features, mask or momenta of a wrong shape; no momenta where they are used.
        """
        if mask is None:
            mask = torch.ones(features.shape[:-1], dtype=torch.bool, device=features.device)
        _check(features, mask, momenta if self.uses_momenta else None)
        if self.uses_momenta and momenta is None:
            raise ValueError(f"{type(self).__name__} needs momenta (B, P, 4): px, py, pz, E in GeV")
        inside = mask[..., None]
        features = torch.where(inside, features, 0)
        if self.uses_momenta and momenta is not None:
            return self.logits(features, mask, torch.where(inside, momenta, 0))
        return self.logits(features, mask, None)


def _check(features: Tensor, mask: Tensor, momenta: Tensor | None) -> None:
    """Look at the shapes."""
    if features.dim() != 3:
        raise ValueError(f"features must be of shape (B, P, F), got {tuple(features.shape)}")
    jets = tuple(features.shape[:2])
    if mask.dtype != torch.bool or mask.shape != jets:
        raise ValueError(
            f"mask must be a bool tensor of shape {jets}, True where a particle is, got"
            f" {mask.dtype} of shape {tuple(mask.shape)}"
        )
    if momenta is not None and momenta.shape != (*jets, 4):
        raise ValueError(f"momenta must be of shape {(*jets, 4)}, got {tuple(momenta.shape)}")
