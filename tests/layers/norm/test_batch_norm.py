"""Batch norms in training: their statistics, and what they make of a batch."""

import copy

import pytest
import torch
from torch import Tensor, nn

import noneuclid as ne
from noneuclid.layers import GyroBatchNorm, MidpointBatchNorm
from noneuclid.layers._normal import from_normal, to_normal

SIGNATURES = ("H3(-0.7)", "B3(-1.3)", "S3(0.8)", "K3(0.9)", "E3", "H2 x S2 x E1")
NORMS = (MidpointBatchNorm, GyroBatchNorm)
Norm = MidpointBatchNorm | GyroBatchNorm
every_norm = pytest.mark.parametrize("norm", NORMS)
every_signature = pytest.mark.parametrize("signature", SIGNATURES)


def cloud(m: ne.manifolds.HomogeneousManifold, *size: int) -> Tensor:
    """Return points about a point off the origin."""
    return from_normal(m, 0.4 + 0.5 * torch.randn(*size, m.dim, dtype=torch.float64))


def factors(m: ne.manifolds.HomogeneousManifold) -> list[ne.manifolds.HomogeneousManifold]:
    """Return the factors of a product, or the manifold itself."""
    return list(m.factors) if isinstance(m, ne.Product) else [m]


@every_norm
@every_signature
def test_a_batch_gets_mean_beta_and_spread_gamma(signature: str, norm: type[Norm]) -> None:
    """Its mean, of the norm's kind, is beta, and its rms distance from there is gamma."""
    m = ne.manifold(signature)
    layer = norm(m, eps=1e-12).double()
    beta = from_normal(m, torch.full((m.dim,), 0.3, dtype=torch.float64))
    with torch.no_grad():
        layer.weight.fill_(0.6)
        layer.bias.copy_(beta)
    y = layer(cloud(m, 9)).detach()
    # A Frechet mean stays one when all points come nearer to it in one proportion; a midpoint not.
    if norm is GyroBatchNorm:
        torch.testing.assert_close(m.frechet_mean(y), beta)
    split = m.split if isinstance(m, ne.Product) else lambda x: (x,)
    for f, part, place in zip(factors(m), split(y), split(beta), strict=True):
        spread = f.dist2(place, part).mean().sqrt()
        torch.testing.assert_close(float(spread), 0.6, rtol=1e-6, atol=0)


@every_norm
@every_signature
def test_running_mean_is_the_mean_of_batches_seen_once(signature: str, norm: type[Norm]) -> None:
    """With momentum 1 the running mean is the batch's; with 1/2 halfway there on a geodesic."""
    m = ne.manifold(signature)
    batches = [cloud(m, 9) for _ in range(2)]
    for momentum in (1.0, 0.5):
        layer = norm(m, momentum=momentum).double()
        expected = m.origin(dtype=torch.float64)
        for x in batches:  # from the origin, then from a point where lines are no geodesics
            layer(x)
            mean = m.midpoint(x) if norm is MidpointBatchNorm else m.frechet_mean(x)
            expected = m.geodesic(expected, mean, momentum)
            found = from_normal(m, layer.running_mean)
            torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)


@every_signature
def test_without_momentum_statistics_are_of_all_batches(signature: str) -> None:
    """`momentum=None`: the variance is the mean of the batches'; the first counts in full."""
    m = ne.manifold(signature)
    batches = [cloud(m, 5) for _ in range(3)]
    layer = MidpointBatchNorm(m, momentum=None).double()
    alone = []
    for x in batches:
        layer(x)
        one = MidpointBatchNorm(m, momentum=1.0).double()
        one(x)
        alone.append(one.running_var)
    torch.testing.assert_close(layer.running_var, torch.stack(alone).mean(0))
    assert int(layer.num_batches_tracked) == 3


@every_norm
def test_evaluation_ignores_the_batch_and_changes_nothing(norm: type[Norm]) -> None:
    """A row's output is that of the row by itself, and no statistic moves."""
    m = ne.manifold("H2 x S2 x E1")
    layer = norm(m).double()
    layer(cloud(m, 9))
    layer.eval()
    state = copy.deepcopy(layer.state_dict())
    x = cloud(m, 5)
    torch.testing.assert_close(layer(x)[:1], layer(x[:1]))
    for name, value in layer.state_dict().items():
        assert torch.equal(value, state[name]), name


