"""The page of a run: tables and figures in one file that needs nothing else."""

import base64
import html
import importlib.util
import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.logs import write_text

_JETS = 1500  # of the test jets, for the figures of the network's inside
_DPI = 110
_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .15em .9em .15em 0;
text-align: left; vertical-align: top; border-bottom: 1px solid #ddd }
figure { margin: 2em 0 } img { max-width: 100% } figcaption { color: #555; max-width: 46em }
"""


def can_draw() -> bool:
    """Tell whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def write_report(
    folder: Path, results: dict[str, Any], found: Any, model: nn.Module, test: Any
) -> Path:
    """Write `report.html` and its figures as PNG files in `figures`; return the page's path.

    Args:
        folder: of the run.
        results: as in `results.json`.
        found: the predictions for the test jets.
        model: with the best weights.
        test: loader of the test jets.
    """
    from training.report import attention, course, geometry, performance

    test.set_epoch(0)
    device = next(model.parameters()).device
    jets = _first(test, _JETS).to(device)
    model.eval()
    figures = [
        *performance.draw(results, found),
        *course.draw(results),
        *geometry.draw(model, jets),
        *attention.draw(model, jets),
    ]
    own = folder / "figures"
    own.mkdir(exist_ok=True)
    parts = [_head(results), _summary(results)]
    for title, figure, caption in figures:
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=_DPI, bbox_inches="tight")
        (own / f"{title.lower().replace(' ', '-')}.png").write_bytes(stream.getvalue())
        parts.append(_figure(title, stream.getvalue(), caption))
    parts.append(_settings(results["settings"]))
    path = folder / "report.html"
    write_text(path, "\n".join(parts) + "\n</body></html>\n")
    return path


def _first(loader: Any, count: int) -> Any:
    """Return the first jets of a loader, evenly from what it begins with."""
    from noneuclid.datasets.jets import join_jets

    parts, left = [], count
    for jets in loader:
        parts.append(jets)
        left -= len(jets)
        if left <= 0:
            break
    jets = join_jets(parts)
    return jets.subset(torch.arange(min(count, len(jets))))


def _head(results: dict[str, Any]) -> str:
    name = html.escape(_name(results))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{name}</h1>"
    )


def _name(results: dict[str, Any]) -> str:
    own = results["settings"]["model"]
    signature = f" on {own['signature']}" if own["signature"] else ""
    return f"{own['tagger']}{signature}, {results['parameters']:,} parameters"


def _summary(results: dict[str, Any]) -> str:
    test, jets = results["test"], results["jets"]
    rows = {
        "classes": ", ".join(
            f"{name} (signal)" if signal else name
            for name, signal in zip(results["class_names"], results["is_signal"], strict=True)
        ),
        "jets": ", ".join(f"{count:,} {name}" for name, count in jets.items()),
        "accuracy": f"{test['accuracy']:.4f}",
        "cross entropy": f"{test['loss']:.4f}",
    }
    if "auc" in test:
        rows["AUC"] = f"{test['auc']:.4f}"
    for key, value in test.items():
        if key.startswith("rejection_"):
            rejection, passing = value
            error = f" ± {rejection / passing**0.5:.0f}" if passing else ""
            rows[f"1/eB at {key.removeprefix('rejection_')} %"] = (
                f"{rejection:.0f}{error} ({passing} background jets pass)"
            )
    if len(results["class_names"]) > 2:
        rows["AUC against the rest"] = ", ".join(
            f"{name} {value:.4f}" for name, value in results["one_against_rest"].items()
        )
    rows["epochs"] = f"{results['epochs']}, best after {results['best_epoch']}"
    rows["training"] = (
        f"{results['cpu_seconds']:.0f} CPU-s, {results['seconds']:.0f} s in"
        f" {results['processes']} process{'es' if results['processes'] > 1 else ''}"
    )
    return _table(rows)


def _settings(settings: dict[str, dict[str, Any]]) -> str:
    rows = {name: value for part in settings.values() for name, value in part.items()}
    return "<h2>Settings</h2>\n" + _table({k: str(v) for k, v in rows.items()})


def _table(rows: dict[str, str]) -> str:
    lines = [
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in rows.items()
    ]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _figure(title: str, png: bytes, caption: str) -> str:
    data = base64.b64encode(png).decode()
    return (
        f"<h2>{html.escape(title)}</h2>\n<figure>"
        f'<img alt="{html.escape(title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
