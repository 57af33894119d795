"""Averaged models: points move along geodesics, all else is torch's own average."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn

import noneuclid as ne
from noneuclid.optim import RiemannianAveragedModel, geodesic_avg_fn

SIGNATURES = ["E3", "H3", "H3(-0.5)*", "B3(-2)*", "S3(3)", "P2(0.7)*", "K2(0)*", "S2* x B2 x E2"]


class Holder(nn.Module):
    def __init__(self, manifold, points):
        super().__init__()
        self.manifold = manifold
        self.points = ne.ManifoldParameter(points, manifold)
        self.plain = nn.Parameter(torch.randn(3, dtype=points.dtype))


@pytest.fixture(params=SIGNATURES)
def manifold(request):
    return ne.manifold(request.param).double()


@pytest.fixture
def models(manifold, generator):
    """Return three models, their points in turn on one geodesic at t = 0, 1 and 0.4."""
    x = manifold.random(5, generator=generator, dtype=torch.float64)
    u = manifold.random_tangent(x, generator=generator)
    with torch.no_grad():
        return [Holder(manifold, manifold.expmap(x, 0.3 * t * u)) for t in (0.0, 1.0, 0.4)]


def on_geodesic(models, t):
    first, second, _ = models
    return first.manifold.geodesic(first.points, second.points, t)


def assert_close(actual, expected):
    torch.testing.assert_close(actual.detach(), expected.detach(), rtol=1e-9, atol=1e-12)


def test_equal_average(models):
    """The mean of t = 0, 1, 0.4 on a geodesic is its point at their mean."""
    average = RiemannianAveragedModel(models[0])
    for model, mean in zip(models, (0.0, 0.5, 1.4 / 3), strict=True):
        average.update_parameters(model)
        found = average.module.points
        assert ne.manifold_of(found) is not None
        assert bool(ne.manifold_of(found).check_point(found).all())
        assert_close(found, on_geodesic(models, mean))


@pytest.mark.parametrize(
    "kind", [{"avg_fn": get_ema_avg_fn(0.9)}, {"multi_avg_fn": get_ema_multi_avg_fn(0.9)}]
)
def test_exponential_average(models, kind):
    average = RiemannianAveragedModel(models[0], **kind)
    for model, mean in zip(models, (0.0, 0.1, 0.13), strict=True):
        average.update_parameters(model)
        assert_close(average.module.points, on_geodesic(models, mean))


@pytest.mark.parametrize("ema", [False, True])
def test_all_else_is_torchs(models, ema):
    kind = {"multi_avg_fn": get_ema_multi_avg_fn(0.9)} if ema else {}
    average, twin = (cls(models[0], **kind) for cls in (RiemannianAveragedModel, AveragedModel))
    for model in models:
        average.update_parameters(model)
        twin.update_parameters(model)
    flat = isinstance(models[0].manifold, ne.Euclidean)
    for (name, found), expected in zip(average.named_parameters(), twin.parameters(), strict=True):
        if name != "module.points" or flat:
            assert torch.equal(found, expected), name
    assert int(average.n_averaged) == int(twin.n_averaged) == 3


@pytest.mark.parametrize("ema", [False, True])
def test_first_value_is_copied(models, ema):
    kind = {"multi_avg_fn": get_ema_multi_avg_fn(0.9)} if ema else {}
    average = RiemannianAveragedModel(models[0], **kind)
    average.update_parameters(models[1])
    assert_close(average.module.points, models[1].points)
    assert average.module.points.data_ptr() != models[1].points.data_ptr()


def test_model_and_gradients_are_left_alone(models):
    kept = models[1].points.detach().clone()
    average = RiemannianAveragedModel(models[0])
    for model in models:
        average.update_parameters(model)
    assert torch.equal(models[1].points, kept)
    assert average.module.points.requires_grad
    assert average.module.points.grad_fn is None


def test_curvature_of_the_average(generator):
    """A learnable curvature is averaged as torch does; points are on the average's manifold."""
    models = []
    for curvature in (-1.0, -2.0):
        ball = ne.PoincareBall(3, curvature, learnable=True).double()
        models.append(Holder(ball, 0.99 / abs(curvature) ** 0.5 * torch.eye(3).double()))
    average = RiemannianAveragedModel(models[0])
    for model in models:
        average.update_parameters(model)
    raws = torch.stack([model.manifold.curvature.raw for model in models])
    assert_close(average.module.manifold.curvature.raw, raws.mean(0))
    assert ne.manifold_of(average.module.points) is average.module.manifold
    assert bool(average.module.manifold.check_point(average.module.points).all())


@pytest.mark.parametrize("decay", [None, 0.7])
def test_torchs_own_class_averages_along_geodesics(decay: float | None) -> None:
    model = nn.Module()
    model.manifold = M = ne.Product(ne.Sphere(2), ne.Lorentz(2), ne.Euclidean(2))
    model.x = ne.ManifoldParameter(M.random(3, dtype=torch.float64), M)
    model.head = nn.Linear(2, 2)
    function = None if decay is None else get_ema_multi_avg_fn(decay)
    expected = RiemannianAveragedModel(model, multi_avg_fn=function)
    averaged = AveragedModel(model, multi_avg_fn=geodesic_avg_fn(model, decay))
    for _ in range(4):
        with torch.no_grad():
            model.x.copy_(M.random(3, dtype=torch.float64))
            model.head.weight.normal_()
        expected.update_parameters(model)
        averaged.update_parameters(model)
    torch.testing.assert_close(averaged.module.x.detach(), expected.module.x.detach())
    assert M.check_point(averaged.module.x.detach()).all()
    torch.testing.assert_close(averaged.module.head.weight, expected.module.head.weight)
    with pytest.raises(RuntimeError, match="built for another model"):
        averaged.update_parameters(copy.deepcopy(model))
