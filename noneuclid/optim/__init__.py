"""Optimizers: torch.optim on ordinary parameters, Riemannian steps on marked ones."""

from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim.adam import RiemannianAdam
from noneuclid.optim.averaging import RiemannianAveragedModel
from noneuclid.optim.sgd import RiemannianSGD

__all__ = ["RiemannianAdam", "RiemannianAveragedModel", "RiemannianOptimizer", "RiemannianSGD"]
