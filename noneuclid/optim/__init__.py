"""Optimizers: torch.optim on ordinary parameters, Riemannian steps on marked ones."""

from noneuclid.optim._base import RiemannianOptimizer
from noneuclid.optim.adagrad import RiemannianAdagrad
from noneuclid.optim.adam import RiemannianAdam
from noneuclid.optim.adamw import RiemannianAdamW
from noneuclid.optim.averaging import RiemannianAveragedModel, geodesic_avg_fn
from noneuclid.optim.clipping import clip_riemannian_grad_norm_, riemannian_grad_norm
from noneuclid.optim.conjugate_gradient import RiemannianConjugateGradient
from noneuclid.optim.groups import groups
from noneuclid.optim.induced import InducedMetric
from noneuclid.optim.lbfgs import RiemannianLBFGS
from noneuclid.optim.lion import RiemannianLion
from noneuclid.optim.muon import RiemannianMuon
from noneuclid.optim.rmsprop import RiemannianRMSprop
from noneuclid.optim.sgd import RiemannianSGD
from noneuclid.optim.trust_region import RiemannianTrustRegion

__all__ = [
    "InducedMetric",
    "RiemannianAdagrad",
    "RiemannianAdam",
    "RiemannianAdamW",
    "RiemannianAveragedModel",
    "RiemannianConjugateGradient",
    "RiemannianLBFGS",
    "RiemannianLion",
    "RiemannianMuon",
    "RiemannianOptimizer",
    "RiemannianRMSprop",
    "RiemannianSGD",
    "RiemannianTrustRegion",
    "clip_riemannian_grad_norm_",
    "geodesic_avg_fn",
    "groups",
    "riemannian_grad_norm",
]
