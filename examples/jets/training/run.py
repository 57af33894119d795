"""One run from its settings to its report, whatever interrupts it."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import torch
from taggers import Tagger, build_tagger
from tqdm import tqdm

from noneuclid.models import count_parameters
from training import checkpoint, distributed
from training.curvatures import curvatures
from training.data import Data, open_data
from training.evaluation import Predictions, metrics, one_against_rest, predict
from training.logs import Log, sentence, write_json
from training.loop import Trainer
from training.settings import Settings, SettingsError

LAST, BEST, RESULTS, PREDICTIONS = "last.pt", "best.pt", "results.json", "predictions.npz"


class StoppedError(Exception):
    """The run was told to stop; it has saved where it is."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


def run(settings: Settings) -> dict[str, Any]:
    """Train, or go on with training; evaluate on the test jets; write results and report.

    Raises:
        SettingsError: something that the user can mend. ImportError: a package is missing.
        StoppedError: by SIGTERM or SIGINT, after the step then running; the same call goes on.
        DivergenceError: the loss is no number any more.
    """
    device = distributed.start(settings.training.device)
    if settings.training.threads:
        torch.set_num_threads(settings.training.threads)
    data = open_data(settings.data, settings.training, pin_memory=device.type == "cuda")
    torch.manual_seed(settings.training.seed + distributed.rank())
    model = build(settings, data)
    folder = _folder(settings)
    trainer = Trainer(model.to(device), data, settings.training, device)
    _resume(trainer, settings, folder)
    _say(f"{data.description}; {settings.model.tagger}, {count_parameters(model)} parameters")
    with _Stopping(trainer, settings, folder) as stopping:
        log = None
        if distributed.rank() == 0:
            log = Log(folder, settings.output.tensorboard, trainer.step)
        while not trainer.finished:
            better = trainer.epoch(stopping.after_step)
            if better:
                stopping.save(BEST, whole=False)
            stopping.save(LAST)
            if log is not None:
                log.write(trainer.history)
                _say(sentence(trainer.history[-1]))
        if log is not None:
            log.close()
    return _conclude(trainer, settings, folder)


