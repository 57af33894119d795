"""Optimizers: torch.optim on ordinary parameters, Riemannian steps on marked ones."""

from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim.adagrad import RiemannianAdagrad
from noneuclid.optim.adam import RiemannianAdam
from noneuclid.optim.adamw import RiemannianAdamW
from noneuclid.optim.averaging import RiemannianAveragedModel
from noneuclid.optim.lion import RiemannianLion
from noneuclid.optim.rmsprop import RiemannianRMSprop
from noneuclid.optim.sgd import RiemannianSGD

__all__ = [
    "RiemannianAdagrad",
    "RiemannianAdam",
    "RiemannianAdamW",
    "RiemannianAveragedModel",
    "RiemannianLion",
    "RiemannianOptimizer",
    "RiemannianRMSprop",
    "RiemannianSGD",
]
