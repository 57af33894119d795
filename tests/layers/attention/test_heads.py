"""Heads: what the two splits keep."""

import pytest
import torch
from layer_cases.case import coordinates, points

import noneuclid as ne
from noneuclid.layers._beta import beta_ratio
from noneuclid.layers.attention._heads import Heads

SIGNATURES = ["E6", "H6(-0.7)", "B6", "S6(0.5)", "P6", "K6(0)", "K6(-0.6)", "K6(0.4)"]


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("split", ["beta", "lorentz"])
def test_merge_undoes_cut(signature: str, split: str) -> None:
    """A point is its heads put together again."""
    heads = Heads(ne.manifold(signature), 3, split)
    c = torch.randn(2, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(heads.merge(heads.cut(c, 1)[0]), c)


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("split", ["beta", "lorentz"])
def test_a_head_is_isometric_on_its_own_subspace(signature: str, split: str) -> None:
    """Points whose other heads are at the origin keep their distances, in the unit of the head.

    They are the totally geodesic subspace exp_o(R^d). Under the beta split it is one of curvature
    bend K, an isometry where K = 0 only; a length from the origin is kept by both.
    """
    m = ne.manifold(signature)
    heads = Heads(m, 3, split)
    c = torch.zeros(2, 6, dtype=torch.float64)
    c[:, 2:4] = torch.randn(2, 2, dtype=torch.float64)
    part = heads.cut(c[None], 1)[0][0, 1]
    torch.testing.assert_close(part.norm(dim=-1), c.norm(dim=-1))
    if split == "lorentz":
        small = m.like(2)
        a, b = (points(small, row) for row in part)
        x, y = (points(m, row) for row in c)
        torch.testing.assert_close(small.dist(a, b), m.dist(x, y))


def test_lorentz_split_cuts_the_space_part() -> None:
    """A head on the hyperboloid has the space part of the whole in its columns."""
    m = ne.Lorentz(6, -0.7)
    c = torch.randn(3, 6, dtype=torch.float64)
    part = Heads(m, 3, "lorentz").cut(c[None], 1)[0][0]
    space = torch.cat([points(m.like(2), head)[:, 1:] for head in part], dim=-1)
    torch.testing.assert_close(space, points(m, c)[:, 1:])


@pytest.mark.parametrize("signature", ["E6", "H6(-0.7)", "S6(0.5)"])
def test_beta_keeps_the_expected_size(signature: str) -> None:
    """Scaled by the unit, a head is the beta split of the literature: log_o, scale, cut."""
    m = ne.manifold(signature)
    heads = Heads(m, 3, "beta")
    assert heads.unit == beta_ratio(6, 2)
    c = 0.3 * torch.randn(1, 4, 6, dtype=torch.float64)
    rows = heads.rows(heads.cut(c, 1)[0])
    mean = heads.from_rows(rows.mean(-2, keepdim=True))[0, 0]
    small = m.like(2)
    expected = small.midpoint(points(small, heads.unit * c[0, :, :2]))
    torch.testing.assert_close(coordinates(small, expected) / heads.unit, mean[0])


@pytest.mark.parametrize("signature", ["H6(-0.7)", "S6(0.5)", "K6(0)", "K6(0.4)", "E6"])
def test_depth(signature: str) -> None:
    """(1 - T) / K, on both halves of a sphere and through K = 0."""
    m = ne.manifold(signature)
    heads = Heads(m, 1, "lorentz")
    c = torch.randn(5, 6, dtype=torch.float64)
    K = float(m.curvature) if hasattr(m, "curvature") else 0.0
    X, T = heads.ambient(c)
    expected = (1 - T) / K if K else c.square().sum(-1, keepdim=True) / 2
    torch.testing.assert_close(heads.depth(X, T), expected)
