"""The jet readers: every format gives the tensors that a slow loop over the particles gives."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from noneuclid.datasets import Jets, load_jets
from noneuclid.datasets import jets as jets_module
from noneuclid.datasets.jet_files import BLOCK, JETCLASS_NAMES, JetFileError

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "jets"
N = 12


def make_particles(seed: int = 5) -> list[np.ndarray]:
    """Return jets as (n, 4) float32 arrays E, px, py, pz, massless, sorted by falling pT."""
    rng = np.random.default_rng(seed)
    jets = []
    for i in range(N):
        n = int(rng.integers(3, 70))
        axis_eta, axis_phi = rng.uniform(-2, 2), rng.uniform(2.5, 3.8) if i % 2 else 0.3
        pt = np.sort(rng.exponential(20, n) + 0.5)[::-1]
        eta, phi = rng.normal(axis_eta, 0.2, n), rng.normal(axis_phi, 0.2, n)
        columns = (pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta))
        jets.append(np.stack(columns, axis=1).astype(np.float32))
    return jets


LABELS = [i % 2 for i in range(N)]
EVENTS = [7 + i // 3 for i in range(N)]  # three jets of each event


def polar(e: float, px: float, py: float, pz: float) -> tuple[float, float, float]:
    pt = math.hypot(px, py)
    return pt, math.asinh(pz / pt), math.atan2(py, px)


def expected_of(jet: np.ndarray) -> tuple[list[list[float]], list[float]]:
    """Compute features and observables of a jet, one particle at a time."""
    total = [float(jet[:, i].astype(float).sum()) for i in range(4)]
    jet_pt, jet_eta, jet_phi = polar(*total)
    sign = -1 if jet_eta < 0 else 1
    rows, pts, girth = [], [], 0.0
    for particle in jet.astype(float):
        pt, eta, phi = polar(*particle)
        deta, dphi = sign * (eta - jet_eta), math.remainder(phi - jet_phi, 2 * math.pi)
        values = [
            (math.log(pt) - 1.7) * 0.7,
            (math.log(particle[0]) - 2.0) * 0.7,
            (math.log(pt / jet_pt) + 4.7) * 0.7,
            (math.log(particle[0] / total[0]) + 4.7) * 0.7,
            (math.hypot(deta, dphi) - 0.2) * 4,
        ]
        rows.append([min(max(v, -5.0), 5.0) for v in values] + [deta, dphi])
        pts.append(pt)
        girth += pt * math.hypot(deta, dphi)
    mass = math.sqrt(total[0] ** 2 - sum(p**2 for p in total[1:]))
    dispersion = math.sqrt(sum(p**2 for p in pts)) / sum(pts)
    return rows, [mass, len(jet), dispersion, girth / sum(pts)]


# ------------------------------------------------------------------------------- files to read


def relative_to_axis(jet: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[float]]:
    total = jet.astype(float).sum(0)
    axis = polar(*total)
    mass = math.sqrt(total[0] ** 2 - (total[1:] ** 2).sum())
    pt, eta, phi = np.array([polar(*p) for p in jet.astype(float)]).T
    dphi = np.array([math.remainder(p - axis[2], 2 * math.pi) for p in phi])
    return pt, eta - axis[1], dphi, [*axis, mass]


def write_shard(path: Path, particles: list[np.ndarray], **changed: object) -> None:
    rows = [relative_to_axis(jet) for jet in particles]
    metadata = {"format": "noneuclid-jets", "version": 1, "classes": ["qcd", "top"]} | changed
    np.savez_compressed(
        path,
        **{
            name: np.concatenate([row[i] for row in rows]).astype(np.float32)
            for i, name in enumerate(("pt", "deta", "dphi"))
        },
        offsets=np.cumsum([0] + [len(jet) for jet in particles]),
        jet=np.array([row[3] for row in rows], dtype=np.float32),
        multiplicity=np.array([len(jet) for jet in particles], dtype=np.int32),
        event=np.array(EVENTS, dtype=np.int64),
        label=np.array(LABELS, dtype=np.int8),
        metadata=np.array(json.dumps(metadata)),
    )


def write_top_tagging(path: Path, particles: list[np.ndarray]) -> None:
    """Write what pandas' to_hdf(key="table", format="table") writes."""
    h5py = pytest.importorskip("h5py")
    dtype = [
        ("index", "<i8"),
        ("values_block_0", "<f4", (804,)),
        ("values_block_1", "<i8", (2,)),
    ]
    table = np.zeros(len(particles), dtype=dtype)
    for row, jet, label in zip(table, particles, LABELS, strict=True):
        row["values_block_0"][: 4 * len(jet)] = jet.ravel()
        row["values_block_0"][800:] = 1000.0 * label  # the true top, not a particle
        row["values_block_1"] = (2, label)
    with h5py.File(path, "w") as file:
        file.create_dataset("table/table", data=table, chunks=(4,), maxshape=(None,))


