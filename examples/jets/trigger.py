"""Taggers for a trigger: PM-MLPs of 1,000 and 5,000 parameters, as ONNX graphs and in few bits.

    python examples/jets/trigger.py                                    # the sample, minutes
    python examples/jets/trigger.py --data DIR --epochs 30 --bits 8 6 4 --out runs/trigger

1. A PM-MLP on `--signature` sees the leading 16 particles of a jet; it is trained as by `train.py`,
   into --out/1k and --out/5k.
2. It is exported to ONNX and run by ONNX Runtime: logits within 1e-5, and the time for a jet.
3. Matrices and activations are rounded to --bits by Brevitas, and a copy of the tagger is trained
   on with the rounding in place, at a fifth of the rate; beside them, one without rounding.

Prints a table and writes it as trigger.json. Needs `noneuclid[onnx]` and, for step 3,
`noneuclid[quant]`, without which it is left out, as by --bits without a number.
"""

import argparse
import copy
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from tqdm import tqdm

FLOAT = 32  # bits of a number that is not rounded
SLOWER = 5  # the learning rate of training over that of training with rounding


def main(arguments: list[str] | None = None) -> None:
    """Train, export, round; print the table."""
    from deployment.graph import MismatchError
    from training.logs import write_json
    from training.settings import SettingsError

    options = _parse(arguments)
    rows: list[dict[str, Any]] = []
    try:
        for size in options.parameters:
            rows += _size(size, options)
    except (SettingsError, ImportError, MismatchError) as error:
        _stop(f"{error}.")
    write_json(options.out / "trigger.json", rows)
    print("\n" + table(rows) + f"\n\nwrote {options.out / 'trigger.json'}")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    from training.settings import SAMPLE

    parser = argparse.ArgumentParser(
        description="Small taggers for a trigger.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data", default=str(SAMPLE), help="folder of jet files, or one such file")
    add("--out", type=Path, default=Path("runs/trigger"), help="folder of the results")
    add("--parameters", nargs="+", default=["1k", "5k"], help="sizes")
    add("--signature", default="H* x E", help="product of manifolds")
    add("--particles", type=int, default=16, help="of each jet, leading in pT")
    add("--epochs", type=int, default=10, help="of training")
    add("--rounded-epochs", type=int, default=5, help="of training with rounding")
    add("--bits", nargs="*", type=int, help="of matrices and activations (default: 8 6)")
    add("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.bits is None:
        options.bits = [8, 6]
        if importlib.util.find_spec("brevitas") is None:
            print("trigger.py: few bits are left out: install noneuclid[quant].", file=sys.stderr)
            options.bits = []
    if wrong := [bits for bits in options.bits if not 2 <= bits <= 16]:
        _stop(f"--bits must be between 2 and 16, got {wrong[0]}.")
    for name in ("particles", "epochs", "rounded_epochs"):
        if getattr(options, name) < 1:
            _stop(f"--{name.replace('_', '-')} must be at least 1, got {getattr(options, name)}.")
    return options


def _size(size: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the rows of one size: in float32, and in each number of bits."""
    from deployment.graph import deploy
    from training import run
    from training.checkpoint import load_tagger
    from training.data import open_data
    from training.settings import parse

    settings = parse([
        "--tagger", "pm-mlp", "--parameters", size, "--signature", options.signature,
        "--data", options.data, "--particles", str(options.particles), "--device", "cpu",
        "--epochs", str(options.epochs), "--seed", str(options.seed),
        "--out", str(options.out / size),
    ])  # fmt: skip
    results = run.run(settings)
    tagger, _ = load_tagger(options.out / size / run.BEST)
    data = open_data(settings.data, settings.training)
    jets = next(iter(data.test))
    path = options.out / f"pm-mlp-{size}.onnx"
    graph = deploy(tagger.network, jets.features, jets.mask, path)
    common = {"size": size, "parameters": results["parameters"], "epochs": options.epochs}
    rows = [common | {"bits": FLOAT} | results["test"] | {"graph": graph._asdict()}]
    common["epochs"] += options.rounded_epochs
    for bits in (FLOAT, *options.bits) if options.bits else ():
        rows.append(common | {"bits": bits} | _train_on(tagger, bits, data, settings, options))
    return rows


def _train_on(
    tagger: Any, bits: int, data: Any, settings: Any, options: argparse.Namespace
) -> dict[str, Any]:
    """Train a copy on, with rounding if the bits are few; return its metrics."""
    from deployment.quantization import quantized
    from taggers.sizes import learning_rate
    from training.evaluation import metrics, predict
    from training.loop import Trainer

    torch.manual_seed(options.seed)
    rate = learning_rate(tagger.recipe["parameters"]) / SLOWER
    training = replace(settings.training, epochs=options.rounded_epochs, lr=rate)
    rounded = copy.deepcopy(tagger) if bits == FLOAT else quantized(tagger, bits)
    data.train.set_epoch(0)
    trainer = Trainer(rounded, data, training, torch.device("cpu"))
    best: dict[str, Any] = {}
    while not trainer.finished:
        if trainer.epoch(lambda: None):
            best = {name: value.clone() for name, value in rounded.state_dict().items()}
    rounded.load_state_dict(best)
    data.test.set_epoch(0)
    found = predict(rounded, data.test, data.normalization, trainer.device)
    result = metrics(found, data.is_signal)
    tqdm.write(f"{bits} bits: AUC {result['auc']:.4f}")
    return result


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table."""
    head = (
        "parameters",
        "bits",
        "epochs",
        "accuracy",
        "AUC",
        "1/eB 50 %",
        "us/jet",
        "us/jet of 256",
        "diff",
    )
    lines = [head]
    for row in rows:
        graph = row.get("graph")
        times = graph and (
            f"{graph['alone']:.0f}",
            f"{graph['together']:.1f}",
            f"{graph['difference']:.0e}",
        )
        lines.append((
            str(row["parameters"]), str(row["bits"]), str(row["epochs"]), f"{row['accuracy']:.4f}",
            f"{row['auc']:.4f}", f"{row['rejection_50'][0]:.0f}",
            *(times if graph else ("", "", "")),
        ))  # fmt: skip
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _stop(message: str) -> NoReturn:
    """Say in one sentence what is wrong, and end with exit code 2."""
    print(f"trigger.py: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main()
