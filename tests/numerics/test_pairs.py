"""All squared distances: exact where rows nearly agree, 0 where they are equal."""

import pytest
import torch
from torch import Tensor

from noneuclid.numerics.pairs import (
    common_scale,
    direct_distances,
    direct_gradient,
    floor_of_squares,
    pair_factors,
    pair_squares,
)


def distances(x: Tensor, y: Tensor) -> Tensor:
    rows = torch.cat([x, y], dim=-2).double()
    scale = common_scale(rows)
    squares = pair_squares(*pair_factors(rows / scale, x.shape[-2]), x.shape[-1])
    return squares.sqrt() * scale


@pytest.mark.parametrize("dim", [1, 2, 16, 33, 128, 512])
@pytest.mark.parametrize("step", [1.0, 1e-3, 1e-6, 3e-8])
def test_near_rows_keep_their_digits(
    dim: int, step: float, generator: torch.Generator, dtype: torch.dtype
) -> None:
    """To 1e-7 (1e-5 for many coordinates) above 1e-8, where the plain expansion has no digits."""
    x = (torch.rand(1, 40, dim, generator=generator) * 2 - 1).to(dtype)
    x[:, 20:] *= 1e-4
    y = (x.double() + step * torch.randn(1, 40, dim, generator=generator) / dim**0.5).to(dtype)
    y[:, ::7] = x[:, ::7]
    truth = (x.double().unsqueeze(-2) - y.double().unsqueeze(-3)).square().sum(-1).sqrt()
    error = (distances(x, y) - truth).abs()
    apart = truth > 1e-8
    assert (error[apart] <= (1e-7 if dim <= 33 else 1e-5) * truth[apart]).all()
    assert (distances(x, y)[truth == 0] == 0).all()


@pytest.mark.parametrize("dim", [1, 3, 32, 300])
def test_equal_rows_have_no_distance(dim: int, generator: torch.Generator) -> None:
    """Also where every product has the same sign and rounding adds up."""
    x = torch.rand(1, 64, dim, generator=generator, dtype=torch.float64) * 0.2 + 0.8
    assert (distances(x, x).diagonal(dim1=-2, dim2=-1) == 0).all()
    assert floor_of_squares(dim) < 1e-18


def test_scale_is_a_power_of_two_and_ignores_what_is_not_finite() -> None:
    rows = torch.tensor([[[3.0, -5.0], [float("nan"), float("inf")]]], dtype=torch.float64)
    assert common_scale(rows).item() == 8.0
    assert common_scale(torch.zeros(1, 2, 2, dtype=torch.float64)).item() == 1.0
    table = distances(rows, rows)
    assert table[0, 0, 0] == 0
    assert table[0, 1].isnan().all()


def test_direct_distances_and_their_gradient(generator: torch.Generator) -> None:
    x = torch.randn(1, 5, 3, generator=generator, dtype=torch.float64)
    y = torch.cat([x[:, :1], x[:, 1:] + 1e-9], dim=1)
    difference = x.unsqueeze(-2) - y.unsqueeze(-3)
    table = direct_distances(x, y)
    torch.testing.assert_close(table, difference.square().sum(-1).sqrt(), rtol=1e-14, atol=0)
    g = torch.randn(1, 5, 5, generator=generator, dtype=torch.float64)
    unit = difference / torch.where(table > 0, table, 1).unsqueeze(-1)
    expected = (g.unsqueeze(-1) * unit).sum(-2)
    torch.testing.assert_close(direct_gradient(g, x, y, table), expected, rtol=1e-13, atol=1e-13)
