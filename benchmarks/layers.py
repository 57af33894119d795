"""Time every layer and model, forward and backward, against its Euclidean twin.

    python benchmarks/layers.py            # most of an hour, the greater part in torch's compiler
    python benchmarks/layers.py --quick    # one round, nothing compiled: a minute

One thread; layer and twin take turns on inputs of one shape in one process, the ratio is formed in
each round. Eager is measured against the eager twin, compiled against the compiled one. Each row is
stored in --out when it is measured; --page is written from what is stored.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import layers_page as page
import torch
from layers_pairs import Pair, pairs
from optim_store import about
from speed import ROOT, stored, write
from speed_clock import Effort, processor_seconds, ratios, take_turns
from speed_memory import kept_bytes
from torch import Tensor, nn
from tqdm import tqdm

EFFORT = Effort(rounds=31, least=7, budget=5.0, turn=5e-3, warm_up=2)
QUICK_EFFORT = Effort(rounds=1, least=1, budget=0.0, turn=0.0, warm_up=1)
Row = dict[str, Any]


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time layers against their Euclidean twins.")
    parser.add_argument("--quick", action="store_true", help="one round, nothing compiled")
    parser.add_argument("--only", nargs="+", default=[""], help="names that contain one of these")
    parser.add_argument("--out", type=Path, help="folder of the results (runs/layers)")
    parser.add_argument("--page", type=Path, help="the page to write (docs/layers_speed.md)")
    parser.add_argument("--stored", action="store_true", help="measure nothing, write the page")
    options = parser.parse_args(argv)
    options.out = options.out or ROOT / "runs" / ("layers-quick" if options.quick else "layers")
    docs = options.out if options.quick else ROOT / "docs"
    options.page = options.page or docs / "layers_speed.md"
    return options


def step(module: nn.Module, inputs: tuple[Any, ...]) -> Callable[[], None]:
    """Return forward and backward of a module, with gradients of its floating inputs."""
    first = inputs[0].detach().clone().requires_grad_()
    rest = [t.detach().clone().requires_grad_(t.requires_grad) for t in inputs[1:]]

    def run() -> None:
        module.zero_grad(set_to_none=True)
        first.grad = None
        result: Tensor = module(first, *rest)
        result.square().mean().backward()

    return run


def kept(module: nn.Module, inputs: tuple[Any, ...]) -> int:
    """Return the bytes there are between forward and backward of the eager module.

    Arguments, result, and what autograd keeps; a flat linear map keeps nothing of its own.
    """
    first = inputs[0].detach().clone().requires_grad_()
    known = [first, *inputs[1:], *module.parameters(), *module.buffers()]
    inner = kept_bytes(lambda: module(first, *inputs[1:]), known)
    return inner + sum(t.nbytes for t in (*inputs, module(first, *inputs[1:]).detach()))


def measure(pair: Pair, effort: Effort, compiled: bool) -> Row:
    """Return the ratios of one pair, and the bytes kept."""
    torch.manual_seed(0)
    curved, flat = pair.curved(), pair.flat()
    x, y = pair.curved_inputs(), pair.flat_inputs()
    memory = kept(curved, x), kept(flat, y)
    calls = {"layer": step(curved, x), "twin": step(flat, y)}
    row: Row = {"bar": pair.bar, "kept": memory[0] / memory[1]}
    row["eager"] = list(ratios(take_turns(calls, effort, processor_seconds, {}), "twin")["layer"])
    if compiled:
        torch.compiler.reset()
        calls = {
            "layer": step(torch.compile(curved, fullgraph=True), x),
            "twin": step(torch.compile(flat, fullgraph=True), y),
        }
        times = take_turns(calls, effort, processor_seconds, {})
        row["compiled"] = list(ratios(times, "twin")["layer"])
    return row


def main(argv: Sequence[str] | None = None) -> None:
    options = arguments(argv)
    torch.set_num_threads(1)
    known = {**about(()), "quick": options.quick}
    store = options.out / "results.json"
    rows: dict[str, Row] = stored(store, known)
    chosen = {
        name: pair
        for name, pair in pairs().items()
        if any(word in name for word in options.only) and name not in rows
    }
    chosen = {} if options.stored else chosen
    for name in (bar := tqdm(chosen, disable=not sys.stderr.isatty())):
        bar.set_description(name)
        effort = QUICK_EFFORT if options.quick else EFFORT
        rows[name] = measure(chosen[name], effort, compiled=not options.quick)
        write(store, json.dumps({"settings": known, "rows": rows}, indent=1))
    text = page.text(known, rows)
    write(options.page, text)
    print(text)


if __name__ == "__main__":
    main()
