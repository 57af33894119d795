"""What ships: the counts, whose it is, that it is small and inside the package."""

from importlib.resources import files

import pytest
import torch

from noneuclid.datasets.graphs import mammals, us_airports
from noneuclid.datasets.graphs.public import PUBLIC, public_graph

BYTES = 2_000_000


def test_mammals() -> None:
    closure, direct = mammals(), mammals(closure=False)
    assert (closure.num_nodes, closure.num_edges) == (1180, 6540)
    assert (direct.num_nodes, direct.num_edges) == (1180, 1180)
    assert closure.names[0] == "mammal.n.01"
    assert (closure.edges[:, 0] == 0).sum() == 1179  # the root is above all others
    dog = closure.names.index("dog.n.01")
    above = {closure.names[u] for u, v in closure.edges.tolist() if v == dog}
    assert {"canine.n.02", "carnivore.n.01", "placental.n.01", "mammal.n.01"} <= above
    assert direct.distances().isfinite().all()


def test_us_airports() -> None:
    graph = us_airports()
    assert (graph.num_nodes, graph.num_edges) == (352, 3017)
    assert graph.largest_component().num_nodes == 352
    assert graph.y.bincount().tolist() == [3, 252, 97]
    number = {code: i for i, code in enumerate(graph.names)}
    assert [number["JFK"], number["LAX"]] in graph.edges.tolist()
    assert [number["ATL"], number["HNL"]] in graph.edges.tolist()
    torch.testing.assert_close(graph.x[:, :3].square().sum(1), torch.ones(352))
    latitude, longitude = graph.positions[number["JFK"]].deg2rad()
    place = [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()]
    torch.testing.assert_close(graph.x[number["JFK"], :3], torch.stack(place))
    assert abs(float(graph.positions[number["JFK"], 0]) - 40.64) < 0.01
    assert abs(float(graph.x[number["DEN"], 3]) - 1.655) < 0.01  # km


def test_files_are_small_and_state_their_licence() -> None:
    folder = files("noneuclid.datasets.graphs") / "_shipped"
    found = {entry.name: entry for entry in folder.iterdir()}
    text = found["LICENSES.md"].read_text(encoding="utf-8")
    graphs = [name for name in found if name.endswith(".npz")]
    assert len(graphs) == len(found) - 1 == 2
    assert all(f"## {name}" in text for name in graphs)
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in text
    assert sum(len(entry.read_bytes()) for entry in found.values()) <= BYTES


def test_public_graphs_are_the_named_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("torch_geometric.datasets")
    with pytest.raises(ValueError, match=r"name must be one of Cora, .*got 'cora'"):
        public_graph("cora", "data")
    made = []
    for name in set(PUBLIC.values()):
        monkeypatch.setattr(datasets, name, lambda root, name: made.append((root, name)) or [DATA])
    from torch_geometric.data import Data

    DATA = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), x=torch.ones(3, 2), y=torch.arange(3))
    graph = public_graph("Photo", "data")
    assert made == [("data", "Photo")]
    assert (graph.name, graph.num_nodes, graph.edges.tolist()) == ("Photo", 3, [[0, 1]])
