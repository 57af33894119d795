"""Points at the distances of a graph: least distortion, with learned curvatures."""

import torch
from torch import Tensor

from noneuclid.manifolds import HomogeneousManifold
from noneuclid.metrics import embedding_distortion, reconstruction
from noneuclid.models.embeddings._embedding import GraphEmbedding, cosine
from noneuclid.numerics import safe_divide
from noneuclid.optim import RiemannianAdam, groups


class DistanceEmbedding(GraphEmbedding[Tensor]):
    """Points on any manifold whose distances are those of a graph.

    loss = mean over pairs of |(d_M / d)^2 - 1|, over pairs with a path. A step takes some rows of
    the table of distances against all nodes; both learning rates fall to 0 along a cosine.

    Args:
        nodes: n.
        manifold: where the points live, a product as a rule: "H2* x H2* x E2" learns two
            curvatures. Its scale is that of the distances: curvatures start best near
            -(10 / diameter)^2 and (pi / diameter)^2, see `scaled_signature`.
        rows: of a step.
        lr: of the points, as a share of the mean distance.
        curvature_lr: of learnable curvatures. Trees want K ever larger; float64 holds points up to
            some 250 |K|^-1/2 from the origin, and a run that drives K beyond that diverges.
        seed: of the first points and all draws.
        start: points to start from instead, (n, S).
        dtype: of the points; float64, as tables of large diameter reach far out.
        device: likewise.

    `fit` takes distances (n, n), inf where there is no path. Metrics: average and worst distortion,
    and the mean average precision of the edges, the pairs at the least distance 1.

    Source: [gu2019learning] section 3.1.
    """

    def __init__(  # noqa: PLR0913 - the options of a training run
        self,
        nodes: int,
        manifold: HomogeneousManifold,
        *,
        rows: int = 256,
        lr: float = 0.05,
        curvature_lr: float = 0.002,
        seed: int = 0,
        start: Tensor | None = None,
        dtype: torch.dtype | None = torch.float64,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__(
            nodes, manifold, seed=seed, law="normal", start=start, dtype=dtype, device=device
        )
        if rows < 1 or not lr > 0:
            raise ValueError(f"rows must be at least 1 and lr positive, got {rows}, {lr}")
        self.rows, self.lr, self.curvature_lr = rows, lr, curvature_lr
        self._unit = 1.0  # the mean distance, once it is known
        self.optimizer = RiemannianAdam(groups(self, curvature_lr=curvature_lr), lr=lr)

    def _task(self, graph: Tensor) -> Tensor:
        nodes = self.table.num_embeddings
        if graph.shape != (nodes, nodes) or not graph.is_floating_point():
            raise ValueError(
                f"distances must be floating point ({nodes}, {nodes}), got {graph.dtype}"
                f" {tuple(graph.shape)}"
            )
        counts = (graph > 0) & graph.isfinite()
        self._unit = float(safe_divide(torch.where(counts, graph, 0).sum(), counts.sum()))
        return graph.to(self.points)

    def _schedule(self, epochs: int) -> None:
        share = cosine(self.epoch, epochs)
        self._set_rates(share * self.lr * self._unit, share * self.curvature_lr)

    def _epoch(self, task: Tensor) -> float:
        total = torch.zeros((), dtype=task.dtype, device=task.device)
        order = torch.randperm(len(task), generator=self.generator).to(task.device)
        for chosen in order.split(self.rows):
            loss = self._loss(chosen, task[chosen])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(chosen)
        return float(total / len(task))

    def _loss(self, index: Tensor, distances: Tensor) -> Tensor:
        counts = (distances > 0) & distances.isfinite()
        embedded = self.manifold.cdist(self.table.weight[index], self.table.weight)
        ratio = embedded / torch.where(counts, distances, 1)
        excess = torch.where(counts, (ratio * ratio - 1).abs(), 0)
        return safe_divide(excess.sum(), counts.sum())

    def _metrics(self, task: Tensor) -> dict[str, float]:
        found = embedding_distortion(self.manifold, self.points, task)
        edges = torch.nonzero(torch.triu(task == 1))
        precision = reconstruction(self.manifold, self.points, edges).mean_average_precision
        return {
            "average_distortion": float(found.average),
            "worst_distortion": float(found.worst),
            "mean_average_precision": float(precision),
        }
