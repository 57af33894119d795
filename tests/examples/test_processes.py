"""The classes of the simulation: what is made, what a jet must hold, and how the jets look."""

import importlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from noneuclid.datasets import load_jets

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "jets"
needs_pythia = pytest.mark.skipif(
    importlib.util.find_spec("pythia8mc") is None, reason="pythia8mc is not installed"
)


@pytest.fixture(autouse=True)
def _example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))


def module(name: str) -> ModuleType:
    return importlib.import_module(f"simulation.{name}")


def recipe(**changed: object) -> object:
    settings = {"seed": 3, "window": (500.0, 800.0), "level": "detector", "shard_jets": 40}
    return module("recipe").Recipe(**settings | changed)


# -------------------------------------------------------------------------------------- classes


def test_sets_of_classes() -> None:
    expand = module("processes").expand
    assert expand(["five"]) == ["top", "gluon", "quark", "w", "z"]
    assert expand(["seven"]) == ["qcd", "top", "gluon", "quark", "w", "z", "hbb"]
    assert expand(["hbb", "binary", "top"]) == ["qcd", "top", "hbb"]
    with pytest.raises(ValueError, match=r"'tau': choose from qcd, top, .*, five, seven"):
        expand(["top", "tau"])


def test_codes_of_older_files_stay() -> None:
    assert list(module("processes").PROCESSES)[:2] == ["qcd", "top"]


def test_recipes_of_older_files_are_read() -> None:
    old = {"seed": 3, "window": [500.0, 800.0], "level": "detector", "shard_jets": 40}
    assert module("recipe").Recipe.of(old) == recipe()
    assert module("recipe").Recipe.of(old).differences(recipe()) == ""
    assert recipe().differences(recipe(shower="a14")) == "shower monash instead of a14"
    with pytest.raises(TypeError):
        module("recipe").Recipe.of(old | {"colour": 1})


def test_default_window_of_the_reference_set() -> None:
    assert module("recipe").default_window((550.0, 650.0)) == (500.0, 800.0)


@needs_pythia
def test_pythia_knows_every_class_and_shower() -> None:
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)  # knows them or not, whatever was set before
    for shower in module("recipe").SHOWERS:
        for process in module("processes").PROCESSES.values():
            for setting in recipe(shower=shower).settings(process, 5):
                assert pythia.readString(setting), setting
    for setting in recipe(shower="a14").settings(process, 5):
        pythia.readString(setting)
    assert pythia.settings.parm("TimeShower:alphaSvalue") == 0.127  # of Monash 0.1365
    assert not pythia.settings.flag("PartonLevel:MPI")


def test_no_jet_in_the_window_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pythia8mc")
    monkeypatch.setattr(module("generator"), "PATIENCE", 250)
    impossible = recipe(jet_pt=(2000.0, 2100.0), level="particle")
    with pytest.raises(ValueError, match="250 events gave no jet of class quark with pT in"):
        module("generator").make_shard("quark", 0, impossible)


# -------------------------------------------------------------------------------------- matching


def jet_at(eta: float, phi: float) -> object:
    empty = module("detector").Particles(*(np.zeros(0) for _ in range(6)))
    return module("record").JetColumns(
        empty, np.array([[600.0, eta, phi, 80.0]]), np.array([0])
    )  # fmt: skip


class Charges:
    """Stands in for Pythia's particle table."""

    @staticmethod
    def charge(number: int) -> float:
        return 0.0


def record_of(rows: list[tuple[int, int, int, float, float]]) -> object:
    """Make an event of (identity, status, mother, eta, phi) rows."""
    identity, status, mother, eta, phi = np.array(rows).T
    momentum = np.stack([np.cos(phi), np.sin(phi), np.sinh(eta), np.cosh(eta)], 1)
    integers = (column.astype(int) for column in (identity, status, mother))
    return module("record").Record(1, np.zeros(len(rows), dtype=int), *integers, momentum, Charges)


W_EVENT = [
    (24, -22, 0, 1.9, 0.0),  # before it recoils: elsewhere
    (24, -62, 24, 0.5, 3.1),
    (2, -23, 24, 0.7, 3.1),
    (-1, -23, 24, 0.4, -3.1),
    (21, -23, 2, 0.5, -0.1),  # of the hard process
]


@pytest.mark.parametrize(
    ("name", "eta", "phi", "inside"),
    [
        ("w", 0.5, 3.1, True),
        ("w", -0.2, 3.1, False),  # one quark is outside
        ("w", 0.5, 0.0, False),
        ("z", 0.5, 3.1, False),  # there is no Z
        ("gluon", 0.5, 0.0, True),
        ("gluon", 0.5, 3.1, False),
    ],
)
def test_jet_holds_the_truth_of_its_class(name: str, eta: float, phi: float, inside: bool) -> None:
    process = module("processes").PROCESSES[name]
    found = module("matching").matched(jet_at(eta, phi), record_of(W_EVENT), process)
    assert found.tolist() == [inside]


@pytest.mark.parametrize(("identity", "inside"), [(2, True), (-3, True), (4, False), (5, False)])
def test_quark_jets_are_light(identity: int, inside: bool) -> None:
    record = record_of([(identity, -23, 21, 0.1, 0.1), (12, 23, 23, 0.1, 3.0)])
    process = module("processes").PROCESSES["quark"]
    assert module("matching").matched(jet_at(0, 0), record, process).tolist() == [inside]


# -------------------------------------------------------------------------------------- physics


@needs_pythia
@pytest.mark.parametrize(
    ("name", "low", "high"), [("w", 76, 88), ("hbb", 112, 130), ("gluon", 50, 120)]
)
def test_masses_and_multiplicities(name: str, low: float, high: float, tmp_path: Path) -> None:
    jets = module("generator").make_shard(name, 0, recipe())
    path = tmp_path / "a.npz"
    assert module("shards").write_shard(path, jets, name, 0, recipe(), "command") >= 40
    with np.load(path) as arrays:
        metadata = json.loads(str(arrays["metadata"]))
    assert metadata["class"] == name == metadata["classes"][jets_code(path)]
    read = load_jets(path, max_particles=150)
    assert low < read.observables[:, 0].median() < high
    if name == "gluon":
        assert 48 < read.observables[:, 1].mean() < 70  # 59; of quarks 37, of W and Z 40


def jets_code(path: Path) -> int:
    """Give the class of a file of one class."""
    with np.load(path) as arrays:
        (code,) = np.unique(arrays["label"])
    return int(code)