def write_jetclass(path: Path, particles: list[np.ndarray], classes: list[str]) -> None:
    uproot = pytest.importorskip("uproot")
    ak = pytest.importorskip("awkward")
    rows = [relative_to_axis(jet) for jet in particles]
    order = [np.random.default_rng(i).permutation(len(jet)) for i, jet in enumerate(particles)]
    branches = {
        f"part_{name}": ak.Array([jet[o, i] for jet, o in zip(particles, order, strict=True)])
        for i, name in enumerate(("energy", "px", "py", "pz"))
    }
    sign = [-1 if row[3][1] < 0 else 1 for row in rows]
    deta = [(s * row[1])[o] for s, row, o in zip(sign, rows, order, strict=True)]
    branches["part_deta"] = ak.values_astype(ak.Array(deta), "float32")
    dphi = [row[2][o] for row, o in zip(rows, order, strict=True)]
    branches["part_dphi"] = ak.values_astype(ak.Array(dphi), "float32")
    axes = np.array([row[3] for row in rows], dtype=np.float32).T
    branches |= {f"jet_{name}": axes[i] for i, name in enumerate(("pt", "eta", "phi"))}
    branches["jet_energy"] = np.array([jet[:, 0].sum() for jet in particles], dtype=np.float32)
    branches["jet_nparticles"] = np.array([len(jet) for jet in particles], dtype=np.float32)
    for name in JETCLASS_NAMES:
        branches[f"label_{name}"] = np.array([c == name for c in classes], dtype=np.int32)
    with uproot.recreate(path) as file:
        file.mktree("tree", {name: ak.type(ak.Array(b)).content for name, b in branches.items()})
        file["tree"].extend(branches)


@pytest.fixture
def particles() -> list[np.ndarray]:
    return make_particles()


@pytest.fixture(params=["shard.npz", "test.h5", "TTBar_000.root"])
def file(request: pytest.FixtureRequest, tmp_path: Path, particles: list[np.ndarray]) -> Path:
    path = tmp_path / request.param
    if path.suffix == ".npz":
        write_shard(path, particles)
    elif path.suffix == ".h5":
        write_top_tagging(path, particles)
    else:
        write_jetclass(path, particles, ["Tbqq" if label else "QCD" for label in LABELS])
    return path


# -------------------------------------------------------------------------------------- content


def test_every_format_gives_the_same_tensors(file: Path, particles: list[np.ndarray]) -> None:
    jets = load_jets(file, max_particles=50)
    assert jets.features.shape == (N, 50, 7)
    assert jets.features.dtype == jets.momenta.dtype == jets.observables.dtype == torch.float32
    assert jets.labels.tolist() == LABELS
    assert jets.labels.dtype == jets.classes.dtype == jets.events.dtype == torch.int64
    assert [jets.class_names[c].lower() in ("top", "tbqq") for c in jets.classes] == LABELS
    for i, jet in enumerate(particles):
        n = min(len(jet), 50)
        rows, observables = expected_of(jet)
        assert jets.mask[i].tolist() == [True] * n + [False] * (50 - n)
        torch.testing.assert_close(jets.features[i, :n], torch.tensor(rows[:n]), rtol=0, atol=2e-5)
        momenta = torch.from_numpy(np.roll(jet, -1, axis=1)[:n])
        torch.testing.assert_close(jets.momenta[i, :n], momenta, rtol=2e-6, atol=1e-4)
        assert not jets.features[i, n:].any()
        assert not jets.momenta[i, n:].any()
        assert jets.observables[i].tolist() == pytest.approx(observables, rel=1e-4)


def test_width_beyond_the_longest_jet_is_padding(file: Path) -> None:
    jets = load_jets(file, max_particles=300)
    assert jets.mask.shape == (N, 300)
    assert jets.mask.sum(1).tolist() == jets.observables[:, 1].tolist()


def test_max_jets_takes_the_first(file: Path) -> None:
    whole, few = load_jets(file), load_jets(file, max_jets=5)
    assert len(few) == 5
    assert torch.equal(few.features, whole.features[:5])


