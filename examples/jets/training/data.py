"""The jets of a run: three loaders, no collision in two of them."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from noneuclid.datasets import FeatureNormalization, JetLoader, JetStream, open_jets
from training.memory import MemoryLoader
from training.settings import DataSettings, SettingsError, TrainingSettings

Loader = JetLoader | MemoryLoader
EVALUATION_BATCH = 1024
_BYTES = 4  # of a number


@dataclass(frozen=True)
class Data:
    """Loaders of training, validation and test jets, and what they read.

    Attributes:
        train: shuffled, another order in each epoch.
        validation: in the order of the files.
        test: likewise.
        class_names: name of each class.
        is_signal: of each class, whether it is signal.
        normalization: what standardises the features.
        description: numbers of jets, for the log and the report.
    """

    train: Loader
    validation: Loader
    test: Loader
    class_names: tuple[str, ...]
    is_signal: tuple[bool, ...]
    normalization: FeatureNormalization
    description: str

    @property
    def in_features(self) -> int:
        """Number of features of a particle."""
        return len(self.normalization.standards)


def open_data(data: DataSettings, training: TrainingSettings, pin_memory: bool = False) -> Data:
    """Open the jets and look at everything that can be wrong with them.

    Raises:
        SettingsError: no such files, foreign or truncated ones, a class that is not there, no
            signal or no background. ImportError: a format needs a package that is missing.
    """
    normalization = _normalization(data)
    try:
        splits = open_jets(
            data.data,
            batch_size=training.batch,
            max_particles=data.particles,
            feature_set=data.feature_set,
            normalization=normalization,
            classes=data.classes,
            signal=tuple(data.signal),
            seed=training.seed,
        )
        train = _share(splits.train, data.train_jets)
        validation = _share(splits.validation, data.validation_jets)
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read jets: {error}") from error
    names = train.class_names
    is_signal = tuple(name in data.signal for name in names)
    if len(set(is_signal)) < 2:
        raise SettingsError(
            f"the jets have the classes {', '.join(names)}, of which"
            f" {'all' if all(is_signal) else 'none'} are signal: name some with --signal"
        )
    streams = (train, validation, splits.test)
    kept = sum(_size(stream) for stream in streams) <= data.memory * 1e9
    try:
        loaders = [_loader(s, kept, data.workers, pin_memory) for s in streams]
    except ValueError as error:
        raise SettingsError(f"cannot read jets: {error}") from error
    counts = ", ".join(
        f"{stream.n_jets:,} to {use}"
        for stream, use in zip(streams, ("train", "validate", "test"), strict=True)
    )
    return Data(*loaders, names, is_signal, normalization, f"{', '.join(names)}: {counts}")


def _normalization(data: DataSettings) -> FeatureNormalization:
    """Return the constants of a file, or Particle Transformer's."""
    if data.normalization is None:
        return FeatureNormalization(data.feature_set)
    path = Path(data.normalization)
    try:
        return FeatureNormalization.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(f"cannot read --normalization {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path} holds no normalization: make one with"
            f" python -m noneuclid.datasets --data DIR --fit {path}"
        ) from error


def _share(stream: JetStream, jets: int | None) -> JetStream:
    """Return a stream of about so many jets: whole collisions, the same ones with any seed."""
    if jets is None or jets >= stream.n_jets:
        return stream
    low, high = stream.part
    return replace(stream, part=(low, low + (high - low) * jets / stream.n_jets))


def _size(stream: JetStream) -> int:
    """Return the bytes of all jets of a stream."""
    features = len(stream.normalization.standards) if stream.normalization else 0
    return stream.n_jets * stream.max_particles * (features + 4) * _BYTES


def _loader(stream: JetStream, kept: bool, workers: int, pin_memory: bool) -> Loader:
    if kept:
        return MemoryLoader(stream)
    return JetLoader(stream, workers=workers, pin_memory=pin_memory)
