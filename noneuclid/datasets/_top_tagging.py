"""HDF5 files of the Top Tagging reference set [kasieczka2019machine], a table that pandas wrote.

``table/table`` has the fields ``values_block_0`` (E, px, py, pz of 200 particles, then of the true
top) and ``values_block_1`` (split flag, is_signal_new).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from noneuclid.datasets._block import Block, JetFileError, load_package, sort_particles, wrap
from noneuclid.datasets._jet_file import JetFile

PARTICLES = 200


class TopTaggingFile(JetFile):
    """A file of the Top Tagging reference set."""

    kind = "HDF5"
    class_names = ("qcd", "top")

    def __len__(self) -> int:
        """Give the number of jets."""
        return len(self._table)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> None:
        path = self.path
        self._file: Any = load_package("h5py").File(path, "r")
        self._table: Any = self._file.get("table/table")
        fields = getattr(getattr(self._table, "dtype", None), "names", None) or ()
        if not {"values_block_0", "values_block_1"} <= set(fields):
            raise JetFileError(
                f"{path} is an HDF5 file without the Top Tagging table: expected 'table/table' "
                "with the fields values_block_0 and values_block_1"
            )
        width = self._table.dtype["values_block_0"].shape[0]
        if width < 4 * PARTICLES:
            raise JetFileError(f"{path}: values_block_0 has {width} columns, expected at least 800")

    def _classes(self, first: int, stop: int) -> np.ndarray:
        return self._checked(self._table.fields("values_block_1")[first:stop][:, -1])

    def _checked(self, labels: np.ndarray) -> np.ndarray:
        if not np.isin(labels, (0, 1)).all():
            raise JetFileError(f"{self.path}: is_signal_new must be 0 or 1")
        return labels.astype(np.int64)

    def _read(self, first: int, stop: int, extra: Sequence[str]) -> Block:
        """Build jets from rows of the table; jet axes are sums over all particles."""
        rows = self._table[first:stop]
        particles = rows["values_block_0"][:, : 4 * PARTICLES].reshape(-1, PARTICLES, 4)
        # the columns that no jet of the block fills are left out
        used = np.flatnonzero(particles.any(axis=(0, 2)))
        width = int(used[-1]) + 1 if len(used) else 1
        momenta = np.roll(particles[:, :width].astype(np.float64), -1, axis=-1)
        # NaN counts as a particle, so that it is reported and not dropped
        mask = ~((momenta[..., 3] <= 0) | (np.hypot(momenta[..., 0], momenta[..., 1]) <= 0))
        momenta = np.where(mask[..., None], momenta, 0.0)
        total = momenta.sum(axis=1)
        jet_pt, jet_eta, jet_phi = _polar(total[:, None])
        _, eta, phi = _polar(momenta)
        sign = np.where(jet_eta < 0, -1.0, 1.0)
        relative = np.stack([sign * (eta - jet_eta), wrap(phi - jet_phi)], axis=-1)
        classes = self._checked(rows["values_block_1"][:, -1])
        jet = np.concatenate([jet_pt, jet_eta, jet_phi, total[:, 3:]], axis=1)
        events = self.events(first, stop)
        return sort_particles(
            Block(momenta, relative, mask, jet, mask.sum(1), classes, events, self.class_names)
        )


def _polar(momenta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give pT, eta and phi; eta is 0 where pT is 0."""
    pt = np.hypot(momenta[..., 0], momenta[..., 1])
    eta = np.arcsinh(momenta[..., 2] / np.where(pt > 0, pt, 1.0))
    return pt, np.where(pt > 0, eta, 0.0), np.arctan2(momenta[..., 1], momenta[..., 0])
