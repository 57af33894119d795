"""PM-MLP: a set network whose particle embedding lives on a product manifold."""

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from noneuclid.layers import (
    Activation,
    Chain,
    FactorCoupling,
    Layer,
    Lift,
    Linear,
    TangentLayerNorm,
    TangentMean,
)
from noneuclid.manifolds import HomogeneousManifold, Product, manifold
from noneuclid.models._budget import count_parameters, fit_widths
from noneuclid.models._checks import check_sizes, without_padding
from noneuclid.models._reset import reset_children

_WIDTHS = range(2, 129)
_HEAD_RATIO = 2  # head width over the width of the embedding, when a budget sets both


class PMMLP(nn.Module):
    """Classify sets of particles through embeddings on a product of manifolds.

    With M the product of the signature, for each particle:

    1. `Lift`: features to M by exp_o(s (W f + b)), s learnable;
    2. `layers` - 1 times: `Activation`, then `Linear` (`MobiusLinear`), factor by factor;
    3. `TangentLayerNorm`;
    4. `FactorCoupling`, where there is more than one factor;
    5. mean of log_o over the particles that the mask names;
    6. Linear, ReLU, Linear.

    The lift is step 1 and the first linear map of step 2 of the source in one: exp_o(W log_o(
    exp_o(s f))) = exp_o(s W f). Beyond the source: the scale s (raw features wind around a sphere
    and sit on the rim of a ball), the mask, biases at the origin instead of near the rim, the
    non-linearity in the tangent space on every factor, and a head wider than the classes.

    Args:
        in_features: F, features of a particle.
        classes: number of logits.
        signature: such as "H8 x E8"; `*` makes a curvature learnable. Widths may be left out
            ("H x E") when `dim` or `parameters` sets them.
        dim: dimension of each factor that leaves its own out.
        hidden: dimension of each factor between the layers; by default the factor's own.
        layers: number of linear maps of the particle embedding, the lift included.
        norm: whether step 3 is there; it leaves one bit of a factor of dimension 2.
        head: width of the head's hidden layer; by default twice the dimension of M.
        parameters: a budget: `dim` and `head` are chosen so that the model has this many parameters
            within 2 %.
        device, dtype: of the parameters.

    Shapes: features (B, P, F), mask (B, P) bool, True where a particle is -> logits (B, classes).
    What stands in padded slots, NaN included, never changes an output; no row depends on another.

    Raises:
        ValueError: an unreadable signature, `parameters` together with `dim` or `head`, a budget
            that no widths meet, a size below 1, a mask of the wrong shape or dtype.

    Flat limit: signature "E<n>" is this network on R^n; for the plain twin see `EuclideanMLP`.
    Source: [woodward2024product] section 4.
    """

    def __init__(  # noqa: PLR0913 - sizes of a model, all but two by keyword
        self,
        in_features: int,
        classes: int,
        signature: str = "H8 x E8",
        *,
        dim: int | None = None,
        hidden: int | None = None,
        layers: int = 3,
        norm: bool = True,
        head: int | None = None,
        parameters: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(in_features=in_features, classes=classes, layers=layers)
        check_sizes(dim=dim, hidden=hidden, head=head)
        if parameters is not None:
            if dim is not None or head is not None:
                raise ValueError("give either a budget of parameters, or dim and head, not both")
            sizes = {"hidden": hidden, "layers": layers, "norm": norm}
            dim, head = self._fit(in_features, classes, signature, parameters, sizes)
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.manifold = manifold(signature, dim)
        self.in_features = in_features
        self.signature = signature
        self.particles = Chain(*self._embedding(hidden, layers, norm, where))
        head = 2 * self.manifold.dim if head is None else head
        self.head = nn.Sequential(
            nn.Linear(self.manifold.dim, head, **where),
            nn.ReLU(),
            nn.Linear(head, classes, **where),
        )

    @classmethod
    def _fit(
        cls, in_features: int, classes: int, signature: str, parameters: int, sizes: dict[str, Any]
    ) -> tuple[int, int]:
        space = manifold(signature, 2)
        factors = len(space.factors) if isinstance(space, Product) else 1

        def count(dim: int, head: int) -> int:
            with torch.device("meta"):
                return count_parameters(
                    cls(in_features, classes, signature, dim=dim, head=head, **sizes)
                )

        return fit_widths(count, parameters, _WIDTHS, _HEAD_RATIO * factors)

    def _embedding(
        self, hidden: int | None, layers: int, norm: bool, where: dict[str, Any]
    ) -> list[Layer]:
        outer = self.manifold
        inner = outer if hidden is None else _with_width(outer, hidden)
        spaces = [inner] * (layers - 1) + [outer]
        steps: list[Layer] = [Lift(self.in_features, spaces[0], **where)]
        for before, after in itertools.pairwise(spaces):
            linear = Linear(before, after, variant="mobius", **where)
            steps += [Activation(before, torch.relu), linear]
        if norm:
            steps.append(TangentLayerNorm(outer, **where))
        if isinstance(outer, Product):
            steps.append(FactorCoupling(outer, **where))
        return [*steps, TangentMean(outer)]

    def reset_parameters(self) -> None:
        """Draw fresh parameters everywhere; learnable curvatures go back to where they started."""
        reset_children(self)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return logits (B, classes); without a mask every slot is a particle."""
        if features.dim() != 3 or features.shape[-1] != self.in_features:
            raise ValueError(
                f"PMMLP expects features of shape (B, P, {self.in_features}),"
                f" got {tuple(features.shape)}"
            )
        return self.head(self.particles(without_padding(features, mask), mask=mask))

    def embed(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the pooled embedding (B, dim), coordinates in the tangent space at the origin."""
        return self.particles(without_padding(features, mask), mask=mask)

    def extra_repr(self) -> str:
        """Return the signature."""
        return f"signature={self.signature!r}"


def _with_width(space: HomogeneousManifold, width: int) -> HomogeneousManifold:
    """Return the same factors, each of dimension `width`, sharing their curvatures."""
    if isinstance(space, Product):
        return Product(*(factor.like(width) for factor in space.factors))
    return space.like(width)
