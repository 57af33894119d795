"""Learned embeddings: what they reach, resuming bit for bit, seeds, learned curvature, errors."""

import copy
import io

import networkx as nx
import pytest
import torch

import noneuclid as ne
from noneuclid.metrics import graph_distances
from noneuclid.models.embeddings import (
    DistanceEmbedding,
    EntailmentEmbedding,
    NeighborhoodEmbedding,
)
from noneuclid.models.embeddings._negatives import Negatives

TREE = nx.balanced_tree(2, 3)
EDGES = torch.tensor(list(TREE.edges))
NODES = len(TREE)
DISTANCES = graph_distances(EDGES, NODES)
CLOSURE = torch.tensor(list(nx.transitive_closure_dag(nx.bfs_tree(TREE, 0)).edges))


def neighborhood(signature="H2", **options):
    options = {"lr": 0.3, "negatives": 10, "batch": 16, "burn_in": 4, **options}
    return NeighborhoodEmbedding(NODES, ne.manifold(signature), **options)


def of_distances(signature="H2(-1)* x E2", **options):
    return DistanceEmbedding(NODES, ne.manifold(signature), **options)


def entailment(signature="H3", **options):
    return EntailmentEmbedding(NODES, ne.manifold(signature), batch=16, **options)


CASES = [(neighborhood, EDGES), (of_distances, DISTANCES), (entailment, CLOSURE)]
NAMES = ["neighborhood", "distances", "entailment"]


@pytest.mark.parametrize("signature", ["H2", "B2", "H2 x E1"])
def test_neighbors_are_found(signature, dtype):
    fitted = neighborhood(signature, dtype=dtype).fit(EDGES, 60, progress=False)
    assert fitted.metrics["mean_average_precision"] > 0.85
    assert fitted.metrics["mean_rank"] < 2
    assert fitted.points.dtype == dtype
    ne.manifold(signature).check_point(fitted.points)
    assert fitted.losses[-1] < 0.6 * fitted.losses[0]


def test_directed_neighbors():
    fitted = neighborhood("B3", directed=True).fit(CLOSURE, 60, progress=False)
    assert fitted.metrics["mean_average_precision"] > 0.8


def test_burning_in_takes_small_steps():
    slow, fast = (neighborhood(burn_in=b) for b in (9, 0))
    start = slow.points.clone()
    moved = [(e.fit(EDGES, 1, progress=False).points - start).abs().max() for e in (slow, fast)]
    assert moved[0] < 0.2 * moved[1]


def test_distances_are_met_and_curvatures_learned():
    embedding = of_distances("H3(-0.3)* x E1", curvature_lr=0.01)
    fitted = embedding.fit(DISTANCES, 150, progress=False)
    assert fitted.metrics["average_distortion"] < 0.1
    assert fitted.metrics["worst_distortion"] >= 1
    assert abs(float(embedding.manifold.factors[0].curvature) + 0.3) > 0.05


def test_a_line_is_met_exactly():
    path = graph_distances(torch.tensor(list(nx.path_graph(8).edges)), 8)
    fitted = DistanceEmbedding(8, ne.Euclidean(2), seed=1).fit(path, 300, progress=False)
    assert fitted.metrics["average_distortion"] < 0.01
    assert fitted.metrics["mean_average_precision"] == 1


def test_pairs_without_a_path_do_not_pull():
    two = graph_distances(torch.tensor([[0, 1], [2, 3]]), 4)
    fitted = DistanceEmbedding(4, ne.Euclidean(1)).fit(two, 200, progress=False)
    assert fitted.metrics["average_distortion"] < 0.02


def test_cones_separate():
    embedding = entailment(lr=0.05)
    before = embedding._metrics(embedding._task(CLOSURE))
    fitted = embedding.fit(CLOSURE, 40, progress=False)
    assert fitted.metrics["roc_auc"] > max(0.95, before["roc_auc"])
    assert fitted.metrics["accuracy"] > 0.85
    energy = embedding.energy(CLOSURE[:, 0], CLOSURE[:, 1])
    assert (energy <= 0).float().mean() > 0.7


