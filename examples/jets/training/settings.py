"""What a run is told: defaults, a configuration file, flags; the later one wins."""
# ruff: noqa: RUF009 - `option` is dataclasses.field

import argparse
import math
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import tomllib

SAMPLE = Path(__file__).resolve().parents[1] / "sample"
FEATURE_SETS = ("kin", "kinpid", "full")
SCHEDULES = ("cosine", "flat-decay", "constant")
WATCHED = ("loss", "auc")


class SettingsError(ValueError):
    """A setting that cannot be; the message says which and what to do."""


def option(default: Any, text: str, check: Callable[[Any], str | None] | None = None) -> Any:
    """Declare a setting: its default, what it is, and what is wrong with a value if anything."""
    metadata = {"text": text, "check": check}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def _above(least: float, *, strictly: bool = False) -> Callable[[Any], str | None]:
    def check(value: float) -> str | None:
        fine = math.isfinite(value) and (value > least if strictly else value >= least)
        return None if fine else f"must be {'above' if strictly else 'at least'} {least}"

    return check


def _share(value: float) -> str | None:
    return None if 0 <= value < 1 else "must be at least 0 and below 1"


def _one_of(*names: str) -> Callable[[Any], str | None]:
    return lambda value: None if value in names else f"must be one of {', '.join(names)}"


@dataclass(frozen=True)
class ModelSettings:
    """The tagger."""

    tagger: str = option("pm-transformer", "kind, see taggers.TAGGERS")
    parameters: str = option("5k", "how many, or a preset: 1k, 5k, 25k, 45k, 250k, 1M, 2M")
    signature: str | None = option(None, "product of manifolds of pm-mlp and pm-transformer")
    options: dict[str, Any] = option({}, "further options of the tagger: NAME=VALUE")


@dataclass(frozen=True)
class DataSettings:
    """The jets."""

    data: str = option(str(SAMPLE), "folder of jet files, or one such file")
    feature_set: str = option("kin", "inputs: kin, kinpid, full", _one_of(*FEATURE_SETS))
    normalization: str | None = option(None, "constants fitted by `python -m noneuclid.datasets`")
    particles: int = option(48, "kept of each jet, leading in pT", _above(1))
    classes: list[str] | None = option(None, "names of the classes to read (default: all)")
    signal: list[str] = option(["top", "Tbqq", "Tbl"], "names of the classes that are signal")
    train_jets: int | None = option(None, "about so many to train on (default: all)", _above(1))
    validation_jets: int | None = option(
        None, "about so many to validate on (default: all)", _above(1)
    )
    workers: int = option(0, "processes that read; 0: this one", _above(0))
    memory: float = option(2.0, "GB of jets kept in memory; larger data is streamed", _above(0))


@dataclass(frozen=True)
class TrainingSettings:
    """The training."""

    epochs: int = option(10, "at most", _above(1))
    cpu_seconds: float = option(0.0, "of all training steps, at most; 0: no bound", _above(0))
    batch: int = option(256, "jets of a batch, on each process", _above(1))
    accumulate: int = option(1, "batches of a step", _above(1))
    lr: float | None = option(
        None, "peak learning rate (default: by size)", _above(0, strictly=True)
    )
    curvature_lr: float | None = option(None, "of curvatures (default: lr)", _above(0))
    weight_decay: float = option(0.0, "decoupled", _above(0))
    schedule: str = option("cosine", "of the rate: " + ", ".join(SCHEDULES), _one_of(*SCHEDULES))
    warmup: float = option(0.1, "share of all steps in which the rate rises", _share)
    clip: float = option(1.0, "largest Riemannian norm of a gradient; 0: no bound", _above(0))
    ema: float = option(0.0, "decay of the exponential average of the weights; 0: none", _share)
    patience: int = option(0, "epochs without a better validation; 0: never stop", _above(0))
    watch: str = option("loss", "what is better in validation: loss or auc", _one_of(*WATCHED))
    amp: bool = option(False, "compute in bfloat16 where that is safe (autocast)")
    compile: bool = option(False, "compile the tagger (torch.compile)")
    device: str = option("auto", "auto, cpu, cuda, cuda:1, ...")
    threads: int = option(0, "of a process; 0: as torch chooses", _above(0))
    seed: int = option(0, "of weights, order and dropout", _above(0))


@dataclass(frozen=True)
class OutputSettings:
    """What is written."""

    out: str = option("runs/train", "folder of the results")
    checkpoint_every: int = option(200, "steps from one checkpoint to the next", _above(1))
    tensorboard: bool = option(False, "write event files too (noneuclid[tensorboard])")
    overwrite: bool = option(False, "begin anew where the folder holds another run")
    report: bool = option(True, "write report.html at the end (noneuclid[viz])")


