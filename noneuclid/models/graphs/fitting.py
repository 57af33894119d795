"""One way to fit and evaluate every graph model: nodes by their class, pairs by being an edge."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import trange

from noneuclid.layers._normal import from_normal, to_normal
from noneuclid.manifolds import Euclidean
from noneuclid.metrics import roc_auc
from noneuclid.models.graphs.decoders import FermiDiracDecoder, Head, NodeDecoder
from noneuclid.models.graphs.encoder import GraphEncoder, SelfSupervised
from noneuclid.models.graphs.pretraining import Pretraining, optimizer_of, seeded


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        epochs: at most.
        lr: of Adam.
        weight_decay: of all parameters but curvatures.
        curvature_lr: of the curvatures; by default `lr`.
        patience: epochs without a better validation score until training stops.
        pretraining: options of `Pretraining`, for encoders with a loss of their own.
        seed: of everything drawn.
        progress: whether to show a bar.
    """

    epochs: int = 200
    lr: float = 0.01
    weight_decay: float = 5e-4
    curvature_lr: float | None = None
    patience: int = 100
    pretraining: dict[str, Any] | None = None
    seed: int = 0
    progress: bool = False


@dataclass(frozen=True)
class Edges:
    """A graph as the encoders see it; `Pretraining` reads it as data."""

    x: Tensor
    edge_index: Tensor
    edge_weight: Tensor | None = None


