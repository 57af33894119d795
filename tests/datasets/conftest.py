"""Jet files in the layouts of the published data sets, made from a few made-up jets."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from noneuclid.datasets.jet_files import JETCLASS_NAMES

N = 12


def make_particles(seed: int = 5, n_jets: int = N) -> list[np.ndarray]:
    """Return jets as (n, 4) float32 arrays E, px, py, pz, massless, sorted by falling pT."""
    rng = np.random.default_rng(seed)
    jets = []
    for i in range(n_jets):
        n = int(rng.integers(3, 70))
        axis_eta, axis_phi = rng.uniform(-2, 2), rng.uniform(2.5, 3.8) if i % 2 else 0.3
        pt = np.sort(rng.exponential(20, n) + 0.5)[::-1]
        eta, phi = rng.normal(axis_eta, 0.2, n), rng.normal(axis_phi, 0.2, n)
        columns = (pt * np.cosh(eta), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta))
        jets.append(np.stack(columns, axis=1).astype(np.float32))
    return jets


LABELS = [i % 2 for i in range(N)]


def polar(e: float, px: float, py: float, pz: float) -> tuple[float, float, float]:
    pt = math.hypot(px, py)
    return pt, math.asinh(pz / pt), math.atan2(py, px)


def kinds_of(jet: np.ndarray) -> np.ndarray:
    """Give made-up kinds: 0 charged hadron, 1 neutral hadron, 2 photon, 3 electron, 4 muon."""
    return np.arange(len(jet)) % 5


def charges_of(jet: np.ndarray) -> np.ndarray:
    kinds = kinds_of(jet)
    return np.where(np.isin(kinds, (1, 2)), 0, np.where(np.arange(len(jet)) % 2, 1, -1))


def identity_of(particles: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
    flags = ("ChargedHadron", "NeutralHadron", "Photon", "Electron", "Muon")
    return {"charge": [charges_of(jet) for jet in particles]} | {
        f"is{flag}": [(kinds_of(jet) == i).astype(float) for jet in particles]
        for i, flag in enumerate(flags)
    }


def displacement_of(particles: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Give made-up impact parameters in mm, some large, and their errors, some above 1."""
    return {
        "d0val": [jet[:, 1] / 20 for jet in particles],
        "d0err": [np.abs(jet[:, 2]) / 20 for jet in particles],
        "dzval": [jet[:, 3] / 20 for jet in particles],
        "dzerr": [np.abs(jet[:, 0]) / 20 for jet in particles],
    }


def relative_to_axis(jet: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[float]]:
    total = jet.astype(float).sum(0)
    axis = polar(*total)
    mass = math.sqrt(total[0] ** 2 - (total[1:] ** 2).sum())
    pt, eta, phi = np.array([polar(*p) for p in jet.astype(float)]).T
    dphi = np.array([math.remainder(p - axis[2], 2 * math.pi) for p in phi])
    return pt, eta - axis[1], dphi, [*axis, mass]


def write_shard(path: Path, particles: list[np.ndarray], **changed: object) -> None:
    """Write what simulate.py writes; ``changed`` are metadata."""
    n = len(particles)
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
        event=7 + np.arange(n, dtype=np.int64) // 3,
        label=(np.arange(n) % 2).astype(np.int8),
        pid=np.concatenate([kinds_of(jet) for jet in particles]).astype(np.int8),
        charge=np.concatenate([charges_of(jet) for jet in particles]).astype(np.int8),
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
    for row, jet, label in zip(table, particles, np.arange(len(particles)) % 2, strict=True):
        row["values_block_0"][: 4 * len(jet)] = jet.ravel()
        row["values_block_0"][800:] = 1000.0 * label  # the true top, not a particle
        row["values_block_1"] = (2, label)
    with h5py.File(path, "w") as file:
        file.create_dataset("table/table", data=table, chunks=(4,), maxshape=(None,))


def write_jetclass(
    path: Path, particles: list[np.ndarray], classes: list[str], *, tracks: bool = True
) -> None:
    """Write a tree of JetClass; ``tracks``: with the impact parameters."""
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
    columns = identity_of(particles) | (displacement_of(particles) if tracks else {})
    for name, values in columns.items():
        ordered = [column[o] for column, o in zip(values, order, strict=True)]
        branches[f"part_{name}"] = ak.values_astype(ak.Array(ordered), "float32")
    with uproot.recreate(path) as file:
        file.mktree("tree", {name: ak.type(ak.Array(b)).content for name, b in branches.items()})
        file["tree"].extend(branches)


@pytest.fixture
def write() -> SimpleNamespace:
    """Give the writers of the formats, and the maker of jets."""
    return SimpleNamespace(
        shard=write_shard,
        top_tagging=write_top_tagging,
        jetclass=write_jetclass,
        particles=make_particles,
        polar=polar,
        identity=identity_of,
        displacement=displacement_of,
        labels=LABELS,
    )


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
