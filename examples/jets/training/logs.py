"""The history of a run: a line on the terminal, CSV, JSON, TensorBoard."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

Row = dict[str, float]  # of one epoch


class Log:
    """Write the history of a run after each epoch.

    `history.csv` and `history.json` are written as a whole under a temporary name and renamed: a
    run that was killed and goes on repeats no row and leaves no half of one.

    Args:
        folder: where the files go.
        tensorboard: whether event files are written to its `events` too.
        step: the first step of this part of the run; later events of an earlier part are void.

    Raises:
        ImportError: tensorboard is wanted and not installed.
    """

    def __init__(self, folder: Path, tensorboard: bool = False, step: int = 0) -> None:
        self.folder = folder
        self.events = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise ImportError(
                    "--tensorboard needs it: pip install 'noneuclid[tensorboard]'"
                ) from error
            self.events = SummaryWriter(str(folder / "events"), purge_step=step)

    def write(self, history: list[Row]) -> None:
        """Write the history, whose last row is new."""
        write_json(self.folder / "history.json", history)
        names = list(dict.fromkeys(name for row in history for name in row))
        text = io.StringIO()
        table = csv.DictWriter(text, names, lineterminator="\n")
        table.writeheader()
        table.writerows(history)
        write_text(self.folder / "history.csv", text.getvalue())
        if self.events is not None:
            for name, value in history[-1].items():
                self.events.add_scalar(name, value, int(history[-1]["step"]))
            self.events.flush()

    def close(self) -> None:
        """Close the event file."""
        if self.events is not None:
            self.events.close()


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text under a temporary name and rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def sentence(row: Row) -> str:
    """Sum an epoch up in a line."""
    return (
        f"epoch {row['epoch']:.0f}: loss {row['train_loss']:.4f}, validation"
        f" {row['validation_loss']:.4f}, AUC {row['validation_auc']:.4f},"
        f" {row['jets_per_second']:.0f} jets/s"
    )
