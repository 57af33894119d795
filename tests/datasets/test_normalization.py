"""The feature sets and their normalization, against the formulas written out one by one."""

import io
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from noneuclid.datasets import FeatureNormalization, JetStream, load_jets
from noneuclid.datasets.jet_features import FEATURE_SETS

KIN = FeatureNormalization("kin")


def raw_stream(path: Path, feature_set: str = "kin", **options: object) -> JetStream:
    identity = FeatureNormalization.identity(feature_set)
    return JetStream(path, feature_set=feature_set, normalization=identity, **options)


# ---------------------------------------------------------------------------------- feature sets


def test_sets_are_those_of_particle_transformer(
    tmp_path: Path, particles: list[np.ndarray], write: SimpleNamespace
) -> None:
    write.jetclass(tmp_path / "a.root", particles, ["QCD", "Tbqq"] * 6)
    kin, kinpid, full = (
        load_jets(tmp_path, feature_set=s).features for s in ("kin", "kinpid", "full")
    )
    assert [x.shape[-1] for x in (kin, kinpid, full)] == [7, 13, 17]
    for wider in (kinpid, full):
        assert torch.equal(wider[..., [0, 1, 2, 3, 4, -2, -1]], kin)
    assert torch.equal(full[..., :11], kinpid[..., :11])
    identity, track = write.identity(particles), write.displacement(particles)
    for i, jet in enumerate(particles):
        n = min(len(jet), 48)
        expected = np.stack([column[i] for column in identity.values()], -1)[:n]
        torch.testing.assert_close(kinpid[i, :n, 5:11], torch.tensor(expected).float())
        d0, d0_error, dz, dz_error = (column[i][:n] for column in track.values())
        columns = [np.tanh(d0), d0_error.clip(0, 1), np.tanh(dz), dz_error.clip(0, 1)]
        expected = torch.tensor(np.stack(columns, -1)).float()
        torch.testing.assert_close(full[i, :n, 11:15], expected, rtol=1e-5, atol=1e-6)
        assert not full[i, n:].any()


def test_shards_know_particle_identities(
    tmp_path: Path, particles: list[np.ndarray], write: SimpleNamespace
) -> None:
    write.shard(tmp_path / "a.npz", particles)
    write.jetclass(tmp_path / "a.root", particles, ["QCD", "Tbqq"] * 6)
    shard, jetclass = (
        load_jets(tmp_path / name, feature_set="kinpid").features for name in ("a.npz", "a.root")
    )
    torch.testing.assert_close(shard, jetclass, rtol=0, atol=2e-5)


def test_a_set_that_the_file_lacks_is_named(
    tmp_path: Path, particles: list[np.ndarray], write: SimpleNamespace
) -> None:
    write.shard(tmp_path / "a.npz", particles)
    write.top_tagging(tmp_path / "b.h5", particles)
    write.jetclass(tmp_path / "c.root", particles, ["QCD", "Tbqq"] * 6, tracks=False)
    for name, feature_set, lacks in (
        ("a.npz", "full", "d0, d0 error, dz, dz error"),
        ("b.h5", "kinpid", "charge, charged hadron"),
        ("c.root", "full", "d0, d0 error"),
    ):
        with pytest.raises(ValueError, match=f"{name} .* has no column for {lacks}"):
            load_jets(tmp_path / name, feature_set=feature_set)
    assert load_jets(tmp_path / "c.root", feature_set="kinpid").features.shape[-1] == 13


# ---------------------------------------------------------------------------------- normalization


def test_reader_and_model_standardise_alike(file: Path) -> None:
    raw = load_jets(file, normalization=FeatureNormalization.identity())
    ready = load_jets(file)
    assert not raw.normalized
    assert ready.normalized
    applied = KIN.apply_to(raw)
    torch.testing.assert_close(applied.features, ready.features, rtol=1e-6, atol=1e-6)
    assert applied.normalized
    assert raw.features[raw.mask][:, 0].exp().max() > 20  # log pT / GeV itself
    assert torch.equal(KIN(raw.features)[raw.mask], applied.features[raw.mask])