SECTIONS: dict[str, type] = {
    "model": ModelSettings,
    "data": DataSettings,
    "training": TrainingSettings,
    "output": OutputSettings,
}
# that a run was stopped and goes on with other values of these does not change its result
FREE = {"out", "checkpoint_every", "tensorboard", "overwrite", "report", "data"}


@dataclass(frozen=True)
class Settings:
    """All settings of a run, by section."""

    model: ModelSettings
    data: DataSettings
    training: TrainingSettings
    output: OutputSettings

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Describe them in values that JSON and TOML know."""
        return asdict(self)

    def binding(self) -> dict[str, Any]:
        """Return those on which the weights of the run depend, by name."""
        values = {name: v for part in self.to_dict().values() for name, v in part.items()}
        return {name: value for name, value in values.items() if name not in FREE}


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Read the command line and the configuration file that it names.

    Raises:
        SettingsError: an unknown key, or a value of the wrong type or out of range.
    """
    parser = argparse.ArgumentParser(
        description="Train a jet tagger. Flags win over the configuration file.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--config", type=Path, help="TOML file with the sections and keys below")
    for name, section in SECTIONS.items():
        group = parser.add_argument_group(f"[{name}]")
        for one in fields(section):
            _add(group, one)
    given = vars(parser.parse_args(arguments))
    config = given.pop("config", None)
    written = {} if config is None else _read(config)
    return Settings(**{
        name: _section(section, {**written.get(name, {}), **_of(section, given)}, name)
        for name, section in SECTIONS.items()
    })  # fmt: skip


def settings_of(values: dict[str, Any]) -> Settings:
    """Make settings of values by name, whatever their section; the others have their defaults.

    Raises:
        SettingsError: an unknown name, or a value of the wrong type or out of range.
    """
    known = {one.name: name for name, section in SECTIONS.items() for one in fields(section)}
    if unknown := [name for name in values if name not in known]:
        raise SettingsError(f"no setting {unknown[0]!r}: there are {', '.join(known)}")
    own = {name: {k: v for k, v in values.items() if known[k] == name} for name in SECTIONS}
    return Settings(**{n: _section(section, own[n], n) for n, section in SECTIONS.items()})


def _add(group: Any, one: Field) -> None:
    """Add the flag of a setting."""
    flag = "--" + one.name.replace("_", "-")
    text = one.metadata["text"]
    default = one.default if one.default is not MISSING else one.default_factory()
    if default not in (None, False, {}) and "default" not in text:
        text += f" (default: {' '.join(default) if isinstance(default, list) else default})"
    text = text.replace("%", "%%")
    if one.name == "options":
        group.add_argument("--option", dest="options", action="append", metavar="N=V", help=text)
    elif one.type is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
    elif "list" in str(one.type):
        group.add_argument(flag, nargs="+", help=text)
    else:
        group.add_argument(flag, type=_plain(one), help=text)


def _plain(one: Field) -> type:
    """Return the one type of a setting, None left out."""
    if isinstance(one.type, types.UnionType):
        return next(kind for kind in typing.get_args(one.type) if kind is not types.NoneType)
    return one.type


def _of(section: type, given: dict[str, Any]) -> dict[str, Any]:
    """Return the flags of a section."""
    own = {one.name: given[one.name] for one in fields(section) if one.name in given}
    if "options" in own:
        own["options"] = dict(_assignment(text) for text in own["options"])
    return own


def _assignment(text: str) -> tuple[str, Any]:
    """Read "name=value", the value as in TOML, or a string without quotes."""
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"--option takes NAME=VALUE, such as layers=3, got {text!r}")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Read a configuration file."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read --config {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not a TOML file: {error}") from error
    for name in written:
        if name not in SECTIONS:
            raise SettingsError(f"{path}: no section [{name}]: there are {', '.join(SECTIONS)}")
        if not isinstance(written[name], dict):
            raise SettingsError(f"{path}: {name} is a section: write [{name}]")
    return written


def _section(section: type, values: dict[str, Any], name: str) -> Any:
    """Make a section of checked values."""
    known = {one.name: one for one in fields(section)}
    for key in values:
        if key not in known:
            raise SettingsError(f"[{name}] has no {key!r}: it has {', '.join(known)}")
    return section(**{key: _checked(known[key], value) for key, value in values.items()})


def _checked(one: Field, value: Any) -> Any:
    """Return a value in its type, or say what is wrong with it."""
    kind = _plain(one)
    if kind is float and type(value) is int:
        value = float(value)
    if one.name == "parameters" and type(value) is int:
        value = str(value)
    wanted = typing.get_origin(kind) or kind
    if type(value) is not wanted:
        raise SettingsError(f"{one.name} must be of type {wanted.__name__}, got {value!r}")
    wrong = one.metadata["check"] and one.metadata["check"](value)
    if wrong:
        raise SettingsError(f"{one.name} {wrong}, got {value!r}")
    return value
