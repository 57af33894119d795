"""Routed PM-Transformer: every jet chooses the geometry it is judged on."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from noneuclid.layers.coupling import CurvatureMixture
from noneuclid.manifolds import HomogeneousManifold, manifold
from noneuclid.models import PMTransformer
from taggers.euclidean_transformer import FURTHER as SIZES
from taggers.sizes import fit, transformer_sizes
from taggers.tagger import Tagger

FURTHER = ("score", "split", "residual", "coupling", "coupling_period", "dropout", *SIZES)
EXPERTS = (-1.0, 0.0, 1.0)  # curvatures at the start: hyperbolic, flat, spherical


class Gates(NamedTuple):
    """What jets chose.

    Attributes:
        weights: (B, experts), summing to 1; 0 where an expert was not chosen.
        curvatures: (experts,) K of the experts' spaces.
    """

    weights: Tensor
    curvatures: Tensor

    def mean_curvature(self) -> Tensor:
        """Return the mean of K over the experts, by the weights of each jet: (B,)."""
        return self.weights @ self.curvatures


class RoutedJet(nn.Module):
    """From the token of a jet to R^n, through spaces that the token chooses.

    Args:
        space: where the token lives, a product of manifolds.
        dim: n.
        width: dimension of the experts' spaces.
        experts: their curvatures at the start, which learn, sign included.
        top_k: how many of them a jet is sent through.
        noise: standard deviation of the noise on the router's scores in training.

    Shapes: normal coordinates (B, space.dim) -> (B, dim).
    """

    def __init__(
        self,
        space: HomogeneousManifold,
        dim: int,
        width: int,
        experts: Sequence[float],
        top_k: int,
        noise: float,
    ) -> None:
        super().__init__()
        self.mixture = CurvatureMixture(
            space, manifold("E", dim), experts, top_k=top_k, width=width, noise=noise
        )

    def forward(self, token: Tensor) -> Tensor:
        """Return the coordinates of the jet."""
        return self.mixture.tangent(token)

    def gates(self, token: Tensor) -> Gates:
        """Return what the jets of some tokens chose."""
        curvatures = [expert.first.manifold_out.curvature() for expert in self.mixture.experts]
        flat = torch.stack([K.reshape(()) for K in curvatures])
        return Gates(self.mixture.router(token), flat.to(token))


class RoutedTransformerTagger(Tagger):
    """`noneuclid.models.PMTransformer` whose jet level is a `CurvatureMixture`.

    Particles attend to each other on the product as in a PM-Transformer. The class token, a point
    of that product, is sent by a router, which sees its logarithm, through two or more of several
    maps, each through a space with a curvature of its own; their mean goes to the head. A jet's
    weights are its choice of geometry. Source: the outlook of [woodward2024product]; the mixture
    is [he2025helm]'s.
    """

    def __init__(self, network: PMTransformer, routed: RoutedJet) -> None:
        super().__init__()
        network.jet = routed  # in the place of a `JetEmbedding`, of the same shapes
        self.network = network
        self.uses_momenta = network.pairs is not None

    def logits(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Tensor:
        """Return the logits (B, classes)."""
        return self.network(features, mask, momenta)

    @torch.no_grad()
    def gates(self, features: Tensor, mask: Tensor, momenta: Tensor | None) -> Gates:
        """Return what the jets chose; in evaluation mode, what `logits` uses."""
        routed = self.network.jet
        assert isinstance(routed, RoutedJet)
        return routed.gates(self.network.token_of(features, mask, momenta))


def build(
    in_features: int,
    classes: int,
    parameters: int,
    signature: str = "H* x E",
    experts: Sequence[float] = EXPERTS,
    top_k: int | None = None,
    noise: float = 0.0,
    **choices: Any,
) -> Tagger:
    """Build the tagger.

    Options:
        signature: of the particles' product, without widths.
        experts: curvatures between which jets choose; they learn, and may change their signs.
        top_k: how many experts a jet is sent through, at least 2; None: all of them, so that none
            is ever without work.
        noise: on the router's scores in training.
        choices: as for "pm-transformer": the ablations and the sizes.
    """
    sent = len(experts) if top_k is None else top_k
    sizes = {
        **vars(transformer_sizes(parameters)),
        **{k: choices.pop(k) for k in SIZES if k in choices},
    }

    def make(width: int, head: int) -> nn.Module:
        network = PMTransformer(in_features, classes, signature, "E", dim=width, **sizes, **choices)
        routed = RoutedJet(network.space, network.jet_space.dim, head, experts, sent, noise)
        return RoutedTransformerTagger(network, routed)

    heads = sizes["heads"]
    tagger = fit(make, parameters, widths=range(max(2, heads), 513, heads), ratio=1)
    assert isinstance(tagger, Tagger)
    return tagger
