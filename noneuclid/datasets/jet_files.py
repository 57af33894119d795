"""The jet file formats: each reader turns a file into blocks of jets of one common form.

Recognised are ``.npz`` shards and packed samples (of ``examples/jets``), HDF5 files of the Top
Tagging reference set [kasieczka2019machine] and ROOT files of JetClass [qu2022particle]. h5py,
uproot and awkward are imported when a file needs them.
"""

import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from noneuclid.datasets._columns import find_damage

BLOCK = 10_000  # jets read at a time: bounds the memory, 200 particles of float64 are 64 MB

# The packed form: pT in steps of 1/20 of a natural logarithm, angles in steps of 0.0087.
PACKED_PT = (600.0, 20.0, 220.0)  # q = round(20 ln(pT / 600 GeV) + 220), in 0..255
PACKED_ANGLE = 0.0087  # q = round(angle / 0.0087), in -128..127

JETCLASS_NAMES = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")
JETCLASS_PARTICLES = ("part_px", "part_py", "part_pz", "part_energy", "part_deta", "part_dphi")
JETCLASS_JETS = ("jet_pt", "jet_eta", "jet_phi", "jet_energy", "jet_nparticles")


class JetFileError(ValueError):
    """A file that cannot be read as jets; the message names it and says why."""


@dataclass(frozen=True)
class Block:
    """Some jets with all their particles, padded to a common width W, sorted by falling pT.

    Attributes:
        momenta: (n, W, 4) px, py, pz, E in GeV; 0 where there is no particle.
        relative: (n, W, 2) eta and phi relative to the jet axis; eta carries the sign of the jet's
            eta, so that positive points away from the collision, as in JetClass.
        mask: (n, W) True where a particle is.
        jet: (n, 4) pT in GeV, eta, phi, E in GeV.
        multiplicity: (n,) number of particles of the jet before any were left out.
        classes: (n,) index into ``class_names``.
        events: (n,) number of the collision.
        class_names: Name of each class.
    """

    momenta: np.ndarray
    relative: np.ndarray
    mask: np.ndarray
    jet: np.ndarray
    multiplicity: np.ndarray
    classes: np.ndarray
    events: np.ndarray
    class_names: tuple[str, ...]


def read_blocks(path: Path, limit: int | None, file_number: int = 0) -> Iterator[Block]:
    """Yield the jets of one file, at most ``limit``, in the order of the file.

    Where a file has no event numbers they count its rows, from ``file_number`` 2^40 on, so that
    they differ between files.

    Raises:
        JetFileError: The file is truncated or none of the recognised kinds.
        ImportError: The file needs a package that is not installed.
    """
    with path.open("rb") as stream:
        start = stream.read(8)
    found = [known for magic, known in _READERS.items() if start.startswith(magic)]
    if not found:
        raise JetFileError(
            f"{path} is not a jet file: expected a shard or packed sample (.npz), a Top Tagging "
            "file (HDF5) or a JetClass file (ROOT)"
        )
    kind, reader = found[0]
    try:
        yield from reader(path, limit, file_number << 40)
    except (ImportError, MemoryError, JetFileError):
        raise
    except Exception as error:  # damaged files make the format libraries raise nearly anything
        cause = " ".join([type(error).__name__, *str(error).split()])
        raise JetFileError(f"{path} is a truncated or damaged {kind} file ({cause})") from error


