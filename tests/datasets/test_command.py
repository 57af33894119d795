"""The command that looks at a folder of jet files."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from noneuclid.datasets import FeatureNormalization
from noneuclid.datasets.__main__ import main


def test_folder_is_described_and_its_normalization_written(
    tmp_path: Path, write: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    write.shard(tmp_path / "data" / "a.npz", write.particles(1, 60))
    stored = tmp_path / "fitted.json"
    arguments = ["--data", str(tmp_path / "data"), "--feature-set", "kinpid", "--fit", str(stored)]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "classes: qcd, top"
    assert [line.split(":")[0] for line in lines[1:4]] == ["train", "validation", "test"]
    assert "jets in 1 files; of" in lines[1]
    fitted = FeatureNormalization.from_dict(json.loads(stored.read_text()))
    assert fitted.feature_set == "kinpid"
    assert fitted.standards[0].scale != 0.7


def test_bad_folder_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        assert main(["--data", str(path)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert str(path) in line