def test_fit_gives_mean_zero_and_variance_one(tmp_path: Path, write: SimpleNamespace) -> None:
    write.shard(tmp_path / "a.npz", write.particles(1, 30))
    stream = raw_stream(tmp_path, "kinpid", batch_size=7, max_particles=70)
    fitted = FeatureNormalization.fit(stream, "kinpid")
    jets = load_jets(tmp_path, feature_set="kinpid", normalization=fitted, max_particles=70)
    unclipped = FeatureNormalization(
        "kinpid", [(*s[:2], -math.inf, math.inf) for s in fitted.standards]
    )
    raw = load_jets(
        tmp_path, feature_set="kinpid", max_particles=70,
        normalization=FeatureNormalization.identity("kinpid"),
    )  # fmt: skip
    standard = unclipped.apply_to(raw).features[raw.mask].double()
    fitted_columns = [0, 1, 2, 3, 4, 11, 12]
    torch.testing.assert_close(
        standard.mean(0)[fitted_columns], torch.zeros(7).double(), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(
        standard.std(0, correction=0)[fitted_columns], torch.ones(7).double(), rtol=0, atol=1e-5
    )
    assert set(jets.features[jets.mask][:, 6:11].unique().tolist()) == {0.0, 1.0}  # flags stay
    assert jets.features.abs().max() <= 5


def test_fit_of_few_or_bad_particles(tmp_path: Path, write: SimpleNamespace) -> None:
    one = write.particles(1, 1)[0][:1]
    write.top_tagging(tmp_path / "a.h5", [one, one])
    fitted = FeatureNormalization.fit(raw_stream(tmp_path))
    assert all(s.scale == 1 for s in fitted.standards[:2])  # of a constant
    write.top_tagging(tmp_path / "a.h5", [one[:0]])
    with pytest.raises(ValueError, match="no particle to fit"):
        FeatureNormalization.fit(raw_stream(tmp_path))


def test_checkpoint_keeps_it_and_refuses_another_set() -> None:
    odd = FeatureNormalization("kin", [(0.1 * i, 1 / 3, -math.inf, 5) for i in range(7)])
    buffer = io.BytesIO()
    torch.save(torch.nn.Sequential(odd).state_dict(), buffer)
    state = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    loaded = torch.nn.Sequential(FeatureNormalization("kin"))
    loaded.load_state_dict(state)
    assert loaded[0].standards == odd.standards
    assert torch.equal(loaded[0].table, odd.table)
    for other in ("kinpid", "full"):
        with pytest.raises(ValueError, match=f"set 'kin', this normalization is of '{other}'"):
            torch.nn.Sequential(FeatureNormalization(other)).load_state_dict(state)
    again = FeatureNormalization.from_dict(json.loads(json.dumps(odd.to_dict(), allow_nan=False)))
    assert again.standards == odd.standards
    stored = odd.to_dict() | {"features": ["log pT"]}
    with pytest.raises(ValueError, match="are not those of 'kin'"):
        FeatureNormalization.from_dict(stored)


def test_features_of_another_set_or_twice_are_refused(file: Path) -> None:
    jets = load_jets(file)
    with pytest.raises(ValueError, match="normalized already"):
        KIN.apply_to(jets)
    with pytest.raises(ValueError, match="normalized already"):
        FeatureNormalization.fit([jets])
    with pytest.raises(ValueError, match=r"have the features 'kin', .* of 'full'"):
        FeatureNormalization("full").apply_to(jets)
    with pytest.raises(ValueError, match="'full' have 17 columns, got 7"):
        FeatureNormalization("full")(jets.features)
    with pytest.raises(ValueError, match="'kin' needs 7 standards, got 1"):
        FeatureNormalization("kin", [(0, 1, -1, 1)])


def test_shown_constants_are_those_of_the_source() -> None:
    table = dict(zip(FEATURE_SETS["full"], FeatureNormalization("full").standards, strict=True))
    expected = {
        "log pT": (1.7, 0.7, -5, 5),
        "log E": (2.0, 0.7, -5, 5),
        "log pT/pT_jet": (-4.7, 0.7, -5, 5),
        "log E/E_jet": (-4.7, 0.7, -5, 5),
        "dR": (0.2, 4.0, -5, 5),
        "d0 error": (0, 1, 0, 1),
        "dz error": (0, 1, 0, 1),
    }
    assert {name: table[name] for name in expected} == expected
    assert {table[name] for name in table.keys() - expected} == {(0, 1, -math.inf, math.inf)}
