"""Graphs in .npz files: the form of the benchmark copies and of what ships with the package."""

import os
from os import PathLike
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
import torch

from noneuclid.datasets.graphs.graph import Graph, make_graph

MASKS = {"train": "train_mask", "val": "val_mask", "test": "test_mask"}
SPARSE = ("x_row", "x_col", "x_val", "x_shape")


class GraphFileError(ValueError):
    """A file that does not hold a graph, or a damaged one."""


def load_npz(path: str | PathLike[str] | IO[bytes], *, name: str | None = None) -> Graph:
    """Read a graph from an .npz file.

    The arrays of the file:

    - ``edges``: (E, 2) integers, in any order and direction; loops and repeats are dropped;
    - ``x``: (n, F) features; or ``x_row``, ``x_col``, ``x_val`` and ``x_shape`` of the non-zero
      ones, where ``x_val`` may be left out if all are 1;
    - ``y``: (n,) classes, -1 where there is none;
    - ``train``, ``val``, ``test``: the public split, each an (n,) mask or the nodes' positions;
    - ``num_nodes``: n, where neither ``x`` nor ``y`` tells it and the last nodes have no edge;
    - ``positions``: (n, D); ``names``: n strings; ``curvature_signs``: see ``Graph``.

    Others are left alone.

    Args:
        path: The file.
        name: Name of the graph, the file's own where it is left out.

    Raises:
        GraphFileError: The file is no .npz file, or an array is missing or does not fit.
        FileNotFoundError: There is no such file.
    """
    if isinstance(path, str | PathLike):
        label = str(path)
        with Path(path).open("rb") as stream:  # which numpy would leave open if it is a bad one
            arrays = _arrays(stream, label)
    else:
        label = str(getattr(path, "name", "the stream"))
        arrays = _arrays(path, label)
    if "edges" not in arrays:
        raise GraphFileError(f"{label} holds no graph: it has no array 'edges', only {[*arrays]}")
    try:
        return _graph(arrays, Path(label).stem if name is None else name)
    except (ValueError, IndexError, KeyError) as error:
        raise GraphFileError(f"{label} does not fit together: {error}") from error


def save_npz(graph: Graph, path: str | PathLike[str]) -> None:
    """Write a graph so that ``load_npz`` gives it back; features are written as non-zero ones.

    The file appears whole or not at all, and the same graph gives the same bytes.
    """
    target = Path(path)
    arrays: dict[str, Any] = {
        "edges": _smallest(graph.edges.numpy()), "num_nodes": np.array(graph.num_nodes),
        "curvature_signs": np.array(graph.curvature_signs, dtype=np.int8),
    }  # fmt: skip
    if graph.x is not None:
        row, col = graph.x.nonzero().numpy().T
        values = (_smallest(row), _smallest(col), graph.x.numpy()[row, col])
        arrays |= dict(zip(SPARSE, (*values, np.array(graph.x.shape)), strict=True))
    if graph.y is not None:
        arrays["y"] = _smallest(graph.y.numpy())
    if graph.positions is not None:
        arrays["positions"] = graph.positions.numpy()
    if graph.names is not None:
        arrays["names"] = np.frombuffer("\n".join(graph.names).encode(), dtype=np.uint8)
    for key, attribute in MASKS.items():
        if (mask := getattr(graph, attribute)) is not None:
            arrays[key] = mask.numpy()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _arrays(stream: IO[bytes], label: str) -> dict[str, np.ndarray]:
    try:
        with np.load(stream, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (BadZipFile, ZlibError, EOFError, AttributeError, TypeError, ValueError) as error:
        raise GraphFileError(f"{label} is not an .npz file, or is damaged: {error}") from error


def _graph(arrays: dict[str, np.ndarray], name: str) -> Graph:
    edges = arrays["edges"]
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
        raise ValueError(f"edges must be (E, 2) integers, got {edges.shape} {edges.dtype}")
    columns: dict[str, Any] = {"name": name}
    if "x" in arrays or "x_row" in arrays:
        columns["x"] = torch.from_numpy(_features(arrays))
    if "y" in arrays:
        if arrays["y"].ndim != 1 or arrays["y"].dtype.kind not in "iu":
            raise ValueError(f"y must be (n,) integers, got {arrays['y'].shape}")
        columns["y"] = torch.from_numpy(arrays["y"].astype(np.int64))
    if "positions" in arrays:
        columns["positions"] = torch.from_numpy(arrays["positions"])
    if "names" in arrays:
        columns["names"] = _names(arrays["names"])
    if "curvature_signs" in arrays:
        columns["curvature_signs"] = tuple(arrays["curvature_signs"].tolist())
    n = _num_nodes(arrays, columns)
    for key, attribute in MASKS.items():
        if key in arrays:
            columns[attribute] = torch.from_numpy(_mask(arrays[key], n, key))
    return make_graph(edges.astype(np.int64), n, **columns)


def _num_nodes(arrays: dict[str, np.ndarray], columns: dict[str, Any]) -> int:
    if "num_nodes" in arrays:
        return int(arrays["num_nodes"])
    for key in ("x", "y", "positions", "names"):
        if key in columns:
            return len(columns[key])
    return int(arrays["edges"].max(initial=-1)) + 1


def _features(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Build the dense (n, F) features, float32."""
    if "x" in arrays:
        if arrays["x"].ndim != 2:
            raise ValueError(f"x must be (n, F), got {arrays['x'].shape}")
        x = arrays["x"].astype(np.float32)
    else:
        missing = [key for key in ("x_row", "x_col", "x_shape") if key not in arrays]
        if missing:
            raise ValueError(f"sparse features need {', '.join(missing)} too")
        shape = tuple(int(length) for length in arrays["x_shape"])
        row, col = arrays["x_row"], arrays["x_col"]
        values = arrays.get("x_val", np.ones(len(row), dtype=np.float32))
        if len(shape) != 2 or not len(row) == len(col) == len(values):
            raise ValueError(
                f"x_row, x_col, x_val must have one length and x_shape two numbers, "
                f"got {len(row)}, {len(col)}, {len(values)} and {shape}"
            )
        x = np.zeros(shape, dtype=np.float32)
        x[row, col] = values
    if not np.isfinite(x).all():
        raise ValueError("x has NaN or infinite entries")
    return x


def _mask(values: np.ndarray, n: int, key: str) -> np.ndarray:
    if values.dtype == bool:
        if values.shape != (n,):
            raise ValueError(f"the mask {key} must be ({n},), got {values.shape}")
        return values
    if values.dtype.kind not in "iu" or (len(values) and not 0 <= values.min() <= values.max() < n):
        raise ValueError(f"{key} must be a mask or positions in 0..{n - 1}")
    mask = np.zeros(n, dtype=bool)
    mask[values] = True
    return mask


def _names(values: np.ndarray) -> tuple[str, ...]:
    """Read names, an array of strings or the UTF-8 bytes of lines."""
    if values.dtype == np.uint8:
        return tuple(values.tobytes().decode().split("\n"))
    return tuple(str(name) for name in values)


def _smallest(values: np.ndarray) -> np.ndarray:
    """Choose the narrowest integers that hold the values."""
    if not values.size:
        return values.astype(np.uint8)
    wanted = np.promote_types(np.min_scalar_type(values.min()), np.min_scalar_type(values.max()))
    return values.astype(wanted)
