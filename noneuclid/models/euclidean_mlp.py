"""The Euclidean baseline: a plain deep-set network in torch.nn alone."""

from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.models._budget import count_parameters, fit_widths
from noneuclid.models._checks import check_sizes, without_padding
from noneuclid.models._reset import reset_children

_WIDTHS = range(2, 257)
_HEAD_RATIO = 2


class EuclideanMLP(nn.Module):
    """A deep-set MLP of the shape of `PMMLP`, written without a manifold.

    `layers` linear maps with ReLU between on each particle, LayerNorm, masked mean, then Linear,
    ReLU, Linear. It is the baseline a curved model of the same number of parameters has to beat.

    Args:
        in_features: F, features of a particle.
        classes: number of logits.
        width: width of the particle network.
        layers: number of its linear maps.
        head: width of the head's hidden layer; by default twice `width`.
        parameters: a budget: `width` and `head` are chosen to meet it within 2 %.
        device, dtype: of the parameters.

    Shapes: features (B, P, F), mask (B, P) bool, True where a particle is -> logits (B, classes).

    Raises:
        ValueError: `parameters` together with `width` or `head`, or neither; a budget that no
            widths meet; a size below 1; a mask of the wrong shape or dtype.

    Source: the network of [woodward2024product] section 4 without its geometry.
    """

    def __init__(
        self,
        in_features: int,
        classes: int,
        *,
        width: int | None = None,
        layers: int = 3,
        head: int | None = None,
        parameters: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(in_features=in_features, classes=classes, width=width, layers=layers, head=head)
        if (parameters is None) == (width is None and head is None):
            raise ValueError("give either a budget of parameters, or a width (and head), not both")
        if parameters is not None:

            def count(width: int, head: int) -> int:
                sizes: dict[str, Any] = {"width": width, "head": head, "layers": layers}
                return count_parameters(EuclideanMLP(in_features, classes, device="meta", **sizes))

            width, head = fit_widths(count, parameters, _WIDTHS, _HEAD_RATIO)
        if width is None:
            raise ValueError("EuclideanMLP needs a width with its head")
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        steps: list[nn.Module] = [nn.Linear(in_features, width, **where)]
        for _ in range(layers - 1):
            steps += [nn.ReLU(), nn.Linear(width, width, **where)]
        self.particles = nn.Sequential(*steps, nn.LayerNorm(width, **where))
        head = 2 * width if head is None else head
        self.head = nn.Sequential(
            nn.Linear(width, head, **where), nn.ReLU(), nn.Linear(head, classes, **where)
        )

    def reset_parameters(self) -> None:
        """Draw fresh parameters everywhere."""
        reset_children(self)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return logits (B, classes); without a mask every slot is a particle."""
        particles = self.particles(without_padding(features, mask))
        if mask is None:
            mean = particles.mean(-2) if particles.shape[-2] else particles.sum(-2)
            return self.head(mean)
        total = torch.where(mask[..., None], particles, 0).sum(-2)
        return self.head(total / mask.sum(-1, keepdim=True).clamp(min=1).to(total.dtype))
