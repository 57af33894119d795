"""The feed-forward maps of a block, in normal coordinates."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from noneuclid.layers._normal import principal
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of
from noneuclid.models.pm_transformer.options import Options


class FeedForward(nn.Module):
    """c -> W2 f(W1 c + b1) + b2 on the normal coordinates of every factor by itself.

    The Moebius linear maps of the source with biases in the tangent space, where both maps and the
    activation between them act without exp and log. Of the hidden rows, the widest of a block, only
    W1 c + b1 is kept for the backward pass, which computes f again.

    Args:
        space: where tokens live.
        ratio: hidden width over the width, factor by factor.
        options: the choices of the model.
        dropout: after the activation.

    Shapes: (*, dim) -> (*, dim).
    """

    def __init__(
        self,
        space: HomogeneousManifold,
        ratio: int,
        options: Options,
        dropout: float,
        **where: Any,
    ) -> None:
        super().__init__()
        self.space = space
        self.dims = tuple(factor.dim for factor in factors_of(space))
        self.up = nn.ModuleList(nn.Linear(dim, ratio * dim, **where) for dim in self.dims)
        self.down = nn.ModuleList(nn.Linear(ratio * dim, dim, **where) for dim in self.dims)
        self.activation = options.activation
        self.dropout = nn.Dropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw orthogonal matrices, those before the activation times sqrt 2; set biases to 0."""
        for maps, gain in ((self.up, math.sqrt(2)), (self.down, 1.0)):
            for step in maps:
                assert isinstance(step, nn.Linear)
                nn.init.orthogonal_(step.weight, gain)
                nn.init.zeros_(step.bias)

    def forward(self, c: Tensor) -> Tensor:
        """Return the coordinates of the output."""
        outputs = self.parts(c)
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)

    def parts(self, c: Tensor) -> list[Tensor]:
        """Return those of every factor; factors of one dimension go in one product."""
        if len(self.dims) == 1 or len(set(self.dims)) > 1:
            pieces = zip(c.split(self.dims, dim=-1), self.up, self.down, strict=True)
            outputs = [self._lowered(first(piece), second) for piece, first, second in pieces]
        else:
            rows = c.reshape(-1, len(self.dims), self.dims[0]).transpose(0, 1)
            rows = self._lowered(_side_by_side(self.up, rows), partial(_side_by_side, self.down))
            outputs = [part.reshape(*c.shape[:-1], self.dims[0]) for part in rows.unbind(0)]
        factors = factors_of(self.space)
        return [principal(*each) for each in zip(factors, outputs, strict=True)]

    def _lowered(self, hidden: Tensor, down: Callable[[Tensor], Tensor]) -> Tensor:
        """Return W2 f(hidden) + b2."""

        def lowered(hidden: Tensor) -> Tensor:
            return down(self.dropout(self.activation(hidden)))

        if not torch.is_grad_enabled() or torch.compiler.is_exporting() or _is_transformed():
            return lowered(hidden)
        draws = self.training and self.dropout.p > 0
        result: Tensor = checkpoint(lowered, hidden, use_reentrant=False, preserve_rng_state=draws)
        return result


def _is_transformed() -> bool:
    """Tell whether a transform of torch.func is running: it knows no hooks on what is kept."""
    return torch._C._are_functorch_transforms_active()


_is_transformed._dynamo_marked_constant = True  # type: ignore[attr-defined]  # see numerics/formula.py


def _side_by_side(maps: Iterable[nn.Module], rows: Tensor) -> Tensor:
    """Return each map of its rows: (factors, n, width in) -> (factors, n, width out)."""
    pairs = [(each.weight, each.bias) for each in maps if isinstance(each, nn.Linear)]
    weights, biases = (torch.stack(each) for each in zip(*pairs, strict=True))
    return torch.baddbmm(biases[:, None], rows, weights.mT)