@every_norm
def test_statistics_are_of_real_points(norm: type[Norm]) -> None:
    """Padding leaves output and statistics as they are without it."""
    m = ne.manifold("H2 x S2 x E1")
    x = cloud(m, 4, 3)
    mask = torch.tensor(
        [[True, True, True], [True, False, True], [False] * 3, [True, False, False]]
    )
    padded, bare = norm(m).double(), norm(m).double()
    y = padded(torch.where(mask[..., None], x, float("nan")), mask=mask)
    expected = bare(x[mask])
    torch.testing.assert_close(y[mask], expected)
    torch.testing.assert_close(padded.running_mean, bare.running_mean)
    torch.testing.assert_close(padded.running_var, bare.running_var)


@every_norm
@every_signature
@pytest.mark.parametrize("spread", ["rms", "mean"])
def test_one_point_and_none(signature: str, norm: type[Norm], spread: str) -> None:
    """A batch of one point goes to beta; one without points leaves the statistics alone."""
    m = ne.manifold(signature)
    layer = norm(m, spread=spread).double()
    leaf = cloud(m, 1).requires_grad_()
    y = layer(leaf)
    torch.testing.assert_close(y[0], m.origin(dtype=y.dtype), rtol=0, atol=1e-6)
    y.sum().backward()
    assert bool(leaf.grad.isfinite().all())
    state = copy.deepcopy(layer.state_dict())
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    assert bool(layer(cloud(m, 2, 3), mask=nothing).isfinite().all())
    for name, value in layer.state_dict().items():
        assert torch.equal(value, state[name]), name


@every_norm
def test_on_a_line_it_is_batch_norm_of_torch(norm: type[Norm]) -> None:
    """On R^1, output, gradient and statistics are those of torch.nn.BatchNorm1d, in both modes."""
    layer, twin = norm(ne.Euclidean(1)).double(), nn.BatchNorm1d(1).double()
    with torch.no_grad():
        for parameters in (layer.parameters(), twin.parameters()):
            for value, parameter in zip((0.7, 0.2), parameters, strict=True):
                parameter.fill_(value)
    for _ in range(3):
        x = 1 + 2 * torch.randn(8, 1, dtype=torch.float64, requires_grad=True)
        y, expected = layer(x), twin(x)
        torch.testing.assert_close(y, expected)
        weight = torch.randn_like(y)
        grads = [torch.autograd.grad((weight * out).sum(), x)[0] for out in (y, expected)]
        torch.testing.assert_close(*grads)
    torch.testing.assert_close(layer.running_mean, twin.running_mean)
    torch.testing.assert_close(layer.running_var, twin.running_var)
    torch.testing.assert_close(layer.eval()(x), twin.eval()(x))


@every_norm
def test_flat_limit_in_training(norm: type[Norm]) -> None:
    """At K = 0: bias + weight (x - mean) / sqrt(mean |x - mean|^2 + eps)."""
    m = ne.manifold("K4(0)")
    layer = norm(m).double()
    c = torch.randn(7, 4, dtype=torch.float64)
    centred = c - c.mean(0)
    expected = centred / (centred.square().sum(-1).mean() + layer.eps).sqrt()
    torch.testing.assert_close(to_normal(m, layer(from_normal(m, c))), expected)


def test_untracked_statistics_are_of_the_batch_in_both_modes() -> None:
    """Without running statistics evaluation uses its batch, as in torch."""
    m = ne.manifold("H3")
    layer = MidpointBatchNorm(m, track_running_stats=False).double()
    x = cloud(m, 6)
    torch.testing.assert_close(layer.eval()(x), layer.train()(x))
    assert set(layer.state_dict()) == {"weight", "bias"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"eps": 0.0}, "eps > 0"),
        ({"momentum": 1.5}, "from 0 to 1"),
        ({"spread": "median"}, "'rms' or 'mean'"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    """They are refused with a message that says what to give."""
    with pytest.raises(ValueError, match=message):
        MidpointBatchNorm(ne.Lorentz(3), **arguments)
    with pytest.raises(ValueError, match="mask must be"):
        MidpointBatchNorm(ne.Lorentz(3))(ne.Lorentz(3).random(2, 3), mask=torch.ones(2, 3))
