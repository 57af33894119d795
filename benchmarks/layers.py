"""Time every layer and model, forward and backward, against its Euclidean twin.

    python benchmarks/layers.py                  # hours, most of them in torch's compiler
    python benchmarks/layers.py --paths eager    # some minutes
    python benchmarks/layers.py --only Linear "PMTransformer 250k | H x E"
    python benchmarks/layers.py --stored         # measure nothing, write the page

One thread; layer and twin take turns on inputs of one shape in one process, the ratio is formed in
each round. Eager is measured against the eager twin, compiled against the compiled one. Each row is
stored in --out, path by path, when it is measured, and not measured again unless --again asks for
it; --page is written from what is stored.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import layers_page as page
import torch
from layers_models import model_pairs
from layers_pairs import Pair, layer_pairs
from optim_store import about
from speed import ROOT, stored, write
from speed_clock import Effort, processor_seconds, ratios, take_turns
from speed_memory import kept_bytes
from torch import Tensor, nn
from tqdm import tqdm

EFFORT = Effort(rounds=31, least=7, budget=5.0, turn=5e-3, warm_up=2)
QUICK_EFFORT = Effort(rounds=1, least=1, budget=0.0, turn=0.0, warm_up=1)
PATHS = ("eager", "compiled")
SOURCES = ("functional", "layers", "manifolds", "models", "numerics")
Row = dict[str, Any]
Call = Callable[..., Tensor]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time layers against their Euclidean twins.")
    parser.add_argument("--quick", action="store_true", help="one round, nothing compiled")
    parser.add_argument("--only", nargs="+", default=[""], help="names that contain one of these")
    parser.add_argument("--paths", nargs="+", choices=PATHS, help="by default both")
    parser.add_argument("--again", action="store_true", help="measure what is stored once more")
    parser.add_argument("--out", type=Path, help="folder of the results (runs/layers)")
    parser.add_argument("--page", type=Path, help="the page to write (docs/layers_speed.md)")
    parser.add_argument("--stored", action="store_true", help="measure nothing, write the page")
    options = parser.parse_args(argv)
    options.paths = options.paths or (PATHS[:1] if options.quick else PATHS)
    options.out = options.out or ROOT / "runs" / ("layers-quick" if options.quick else "layers")
    docs = options.out if options.quick else ROOT / "docs"
    options.page = options.page or docs / "layers_speed.md"
    return options


def pairs() -> dict[str, Pair]:
    """Return everything that is timed, what has a bar first."""
    found = layer_pairs() | model_pairs()
    return dict(sorted(found.items(), key=lambda item: item[1].bar is None))


def fresh(inputs: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Return copies of the inputs; the first, and those that had one, want a gradient."""
    first = inputs[0].detach().clone()
    rest = (t.detach().clone().requires_grad_(t.requires_grad) for t in inputs[1:])
    return (first.requires_grad_(first.is_floating_point()), *rest)


def step(call: Call, module: nn.Module, inputs: tuple[Any, ...]) -> Callable[[], None]:
    """Return forward and backward of a module, called by `call`."""
    tensors = fresh(inputs)

    def run() -> None:
        module.zero_grad(set_to_none=True)
        for tensor in tensors:
            tensor.grad = None
        call(*tensors).square().mean().backward()

    return run


def kept(call: Call, module: nn.Module, inputs: tuple[Any, ...]) -> int:
    """Return the bytes there are between forward and backward.

    Arguments, result, and what autograd keeps; a flat linear map keeps nothing of its own.
    """
    tensors = fresh(inputs)
    known = [*tensors, *module.parameters(), *module.buffers()]
    inner = kept_bytes(lambda: call(*tensors), known)
    return inner + sum(t.nbytes for t in (*tensors, call(*tensors).detach()))


def measure(pair: Pair, effort: Effort, path: str) -> Row:
    """Return the ratio of one path, and that of the bytes kept in it."""
    torch.manual_seed(0)
    torch.compiler.reset()
    places = {
        "layer": (pair.curved(), pair.curved_inputs()),
        "twin": (pair.flat(), pair.flat_inputs()),
    }
    calls, memory = {}, {}
    for name, (module, inputs) in places.items():
        call: Call = torch.compile(module, fullgraph=True) if path == "compiled" else module
        calls[name] = step(call, module, inputs)
        calls[name]()
        memory[name] = kept(call, module, inputs)
    found = ratios(take_turns(calls, effort, processor_seconds, {}), "twin")["layer"]
    return {"time": list(found), "kept": memory["layer"] / memory["twin"], "sources": sources()}


def sources() -> str:
    """Return eight digits of the sources that the times depend on."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for file in sorted((ROOT / "noneuclid" / folder).rglob("*.[pch]*")):
            if file.suffix in (".py", ".c", ".h"):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def main(argv: Sequence[str] | None = None) -> None:
    options = arguments(argv)
    torch.set_num_threads(1)
    known = {k: v for k, v in about(()).items() if k != "noneuclid"} | {"quick": options.quick}
    store, effort = options.out / "results.json", QUICK_EFFORT if options.quick else EFFORT
    rows: dict[str, Row] = stored(store, known)
    table = pairs()
    chosen = [
        (path, name)
        for path in options.paths
        for name in table
        if any(word in name for word in options.only)
        and (options.again or path not in rows.get(name, {}))
    ]
    for path, name in (bar := tqdm([] if options.stored else chosen, disable=not _is_shown())):
        bar.set_description(f"{name}, {path}")
        row = rows.setdefault(name, {})
        row["bar"], row["memory_bar"] = table[name].bar, table[name].memory_bar
        row[path] = measure(table[name], effort, path)
        write(store, json.dumps({"settings": known, "rows": rows}, indent=1))
    ordered = {name: rows[name] for name in layer_pairs() | model_pairs() if name in rows}
    text = page.text(known, ordered, len(table) - len(ordered))
    write(options.page, text)
    print(text)


def _is_shown() -> bool:
    return sys.stderr.isatty()


if __name__ == "__main__":
    main()