def _load_package(name: str) -> ModuleType:
    """Import an optional package."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{name} is needed to read this file: install noneuclid[jets]") from error


def wrap(angle: np.ndarray) -> np.ndarray:
    """Bring angles into [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _pad(flat: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Spread ragged values over the True entries of a mask (n, W)."""
    padded = np.zeros((*mask.shape, *flat.shape[1:]))
    padded[mask] = flat
    return padded


def _prefix_mask(counts: np.ndarray) -> np.ndarray:
    """Give the mask (n, W) whose rows begin with ``counts`` True entries."""
    return np.arange(max(counts.max(initial=0), 1)) < counts[:, None]


def _sorted(block: Block) -> Block:
    """Sort the particles of each jet by falling pT, padding last."""
    pt = np.hypot(block.momenta[..., 0], block.momenta[..., 1])
    order = np.argsort(np.where(block.mask, -pt, np.inf), axis=1, kind="stable")
    take = order[..., None]
    return Block(
        np.take_along_axis(block.momenta, take, 1), np.take_along_axis(block.relative, take, 1),
        np.take_along_axis(block.mask, order, 1), block.jet, block.multiplicity, block.classes,
        block.events, block.class_names,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------- .npz
def _read_npz(path: Path, limit: int | None, _: int) -> Iterator[Block]:
    """Read a shard of ``simulate.py`` or a sample of ``pack_sample.py``."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        if "metadata" not in archive:
            raise JetFileError(f"{path} is an .npz file without jets: it has no 'metadata'")
        metadata = json.loads(str(archive["metadata"]))
        decode = _NPZ_FORMATS.get((metadata.get("format"), metadata.get("version")))
        if decode is None:
            raise JetFileError(
                f"{path} has format {metadata.get('format')!r} version {metadata.get('version')}: "
                f"expected one of {sorted(_NPZ_FORMATS)}"
            )
        arrays = {name: archive[name] for name in archive.files}
    decode(arrays)
    names = tuple(metadata["classes"])
    if (damage := find_damage(arrays, len(names))) is not None:
        raise JetFileError(f"{path} is a damaged .npz file: {damage}; make or download it again")
    total = len(arrays["label"]) if limit is None else min(limit, len(arrays["label"]))
    for first in range(0, total, BLOCK):
        yield _npz_block(arrays, names, slice(first, min(first + BLOCK, total)))


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


def _npz_block(arrays: dict[str, np.ndarray], names: tuple[str, ...], rows: slice) -> Block:
    """Build the momenta of some jets from pT and angles relative to the jet axis."""
    offsets = arrays["offsets"][rows.start : rows.stop + 1]
    mask = _prefix_mask(np.diff(offsets))
    part = slice(offsets[0], offsets[-1])
    pt, deta, dphi = (_pad(arrays[name][part], mask) for name in ("pt", "deta", "dphi"))
    jet_pt, jet_eta, jet_phi, jet_mass = arrays["jet"][rows].astype(np.float64).T
    eta, phi = deta + jet_eta[:, None], dphi + jet_phi[:, None]
    columns = (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta))
    energy = np.sqrt((jet_pt * np.cosh(jet_eta)) ** 2 + jet_mass**2)
    sign = np.where(jet_eta < 0, -1.0, 1.0)[:, None]
    return Block(
        np.stack(columns, axis=-1), np.stack([sign * deta, dphi], axis=-1), mask,
        np.stack([jet_pt, jet_eta, jet_phi, energy], axis=1), arrays["multiplicity"][rows],
        arrays["label"][rows].astype(np.int64), arrays["event"][rows].astype(np.int64), names,
    )  # fmt: skip


_NPZ_FORMATS: dict[tuple[Any, Any], Callable[[dict[str, np.ndarray]], None]] = {
    ("noneuclid-jets", 1): _decode_shard,
    ("noneuclid-jets-packed", 1): _decode_packed,
}


# ---------------------------------------------------------------------------------- Top Tagging
def _read_top_tagging(path: Path, limit: int | None, first_event: int) -> Iterator[Block]:
    """Read the pandas table of the Top Tagging reference set.

    ``table/table`` has the fields ``values_block_0`` (E, px, py, pz of 200 particles, then of the
    true top) and ``values_block_1`` (split flag, is_signal_new).
    """
    h5py = _load_package("h5py")
    with h5py.File(path, "r") as file:
        table = file.get("table/table")
        fields = getattr(getattr(table, "dtype", None), "names", None) or ()
        if not {"values_block_0", "values_block_1"} <= set(fields):
            raise JetFileError(
                f"{path} is an HDF5 file without the Top Tagging table: expected 'table/table' "
                "with the fields values_block_0 and values_block_1"
            )
        width = table.dtype["values_block_0"].shape[0]
        if width < 800:
            raise JetFileError(f"{path}: values_block_0 has {width} columns, expected at least 800")
        total = len(table) if limit is None else min(limit, len(table))
        for first in range(0, total, BLOCK):
            rows = table[first : min(first + BLOCK, total)]
            yield _top_tagging_block(path, rows, first_event + first)


def _top_tagging_block(path: Path, rows: np.ndarray, first_event: int) -> Block:
    """Build jets from rows of the table; jet axes are sums over all particles."""
    particles = rows["values_block_0"][:, :800].reshape(-1, 200, 4).astype(np.float64)
    momenta = np.roll(particles, -1, axis=-1)
    # NaN counts as a particle, so that it is reported and not dropped
    mask = ~((momenta[..., 3] <= 0) | (np.hypot(momenta[..., 0], momenta[..., 1]) <= 0))
    momenta = np.where(mask[..., None], momenta, 0.0)
    total = momenta.sum(axis=1)
    jet_pt, jet_eta, jet_phi = _polar(total[:, None])
    _, eta, phi = _polar(momenta)
    sign = np.where(jet_eta < 0, -1.0, 1.0)
    relative = np.stack([sign * (eta - jet_eta), wrap(phi - jet_phi)], axis=-1)
    classes = rows["values_block_1"][:, -1].astype(np.int64)
    if not np.isin(classes, (0, 1)).all():
        raise JetFileError(f"{path}: is_signal_new must be 0 or 1")
    jet = np.concatenate([jet_pt, jet_eta, jet_phi, total[:, 3:]], axis=1)
    events = first_event + np.arange(len(rows), dtype=np.int64)
    return _sorted(
        Block(momenta, relative, mask, jet, mask.sum(1), classes, events, ("qcd", "top"))
    )


def _polar(momenta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give pT, eta and phi; eta is 0 where pT is 0."""
    pt = np.hypot(momenta[..., 0], momenta[..., 1])
    eta = np.arcsinh(momenta[..., 2] / np.where(pt > 0, pt, 1.0))
    return pt, np.where(pt > 0, eta, 0.0), np.arctan2(momenta[..., 1], momenta[..., 0])


# ------------------------------------------------------------------------------------- JetClass
def _read_jetclass(path: Path, limit: int | None, first_event: int) -> Iterator[Block]:
    """Read the TTree ``tree`` of a JetClass file."""
    _load_package("awkward")
    uproot = _load_package("uproot")
    labels = tuple(f"label_{name}" for name in JETCLASS_NAMES)
    wanted = (*JETCLASS_PARTICLES, *JETCLASS_JETS, *labels)
    with uproot.open(path) as file:
        if path.stat().st_size < file.file.fEND:
            raise JetFileError(f"{path} is a truncated ROOT file: its header counts more bytes")
        tree = file.get("tree")
        missing = set(wanted) - set(tree.keys() if tree is not None else ())
        if missing:
            raise JetFileError(
                f"{path} is a ROOT file without the JetClass tree: 'tree' lacks {sorted(missing)}"
            )
        total = tree.num_entries if limit is None else min(limit, tree.num_entries)
        for first in range(0, total, BLOCK):
            stop = min(first + BLOCK, total)
            rows = tree.arrays(list(wanted), entry_start=first, entry_stop=stop, library="ak")
            yield _jetclass_block(path, rows, first_event + first)


def _jetclass_block(path: Path, rows: Any, first_event: int) -> Block:
    """Build jets from an awkward array of branches."""
    ak = _load_package("awkward")
    mask = _prefix_mask(ak.to_numpy(ak.num(rows["part_px"])))
    particles = [_pad(ak.to_numpy(ak.flatten(rows[b])), mask) for b in JETCLASS_PARTICLES]
    mask &= ~((particles[3] <= 0) | (np.hypot(particles[0], particles[1]) <= 0))
    momenta, relative = np.stack(particles[:4], -1), np.stack(particles[4:], -1)
    jet = np.stack([ak.to_numpy(rows[b]) for b in JETCLASS_JETS[:4]], 1).astype(np.float64)
    labels = np.stack([ak.to_numpy(rows[f"label_{name}"]) for name in JETCLASS_NAMES], 1)
    if not ((labels != 0).sum(1) == 1).all():
        raise JetFileError(f"{path}: every jet must have exactly one label_ branch set")
    multiplicity = ak.to_numpy(rows["jet_nparticles"]).astype(np.int64)
    events = first_event + np.arange(len(jet), dtype=np.int64)
    classes = labels.argmax(1).astype(np.int64)
    zeroed = np.where(mask[..., None], momenta, 0.0), np.where(mask[..., None], relative, 0.0)
    return _sorted(Block(*zeroed, mask, jet, multiplicity, classes, events, JETCLASS_NAMES))


_READERS: dict[bytes, tuple[str, Callable[[Path, int | None, int], Iterator[Block]]]] = {
    b"PK": (".npz", _read_npz),
    b"\x89HDF\r\n\x1a\n": ("HDF5", _read_top_tagging),
    b"root": ("ROOT", _read_jetclass),
}
