"""Gromov's delta: known spaces, the definition read aloud, both ways to compute it, bad input."""

import itertools

import networkx as nx
import pytest
import torch

import noneuclid as ne
from noneuclid.metrics import (
    graph_distances,
    gromov,
    gromov_delta,
    implied_curvature,
    relative_gromov_delta,
    sampled_gromov_delta,
)


def distances_of(graph, dtype=torch.float32):
    return graph_distances(torch.tensor(list(graph.edges)), len(graph)).to(dtype)


def by_definition(d, base=None):
    """Return the largest (S1 - S2) / 2 of all quadruples, repeated points too."""
    found = 0.0
    for four in itertools.combinations_with_replacement(range(len(d)), 4):
        if base is None or base in four:
            p, q, r, s = four
            sums = sorted((d[p][q] + d[r][s], d[p][r] + d[q][s], d[p][s] + d[q][r]))
            found = max(found, (sums[2] - sums[1]) / 2)
    return found


@pytest.fixture(params=["compiled", "torch"])
def way(request, monkeypatch):
    """Compute by the compiled functions, and by torch alone."""
    if request.param == "torch":
        monkeypatch.setattr(gromov, "has_witnesses", lambda dtype: False)
    elif not gromov.has_witnesses(torch.float32):
        pytest.skip("no C compiler")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("base", [None, 0, 5])
