"""Pair features against their definition, and the bias made of them."""

import copy
import math

import pytest
import torch
from torch import Tensor

from noneuclid.models.particles import PairEmbedding, pair_features


def momenta(*size: int, mass: float = 0.14, spread: float = 0.4) -> Tensor:
    """Return particles of a jet at azimuth pi, where differences wrap, in float64."""
    pt = 1 + 100 * torch.rand(*size, dtype=torch.float64)
    rapidity = spread * torch.randn(*size, dtype=torch.float64)
    phi = math.pi + spread * torch.randn(*size, dtype=torch.float64)
    transverse = (pt * pt + mass * mass).sqrt()
    parts = (
        pt * phi.cos(),
        pt * phi.sin(),
        transverse * rapidity.sinh(),
        transverse * rapidity.cosh(),
    )
    return torch.stack(parts, dim=-1)


def by_definition(a: Tensor, b: Tensor) -> list[float]:
    """ln kT, ln z, ln Delta, ln m^2 of two particles."""
    pt = [math.hypot(p[0], p[1]) for p in (a, b)]
    y = [0.5 * math.log((p[3] + p[2]) / (p[3] - p[2])) for p in (a, b)]
    phi = [math.atan2(p[1], p[0]) for p in (a, b)]
    wrapped = math.acos(math.cos(phi[0] - phi[1]))
    delta = math.hypot(y[0] - y[1], wrapped)
    mass2 = (a[3] + b[3]) ** 2 - sum((a[i] + b[i]) ** 2 for i in range(3))
    values = (min(pt) * delta, min(pt) / sum(pt), delta, mass2)
    return [math.log(max(float(value), 1e-8)) for value in values]


def test_definition() -> None:
    """Every pair of three jets, in float64."""
    p = momenta(3, 5)
    first, second = torch.triu_indices(5, 5, offset=1)
    found = pair_features(p, first, second)
    for jet in range(3):
        for k, (i, j) in enumerate(zip(first, second, strict=True)):
            expected = torch.tensor(by_definition(p[jet, i], p[jet, j]), dtype=torch.float64)
            torch.testing.assert_close(found[jet, k], expected, atol=1e-9, rtol=1e-9)


def test_collinear_particles_in_single_precision() -> None:
    """The mass of two massless particles of 500 GeV, 0.01 apart, keeps its digits in float32."""
    parts = [(500 * math.cos(t), 500 * math.sin(t), 0.0, 500.0) for t in (0.0, 0.01)]
    exact = 2 * 500**2 * (1 - math.cos(0.01))
    p = torch.tensor([parts])
    features = pair_features(p, torch.tensor([0]), torch.tensor([1]))
    # float32 stores E and p of the second particle with a mass^2 of up to 0.05 GeV^2
    assert abs(features[0, 0, 3].exp().item() / exact - 1) < 5e-3


def test_floors_without_particles() -> None:
    """Padding and a particle with itself give the floor where nothing else is, never NaN."""
    p = torch.cat([momenta(2, 2, mass=0.0), torch.zeros(2, 1, 4, dtype=torch.float64)], dim=1)
    first, second = torch.triu_indices(3, 3)
    features = pair_features(p, first, second)
    assert torch.isfinite(features).all()
    floor = math.log(1e-8)
    assert features[:, -1].eq(floor).all()  # padding with itself
    assert features[:, 0, [0, 2]].eq(floor).all()  # kT and Delta of a particle with itself


def test_bias_is_symmetric_and_blind_to_padding() -> None:
    """Pairs in the order of the matrix; NaN in padding and more padding change nothing."""
    p = momenta(4, 6).float()
    mask = torch.arange(6) < torch.tensor([6, 3, 1, 0])[:, None]
    embedding = PairEmbedding(3, (8, 8))
    bias = embedding(p, mask)
    assert bias.shape == (4, 3, 6, 6)
    torch.testing.assert_close(bias, bias.mT)
    real = (mask[:, None] & mask[:, :, None])[:, None].expand_as(bias)
    filled = torch.where(mask[..., None], p, float("nan"))
    again = PairEmbedding(3, (8, 8))
    again.load_state_dict(embedding.state_dict())
    torch.testing.assert_close(again(filled, mask)[real], bias[real], atol=1e-5, rtol=1e-5)
    assert torch.isfinite(again(filled, mask)).all()
    embedding.eval()
    bias = embedding(p, mask)
    wide = torch.cat([p, torch.ones(4, 2, 4)], dim=1)
    more = torch.cat([mask, torch.zeros(4, 2, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(embedding(wide, more)[..., :6, :6][real], bias[real])
    order = torch.tensor([2, 0, 1, 4, 3, 5])
    turned = embedding(p[:1, order], mask[:1])
    torch.testing.assert_close(turned, bias[:1][:, :, order][:, :, :, order])


@pytest.mark.parametrize("pairs", [(1, 4), (4, 1), (3, 3)])
def test_places(pairs: tuple[int, int]) -> None:
    """Entry (i, j) of the bias is what the network makes of the features of particles i and j."""
    p = momenta(2, 6).float()
    embedding = PairEmbedding(3, (8,)).eval()
    i, j = (torch.tensor([index]) for index in pairs)
    x = pair_features(p, i, j)
    x = embedding.maps[1](
        torch.nn.functional.gelu(embedding.norms[1](embedding.maps[0](embedding.norms[0](x))))
    )
    torch.testing.assert_close(embedding(p)[:, :, pairs[0], pairs[1]], x[:, 0])


def test_statistics_are_those_of_real_pairs() -> None:
    """In training, padding changes neither the bias nor what the norms remember."""
    p = momenta(3, 4).float()
    bare = PairEmbedding(2, (5,))
    padded = copy.deepcopy(bare)
    more = torch.cat([p, torch.full((3, 2, 4), float("nan"))], dim=1)
    mask = torch.arange(6).expand(3, 6) < 4
    torch.testing.assert_close(padded(more, mask)[..., :4, :4], bare(p))
    torch.testing.assert_close(padded.state_dict(), bare.state_dict())
    assert bare.norms[0].running_mean.abs().min() > 0
