"""Points whose nearest are the neighbours of a graph: Poincare embeddings, on any manifold."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold
from noneuclid.metrics import reconstruction
from noneuclid.models.embeddings._embedding import GraphEmbedding, checked_pairs, cosine
from noneuclid.models.embeddings._negatives import Negatives
from noneuclid.optim import RiemannianSGD, groups

_BURNING = 0.1  # share of the learning rate while points find their directions


class _Pairs(NamedTuple):
    edges: Tensor
    pairs: Tensor  # the same, both ways unless directed
    negatives: Negatives


class NeighborhoodEmbedding(GraphEmbedding[_Pairs]):
    """Points on any manifold such that each node is nearer to its neighbours than to others.

    With a neighbour v of u and nodes v' drawn at random, none of them neighbours,

        loss = -log [e^(-d(u,v)) / (e^(-d(u,v)) + sum over v' of e^(-d(u,v'))].

    On PoincareBall these are Poincare embeddings, on Lorentz Lorentz embeddings; products and
    spheres work alike. Points start next to the origin and take Riemannian gradient steps, a tenth
    as long in the first epochs, in which their directions settle.

    Args:
        nodes: n.
        manifold: where the points live.
        directed: whether an edge (u, v) makes v a neighbour of u alone, as in a transitive closure.
        negatives: nodes drawn for each edge.
        batch: edges of a step.
        lr: of one edge: losses are summed over a batch, so that a larger batch is only faster. It
            falls to 0 along a cosine.
        burn_in: epochs of a tenth of it, before that.
        curvature_lr: of learnable curvatures.
        seed: of the first points and all draws.
        start: points to start from instead, (n, S).
        dtype: of the points.
        device: likewise.

    `fit` takes edges (E, 2), each once. Metrics: mean_average_precision and mean_rank of
    `noneuclid.metrics.reconstruction`.

    Source: [nickel2017poincare], [nickel2018learning].
    """

    def __init__(  # noqa: PLR0913 - the options of a training run
        self,
        nodes: int,
        manifold: HomogeneousManifold,
        *,
        directed: bool = False,
        negatives: int = 50,
        batch: int = 64,
        lr: float = 0.3,
        burn_in: int = 20,
        curvature_lr: float = 1e-3,
        seed: int = 0,
        start: Tensor | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(
            nodes, manifold, seed=seed, sparse=True, start=start, dtype=dtype, device=device
        )
        if min(negatives, batch) < 1 or burn_in < 0 or not lr > 0:
            raise ValueError(
                "negatives and batch must be at least 1, burn_in at least 0 and lr positive, got"
                f" {negatives}, {batch}, {burn_in}, {lr}"
            )
        self.directed, self.negatives, self.batch = directed, negatives, batch
        self.lr, self.burn_in, self.curvature_lr = lr, burn_in, curvature_lr
        self.optimizer = RiemannianSGD(groups(self, curvature_lr=curvature_lr), lr=lr)

    def _task(self, graph: Tensor) -> _Pairs:
        nodes = self.table.num_embeddings
        edges = checked_pairs(graph.cpu(), nodes)
        pairs = edges if self.directed else torch.cat((edges, edges.flip(-1)))
        return _Pairs(edges, pairs, Negatives(pairs, nodes))

    def _schedule(self, epochs: int) -> None:
        burns = self.epoch < self.burn_in
        share = _BURNING if burns else cosine(self.epoch - self.burn_in, epochs - self.burn_in)
        self._set_rates(share * self.lr, share * self.curvature_lr)

    def _epoch(self, task: _Pairs) -> float:
        total = torch.zeros((), dtype=torch.float64, device=self.points.device)
        order = torch.randperm(len(task.pairs), generator=self.generator)
        for chosen in order.split(self.batch):
            u, v = task.pairs[chosen].unbind(-1)
            others, unrelated = task.negatives.draw(u, self.negatives, self.generator)
            index = torch.cat((u[:, None], v[:, None], others), dim=-1).to(self.points.device)
            loss = self._loss(index, unrelated.to(self.points.device))
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        return float(total / len(order))

    def _loss(self, index: Tensor, unrelated: Tensor) -> Tensor:
        """Return the summed loss of rows u, v, v'...: (B, 2 + negatives), (B, negatives)."""
        x = self.table(index)
        logits = -self.manifold.dist(x[:, :1], x[:, 1:])
        drawn = torch.where(unrelated, logits[:, 1:], -torch.inf)
        logits = torch.cat((logits[:, :1], drawn), dim=-1)
        return F.cross_entropy(logits, torch.zeros_like(index[:, 0]), reduction="sum")

    def _metrics(self, task: _Pairs) -> dict[str, float]:
        found = reconstruction(self.manifold, self.points, task.edges, directed=self.directed)
        return {name: float(value) for name, value in found._asdict().items()}