class GraphModel(nn.Module):
    """An encoder and a decoder, fitted together or one after the other.

    Args:
        encoder: any `GraphEncoder`.
        frozen: whether the encoder is not trained with the decoder; by default where it is
            `SelfSupervised`. Such an encoder is trained first, by its own loss.

    A concrete model is a `NodeClassifier` or a `LinkPredictor`.
    """

    decoder: nn.Module

    def __init__(self, encoder: GraphEncoder, frozen: bool | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.frozen = isinstance(encoder, SelfSupervised) if frozen is None else frozen

    def codes(self, graph: Edges) -> Tensor:
        """Return the points of all nodes, as the decoder takes them."""
        given = graph.x, graph.edge_index, graph.edge_weight
        return self.encoder.embed(*given) if self.frozen else self.encoder(*given)

    def _fit(
        self,
        graph: Edges,
        loss: Callable[[Tensor], Tensor],
        score: Callable[[Tensor], float],
        recipe: Recipe,
    ) -> list[float]:
        """Train by `loss` of the codes, keep the parameters of the best `score`."""
        if isinstance(self.encoder, SelfSupervised) and recipe.pretraining is not None:
            options = {"seed": recipe.seed, "progress": recipe.progress, **recipe.pretraining}
            Pretraining(self.encoder, graph, **options).run()
        fixed = self.codes(graph) if self.frozen else None
        trained: nn.Module = self.decoder if self.frozen else self
        # A decoder shares the curvatures of a frozen encoder, which are not its own to move.
        kept = set(self.encoder.parameters()) if self.frozen else set()
        rates = recipe.lr, recipe.weight_decay, recipe.curvature_lr
        optimizer = optimizer_of(trained, *rates, kept)
        scores, best = [], {k: v.clone() for k, v in trained.state_dict().items()}
        bar = trange(recipe.epochs, disable=not recipe.progress, desc="fitting")
        for epoch in bar:
            with seeded(recipe.seed, epoch):
                trained.train()
                optimizer.zero_grad()
                value = loss(self.codes(graph) if fixed is None else fixed)
                value.backward()
                optimizer.step()
            trained.eval()
            with torch.no_grad():
                scores.append(score(self.codes(graph) if fixed is None else fixed))
            bar.set_postfix(loss=f"{float(value.detach()):.3f}", score=f"{scores[-1]:.3f}")
            if scores[-1] >= max(scores):
                best = {k: v.clone() for k, v in trained.state_dict().items()}
            if epoch - scores.index(max(scores)) >= recipe.patience:
                break
        trained.load_state_dict(best)
        return scores


class NodeClassifier(GraphModel):
    """A graph encoder and a softmax over classes of nodes.

    Args:
        encoder: any `GraphEncoder`.
        classes: C.
        head: of the `NodeDecoder`. A frozen encoder has a linear one, on codes that are brought to
            zero mean and unit variance in their normal coordinates.
        frozen: as in `GraphModel`.
    """

    def __init__(
        self,
        encoder: GraphEncoder,
        classes: int,
        *,
        head: Head = "softmax",
        frozen: bool | None = None,
    ) -> None:
        super().__init__(encoder, frozen)
        space = Euclidean(encoder.manifold.dim) if self.frozen else encoder.manifold
        self.decoder = NodeDecoder(space, classes, head)

    def codes(self, graph: Edges) -> Tensor:
        """Return the points of all nodes; of a frozen encoder, standardized coordinates."""
        codes = super().codes(graph)
        if not self.frozen:
            return codes
        with torch.no_grad():
            c = to_normal(self.encoder.manifold, codes)
            spread, mean = torch.std_mean(c, dim=0)
            return (c - mean) / torch.where(spread > 0, spread, 1)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Return logits (N, C)."""
        return self.decoder(self.codes(Edges(x, edge_index, edge_weight)))

    def fit(
        self,
        x: Tensor,
        edge_index: Tensor,
        y: Tensor,
        train: Tensor,
        validation: Tensor,
        recipe: Recipe | None = None,
        edge_weight: Tensor | None = None,
    ) -> list[float]:
        """Fit to the classes of some nodes; return the validation accuracy of every epoch.

        Args:
            x: features (N, F).
            edge_index: (2, E).
            y: classes (N,); only those of `train` and `validation` are looked at.
            train: mask (N,) or numbers of the nodes to learn from.
            validation: likewise, of those to choose the epoch by.
            recipe: how.
            edge_weight: (E,).
        """

        def loss(codes: Tensor) -> Tensor:
            return F.cross_entropy(self.decoder(codes[train]), y[train])

        def score(codes: Tensor) -> float:
            return _accuracy(self.decoder(codes[validation]), y[validation])

        return self._fit(Edges(x, edge_index, edge_weight), loss, score, recipe or Recipe())

    def evaluate(
        self,
        x: Tensor,
        edge_index: Tensor,
        y: Tensor,
        nodes: Tensor,
        edge_weight: Tensor | None = None,
    ) -> dict[str, float]:
        """Return the accuracy on some nodes."""
        self.eval()
        with torch.no_grad():
            return {"accuracy": _accuracy(self(x, edge_index, edge_weight)[nodes], y[nodes])}


class LinkPredictor(GraphModel):
    """A graph encoder and a Fermi-Dirac decoder of pairs of nodes.

    Args:
        encoder: any `GraphEncoder`.
        frozen: as in `GraphModel`; then the decoder has a linear map before.
        learnable: whether the decoder learns r and t; by default where the encoder is frozen. One
            that is trained scales its points itself.

    Dropout of features with weight decay can collapse the points: see that the loss falls.
    """

    decoder: FermiDiracDecoder

    def __init__(
        self, encoder: GraphEncoder, *, frozen: bool | None = None, learnable: bool | None = None
    ) -> None:
        super().__init__(encoder, frozen)
        learnable = self.frozen if learnable is None else learnable
        self.decoder = FermiDiracDecoder(encoder.manifold, learnable=learnable, mapped=self.frozen)

    def codes(self, graph: Edges) -> Tensor:
        """Return the points of all nodes; of a frozen encoder, at root mean square radius 1."""
        codes = super().codes(graph)
        if not self.frozen:
            return codes
        space = self.encoder.manifold
        with torch.no_grad():
            c = to_normal(space, codes)
            size = c.square().sum(-1).mean().sqrt()
            return from_normal(space, c / torch.where(size > 0, size, 1))

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        pairs: Tensor,
        edge_weight: Tensor | None = None,
    ) -> Tensor:
        """Return log-odds of pairs (P, 2): -> (P,)."""
        return self._odds(self.codes(Edges(x, edge_index, edge_weight)), pairs)

    def _odds(self, codes: Tensor, pairs: Tensor) -> Tensor:
        moved = self.decoder.moved(codes)
        return self.decoder(moved[pairs[:, 0]], moved[pairs[:, 1]])

    def fit(
        self,
        x: Tensor,
        edge_index: Tensor,
        positive: Tensor,
        validation: tuple[Tensor, Tensor],
        recipe: Recipe | None = None,
        edge_weight: Tensor | None = None,
    ) -> list[float]:
        """Fit to pairs that are edges; return the validation AUC of every epoch.

        Each epoch is told as many uniform pairs that are not in `positive` for what no edge is.

        Args:
            x: features (N, F).
            edge_index: (2, E), of training edges only.
            positive: (P, 2) training edges.
            validation: pairs (V, 2) that are edges, and pairs that are none.
            recipe: how.
            edge_weight: (E,).
        """
        known = torch.cat([positive, positive.flip(1)])
        taken = known[:, 0] * len(x) + known[:, 1]

        def loss(codes: Tensor) -> Tensor:
            drawn = torch.randint(len(x), positive.shape, device=positive.device)
            drawn = drawn[~torch.isin(drawn[:, 0] * len(x) + drawn[:, 1], taken)]
            odds = self._odds(codes, positive), self._odds(codes, drawn)
            return F.softplus(-odds[0]).mean() + F.softplus(odds[1]).mean()

        def score(codes: Tensor) -> float:
            return _auc(self._odds(codes, validation[0]), self._odds(codes, validation[1]))

        return self._fit(Edges(x, edge_index, edge_weight), loss, score, recipe or Recipe())

    def evaluate(
        self,
        x: Tensor,
        edge_index: Tensor,
        positive: Tensor,
        negative: Tensor,
        edge_weight: Tensor | None = None,
    ) -> dict[str, float]:
        """Return the area under the ROC curve of edges against pairs that are none."""
        self.eval()
        with torch.no_grad():
            codes = self.codes(Edges(x, edge_index, edge_weight))
            return {"auc": _auc(self._odds(codes, positive), self._odds(codes, negative))}


def _accuracy(logits: Tensor, y: Tensor) -> float:
    return float((logits.argmax(-1) == y).double().mean())


def _auc(positive: Tensor, negative: Tensor) -> float:
    scores = torch.cat([positive, negative]).double()
    labels = torch.cat([torch.ones_like(positive), torch.zeros_like(negative)])
    return roc_auc(labels.cpu().numpy(), scores.cpu().numpy())
