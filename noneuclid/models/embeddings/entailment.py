"""Points of which general ones entail special ones, by cones."""

from typing import NamedTuple

import torch
from torch import Tensor

from noneuclid.losses import EntailmentLoss
from noneuclid.manifolds import HomogeneousManifold
from noneuclid.metrics import roc_auc
from noneuclid.models.embeddings._embedding import GraphEmbedding, checked_pairs
from noneuclid.models.embeddings._negatives import Negatives
from noneuclid.optim import RiemannianAdam

_MEASURED = 10  # pairs that do not entail, for each that does


class _Relation(NamedTuple):
    pairs: Tensor
    negatives: Negatives


class EntailmentEmbedding(GraphEmbedding[_Relation]):
    """Points in hyperbolic space such that v lies in the cone of u where u entails v.

    The loss is that of `noneuclid.losses.EntailmentLoss`: how far v is outside the cone of u, and
    for random pairs how far they are short of a margin outside.

    Args:
        nodes: n.
        manifold: hyperbolic, see `noneuclid.losses.EntailmentCone`.
        min_radius: of the cones.
        margin: angle by which pairs that do not entail stay outside, in radians.
        negatives: of these, for each pair: half with another end, half with another start.
        batch: pairs of a step.
        lr: of RiemannianAdam.
        scale: of the first points, normal about the origin, in units of |K|^-1/2; cones open to
            half-spaces there, which leaves room to move.
        seed: of the first points and all draws.
        dtype: of the points.
        device: likewise.

    `fit` takes pairs (u, v) of a transitive relation, (E, 2), each once. Metrics: `accuracy`, the
    share of right answers to "is v in the cone of u?", of the pairs and of ten times as many
    random ones, both with half the weight; `roc_auc` of the same pairs by the energy of the cone.

    Source: [ganea2018entailment].
    """

    def __init__(  # noqa: PLR0913 - the options of a training run
        self,
        nodes: int,
        manifold: HomogeneousManifold,
        *,
        min_radius: float = 0.1,
        margin: float = 0.1,
        negatives: int = 10,
        batch: int = 64,
        lr: float = 0.03,
        scale: float = 0.5,
        seed: int = 0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(
            nodes, manifold, seed=seed, sparse=True, law="normal", scale=scale, dtype=dtype,
            device=device,
        )  # fmt: skip
        if negatives < 2 or batch < 1 or not lr > 0:
            raise ValueError(
                "negatives must be at least 2, batch at least 1 and lr positive, got"
                f" {negatives}, {batch}, {lr}"
            )
        self.loss = EntailmentLoss(manifold, min_radius, margin=margin, reduction="sum")
        self.negatives, self.batch, self.lr = negatives, batch, lr
        self.optimizer = RiemannianAdam(self.parameters(), lr=lr)

    def energy(self, u: Tensor, v: Tensor) -> Tensor:
        """Return how far v is outside the cone of u, at most 0 inside: (*) nodes -> (*,)."""
        with torch.no_grad():
            return self.loss.cone(self.points[u], self.points[v])

    def _task(self, graph: Tensor) -> _Relation:
        nodes = self.table.num_embeddings
        pairs = checked_pairs(graph.cpu(), nodes)
        return _Relation(pairs, Negatives(pairs, nodes))

    def _schedule(self, epochs: int) -> None:
        pass

    def _epoch(self, task: _Relation) -> float:
        total = torch.zeros((), dtype=torch.float64, device=self.points.device)
        order = torch.randperm(len(task.pairs), generator=self.generator)
        for chosen in order.split(self.batch):
            pairs = task.pairs[chosen]
            index = torch.cat((pairs, self._unrelated(task, pairs))).to(self.points.device)
            entails = torch.arange(len(index), device=index.device) < len(pairs)
            x = self.table(index)
            loss = self.loss(x[:, 0], x[:, 1], entails) / len(pairs)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(pairs)
        return float(total / len(order))

    def _unrelated(self, task: _Relation, pairs: Tensor) -> Tensor:
        """Return pairs that do not entail: those of `pairs` with one node drawn anew, (m, 2)."""
        count = self.negatives // 2
        u, v = (side.repeat_interleave(count) for side in pairs.unbind(-1))
        drawn = torch.randint(self.table.num_embeddings, (2, len(u)), generator=self.generator)
        found = torch.cat((torch.stack((u, drawn[0]), -1), torch.stack((drawn[1], v), -1)))
        return found[~task.negatives.related(found[:, 0], found[:, 1])]

    def _metrics(self, task: _Relation) -> dict[str, float]:
        generator = torch.Generator().manual_seed(0)  # the same pairs for every measurement
        nodes = self.table.num_embeddings
        drawn = torch.randint(nodes, (_MEASURED * len(task.pairs), 2), generator=generator)
        drawn = drawn[~task.negatives.related(drawn[:, 0], drawn[:, 1])]
        inside, outside = (
            self.energy(*p.to(self.points.device).unbind(-1)) for p in (task.pairs, drawn)
        )
        right = (inside <= 0).double().mean() + (outside > 0).double().mean()
        energies = torch.cat((inside, outside))
        labels = torch.arange(len(energies)) < len(inside)
        return {"accuracy": float(right / 2), "roc_auc": roc_auc(labels.double(), -energies)}
