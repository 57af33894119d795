"""Jets as plain tensors: the inputs of jet taggers, read from any of the recognised files."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from noneuclid.datasets.jet_files import Block, JetFileError, read_blocks

SIGNAL = ("top", "Tbqq", "Tbl")  # the top classes of all formats
FEATURES = ("log pT", "log E", "log pT/pT_jet", "log E/E_jet", "dR", "d eta", "d phi")
OBSERVABLES = ("mass", "multiplicity", "pT dispersion", "girth")
# ParT's standardisation: (feature - centre) * scale, clipped to [-5, 5]; d eta and d phi as they
# are. Source: [qu2022particle], data/JetClass/JetClass_kin.yaml in its repository.
CENTRES = (1.7, 2.0, -4.7, -4.7, 0.2)
SCALES = (0.7, 0.7, 0.7, 0.7, 4.0)
CLIP = 5.0
SUFFIXES = (".npz", ".h5", ".hdf5", ".root")


@dataclass(frozen=True)
class Jets:
    """N jets of up to P particles, sorted by falling pT.

    Attributes:
        features: (N, P, 7) float32 inputs of Particle Transformer, see ``FEATURES``: with pT and E
            in GeV, (log pT - 1.7) 0.7, (log E - 2) 0.7, (log pT/pT_jet + 4.7) 0.7,
            (log E/E_jet + 4.7) 0.7, (dR - 0.2) 4, each clipped to [-5, 5], then d eta sign(eta_jet)
            and d phi relative to the jet axis. 0 where there is no particle.
            Source: [qu2022particle].
        momenta: (N, P, 4) float32 px, py, pz, E in GeV; 0 where there is no particle.
        mask: (N, P) bool, True where a particle is.
        labels: (N,) int64, 1 for signal and 0 for background.
        classes: (N,) int64, index into ``class_names``.
        events: (N,) int64 number of the collision a jet comes from; jets of one event share it.
        observables: (N, 4) float32, see ``OBSERVABLES``, from all particles that the file holds:
            mass sqrt(E^2 - p^2) of their sum in GeV, multiplicity (the jet's true one where the
            file stores it), pT dispersion sqrt(sum pT^2) / sum pT, girth sum pT dR / sum pT.
        class_names: Name of each class.
    """

    features: Tensor
    momenta: Tensor
    mask: Tensor
    labels: Tensor
    classes: Tensor
    events: Tensor
    observables: Tensor
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        """Give the number of jets."""
        return len(self.labels)

    def subset(self, index: Tensor | np.ndarray | Sequence[int] | slice) -> "Jets":
        """Take the jets of an index: positions, a boolean mask, or a slice."""
        if not isinstance(index, slice):
            index = torch.as_tensor(index)
        names = [field.name for field in fields(self) if field.name != "class_names"]
        return replace(self, **{name: getattr(self, name)[index] for name in names})

    def split_by_event(self, fraction: float, seed: int = 0) -> tuple["Jets", "Jets"]:
        """Split at random so that all jets of an event are on the same side.

        Args:
            fraction: Share of the events in the first part, between 0 and 1.
            seed: Seed of the choice, which depends on the set of event numbers alone.

        Raises:
            ValueError: ``fraction`` is not between 0 and 1.
        """
        if not 0 <= fraction <= 1:
            raise ValueError(f"fraction must be between 0 and 1, got {fraction}")
        unique, inverse = torch.unique(self.events, return_inverse=True)
        order = torch.randperm(len(unique), generator=torch.Generator().manual_seed(seed))
        chosen = torch.zeros(len(unique), dtype=torch.bool)
        chosen[order[: round(fraction * len(unique))]] = True
        first = chosen[inverse.cpu()]
        return self.subset(first), self.subset(~first)


def load_jets(
    path: str | PathLike[str],
    *,
    split: str | None = None,
    max_particles: int = 48,
    max_jets: int | None = None,
    signal: Sequence[str] = SIGNAL,
) -> Jets:
    """Read jets into memory.

    ``path`` is a shard of ``examples/jets/simulate.py``, a packed sample, a Top Tagging HDF5 file,
    a JetClass ROOT file, or a folder of such files, which are joined in sorted order.

    Args:
        path: File or folder.
        split: In a folder: the name of the file, without suffix, or of the subfolder to read, such
            as ``"train"``.
        max_particles: Particles kept of each jet, those of highest pT.
        max_jets: Jets read at most, in the files' order; of a folder, as evenly from its files as
            they allow. The rest of an HDF5 or ROOT file is not read.
        signal: Names of the classes with label 1.

    Raises:
        ValueError: The file is truncated or none of the recognised kinds, the folder is empty, the
            split is not there, no jet is in the file, or no class is named in ``signal``.
        FileNotFoundError: There is nothing at ``path``.
        ImportError: The format needs a package that is not installed (``noneuclid[jets]``).
    """
    for name, number in (("max_particles", max_particles), ("max_jets", max_jets)):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    parts: list[Jets] = []
    for file, block in _blocks(_files(Path(path), split), max_jets):
        parts.append(_tensors(file, block, max_particles, signal))
        if parts[-1].class_names != parts[0].class_names:
            raise JetFileError(
                f"{file} has the classes {parts[-1].class_names}, the files before it have "
                f"{parts[0].class_names}: read them one by one"
            )
    if not parts:
        raise JetFileError(f"{path} holds no jets")
    return _joined(parts)


def _joined(parts: Sequence[Jets]) -> Jets:
    """Concatenate jets."""
    names = [field.name for field in fields(Jets) if field.name != "class_names"]
    columns: dict[str, Any] = {
        name: torch.cat([getattr(part, name) for part in parts]) for name in names
    }
    return replace(parts[0], **columns)


def _files(path: Path, split: str | None) -> list[Path]:
    """Find the files to read."""
    if path.is_file() or not path.exists():
        if split is not None and path.exists() and path.stem != split:
            raise JetFileError(f"{path} is one file and has no split {split!r}: give its folder")
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if split is not None:
        if (path / split).is_dir():
            return _files(path / split, None)
        chosen = [file for file in files if file.stem == split]
        if not chosen:
            found = ", ".join(file.stem for file in files[:10]) or "no jet file"
            raise JetFileError(f"{path} has no split {split!r}: it holds {found}")
        files = chosen
    if not files:
        raise JetFileError(f"{path} holds no jet files: expected {', '.join(SUFFIXES)}")
    return files


def _blocks(files: Sequence[Path], max_jets: int | None) -> Iterator[tuple[Path, Block]]:
    """Read the files in order; each may give an equal share of the jets still wanted."""
    left = max_jets
    for number, file in enumerate(files):
        limit = None if left is None else math.ceil(left / (len(files) - number))
        if limit == 0:
            return
        for block in read_blocks(file, limit, number):
            yield file, block
            if left is not None:
                left -= len(block.events)


def _tensors(file: Path, block: Block, max_particles: int, signal: Sequence[str]) -> Jets:
    """Turn a block into tensors of ``max_particles`` particles."""
    named = [name in signal for name in block.class_names]
    if not any(named):
        raise JetFileError(
            f"{file} has the classes {block.class_names}: none is among signal={tuple(signal)}"
        )
    if not (np.isfinite(block.momenta).all() and np.isfinite(block.jet).all()):
        raise JetFileError(f"{file} holds NaN or infinite momenta")
    return Jets(
        torch.from_numpy(_trim(_features(block), max_particles)),
        torch.from_numpy(_trim(block.momenta, max_particles)),
        torch.from_numpy(_trim(block.mask, max_particles)),
        torch.tensor(named, dtype=torch.int64)[torch.from_numpy(block.classes)],
        torch.from_numpy(block.classes),
        torch.from_numpy(block.events),
        torch.from_numpy(_observables(block).astype(np.float32)),
        block.class_names,
    )


def _trim(padded: np.ndarray, width: int) -> np.ndarray:
    """Cut or fill axis 1 to ``width``; floats become float32."""
    out = np.zeros((len(padded), width, *padded.shape[2:]), dtype=np.float32)
    kept = padded[:, :width]
    out[:, : kept.shape[1]] = kept
    return out.astype(bool) if padded.dtype == bool else out


def _features(block: Block) -> np.ndarray:
    """Compute Particle Transformer's seven kinematic inputs, (n, W, 7)."""
    mask = block.mask
    # 1 stands in for what is not there: its logarithm is harmless, and masked at the end
    pt = np.where(mask, np.hypot(block.momenta[..., 0], block.momenta[..., 1]), 1.0)
    energy = np.where(mask, block.momenta[..., 3], 1.0)
    jet_pt, jet_energy = (np.where(mask, block.jet[:, [i]], 1.0) for i in (0, 3))
    distance = np.hypot(block.relative[..., 0], block.relative[..., 1])
    raw = (np.log(pt), np.log(energy), np.log(pt / jet_pt), np.log(energy / jet_energy), distance)
    standard = (np.stack(raw, axis=-1) - CENTRES) * SCALES
    features = np.concatenate([np.clip(standard, -CLIP, CLIP), block.relative], axis=-1)
    return np.where(mask[..., None], features, 0.0)


def _observables(block: Block) -> np.ndarray:
    """Compute the jet observables, (n, 4)."""
    px, py, pz, energy = np.moveaxis(block.momenta.sum(axis=1), -1, 0)
    mass = np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))  # rounding below 0
    pt = np.hypot(block.momenta[..., 0], block.momenta[..., 1])
    scale = np.maximum(pt.sum(axis=1), np.finfo(np.float64).tiny)  # a jet without particles: 0
    dispersion = np.sqrt((pt**2).sum(axis=1)) / scale
    distance = np.hypot(block.relative[..., 0], block.relative[..., 1])
    girth = (pt * distance * block.mask).sum(axis=1) / scale
    return np.stack([mass, block.multiplicity, dispersion, girth], axis=1)
