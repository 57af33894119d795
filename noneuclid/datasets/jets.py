"""Jets as plain tensors: the inputs of jet taggers, read from any of the recognised files."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from noneuclid.datasets._folders import jet_files_in
from noneuclid.datasets.jet_features import EXTRA, features, observables
from noneuclid.datasets.jet_files import Block, JetFileError, read_blocks
from noneuclid.datasets.normalization import FeatureNormalization

SIGNAL = ("top", "Tbqq", "Tbl")  # the top classes of all formats
COLUMNS = ("features", "momenta", "mask", "labels", "classes", "events", "observables")


@dataclass(frozen=True)
class Jets:
    """N jets of up to P particles, sorted by falling pT.

    Attributes:
        features: (N, P, F) float32 inputs of Particle Transformer. The seven of the set "kin" are,
            with pT and E in GeV, (log pT - 1.7) 0.7, (log E - 2) 0.7, (log pT/pT_jet + 4.7) 0.7,
            (log E/E_jet + 4.7) 0.7, (dR - 0.2) 4, each clipped to [-5, 5], then d eta sign(eta_jet)
            and d phi relative to the jet axis. 0 where there is no particle.
            Source: [qu2022particle].
        momenta: (N, P, 4) float32 px, py, pz, E in GeV; 0 where there is no particle.
        mask: (N, P) bool, True where a particle is.
        labels: (N,) int64, 1 for signal and 0 for background.
        classes: (N,) int64, index into ``class_names``.
        events: (N,) int64 number of the collision a jet comes from; jets of one event share it.
        observables: (N, 4) float32, see ``jet_features.OBSERVABLES``, from all particles that the
            file holds: mass sqrt(E^2 - p^2) of their sum in GeV, multiplicity (the jet's true one
            where the file stores it), pT dispersion sqrt(sum pT^2) / sum pT, girth
            sum pT dR / sum pT.
        class_names: Name of each class.
        feature_set: Name of the set of features, see ``jet_features.FEATURE_SETS``.
        normalized: Whether the features are standardised, see ``FeatureNormalization``.
    """

    features: Tensor
    momenta: Tensor
    mask: Tensor
    labels: Tensor
    classes: Tensor
    events: Tensor
    observables: Tensor
    class_names: tuple[str, ...]
    feature_set: str = "kin"
    normalized: bool = True

    def __len__(self) -> int:
        """Give the number of jets."""
        return len(self.labels)

    def subset(self, index: Tensor | np.ndarray | Sequence[int] | slice) -> "Jets":
        """Take the jets of an index: positions, a boolean mask, or a slice."""
        if not isinstance(index, slice):
            index = torch.as_tensor(index)
        return replace(self, **{name: getattr(self, name)[index] for name in COLUMNS})

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Jets":
        """Move every column to a device."""
        columns = {n: getattr(self, n).to(device, non_blocking=non_blocking) for n in COLUMNS}
        return replace(self, **columns)

    def pin_memory(self) -> "Jets":
        """Copy every column into page-locked memory, from where GPUs copy faster."""
        return replace(self, **{name: getattr(self, name).pin_memory() for name in COLUMNS})

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
    feature_set: str = "kin",
    normalization: FeatureNormalization | None = None,
) -> Jets:
    """Read jets into memory; ``JetStream`` reads what is larger.

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
        feature_set: ``"kin"``, ``"kinpid"`` or ``"full"``.
        normalization: What standardises the features; None: the constants of Particle Transformer.

    Raises:
        ValueError: The file is truncated or none of the recognised kinds, the folder is empty, the
            split is not there, no jet is in the file, no class is named in ``signal``, or the file
            has not the columns of ``feature_set``.
        FileNotFoundError: There is nothing at ``path``.
        ImportError: The format needs a package that is not installed (``noneuclid[jets]``).
    """
    for name, number in (("max_particles", max_particles), ("max_jets", max_jets)):
        if number is not None and number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
    normalization = normalization_of(feature_set, normalization)
    parts: list[Jets] = []
    for file, block in _blocks(jet_files_in(Path(path), split), max_jets, EXTRA[feature_set]):
        if not any(name in signal for name in block.class_names):
            raise JetFileError(
                f"{file} has the classes {block.class_names}: none is among signal={tuple(signal)}"
            )
        parts.append(as_tensors(file, block, max_particles, signal, normalization))
        if parts[-1].class_names != parts[0].class_names:
            raise JetFileError(
                f"{file} has the classes {parts[-1].class_names}, the files before it have "
                f"{parts[0].class_names}: read them one by one"
            )
    if not parts:
        raise JetFileError(f"{path} holds no jets")
    return join_jets(parts)


def join_jets(parts: Sequence[Jets]) -> Jets:
    """Concatenate jets of the same width, classes and features."""
    return with_columns(
        parts[0], {name: torch.cat([getattr(part, name) for part in parts]) for name in COLUMNS}
    )


def with_columns(jets: Jets, columns: dict[str, Any]) -> Jets:
    """Put other columns in the place of those of ``jets``."""
    return replace(jets, **columns)


def normalization_of(
    feature_set: str, normalization: FeatureNormalization | None
) -> FeatureNormalization:
    """Give the normalization of a feature set, by default Particle Transformer's.

    Raises:
        ValueError: There is no such set, or the normalization is of another one.
    """
    if normalization is None:
        return FeatureNormalization(feature_set)
    if normalization.feature_set != feature_set:
        raise ValueError(
            f"the normalization is of the feature set {normalization.feature_set!r}, "
            f"feature_set is {feature_set!r}"
        )
    return normalization


def as_tensors(
    file: Path,
    block: Block,
    max_particles: int,
    signal: Sequence[str],
    normalization: FeatureNormalization,
) -> Jets:
    """Turn a block into tensors of ``max_particles`` particles.

    Raises:
        JetFileError: A momentum or a feature is NaN or infinite; the message names the file.
    """
    if not (np.isfinite(block.momenta).all() and np.isfinite(block.jet).all()):
        raise JetFileError(f"{file} holds NaN or infinite momenta")
    kept = block.leading(max_particles)
    raw = features(kept, normalization.feature_set)
    if not np.isfinite(raw).all():
        raise JetFileError(f"{file} holds NaN or infinite {normalization.feature_set} features")
    named = torch.tensor([name in signal for name in block.class_names], dtype=torch.int64)
    classes = torch.from_numpy(block.classes)
    return Jets(
        torch.from_numpy(_widen(normalization.apply_to_array(raw, kept.mask), max_particles)),
        torch.from_numpy(_widen(kept.momenta, max_particles)),
        torch.from_numpy(_widen(kept.mask, max_particles)),
        named[classes],
        classes,
        torch.from_numpy(block.events),
        torch.from_numpy(observables(block).astype(np.float32)),
        block.class_names,
        normalization.feature_set,
        not normalization.is_identity,
    )


def _widen(padded: np.ndarray, width: int) -> np.ndarray:
    """Fill axis 1 to ``width``; floats become float32."""
    kind = np.bool_ if padded.dtype == bool else np.float32
    out = np.zeros((len(padded), width, *padded.shape[2:]), dtype=kind)
    out[:, : padded.shape[1]] = padded
    return out


def _blocks(
    files: Sequence[Path], max_jets: int | None, extra: Sequence[str]
) -> Iterator[tuple[Path, Block]]:
    """Read the files in order; each may give an equal share of the jets still wanted."""
    left = max_jets
    for number, file in enumerate(files):
        limit = None if left is None else math.ceil(left / (len(files) - number))
        if limit == 0:
            return
        for block in read_blocks(file, limit, number, extra):
            yield file, block
            if left is not None:
                left -= len(block.events)
