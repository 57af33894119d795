"""Shards of ``examples/jets/simulate.py`` and samples of ``examples/jets/pack_sample.py``.

An .npz file is decompressed whole and stays in memory while it is open: keep shards small.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from noneuclid.datasets._block import IDENTITY, Block, JetFileError, pad, prefix_mask
from noneuclid.datasets._columns import find_damage
from noneuclid.datasets._jet_file import JetFile

# The packed form: pT in steps of 1/20 of a natural logarithm, angles in steps of 0.0087.
PACKED_PT = (600.0, 20.0, 220.0)  # q = round(20 ln(pT / 600 GeV) + 220), in 0..255
PACKED_ANGLE = 0.0087  # q = round(angle / 0.0087), in -128..127


class NpzFile(JetFile):
    """A shard or a packed sample."""

    kind = ".npz"
    row_is_event = False

    def __len__(self) -> int:
        """Give the number of jets."""
        return len(self._arrays["label"])

    def close(self) -> None:
        """Forget the columns."""
        self._arrays.clear()

    def events(self, first: int, stop: int) -> np.ndarray:
        """Give the numbers of the collisions of some rows."""
        return self._arrays["event"][first:stop].astype(np.int64)

    def _open(self) -> None:
        path = self.path
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if "metadata" not in archive:
                raise JetFileError(f"{path} is an .npz file without jets: it has no 'metadata'")
            metadata = json.loads(str(archive["metadata"]))
            decode = _FORMATS.get((metadata.get("format"), metadata.get("version")))
            if decode is None:
                raise JetFileError(
                    f"{path} has format {metadata.get('format')!r} version "
                    f"{metadata.get('version')}: expected one of {sorted(_FORMATS)}"
                )
            self._arrays = {name: archive[name] for name in archive.files}
        decode(self._arrays)
        self.class_names = tuple(metadata["classes"])
        damage = find_damage(self._arrays, len(self.class_names))
        if damage is not None:
            raise JetFileError(
                f"{path} is a damaged .npz file: {damage}; make or download it again"
            )
        if {"pid", "charge"} <= self._arrays.keys():
            self.extra = frozenset(IDENTITY)

    def _classes(self, first: int, stop: int) -> np.ndarray:
        return self._arrays["label"][first:stop].astype(np.int64)

    def _read(self, first: int, stop: int, extra: Sequence[str]) -> Block:
        """Build the momenta of some jets from pT and angles relative to the jet axis."""
        arrays = self._arrays
        offsets = arrays["offsets"][first : stop + 1]
        mask = prefix_mask(np.diff(offsets))
        part = slice(offsets[0], offsets[-1])
        pt, deta, dphi = (pad(arrays[name][part], mask) for name in ("pt", "deta", "dphi"))
        jet_pt, jet_eta, jet_phi, jet_mass = arrays["jet"][first:stop].astype(np.float64).T
        eta, phi = deta + jet_eta[:, None], dphi + jet_phi[:, None]
        columns = (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta))
        energy = np.sqrt((jet_pt * np.cosh(jet_eta)) ** 2 + jet_mass**2)
        sign = np.where(jet_eta < 0, -1.0, 1.0)[:, None]
        return Block(
            np.stack(columns, axis=-1), np.stack([sign * deta, dphi], axis=-1), mask,
            np.stack([jet_pt, jet_eta, jet_phi, energy], axis=1),
            arrays["multiplicity"][first:stop], self._classes(first, stop),
            self.events(first, stop), self.class_names,
            {name: pad(self._identity(name, part), mask) for name in extra},
        )  # fmt: skip

    def _identity(self, name: str, part: slice) -> np.ndarray:
        """Give the charge or a flag; ``pid`` counts the kinds in the order of the flags."""
        if name == "charge":
            return self._arrays["charge"][part]
        return self._arrays["pid"][part] == IDENTITY.index(name) - 1


def _decode_shard(arrays: dict[str, np.ndarray]) -> None:
    """Accept the columns of a shard as they are."""


def _decode_packed(arrays: dict[str, np.ndarray]) -> None:
    """Turn the integer columns of a packed sample into those of a shard."""
    reference, scale, shift = PACKED_PT
    steps = np.cumsum(arrays["pt"], dtype=np.uint8)  # stored as differences modulo 256
    arrays["pt"] = reference * np.exp((steps - shift) / scale)
    for name in ("deta", "dphi"):
        arrays[name] = arrays[name] * PACKED_ANGLE
    arrays["offsets"] = np.concatenate([[0], np.cumsum(arrays["count"], dtype=np.int64)])


_FORMATS: dict[tuple[Any, Any], Callable[[dict[str, np.ndarray]], None]] = {
    ("noneuclid-jets", 1): _decode_shard,
    ("noneuclid-jets-packed", 1): _decode_packed,
}
