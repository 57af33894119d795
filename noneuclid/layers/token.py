"""Learned points in front of a sequence."""

import torch
from torch import Tensor

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._initial import SMALL, draw_points
from noneuclid.layers._normal import to_normal
from noneuclid.manifolds import HomogeneousManifold, ManifoldParameter


class ClassToken(TangentLayer):
    """Put learned points, the same for every sequence, in front of it.

    A token gathers what attention finds in a sequence, as the mean of a pooling layer would. Every
    row is passed on as it is, so `forward` takes no mask; `extend_mask` gives the mask of the
    longer sequence.

    Args:
        manifold: where the points live.
        count: how many tokens.
        device, dtype: of the parameters.

    Shapes: (*, n, S) -> (*, count + n, S). Parameters: `tokens` (count, S), points.

    Raises:
        ValueError: `count` < 1.

    Initial values: wrapped normal of rms radius 0.1 min(1, |K|^-1/2) on each factor, apart from
    one another and well inside.

    Flat limit: the rows of `tokens` in front; there is no torch.nn twin.
    Source: [woodward2024product] section 4, whose class tokens are points.
    """

    def __init__(
        self,
        manifold: HomogeneousManifold,
        count: int = 1,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, manifold)
        if count < 1:
            raise ValueError(f"ClassToken needs at least one token, got count={count}")
        self.count = count
        empty = torch.empty(count, *manifold.point_shape, device=device, dtype=dtype)
        self.tokens = ManifoldParameter(empty, manifold)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw fresh tokens near the origin."""
        draw_points(self.tokens, self.manifold_in, SMALL)

    def forward(self, x: Tensor) -> Tensor:
        """Map sequences of points (*, n, S) to (*, count + n, S)."""
        self.manifold_in._check(x)
        return self._in_front(self.tokens, x)

    def tangent(self, c: Tensor) -> Tensor:
        """Return the tokens' normal coordinates in front of `c`."""
        return self._in_front(to_normal(self.manifold_in, self.tokens), c)

    def _in_front(self, tokens: Tensor, x: Tensor) -> Tensor:
        return torch.cat([tokens.to(x.dtype).expand(*x.shape[:-2], -1, -1), x], dim=-2)

    def extend_mask(self, mask: Tensor) -> Tensor:
        """Return the mask of the output: (*, n) -> (*, count + n) bool, True at the tokens."""
        return torch.cat([mask.new_ones(*mask.shape[:-1], self.count), mask], dim=-1)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the tokens in normal coordinates."""
        return {"tokens": to_normal(self.manifold_in, self.tokens)}

    def extra_repr(self) -> str:
        """Return the manifold and the number of tokens."""
        return f"{self.manifold_in!r}, count={self.count}"