def test_trees_are_flat(dtype, base):
    tree = distances_of(nx.random_labeled_tree(25, seed=3), dtype)
    assert gromov_delta(tree, base) == 0
    assert relative_gromov_delta(tree, base) == 0


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("nodes", "delta"), [(4, 1), (8, 2), (20, 5), (5, 0.5), (9, 1.5), (6, 1), (7, 1), (10, 2)]
)
def test_cycles(nodes, delta):
    cycle = distances_of(nx.cycle_graph(nodes))
    assert gromov_delta(cycle) == delta
    assert relative_gromov_delta(cycle) == 2 * delta / (nodes // 2)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("count", [1, 3, 4, 11, 17])
@pytest.mark.parametrize("is_metric", [True, False])
def test_it_is_what_the_definition_says(dtype, count, is_metric):
    d = torch.rand(3, count, count, dtype=dtype)
    if is_metric:
        d = torch.cdist(d, d)
    d = (d + d.mT) * (1 - torch.eye(count, dtype=dtype))
    atol = 16 * torch.finfo(dtype).eps
    for base in (None, 0, count - 1):
        expected = [by_definition(each.tolist(), base) for each in d]
        expected = torch.tensor(expected, dtype=dtype)
        torch.testing.assert_close(gromov_delta(d, base), expected, rtol=0, atol=atol)


@pytest.mark.usefixtures("way")
def test_masked_points_are_not_read(dtype):
    x = torch.randn(7, 21, 3, dtype=dtype)
    d = torch.cdist(x, x)
    mask = torch.rand(7, 21) > 0.4
    mask[0], mask[1], mask[2, :5] = False, torch.arange(21) == 3, False
    hidden = torch.where(mask[:, :, None] & mask[:, None, :], d, torch.nan)
    for base in (None, 2):
        found = gromov_delta(hidden.reshape(7, 1, 21, 21), base, mask=mask[:, None])[:, 0]
        for each, there, delta in zip(d, mask, found, strict=True):
            index = torch.nonzero(there)[:, 0]
            kept = each[index][:, index]
            place = None if base is None else int((index < base).sum()) if there[base] else 0
            assert delta == (gromov_delta(kept, place) if len(index) else 0)


@pytest.mark.usefixtures("way")
def test_invariances(dtype):
    x = torch.randn(4, 18, 3, dtype=dtype)
    d = torch.cdist(x, x)
    order = torch.randperm(18)
    delta = gromov_delta(d)
    torch.testing.assert_close(gromov_delta(d[:, order][:, :, order]), delta)
    torch.testing.assert_close(gromov_delta(8 * d), 8 * delta)
    torch.testing.assert_close(relative_gromov_delta(8 * d), relative_gromov_delta(d))
    assert (gromov_delta(d, 3) <= delta).all()
    assert (delta <= 2 * gromov_delta(d, 3)).all()
    assert (2 * delta <= d.flatten(1).amax(-1)).all()


@pytest.mark.usefixtures("way")
def test_what_is_not_finite_is_seen():
    d = torch.cdist(*[torch.rand(3, 6, 2)] * 2)
    d[1, 2, 3] = torch.inf
    d[2, 0, 0] = torch.nan
    assert gromov_delta(d).isnan().tolist() == [False, True, True]


def test_no_points_and_no_sets():
    assert gromov_delta(torch.zeros(2, 0, 0)).tolist() == [0, 0]
    assert relative_gromov_delta(torch.zeros(2, 0, 0)).tolist() == [0, 0]
    assert gromov_delta(torch.zeros(0, 5, 5)).shape == (0,)
    assert gromov_delta(torch.zeros(0, 5, 5), 1).shape == (0,)


@pytest.mark.usefixtures("way")
def test_gradient():
    x = torch.randn(2, 9, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda x: gromov_delta(torch.cdist(x, x)), (x,))


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision(half):
    d = distances_of(nx.cycle_graph(12)).to(half)
    assert gromov_delta(d) == 3
    assert gromov_delta(d).dtype == half


def test_hyperbolic_space_is_bounded_and_flat_space_is_not():
    far = ne.Lorentz(2).random(60, dtype=torch.float64)
    u = ne.Lorentz(2).logmap0(far)
    hyperbolic = ne.Lorentz(2).expmap0(20 * u)
    delta = gromov_delta(ne.Lorentz(2).cdist(hyperbolic, hyperbolic))
    assert delta <= torch.tensor(2.0).log() + 1e-6  # the four-point delta of H^2 is log 2
    flat = 20 * u[:, 1:]
    assert gromov_delta(torch.cdist(flat, flat)) > 2


def test_samples_bound_the_exact_value_from_below(generator):
    cycle = distances_of(nx.cycle_graph(8))
    few = sampled_gromov_delta(cycle, 4000, generator=generator)
    assert few.maximum == gromov_delta(cycle) == 2
    every = [by_definition_of_four(cycle, four) for four in itertools.combinations(range(8), 4)]
    mean = torch.tensor(every).mean()
    assert few.mean == pytest.approx(float(mean), abs=5 * float(torch.tensor(every).std()) / 63)
    batch = sampled_gromov_delta(torch.stack([cycle, cycle / 2])[:, None], 50)
    torch.testing.assert_close(batch.mean[0], 2 * batch.mean[1])


def by_definition_of_four(d, four):
    p, q, r, s = four
    sums = sorted((float(d[p, q] + d[r, s]), float(d[p, r] + d[q, s]), float(d[p, s] + d[q, r])))
    return (sums[2] - sums[1]) / 2


def test_quadruples_are_of_four_points_and_uniform(generator):
    four = gromov._quadruples(5, 6000, generator)
    assert (four.sort(-1).values.diff(dim=-1) > 0).all()
    counts = torch.stack([four[:, k].bincount(minlength=5) for k in range(4)])
    assert (counts - 1200).abs().max() < 5 * 1200**0.5


def test_implied_curvature():
    relative = torch.tensor([0.144, 0.288, 0.0])
    torch.testing.assert_close(implied_curvature(relative), torch.tensor([-1.0, -0.25, -torch.inf]))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"distances": torch.zeros(3, 3, dtype=torch.int64)}, TypeError, "floating point"),
        ({"distances": torch.zeros(3, 4)}, ValueError, r"\(3, 4\)"),
        ({"distances": torch.zeros(3, 3), "base": 3}, ValueError, "base"),
        ({"distances": torch.zeros(3, 3), "base": -1}, ValueError, "base"),
        ({"distances": torch.zeros(3, 3), "mask": torch.ones(3)}, TypeError, "bool"),
        ({"distances": torch.zeros(3, 3), "mask": torch.ones(2) > 0}, ValueError, "mask"),
    ],
)
def test_bad_input(arguments, error, words):
    with pytest.raises(error, match=words):
        gromov_delta(**arguments)


def test_bad_samples():
    with pytest.raises(ValueError, match="four points"):
        sampled_gromov_delta(torch.zeros(3, 3))
    with pytest.raises(ValueError, match="sample"):
        sampled_gromov_delta(torch.zeros(5, 5), 0)
