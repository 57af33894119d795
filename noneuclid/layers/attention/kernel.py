"""Attention by a kernel of queries and keys, at a cost linear in their number."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import from_normal, principal, to_normal
from noneuclid.layers.attention._heads import Heads
from noneuclid.layers.attention._options import check_heads
from noneuclid.layers.attention._visible import (
    check_sets,
    without_padding,
    without_padding_points,
)
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of
from noneuclid.numerics import safe_divide, safe_norm, working_dtype


class KernelAttention(TangentLayer):
    """Every point asks all points of a set, at a cost linear in the size of the set.

    On each factor by itself, with space parts X = sinck(K |c|^2) c of ambient coordinates (where
    K > 0, whose space parts are bounded, with normal coordinates c themselves), for each head:

        q, k, v = space parts of exp_o(W log_o x + b),   phi(f) = |r| r^p / |r^p|, r = relu(f),
        o_i = sum_j phi(q_i).phi(k_j) v_j / sum_j phi(q_i).phi(k_j) + (S v_i + s),

    and y = exp_o(W_o log_o(the point with space part o) + b_o). The sums over j are formed once.

    Args:
        manifold: where input and output live.
        heads: how many; it divides the dimension of every factor.
        power: p > 0; larger is more selective.
        bias: whether b, s and b_o are there.
        device, dtype: of the parameters.

    Shapes: x (B, Q, S), context (B, N, S) -> (B, Q, S). Parameters, for each factor in
    `parts[i]`: `in_proj_weight` (3 dim, dim), `in_proj_bias` (3 dim,), `skip` and `out_proj`
    linear maps.

    Raises:
        ValueError: `heads` < 1 or no divisor of a factor's dimension, or `power` <= 0; in
            `forward`, points that are no sets (B, n, S), or a mask of another shape.

    Initial values: all matrices orthogonal but S = 0, and biases 0.

    Flat limit: the formula, with X = c; there is no torch.nn twin.
    Source: [yang2024hypformer]. Its learned scale of r is left out: it cancels.
    """

    takes_mask = True
    parts: "Sequence[_KernelFactor]"

    def __init__(
        self,
        manifold: HomogeneousManifold,
        heads: int,
        *,
        power: float = 2.0,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, manifold)
        check_heads(manifold, heads)
        if not power > 0:
            raise ValueError(f"power must be positive, got {power}")
        self.heads, self.power = heads, power
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        factors = factors_of(manifold)
        self.dims = tuple(factor.dim for factor in factors)
        self.parts = nn.ModuleList(  # type: ignore[assignment]  # it is a Sequence
            _KernelFactor(factor, heads, power, bias, where) for factor in factors
        )

    def reset_parameters(self) -> None:
        """Draw fresh parameters for every factor."""
        for part in self.parts:
            part.reset_parameters()

    def forward(
        self, x: Tensor, context: Tensor | None = None, *, mask: Tensor | None = None
    ) -> Tensor:
        """Map points (B, Q, S), asking `context` (B, N, S) or each other, to (B, Q, S).

        `mask` (B, N) bool is True where a point is among those asked; a set without any gives the
        origin.
        """
        m = self.manifold_in
        x, context = without_padding_points(m, x, context, mask)
        theirs = None if context is None else to_normal(m, context)
        return from_normal(self.manifold_out, self._attend(to_normal(m, x), theirs, mask))

    def tangent(
        self, c: Tensor, context: Tensor | None = None, *, mask: Tensor | None = None
    ) -> Tensor:
        """Return the output's normal coordinates from those of `x` and `context`: see `forward`."""
        return self._attend(*without_padding(c, context, mask), mask)

    def _attend(self, c: Tensor, context: Tensor | None, mask: Tensor | None) -> Tensor:
        asked = c if context is None else context
        check_sets(c, asked)
        pieces = zip(
            self.parts, c.split(self.dims, dim=-1), asked.split(self.dims, dim=-1), strict=True
        )
        y = torch.cat([part(own, theirs, mask) for part, own, theirs in pieces], dim=-1)
        if mask is not None:
            y = torch.where(mask.any(-1)[:, None, None], y, 0)
        return principal(self.manifold_out, y)

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return the parameters of the formula; on a product those of factor i start with `i.`."""
        return {
            ("" if len(self.parts) == 1 else f"{i}.") + name: value
            for i, part in enumerate(self.parts)
            for name, value in part.named_parameters()
        }

    def extra_repr(self) -> str:
        """Return the manifold and options."""
        return f"{self.manifold_in!r}, heads={self.heads}, power={self.power}"


class _KernelFactor(nn.Module):
    """The attention of one factor, in normal coordinates."""

    in_proj_bias: Tensor | None

    def __init__(
        self,
        manifold: HomogeneousManifold,
        heads: int,
        power: float,
        bias: bool,
        where: dict[str, Any],
    ) -> None:
        super().__init__()
        self.dim, self.power = manifold.dim, power
        self.heads = Heads(manifold, heads, "lorentz")
        self.in_proj_weight = nn.Parameter(torch.empty(3 * self.dim, self.dim, **where))
        in_bias = nn.Parameter(torch.empty(3 * self.dim, **where)) if bias else None
        self.register_parameter("in_proj_bias", in_bias)
        self.skip = nn.Linear(self.dim, self.dim, bias, **where)
        self.out_proj = nn.Linear(self.dim, self.dim, bias, **where)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for weight in (*self.in_proj_weight.split(self.dim), self.out_proj.weight):
            nn.init.orthogonal_(weight)
        for parameter in (
            self.skip.weight,
            self.in_proj_bias,
            self.skip.bias,
            self.out_proj.bias,
        ):
            if parameter is not None:
                nn.init.zeros_(parameter)

    def forward(self, c: Tensor, asked: Tensor, mask: Tensor | None) -> Tensor:
        q, own = self._space_parts(c, (0, 2))
        k, v = self._space_parts(asked, (1, 2))
        # The length of phi(q), and a common factor of all phi(k), cancel; far out they overflow.
        phi_q, key = self._focused(self._cut(q)), self._cut(k)
        length = safe_norm(torch.relu(key))
        phi_k = self._focused(key) * safe_divide(length, length.detach().sum(-2, keepdim=True))
        if mask is not None:
            phi_k = torch.where(mask[:, None, :, None], phi_k, 0)
        sums = phi_q @ (phi_k.mT @ self._cut(v))
        total = phi_q @ phi_k.sum(-2, keepdim=True).mT
        mean = safe_divide(sums, total).transpose(-2, -3).flatten(-2)
        X = mean + self.skip(own.to(c.dtype)).to(mean.dtype)
        return self.out_proj(self.heads.from_space_part(X).to(c.dtype))

    def _space_parts(self, c: Tensor, which: tuple[int, ...]) -> list[Tensor]:
        """Return the space parts of some of q, k, v: (B, n, dim) each."""
        spans = [slice(i * self.dim, (i + 1) * self.dim) for i in which]
        parts = []
        for span in spans:
            bias = None if self.in_proj_bias is None else self.in_proj_bias[span]
            u = F.linear(c, self.in_proj_weight[span], bias)
            parts.append(self.heads.space_part(u.to(working_dtype(u.dtype))))
        return parts

    def _cut(self, X: Tensor) -> Tensor:
        return X.unflatten(-1, (self.heads.count, self.heads.dim)).transpose(-2, -3)

    def _focused(self, X: Tensor) -> Tensor:
        """Return phi at length 1: the positive part, turned to its largest entries."""
        positive = torch.relu(X)
        # Relative to the largest entry no power over- or underflows.
        largest = positive.detach().amax(-1, keepdim=True)
        sharp = safe_divide(positive, largest) ** self.power
        return safe_divide(sharp, safe_norm(sharp))
