"""ROOT files of JetClass [qu2022particle]: the TTree ``tree``, one entry a jet."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from noneuclid.datasets._block import (
    DISPLACEMENT,
    IDENTITY,
    Block,
    JetFileError,
    load_package,
    pad,
    prefix_mask,
    sort_particles,
)
from noneuclid.datasets._jet_file import JetFile

JETCLASS_NAMES = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")
LARGEST_CLUSTER = 20_000  # jets that are kept decompressed; all branches of them are 70 MB
PARTICLES = ("part_px", "part_py", "part_pz", "part_energy", "part_deta", "part_dphi")
JETS = ("jet_pt", "jet_eta", "jet_phi", "jet_energy", "jet_nparticles")
LABELS = tuple(f"label_{name}" for name in JETCLASS_NAMES)
BRANCH_OF = dict(
    zip(
        (*IDENTITY, *DISPLACEMENT),
        (
            "part_charge", "part_isChargedHadron", "part_isNeutralHadron", "part_isPhoton",
            "part_isElectron", "part_isMuon", "part_d0val", "part_d0err", "part_dzval",
            "part_dzerr",
        ),
        strict=True,
    )
)  # fmt: skip


class JetClassFile(JetFile):
    """A file of JetClass.

    ROOT compresses thousands of entries together. Those of the last cluster that was read stay in
    memory, so that reading them piece by piece costs as much as at once.
    """

    kind = "ROOT"
    class_names = JETCLASS_NAMES
    _rows: Any  # the last cluster, and what it is
    _read_last: tuple[int, int, tuple[str, ...]] | None

    def __len__(self) -> int:
        """Give the number of jets."""
        return int(self._tree.num_entries)

    def close(self) -> None:
        """Close the file."""
        self._rows, self._read_last = None, None
        self._file.close()

    def _open(self) -> None:
        load_package("awkward")
        path = self.path
        # no cache: a block is read once
        self._file: Any = load_package("uproot").open(path, array_cache=None)
        if path.stat().st_size < self._file.file.fEND:
            raise JetFileError(f"{path} is a truncated ROOT file: its header counts more bytes")
        self._tree: Any = self._file.get("tree")
        branches = set(self._tree.keys() if self._tree is not None else ())
        missing = {*PARTICLES, *JETS, *LABELS} - branches
        if missing:
            raise JetFileError(
                f"{path} is a ROOT file without the JetClass tree: 'tree' lacks {sorted(missing)}"
            )
        self._clusters = self._find_clusters()
        self._rows, self._read_last = None, None
        self.extra = frozenset(name for name, branch in BRANCH_OF.items() if branch in branches)

    def clusters(self) -> list[int]:
        """Give the entries at which the compressed baskets of the particles begin."""
        return self._clusters

    def _find_clusters(self) -> list[int]:
        """Read the bounds of the baskets; cut what is larger than ``LARGEST_CLUSTER``."""
        offsets = self._tree.common_entry_offsets(filter_name=list(PARTICLES))
        bounds = [*map(int, offsets), len(self)]
        cuts = {
            cut
            for low, high in pairwise(sorted(set(bounds)))
            for cut in range(low, high, LARGEST_CLUSTER)
        }
        return [*sorted(cuts), len(self)]

    def _branches(self, names: Sequence[str], first: int, stop: int) -> Any:
        """Give some entries, which lie in one cluster if they are to be cheap."""
        low = self._clusters[bisect_right(self._clusters, first) - 1] if stop > first else first
        high = max(stop, self._clusters[bisect_left(self._clusters, stop)])
        wanted = (low, high, tuple(names))
        if self._read_last != wanted:
            self._rows = None  # before the next is read
            self._rows = self._tree.arrays(
                list(names), entry_start=low, entry_stop=high, library="ak"
            )
            self._read_last = wanted
        return self._rows[first - low : stop - low]

    def _classes(self, first: int, stop: int) -> np.ndarray:
        rows = self._tree.arrays(list(LABELS), entry_start=first, entry_stop=stop, library="ak")
        return self._class_of(rows)

    def _class_of(self, rows: Any) -> np.ndarray:
        """Turn the label branches into classes."""
        to_numpy = load_package("awkward").to_numpy
        labels = np.stack([to_numpy(rows[label]) for label in LABELS], 1)
        if not ((labels != 0).sum(1) == 1).all():
            raise JetFileError(f"{self.path}: every jet must have exactly one label_ branch set")
        return labels.argmax(1).astype(np.int64)

    def _read(self, first: int, stop: int, extra: Sequence[str]) -> Block:
        """Build jets from an awkward array of branches."""
        ak = load_package("awkward")
        wanted = (*PARTICLES, *JETS, *LABELS, *(BRANCH_OF[name] for name in extra))
        rows = self._branches(wanted, first, stop)
        mask = prefix_mask(ak.to_numpy(ak.num(rows["part_px"])))

        def particles(branch: str) -> np.ndarray:
            return pad(ak.to_numpy(ak.flatten(rows[branch])), mask)

        momenta = np.stack([particles(branch) for branch in PARTICLES[:4]], -1)
        relative = np.stack([particles(branch) for branch in PARTICLES[4:]], -1)
        columns = {name: particles(BRANCH_OF[name]) for name in extra}
        pt = np.hypot(momenta[..., 0], momenta[..., 1])
        kept = mask & ~((momenta[..., 3] <= 0) | (pt <= 0))
        jet = np.stack([ak.to_numpy(rows[branch]) for branch in JETS[:4]], 1).astype(np.float64)
        block = Block(
            np.where(kept[..., None], momenta, 0.0), np.where(kept[..., None], relative, 0.0),
            kept, jet, ak.to_numpy(rows["jet_nparticles"]).astype(np.int64),
            self._class_of(rows), self.events(first, stop), self.class_names, columns,
        )  # fmt: skip
        return sort_particles(block)
