"""The benchmark of floors: its rows and page from a tiny run; no scores."""

import importlib
import json
from pathlib import Path

import pytest
import torch

from noneuclid.datasets.graphs import link_floors, make_graph, node_floors, ring_of_trees, save_npz

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
pytest.importorskip("sklearn")


def test_tiny_run_has_every_row_and_the_page(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    floors = importlib.import_module("graph_floors")
    ring = ring_of_trees(20, 2, 2)
    small = make_graph(ring.edges, 160, x=torch.randn(160, 3), y=torch.arange(160) % 2)
    plain = make_graph(ring.edges, 160)
    for name, graph in (("small", small), ("plain_ring", plain), ("left_out", plain)):
        save_npz(graph, tmp_path / f"{name}.npz")
    monkeypatch.setattr(floors, "us_airports", lambda: small)
    data, page = tmp_path / "floors.json", tmp_path / "floors.md"
    words = ["--data", str(tmp_path), "--only", "small", "plain_ring", "--seeds", "2"]
    floors.main([*words, "--json", str(data), "--page", str(page)])
    rows = json.loads(data.read_text())["rows"]
    found = {(row["graph"], row["task"], row["floor"]) for row in rows}
    assert {floor for g, t, floor in found if (g, t) == ("small", "links")} == set(
        link_floors(small)
    )
    assert {floor for g, t, floor in found if (g, t) == ("small", "nodes")} == set(
        node_floors(small)
    )
    assert {floor for g, _, floor in found if g == "plain_ring"} == set(link_floors(plain))
    assert all(len(row.get("auc", row.get("accuracy"))) == 2 for row in rows)
    text = page.read_text()
    assert text.count("| floor |") == 2
    assert "plain ring" in text
    assert "**" in text
    page.unlink()
    monkeypatch.setattr(floors, "measure", lambda *_: pytest.fail("measured again"))
    floors.main([*words, "--json", str(data), "--page", str(page)])
    assert page.read_text() == text
    floors.main(["--from", str(data), "--page", str(page)])
    assert page.read_text() == text