def build(settings: Settings, data: Data) -> Tagger:
    """Build the tagger of a run.

    Raises:
        SettingsError: as `build_tagger` has it.
    """
    own = settings.model
    options = dict(own.options)
    if own.signature is not None:
        options["signature"] = own.signature
    try:
        size: int | str = int(own.parameters) if own.parameters.isdigit() else own.parameters
        return build_tagger(
            own.tagger,
            parameters=size,
            in_features=data.in_features,
            classes=len(data.class_names),
            **options,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error


def _folder(settings: Settings) -> Path:
    """Make the folder of the results, and see that it is not another run's."""
    folder = Path(settings.output.out)
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"--out {folder} is not a folder: give a folder or a new name")
    try:
        if settings.output.overwrite and distributed.rank() == 0:
            for name in (LAST, BEST, RESULTS, PREDICTIONS, "history.csv", "history.json"):
                (folder / name).unlink(missing_ok=True)
            shutil.rmtree(folder / "events", ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingsError(f"cannot write to --out {folder}: {error.strerror}") from error
    distributed.gather(None)  # no process looks for a checkpoint that another deletes
    return folder


def _resume(trainer: Trainer, settings: Settings, folder: Path) -> None:
    """Go to where the folder's last checkpoint was taken, if it has one."""
    path = folder / LAST
    if not path.exists():
        return
    state = checkpoint.load(path)
    mine = json.loads(json.dumps(settings.binding()))
    theirs = json.loads(state["settings"])
    for name, value in mine.items():
        if theirs.get(name) != value:
            raise SettingsError(
                f"{folder} holds a run with {name}={theirs.get(name)!r}, now it is {value!r}:"
                " choose another --out, or --overwrite"
            )
    if len(state["random"]) != distributed.world_size():
        raise SettingsError(
            f"{folder} holds a run of {len(state['random'])} processes: go on with as many"
        )
    try:
        trainer.load_state_dict(state)
    except (ValueError, RuntimeError) as error:
        raise SettingsError(f"{path} does not fit these jets and settings: {error}") from error
    checkpoint.set_random_state(state["random"])
    _say(f"{folder}: going on after step {trainer.step} of {trainer.steps}")


class _Stopping:
    """Save checkpoints between steps, and end the run when a signal asks for it."""

    def __init__(self, trainer: Trainer, settings: Settings, folder: Path) -> None:
        self.trainer, self.settings, self.folder = trainer, settings, folder
        self.asked = 0

    def __enter__(self) -> "_Stopping":
        self.before = {
            number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _: object) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt  # the second time: at once
        self.asked = number

    def after_step(self) -> None:
        """Save if it is time to; stop if that is wanted."""
        if distributed.any_of(bool(self.asked), self.trainer.device):
            self.save(LAST)
            raise StoppedError(self.asked or signal.SIGTERM)
        if self.trainer.step % self.settings.output.checkpoint_every == 0:
            self.save(LAST)

    def save(self, name: str, whole: bool = True) -> None:
        """Write a checkpoint: everything, or what a tagger needs."""
        trainer = self.trainer
        state = trainer.state_dict()
        if not whole:
            state = {key: state[key] for key in ("model", "average")}
        state |= {
            "recipe": trainer.model.recipe,
            "normalization": trainer.data.normalization.to_dict(),
            "class_names": list(trainer.data.class_names),
            "settings": json.dumps(self.settings.binding()),
            "random": distributed.gather(checkpoint.random_state()),
        }
        if distributed.rank() == 0:
            checkpoint.save(self.folder / name, state)


def _conclude(trainer: Trainer, settings: Settings, folder: Path) -> dict[str, Any]:
    """Look at the test jets, once, with the best weights; write the results and the report."""
    distributed.gather(None)  # the best checkpoint is written
    state = checkpoint.load(folder / BEST)
    trainer.model.load_state_dict(checkpoint.weights(state))
    data = trainer.data
    data.test.set_epoch(0)
    found = predict(
        trainer.model, data.test, data.normalization, trainer.device, settings.training.amp
    )
    results = {
        "settings": settings.to_dict(),
        "class_names": list(data.class_names),
        "is_signal": list(data.is_signal),
        "jets": {k: getattr(data, k).stream.n_jets for k in ("train", "validation", "test")},
        "parameters": count_parameters(trainer.model),
        "processes": distributed.world_size(),
        "epochs": len(trainer.history),
        "best_epoch": trainer.best_epoch,
        "cpu_seconds": sum(row["cpu_seconds"] for row in trainer.history),
        "seconds": sum(row["seconds"] for row in trainer.history),
        "test": metrics(found, data.is_signal),
        "one_against_rest": one_against_rest(found, data.class_names),
        "first_curvatures": trainer.first_curvatures,
        "curvatures": curvatures(trainer.model),
        "history": trainer.history,
    }
    if distributed.rank() == 0:
        _write(folder, results, found)
        if settings.output.report:
            _report(folder, results, found, trainer)
    return results


def _write(folder: Path, results: dict[str, Any], found: Predictions) -> None:
    temporary = folder / f".{PREDICTIONS}.{os.getpid()}.npz"
    np.savez_compressed(temporary, **vars(found))
    temporary.replace(folder / PREDICTIONS)
    write_json(folder / RESULTS, results)


def _report(folder: Path, results: dict[str, Any], found: Predictions, trainer: Trainer) -> None:
    from training.report import can_draw, write_report

    if not can_draw():
        _say("the report is left out: pip install 'noneuclid[viz]'")
        return
    _say(f"wrote {write_report(folder, results, found, trainer.model, trainer.data.test)}")


def _say(text: str) -> None:
    if distributed.rank() == 0:
        tqdm.write(text)
