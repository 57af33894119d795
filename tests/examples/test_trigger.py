"""examples/jets/trigger.py: graphs that say what the network says, and numbers of few bits."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch


@pytest.fixture
def tagger(jets_example: Path) -> Any:
    torch.manual_seed(0)
    build = importlib.import_module("taggers").build_tagger
    return build("pm-mlp", parameters="1k", signature="H* x E")


def some_jets(count: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(8) < torch.randint(0, 9, (count, 1), generator=generator)
    return torch.randn(count, 8, 7, generator=generator), mask


@pytest.mark.slow
def test_graph_equals_network(tagger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph of a network is accepted; that of another one is not."""
    pytest.importorskip("onnxruntime")
    graph = importlib.import_module("deployment.graph")
    path = tmp_path / "a.onnx"
    found = graph.deploy(tagger.network, *some_jets(), path)
    assert found.difference <= 1e-5
    assert 0 < found.together < found.alone
    assert found.bytes == path.stat().st_size < 100_000
    monkeypatch.setattr(graph, "write", lambda *_: path)
    with torch.no_grad():
        tagger.network.head[2].bias += 1e-3
    with pytest.raises(graph.MismatchError, match=r"differs from the network by 1\.0e-03"):
        graph.deploy(tagger.network, *some_jets(), path)


@pytest.mark.parametrize("bits", [8, 4])
def test_rounded_numbers(tagger: Any, bits: int) -> None:
    """Matrices and coordinates take at most 2^bits values; gradients reach every parameter."""
    pytest.importorskip("brevitas")
    module = importlib.import_module("deployment.quantization")
    rounded = module.quantized(tagger, bits)
    features, mask = some_jets()
    rounded.train()(features, mask).square().sum().backward()
    assert [n for n, p in rounded.named_parameters() if p.grad is None] == []
    matrices = [m.network.head[0].weight for m in (tagger, rounded)]
    assert len(matrices[0].unique()) > 2**bits
    assert len(matrices[1].unique()) < 2**bits
    step = matrices[0].abs().max() / (2 ** (bits - 1) - 1)
    torch.testing.assert_close(matrices[1], (matrices[0] / step).round() * step)
    values: list[torch.Tensor] = []
    first = rounded.network.particles.layers[2]
    first.rounding.register_forward_hook(lambda *call: values.append(call[-1]))
    difference = (rounded.eval()(features, mask) - tagger.eval()(features, mask)).abs().max()
    assert 0 < difference < {8: 0.05, 4: 0.5}[bits]
    assert len(values[0].unique()) <= 2**bits


def test_other_taggers_are_not_rounded(tagger: Any) -> None:
    pytest.importorskip("brevitas")
    module = importlib.import_module("deployment.quantization")
    other = importlib.import_module("taggers").build_tagger("pfn", parameters="1k")
    with pytest.raises(ValueError, match="only pm-mlp is known how to round, got pfn"):
        module.quantized(other, 8)


@pytest.mark.slow
def test_script(
    jets_example: Path, write_shard: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole of it on a few jets: a row for each number of bits."""
    for package in ("onnxruntime", "brevitas"):
        pytest.importorskip(package)
    write_shard(tmp_path / "jets" / "train.npz", jets=128)
    write_shard(tmp_path / "jets" / "test.npz", jets=300, seed=1)
    importlib.import_module("trigger").main([
        "--data", str(tmp_path / "jets"), "--out", str(tmp_path / "out"), "--parameters", "1k",
        "--particles", "8", "--epochs", "1", "--rounded-epochs", "1", "--bits", "6",
    ])  # fmt: skip
    rows = json.loads((tmp_path / "out" / "trigger.json").read_text(encoding="utf-8"))
    assert [row["bits"] for row in rows] == [32, 32, 6]
    assert all(0 < row["auc"] <= 1 for row in rows)
    assert (tmp_path / "out" / "pm-mlp-1k.onnx").exists()
    assert "us/jet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bits", "1"], "--bits must be between 2 and 16, got 1"),
        (["--epochs", "0"], "--epochs must be at least 1, got 0"),
        (["--parameters", "3k"], "unknown preset '3k'"),
        (["--data", "absent"], "cannot read jets"),
    ],
)
def test_errors_are_one_sentence(
    jets_example: Path, tmp_path: Path, arguments: list[str], message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(SystemExit) as end:
        importlib.import_module("trigger").main(["--out", str(tmp_path / "out"), *arguments])
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert message in error.splitlines()[-1]
    assert all(line.startswith("trigger.py: ") for line in error.splitlines())
