"""Graphs in .npz files, and files that are not what they should be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from noneuclid.datasets.graphs import GraphFileError, load_npz, make_graph, save_npz

EDGES = np.array([[1, 0], [1, 2], [2, 1]])


def write(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)
    return path


def test_dense_and_sparse_features_agree(tmp_path: Path) -> None:
    x = np.array([[0, 2.0], [0, 0], [3, 0], [0, 0]])
    row, col = x.nonzero()
    dense = load_npz(write(tmp_path / "dense.npz", edges=EDGES, x=x, y=[0, -1, 1, 1]))
    sparse = {"x_row": row, "x_col": col, "x_val": x[row, col], "x_shape": x.shape}
    other = load_npz(write(tmp_path / "sparse.npz", edges=EDGES, **sparse), name="mine")
    assert dense.edges.tolist() == [[0, 1], [1, 2]]
    assert (dense.num_nodes, dense.name, other.name) == (4, "dense", "mine")
    assert dense.x.dtype == torch.float32
    assert dense.x.equal(other.x)
    assert dense.y.tolist() == [0, -1, 1, 1]
    del sparse["x_val"]
    ones = load_npz(write(tmp_path / "ones.npz", edges=EDGES, **sparse))
    assert ones.x.equal((dense.x > 0).float())


def test_masks_may_be_positions(tmp_path: Path) -> None:
    mask = np.array([True, False, False])
    graph = load_npz(write(tmp_path / "a.npz", edges=EDGES, y=[0, 1, 0], train=mask, test=[2, 1]))
    assert graph.train_mask.tolist() == [True, False, False]
    assert graph.test_mask.tolist() == [False, True, True]
    assert graph.val_mask is None


def test_round_trip_and_same_bytes(tmp_path: Path) -> None:
    graph = make_graph(
        EDGES, 300, x=torch.randn(300, 2).relu(), y=torch.arange(300) - 1, names=("é",) * 300,
        val_mask=torch.arange(300) > 7, positions=torch.randn(300, 2), curvature_signs=(-1, 1),
    )  # fmt: skip
    for name in ("a.npz", "b.npz"):
        save_npz(graph, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]
    again = load_npz(tmp_path / "a.npz")
    for column in ("edges", "x", "y", "val_mask", "positions"):
        assert getattr(again, column).equal(getattr(graph, column)), column
    assert (again.names, again.num_nodes, again.curvature_signs) == (graph.names, 300, (-1, 1))


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.npz"
    save_npz(make_graph(EDGES, 3), target)
    before = target.read_bytes()
    bad = make_graph(EDGES, 3, names=("a", "b", "\ud800"))  # no UTF-8
    with pytest.raises(UnicodeEncodeError):
        save_npz(bad, target)
    blocked = tmp_path / "folder.npz"
    (blocked / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        save_npz(make_graph(EDGES, 3), blocked)
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "folder.npz"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"links": EDGES}, r"holds no graph: it has no array 'edges', only \['links'\]"),
        ({"edges": EDGES.T}, r"edges must be \(E, 2\) integers, got \(2, 3\)"),
        ({"edges": EDGES * 0.5}, "edges must be .* float64"),
        ({"edges": EDGES, "y": [0, 1]}, r"edges must be in 0\.\.1, got 0\.\.2"),
        ({"edges": EDGES, "y": [0.5, 1, 2]}, "y must be"),
        ({"edges": EDGES, "x": np.ones(3)}, r"x must be \(n, F\)"),
        ({"edges": EDGES, "x": np.full((3, 1), np.nan)}, "NaN or infinite"),
        ({"edges": EDGES, "x_row": [0]}, "need x_col, x_shape too"),
        ({"edges": EDGES, "x_row": [0], "x_col": [0, 1], "x_shape": [3, 2]}, "one length"),
        ({"edges": EDGES, "x_row": [5], "x_col": [0], "x_shape": [3, 2]}, "out of bounds"),
        ({"edges": EDGES, "x": np.ones((3, 1)), "y": [0, 1]}, "y must have 3 rows.*got 2"),
        ({"edges": EDGES, "train": [True, False]}, r"mask train must be \(3,\)"),
        ({"edges": EDGES, "val": [3]}, r"val must be a mask or positions in 0\.\.2"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, arrays: dict[str, object], message: str
) -> None:
    with pytest.raises(GraphFileError, match=rf"bad\.npz .*{message}"):
        load_npz(write(tmp_path / "bad.npz", **arrays))


def test_foreign_and_truncated_files_say_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", edges=EDGES)
    whole = path.read_bytes()
    for content in (b"", b"u,v\n0,1\n", whole[:40], whole[:-30]):
        path.write_bytes(content)
        with pytest.raises(GraphFileError, match=r"a\.npz is not an \.npz file, or is damaged"):
            load_npz(path)
    np.save(tmp_path / "b.npy", EDGES)
    with pytest.raises(GraphFileError, match=r"b\.npy is not an \.npz file"):
        load_npz(tmp_path / "b.npy")
    with pytest.raises(FileNotFoundError):
        load_npz(tmp_path / "missing.npz")
