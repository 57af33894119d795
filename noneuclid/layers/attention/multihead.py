"""Attention with several heads between points of a manifold, by a softmax over the keys."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers._base import TangentLayer
from noneuclid.layers._normal import from_normal, principal, to_normal
from noneuclid.layers.attention._factor import FactorAttention
from noneuclid.layers.attention._heads import Split
from noneuclid.layers.attention._options import Kind, Options, check_heads
from noneuclid.layers.attention._scores import Score
from noneuclid.layers.attention._visible import (
    Visible,
    check_sets,
    visible,
    without_padding,
    without_padding_points,
)
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.manifolds.product import factors_of


class MultiheadAttention(TangentLayer):
    """Every point asks all points of a set, and gets their weighted midpoint in return.

    On each factor by itself, with all heads, for points x_i asking x_j, where heads are tangent
    vectors at the origin o, and as points exp_o of them:

        q_i = W_q log_o x_i + b_q, k_j and v_j likewise, cut into heads;
        w_ij = softmax over j of (score(q_i, k_j) + bias_ij), 0 where j is hidden from i;
        o_i = log_o of the midpoint of the points v_j with weights w_ij, in each head;
        y_i = exp_o(W_o (heads of o_i together) + b_o).

    The midpoint is a product of matrices on ambient coordinates: gyromidpoint, Lorentz centroid,
    Einstein midpoint and normalised sum on a sphere are this one mean. Nothing of the size
    queries x keys x dimensions is ever formed.

    Args:
        manifold: where input and output live.
        heads: how many; it divides the dimension of every factor.
        score: how a query and a key of dimension d are compared: "tangent", by the inner product
            of the tangent vectors; "transported", as vectors at the values of their own points
            (components in the conformal chart), carried to the origin; "lorentz", by minus the
            squared chord between the points in ambient space; "distance" and "squared distance",
            by minus their distance or its square.
        split: how heads are cut and put together: "beta" scales normal coordinates such that a
            head is as long as the whole in expectation; "lorentz" cuts the space part of ambient
            coordinates (where K > 0: the normal coordinates, unscaled). Lengths in scores are in
            the unit of the whole, so that nothing depends on the scale in the flat limit.
        bias: whether b_q, b_k, b_v, b_o are there.
        dropout: probability that a weight becomes 0 in training. On a curved factor those that
            stay are weights of a mean again; on R^n they are divided by 1 - dropout, as in torch.
        attention: "fused" calls scaled_dot_product_attention (not for distances, whose table is
            formed); it has first derivatives only. "math" forms the weights, takes the mean in
            float64, and has all derivatives, forward mode included.
        scale: factor of the score; by default d^-1/2, and 1 for "distance". For the two distances
            it is the initial value of a learnable one for each head.
        device, dtype: of the parameters.

    Shapes: x (B, Q, S), context (B, N, S) -> (B, Q, S). Parameters, for each factor in
    `parts[i]`: `in_proj_weight` (3 dim, dim), `in_proj_bias` (3 dim,), `out_proj.weight`
    (dim, dim), `out_proj.bias` (dim,), as in torch.nn.MultiheadAttention; for distances
    `log_scale` (heads,).

    Raises:
        ValueError: `heads` < 1 or no divisor of a factor's dimension, an unknown option, or a
            dropout outside [0, 1).

    Initial values: W_q, W_k, W_v, W_o orthogonal and biases 0, so that an output lies no farther
    from the origin than the points it is a mean of (heads of different sets of points apart).

    Flat limit: torch.nn.MultiheadAttention(dim, heads, batch_first=True) with the same parameters,
    for each factor, if the score is "tangent" or "transported"; with scores -|q - k|^2 or -|q - k|
    in it for the others.
    Accuracy: sums of ambient coordinates at radius R |K|^-1/2 are right to eps e^2R (in heads of
    the beta split, R is longer by the beta ratio); `attention="math"` has the eps of float64.
    Source: [shimizu2021hyperbolic] and [gulcehre2019hyperbolic] for distances and midpoints,
    [woodward2024product] section 4 for "tangent", [cho2023curve] for "transported",
    [chen2022fully] for "lorentz".
    """

    takes_mask = True
    parts: Sequence[FactorAttention]

    def __init__(  # noqa: PLR0913  # as many options as torch.nn's twin, and the geometry's
        self,
        manifold: HomogeneousManifold,
        heads: int,
        *,
        score: Score = "tangent",
        split: Split = "beta",
        bias: bool = True,
        dropout: float = 0.0,
        attention: Kind = "fused",
        scale: float | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, manifold)
        self.options = Options(heads, score, split, bias, dropout, attention, scale)
        self.options.check()
        check_heads(manifold, heads)
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        factors = factors_of(manifold)
        self.dims = tuple(factor.dim for factor in factors)
        self.parts = nn.ModuleList(  # type: ignore[assignment]  # it is a Sequence
            FactorAttention(factor, self.options, where) for factor in factors
        )

    def reset_parameters(self) -> None:
        """Draw fresh parameters for every factor."""
        for part in self.parts:
            part.reset_parameters()

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """Map points (B, Q, S), asking the points `context` (B, N, S) or each other, to (B, Q, S).

        Args:
            x: points that ask.
            context: points that are asked; by default `x`.
            mask: (B, N) bool, True where a point is among those asked. What stands elsewhere has
                no effect; a query without any key gives the origin.
            bias: added to the scores of every factor, broadcastable to (B, heads, Q, N).
            causal: whether point i asks points up to i only.
        """
        c, context = self._normal(x, context, mask)
        y = self._attend(c, context, mask, bias, causal)
        return from_normal(self.manifold_out, y)

    def tangent(
        self,
        c: Tensor,
        context: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """Return the output's normal coordinates from those of `x` and `context`: see `forward`."""
        return self._attend(*without_padding(c, context, mask), mask, bias, causal)

    def attention_weights(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """Return w: (B, heads, Q, N), and (B, factors, heads, Q, N) on a product."""
        c, context = self._normal(x, context, mask)
        seen = self._visible(c, context, mask, bias, causal)
        pieces = zip(self.parts, self._pieces(c, context), strict=True)
        tables = [part.weights(*piece, seen) for part, piece in pieces]
        return tables[0] if len(tables) == 1 else torch.stack(tables, dim=1)

    def _normal(
        self, x: Tensor, context: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return normal coordinates of both sets of points, those in masked places at 0."""
        m = self.manifold_in
        x, context = without_padding_points(m, x, context, mask)
        return to_normal(m, x), None if context is None else to_normal(m, context)

    def _attend(
        self,
        c: Tensor,
        context: Tensor | None,
        mask: Tensor | None,
        bias: Tensor | None,
        causal: bool,
    ) -> Tensor:
        outputs = self.attend(c, context, self._visible(c, context, mask, bias, causal))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)

    def attend(self, c: Tensor, context: Tensor | None, seen: Visible) -> list[Tensor]:
        """Return what `tangent` does, factor by factor, when it is known what each query sees.

        Layers one after another that share a mask and a bias need them in this form once. Both
        sets are finite in masked places too.
        """
        pieces = zip(self.parts, self._pieces(c, context), strict=True)
        outputs = [part(*piece, seen) for part, piece in pieces]
        factors = factors_of(self.manifold_out)
        return [principal(*each) for each in zip(factors, outputs, strict=True)]

    def _visible(
        self,
        c: Tensor,
        context: Tensor | None,
        mask: Tensor | None,
        bias: Tensor | None,
        causal: bool,
    ) -> Visible:
        """Return which keys each query sees."""
        asked = c if context is None else context
        check_sets(c, asked)
        return visible((c.shape[0], c.shape[1], asked.shape[1]), mask, bias, causal, c)

    def _pieces(self, c: Tensor, context: Tensor | None) -> list[tuple[Tensor, Tensor | None]]:
        """Return (coordinates, context) of every factor."""
        own = c.split(self.dims, dim=-1)
        theirs = [None] * len(own) if context is None else context.split(self.dims, dim=-1)
        return list(zip(own, theirs, strict=True))

    def flat_parameters(self) -> dict[str, Tensor]:
        """Return torch.nn.MultiheadAttention's; on a product those of factor i start with `i.`."""
        return {
            ("" if len(self.parts) == 1 else f"{i}.") + name: value
            for i, part in enumerate(self.parts)
            for name, value in part.named_parameters()
            if not name.startswith("manifold_of_heads")
        }

    def extra_repr(self) -> str:
        """Return the manifold and options."""
        o = self.options
        return (
            f"{self.manifold_in!r}, heads={o.heads}, score={o.score!r}, split={o.split!r},"
            f" bias={o.bias}, dropout={o.dropout}, attention={o.attention!r}, scale={o.scale}"
        )