def test_blocks_join_seamlessly(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_jets(file)
    monkeypatch.setattr("noneuclid.datasets.jet_files.BLOCK", 5)
    for limit in (None, 7):
        parts = load_jets(file, max_jets=limit)
        assert torch.equal(parts.features, whole.features[:limit])
        assert torch.equal(parts.events, whole.events[:limit])
    assert BLOCK >= 1000


def test_max_jets_does_not_read_the_rest(
    tmp_path: Path, particles: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    h5py = pytest.importorskip("h5py")
    write_top_tagging(tmp_path / "train.h5", particles)
    read = []
    original = h5py.Dataset.__getitem__

    def counting(self: object, rows: slice) -> object:
        read.append(rows.stop - rows.start)
        return original(self, rows)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counting)
    load_jets(tmp_path / "train.h5", max_jets=3)
    assert sum(read) == 3


def test_jetclass_classes_and_chosen_signal(tmp_path: Path, particles: list[np.ndarray]) -> None:
    names = [JETCLASS_NAMES[i % 10] for i in range(N)]
    write_jetclass(tmp_path / "all.root", particles, names)
    jets = load_jets(tmp_path / "all.root")
    assert [jets.class_names[c] for c in jets.classes] == names
    assert jets.labels.tolist() == [int(name in ("Tbqq", "Tbl")) for name in names]
    jets = load_jets(tmp_path / "all.root", signal=["Hbb"])
    assert jets.labels.tolist() == [int(name == "Hbb") for name in names]
    with pytest.raises(ValueError, match=r"all\.root .*none is among signal=\('charm',\)"):
        load_jets(tmp_path / "all.root", signal=["charm"])


# -------------------------------------------------------------------------------------- folders


def test_folder_joins_files_in_sorted_order(tmp_path: Path, particles: list[np.ndarray]) -> None:
    for name, jets in (("b", particles), ("a", particles[::-1])):
        write_top_tagging(tmp_path / f"{name}.h5", jets)
    (tmp_path / "README.md").write_text("not a jet file")
    (tmp_path / "c.npz.123.part").write_bytes(b"PK half a shard")
    both = load_jets(tmp_path)
    a, b = load_jets(tmp_path / "a.h5"), load_jets(tmp_path / "b.h5")
    assert torch.equal(both.features, torch.cat([a.features, b.features]))
    assert len(set(both.events.tolist())) == 2 * N  # rows of different files are different events


def test_max_jets_of_a_folder_is_spread_over_its_files(
    tmp_path: Path, particles: list[np.ndarray]
) -> None:
    for name in "abc":
        write_shard(tmp_path / f"{name}.npz", particles)
    for wanted, shares in ((7, (3, 2, 2)), (1, (1, 0, 0)), (36, (12, 12, 12)), (99, (12, 12, 12))):
        jets = load_jets(tmp_path, max_jets=wanted)
        expected = [label for share in shares for label in LABELS[:share]]
        assert jets.labels.tolist() == expected


def test_split_names_a_file_or_a_subfolder(tmp_path: Path, particles: list[np.ndarray]) -> None:
    write_shard(tmp_path / "train.npz", particles)
    (tmp_path / "val").mkdir()
    write_shard(tmp_path / "val" / "part-0.npz", particles[::-1])
    train, val = load_jets(tmp_path, split="train"), load_jets(tmp_path, split="val")
    assert torch.equal(train.features, val.features.flip(0))
    assert torch.equal(load_jets(tmp_path / "train.npz", split="train").features, train.features)
    with pytest.raises(ValueError, match=f"{tmp_path} has no split 'test': it holds train"):
        load_jets(tmp_path, split="test")
    with pytest.raises(ValueError, match=r"train\.npz is one file and has no split 'test'"):
        load_jets(tmp_path / "train.npz", split="test")


# -------------------------------------------------------------------------------------- methods


def test_split_by_event_keeps_events_whole(tmp_path: Path, particles: list[np.ndarray]) -> None:
    write_shard(tmp_path / "jets.npz", particles)
    jets = load_jets(tmp_path / "jets.npz")
    first, second = jets.split_by_event(0.5, seed=3)
    assert (len(first), len(second)) == (6, 6)
    assert not set(first.events.tolist()) & set(second.events.tolist())
    again, _ = jets.subset(torch.arange(N - 1, -1, -1)).split_by_event(0.5, seed=3)
    assert set(again.events.tolist()) == set(first.events.tolist())
    chosen = {
        tuple(jets.split_by_event(0.5, seed)[0].events.unique().tolist()) for seed in range(9)
    }
    assert len(chosen) > 1
    assert [len(part) for part in jets.split_by_event(1.0)] == [N, 0]
    with pytest.raises(ValueError, match="fraction must be between 0 and 1, got 60"):
        jets.split_by_event(60)


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        ([3, 1], [3, 1]),
        (slice(2, 5), [2, 3, 4]),
        (torch.arange(N) < 2, [0, 1]),
        (np.array([4]), [4]),
    ],
)
def test_subset_takes_every_column(
    index: object, rows: list[int], tmp_path: Path, particles: list[np.ndarray]
) -> None:
    write_shard(tmp_path / "jets.npz", particles)
    jets = load_jets(tmp_path / "jets.npz")
    part = jets.subset(index)
    assert isinstance(part, Jets)
    assert len(part) == len(rows)
    for name in ("features", "momenta", "mask", "labels", "classes", "events", "observables"):
        assert torch.equal(getattr(part, name), getattr(jets, name)[rows])


