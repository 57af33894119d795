"""What examples/jets/train.py makes of wrong jets and settings, and of strange ones."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

QUICK = ["--particles", "8", "--batch", "16", "--parameters", "1k", "--threads", "1"]


@pytest.fixture
def training(jets_example: Path) -> Any:
    return importlib.import_module("training")


@pytest.fixture
def shards(write_shard: Any, tmp_path: Path) -> Path:
    """A folder of 192 jets in two shards."""
    for number in range(2):
        write_shard(tmp_path / "jets" / f"{number}.npz", seed=number)
    return tmp_path / "jets"


def train(*arguments: object) -> dict[str, Any]:
    """Train in this process."""
    settings, run = (importlib.import_module(f"training.{name}") for name in ("settings", "run"))
    return run.run(settings.parse([str(argument) for argument in arguments]))


# -- jets that are wrong, or strange ---------------------------------------------------------------


def test_jets_of_one_particle_and_of_none(training: Any, write_shard: Any, tmp_path: Path) -> None:
    counts = np.tile([0, 1, 1, 5], 24)
    write_shard(tmp_path / "jets" / "a.npz", counts=counts)
    for tagger in ("pm-transformer", "observables"):
        results = train(*QUICK, "--tagger", tagger, "--epochs", "1", "--data", tmp_path / "jets",
                        "--out", tmp_path / tagger)  # fmt: skip
        assert np.isfinite(results["test"]["loss"])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"pt": np.array([np.nan])}, "cannot read jets: .*pt must have the shape"),
        ("nan", "cannot read jets: .*holds NaN or infinite momenta"),
        ("cut", "cannot read jets: "),
        ("foreign", "cannot read jets: .*is an .npz file without jets"),
        ("absent", "cannot read jets: "),
        ("classes", "none are signal: name some with --signal"),
        ("few", "cannot read jets: "),
    ],
)
def test_wrong_jets(
    training: Any, write_shard: Any, tmp_path: Path, damage: Any, message: str
) -> None:
    """Truncated, foreign, NaN, or without signal: one sentence, and nothing is written."""
    settings = importlib.import_module("training.settings")
    path = tmp_path / "jets" / "a.npz"
    counts = np.full(96, 3)
    classes = ("qcd", "w") if damage == "classes" else ("qcd", "top")
    other = damage if isinstance(damage, dict) else {}
    write_shard(path, counts=counts, classes=classes, **other)
    if damage == "nan":
        write_shard(path, counts=counts, pt=np.full(288, np.nan))
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "foreign":
        np.savez(path, x=np.arange(3))
    elif damage == "absent":
        path.unlink()
    elif damage == "few":
        write_shard(path, jets=1)
    with pytest.raises(settings.SettingsError, match=message):
        train(*QUICK, "--tagger", "pfn", "--data", tmp_path / "jets", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# -- settings --------------------------------------------------------------------------------------


def test_flags_win_over_the_file(training: Any, tmp_path: Path) -> None:
    settings = importlib.import_module("training.settings")
    path = tmp_path / "run.toml"
    path.write_text(
        '[model]\ntagger = "part"\nparameters = 1000\noptions = { dropout = 0.2 }\n'
        "[training]\nlr = 1\nepochs = 7\namp = true\n",
        encoding="utf-8",
    )
    found = settings.parse(["--config", str(path), "--epochs", "3", "--option", "layers=2",
                            "--no-amp", "--option", "head=mlp"])  # fmt: skip
    assert found.model.tagger == "part"
    assert found.model.parameters == "1000"
    assert found.model.options == {"layers": 2, "head": "mlp"}
    assert (found.training.lr, found.training.epochs, found.training.amp) == (1.0, 3, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nepohcs = 3", r"\[training\] has no 'epohcs': it has epochs, cpu_seconds"),
        ("[trainig]\nepochs = 3", r"no section \[trainig\]: there are model, data"),
        ("[training]\nepochs = 'many'", "epochs must be of type int, got 'many'"),
        ("[training]\nepochs = 0", "epochs must be at least 1, got 0"),
        ("[training]\nlr = nan", "lr must be above 0, got nan"),
        ("[training]\nschedule = 'step'", "schedule must be one of cosine, flat-decay, constant"),
        ("[training]\nema = 1.0", "ema must be at least 0 and below 1"),
        ("training = 3", r"training is a section: write \[training\]"),
        ("[training", "is not a TOML file"),
        ("[model]\noptions = 3", "options must be of type dict"),
    ],
)
def test_wrong_configuration(training: Any, tmp_path: Path, text: str, message: str) -> None:
    settings = importlib.import_module("training.settings")
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(settings.SettingsError, match=message):
        settings.parse(["--config", str(path)])


def test_shipped_configurations_can_be_read(training: Any, jets_example: Path) -> None:
    settings = importlib.import_module("training.settings")
    paths = list((jets_example / "configs").glob("*.toml"))
    assert paths
    for path in paths:
        assert settings.parse(["--config", str(path)]).model.tagger


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tagger", "resnet"], "unknown tagger 'resnet'"),
        (["--option", "layers"], "--option takes NAME=VALUE"),
        (["--config", "absent.toml"], "cannot read --config absent.toml"),
        (["--device", "cuda:77"], "no device 'cuda:77' here"),
        (["--normalization", "absent.json"], "cannot read --normalization absent.json"),
        (["--data", "absent"], "cannot read jets"),
        (["--out", __file__], "is not a folder"),
    ],
)
def test_errors_are_one_sentence(
    training: Any, shards: Path, tmp_path: Path, arguments: list[str], message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    given = [*QUICK, "--data", str(shards), "--out", str(tmp_path / "out"), *arguments]
    with pytest.raises(SystemExit) as end:
        importlib.import_module("train").main(given)
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert error.startswith("train.py: ")
    assert message in error
    assert len(error.splitlines()) == 1
