"""The router of a mixture: which experts a point goes to, and whether all of them get work."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Router(nn.Module):
    """Scores of experts from normal coordinates, and the weights of the best of them.

    Args:
        dim: of the coordinates.
        experts: how many there are.
        top_k: how many are chosen for a point.
        noise: standard deviation of the noise on scores in training mode.

    Parameters: `weight` (experts, dim), `bias` (experts,). Buffer: `offset` (experts,), added to
    the scores where experts are chosen, not where they are weighed.
    """

    offset: Tensor

    def __init__(
        self,
        dim: int,
        experts: int,
        top_k: int,
        noise: float = 0.0,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.top_k, self.noise = top_k, noise
        linear = nn.Linear(dim, experts, device=device, dtype=dtype)
        self.weight, self.bias = linear.weight, linear.bias
        self.register_buffer("offset", torch.zeros_like(linear.bias.detach()))

    def reset_parameters(self) -> None:
        """Draw weight and bias as torch.nn.Linear does; offset 0."""
        bound = self.weight.shape[1] ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)
        nn.init.zeros_(self.offset)

    def scores(self, c: Tensor) -> Tensor:
        """Return the scores without noise or offset: (*, dim) -> (*, experts)."""
        return F.linear(c, self.weight, self.bias)

    def chosen(self, scores: Tensor) -> Tensor:
        """Return whether each expert is among the best `top_k`: (*, experts) bool."""
        best = (scores + self.offset).topk(self.top_k, dim=-1).indices
        return torch.zeros_like(scores, dtype=torch.bool).scatter(-1, best, True)

    def forward(self, c: Tensor) -> Tensor:
        """Return the weights of the experts: (*, dim) -> (*, experts), summing to 1."""
        scores = self.scores(c)
        if self.training and self.noise:
            scores = scores + self.noise * torch.randn_like(scores)
        return torch.softmax(scores.masked_fill(~self.chosen(scores), -torch.inf), dim=-1)

    def extra_repr(self) -> str:
        """Return the sizes and options."""
        experts, dim = self.weight.shape
        return f"{dim}, {experts}, top_k={self.top_k}, noise={self.noise:g}"