# -------------------------------------------------------------------------------------- bad input


def test_truncated_files_say_so(file: Path) -> None:
    whole = file.read_bytes()
    for share in (0.999, 0.7, 0.3, 0.02):
        file.write_bytes(whole[: max(12, int(share * len(whole)))])
        with pytest.raises(ValueError, match=f"{file.name} is (a truncated|an? .* file with)"):
            load_jets(file)


@pytest.mark.parametrize("content", [b"", b"PAR1 some parquet", b"E,PX,PY,PZ\n1,2,3,4\n"])
def test_foreign_file_is_named_with_what_is_recognised(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "jets.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"jets\.npz is not a jet file: expected a shard .*ROOT"):
        load_jets(tmp_path / "jets.npz")


def test_files_of_the_right_kind_with_other_content(
    tmp_path: Path, particles: list[np.ndarray]
) -> None:
    h5py, uproot = pytest.importorskip("h5py"), pytest.importorskip("uproot")
    np.savez(tmp_path / "a.npz", weights=np.ones(3))
    write_shard(tmp_path / "b.npz", particles, version=99)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["images"] = np.ones(3)
    with uproot.recreate(tmp_path / "d.root") as file:
        file.mktree("tree", {"part_px": "float32"})
        file["tree"].extend({"part_px": np.ones(3, dtype=np.float32)})
    particles[2][1, 0] = np.nan
    write_top_tagging(tmp_path / "e.h5", particles)
    for name, message in (
        ("a.npz", "without jets"),
        ("b.npz", "version 99: expected one of"),
        ("c.h5", "without the Top Tagging table"),
        ("d.root", r"'tree' lacks \['jet_energy'"),
        ("e.h5", "NaN or infinite"),
    ):
        with pytest.raises(ValueError, match=f"{name} .*{message}"):
            load_jets(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("label", lambda c: c + 7 * (np.arange(N) == 3), r"label must be in 0\.\.1, got 8"),
        ("label", lambda c: c - (np.arange(N) == 0), r"label must be in 0\.\.1, got -1"),
        ("event", lambda c: c[:-1], r"event must have the shape \(12,\) for 12 jets, got \(11,\)"),
        ("multiplicity", lambda c: c[:5], r"multiplicity must have the shape \(12,\)"),
        ("jet", lambda c: c[:, :3], r"jet must have the shape \(12, 4\)"),
        ("pt", lambda c: c[:-1], "pt must have the shape"),
        ("dphi", lambda c: np.append(c, 0), "dphi must have the shape"),
        ("offsets", lambda c: c[:-1], "12 labels need 12 counts or 13 offsets"),
        ("offsets", lambda c: c + 1, "offsets must rise from 0"),
        ("offsets", lambda c: c[[0, 2, 1, *range(3, N + 1)]], "offsets must rise from 0"),
    ],
)
def test_damaged_columns_are_named(
    name: str,
    change: Callable[[np.ndarray], np.ndarray],
    message: str,
    tmp_path: Path,
    particles: list[np.ndarray],
) -> None:
    write_shard(tmp_path / "a.npz", particles)
    with np.load(tmp_path / "a.npz") as arrays:
        columns = {key: arrays[key] for key in arrays.files}
    columns[name] = change(columns[name])
    np.savez(tmp_path / "a.npz", **columns)
    with pytest.raises(JetFileError, match=rf"a\.npz is a damaged \.npz file: {message}"):
        load_jets(tmp_path / "a.npz", max_jets=2)