@pytest.mark.parametrize(("make", "graph"), CASES, ids=NAMES)
def test_a_run_that_stopped_goes_on_bit_for_bit(make, graph):
    """A schedule that ends with the run is that of the whole run: stop it from inside."""
    whole = make().fit(graph, 8, progress=False)
    stopped = make()
    run, saved = stopped._epoch, {}

    def interrupted(task):
        if stopped.epoch == 5:
            torch.save(stopped.state_dict(), saved.setdefault("file", io.BytesIO()))
            raise KeyboardInterrupt
        return run(task)

    stopped._epoch = interrupted
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(graph, 8, progress=False)
    saved["file"].seek(0)
    fresh = make(seed=17)
    fresh.load_state_dict(torch.load(saved["file"], weights_only=True))
    resumed = fresh.fit(graph, 8, progress=False)
    assert torch.equal(resumed.points, whole.points)
    assert resumed.losses == whole.losses
    assert resumed.metrics == whole.metrics
    assert len(whole.losses) == 8


@pytest.mark.parametrize(("make", "graph"), CASES, ids=NAMES)
def test_seeds(make, graph):
    global_state = torch.random.get_rng_state()
    first, same, other = (make(seed=s).fit(graph, 2, progress=False).points for s in (3, 3, 4))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), global_state)


@pytest.mark.parametrize(("make", "graph"), CASES, ids=NAMES)
def test_what_is_returned_stays(make, graph):
    embedding = make()
    fitted = embedding.fit(graph, 1, progress=True)
    kept = copy.deepcopy(fitted)
    embedding.fit(graph, 3, progress=False)
    assert torch.equal(fitted.points, kept.points)
    assert fitted.losses == kept.losses


def test_draws_tell_who_is_related(generator):
    pairs = torch.tensor([[0, 1], [0, 2], [4, 3]])
    negatives = Negatives(pairs, 5)
    u = torch.tensor([0, 1, 4])
    v, unrelated = negatives.draw(u, 400, generator)
    known = {(0, 1), (0, 2), (4, 3)}
    for a, row, flags in zip(u.tolist(), v.tolist(), unrelated.tolist(), strict=True):
        assert flags == [(a, b) not in known and a != b for b in row]
        assert set(row) == set(range(5))


@pytest.mark.parametrize("make", [neighborhood, entailment])
@pytest.mark.parametrize(
    ("edges", "words"),
    [
        (torch.zeros(0, 2, dtype=torch.int64), "at least one"),
        (torch.zeros(2, 2), "integers"),
        (torch.tensor([[0, NODES]]), "nodes 0 to"),
        (torch.tensor([[1, 1]]), "different"),
    ],
)
def test_bad_edges(make, edges, words):
    with pytest.raises(ValueError, match=words):
        make().fit(edges, 1)


def test_a_run_that_diverges_is_stopped():
    embedding = of_distances()
    embedding.table.weight.detach()[3] = torch.nan
    with pytest.raises(FloatingPointError, match="learning rates"):
        embedding.fit(DISTANCES, 50, progress=False)
    assert embedding.epoch == 0


def test_bad_options():
    with pytest.raises(ValueError, match="epochs"):
        neighborhood().fit(EDGES, 0)
    with pytest.raises(ValueError, match="negatives"):
        neighborhood(negatives=0)
    with pytest.raises(ValueError, match="rows"):
        of_distances(rows=0)
    with pytest.raises(ValueError, match="negatives"):
        entailment(negatives=1)
    with pytest.raises(ValueError, match=r"\(15, 15\)"):
        of_distances().fit(DISTANCES[:4], 1)
    with pytest.raises(TypeError, match="hyperbolic"):
        entailment("E3")