def test_empty_folder_and_missing_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path} holds no jet files"):
        load_jets(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_jets(tmp_path / "nowhere")
    for wrong in ({"max_jets": 0}, {"max_particles": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least 1"):
            load_jets(tmp_path, **wrong)


@pytest.mark.parametrize(("name", "package"), [("a.h5", "h5py"), ("a.root", "uproot")])
def test_missing_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    start = {"a.h5": b"\x89HDF\r\n\x1a\n", "a.root": b"root"}[name]
    (tmp_path / name).write_bytes(start + bytes(100))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"{package} .*install noneuclid\[jets\]"):
        load_jets(tmp_path / name)


def test_import_brings_no_file_library() -> None:
    code = (
        "import sys, noneuclid.datasets as d\n"
        "print(*{'h5py', 'uproot', 'awkward', 'scipy', 'pandas'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_shown_constants_are_those_used() -> None:
    assert (jets_module.CENTRES, jets_module.SCALES) == (
        (1.7, 2.0, -4.7, -4.7, 0.2),
        (0.7, 0.7, 0.7, 0.7, 4.0),
    )


# -------------------------------------------------------------------------------------- packing


def test_packed_sample_loses_only_its_rounding(
    tmp_path: Path, particles: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    pack_sample = __import__("pack_sample")
    (tmp_path / "shards").mkdir()
    write_shard(tmp_path / "shards" / "all-00000.npz", particles)
    arguments = ["--train", "3", "--test", "2", "--constituents", "56"]
    assert pack_sample.main([str(tmp_path / "shards"), str(tmp_path / "out"), *arguments]) == 0
    exact = load_jets(tmp_path / "shards", max_particles=56)
    train = load_jets(tmp_path / "out", split="train", max_particles=56)
    test = load_jets(tmp_path / "out", split="test", max_particles=56)
    assert (train.labels.tolist().count(1), train.labels.tolist().count(0)) == (3, 3)
    assert (test.labels.tolist().count(1), test.labels.tolist().count(0)) == (2, 2)
    for jets in (train, test):
        for i in range(len(jets)):
            # a jet is known by its event, its label and its true multiplicity
            key = (jets.events[i], jets.labels[i], jets.observables[i, 1])
            same = (exact.events == key[0]) & (exact.labels == key[1])
            (row,) = torch.nonzero(same & (exact.observables[:, 1] == key[2])).ravel().tolist()
            assert torch.equal(jets.mask[i], exact.mask[row])
            pt, exact_pt = (m[:, :2].norm(dim=1) for m in (jets.momenta[i], exact.momenta[row]))
            torch.testing.assert_close(pt, exact_pt, rtol=math.expm1(0.0251), atol=0)
            angle, exact_angle = jets.features[i, :, 5:], exact.features[row, :, 5:]
            torch.testing.assert_close(angle, exact_angle, rtol=0, atol=0.0087 / 2 + 1e-6)


def test_packing_never_splits_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    choose = __import__("pack_sample").choose
    rng = np.random.default_rng(0)
    columns = {"label": rng.integers(0, 2, 600), "event": rng.integers(0, 300, 600)}
    columns["event"] = columns["event"] * 2 + columns["label"]  # an event has one class
    train, test = choose(columns, (150, 60), seed=1)
    assert [len(np.unique(part)) for part in (train, test)] == [300, 120]
    assert not set(columns["event"][train]) & set(columns["event"][test])
    with pytest.raises(ValueError, match="9000 are wanted"):
        choose(columns, (6000, 3000), seed=1)


# -------------------------------------------------------------------------------------- the sample


def test_shipped_sample_is_what_its_page_says() -> None:
    train, test = (load_jets(EXAMPLE / "sample", split=split) for split in ("train", "test"))
    for jets, at_least in ((train, 12_000), (test, 4_000)):
        assert int((jets.labels == 1).sum()) == int((jets.labels == 0).sum()) >= at_least
    assert not set(train.events.tolist()) & set(test.events.tolist())
    assert sum(path.stat().st_size for path in (EXAMPLE / "sample").iterdir()) < 6_000_000
    mass, multiplicity = train.observables[:, 0], train.observables[:, 1]
    top = train.labels == 1
    assert 165 < mass[top].median() < 180
    assert 55 < mass[~top].median() < 80
    assert 60 < multiplicity[top].mean() < 65
    assert 46 < multiplicity[~top].mean() < 51
    in_window = (mass > 150) & (mass < 200)
    assert in_window[top].float().mean() > 0.78
    assert in_window[~top].float().mean() < 0.12
    # labels are mixed: any run of jets serves as a batch
    assert 0.3 < train.labels[:200].float().mean() < 0.7
