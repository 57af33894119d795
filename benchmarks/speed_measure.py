"""One row of the table: an operation of a model at a size, by every path there is, in turns."""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import speed_clock as clock
import speed_libraries as libraries
import speed_memory as memory
import torch
from speed_clock import Effort
from speed_libraries import MODELS
from speed_operations import OPERATIONS, arguments
from torch import Tensor

from noneuclid.numerics.native.build import compiler

TWIN = "Euclid"
PATHS = (TWIN, "Euclid compiled", "native", "plain", "compiled", "geoopt", "hypll")
PHASES = ("forward", "both")


@dataclass(frozen=True)
class Place:
    """A row of the table: names in `MODELS` and `OPERATIONS`, and rows x dimension."""

    model: str
    operation: str
    rows: int
    dim: int

    @property
    def key(self) -> str:
        """What the row is called in the file of results."""
        return f"{self.model} | {self.operation} | {self.rows} x {self.dim}"


def places(
    models: Sequence[str], operations: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> list[Place]:
    """Return the rows there are; a product has its own dimension and the most rows only."""
    found = []
    for model in models:
        own = MODELS[model].dims
        for rows, dim in [(max(sizes)[0], own)] if own else sizes:
            manifold = MODELS[model].make(dim)
            for name in operations:
                if OPERATIONS[name].exists(manifold):
                    found.append(Place(model, name, rows, dim))
    return found


@contextmanager
def without_compiler() -> Iterator[None]:
    """Compute as on a machine without a C compiler: every formula in torch alone."""
    before = os.environ.get("NONEUCLID_NATIVE")
    os.environ["NONEUCLID_NATIVE"] = "0"
    compiler.cache_clear()
    try:
        yield
    finally:
        os.environ.pop("NONEUCLID_NATIVE")
        if before is not None:
            os.environ["NONEUCLID_NATIVE"] = before
        compiler.cache_clear()


def measure(
    place: Place, paths: Sequence[str], effort: Effort, device: torch.device
) -> dict[str, Any]:
    """Return what the table says of a row.

    Returns:
        forward, both: path -> (median, quartile, quartile) of the ratio to the twin.
        seconds: phase -> of one call of the twin, median.
        kept: path -> bytes kept for backward. faults: path -> why it is not there.
        syncs, bandwidth: on a GPU, for each phase, the paths in which the host waits for it; and
            path -> the bytes that must be moved over the time, as a part of the rate of a copy.
    """
    if any("compiled" in path for path in paths):
        torch.compiler.reset()
    operation, generator = OPERATIONS[place.operation], torch.Generator().manual_seed(0)
    manifold = MODELS[place.model].make(place.dim)
    given = [t.to(device) for t in arguments(operation, manifold, place.rows, generator)]
    manifold.to(device)
    functions, faults = _working(_functions(place, manifold, paths), given)
    is_gpu = device.type == "cuda"
    timer = clock.device_seconds if is_gpu else clock.processor_seconds
    row: dict[str, Any] = {"faults": faults, "seconds": {}, "rounds": {}, "kept": {}}
    for phase in PHASES:
        calls = {name: _call(f, given, own, phase) for name, (f, own) in functions.items()}
        with torch.set_grad_enabled(phase == "both"):
            seconds = clock.take_turns(calls, effort, timer, {"plain": without_compiler})
        row[phase] = clock.ratios(seconds, TWIN)
        row["seconds"][phase] = clock.spread(seconds[TWIN]).median
        row["rounds"][phase] = len(seconds[TWIN])
        if is_gpu:
            row.setdefault("syncs", {})[phase] = [n for n, c in calls.items() if _waits(c)]
            moved = _traffic(functions[TWIN][0], given)[phase] / _copy_rate(device)
            shares = {n: moved / clock.spread(times).median for n, times in seconds.items()}
            row.setdefault("bandwidth", {})[phase] = shares
    for name, (function, own) in functions.items():
        with without_compiler() if name == "plain" else torch.enable_grad():
            row["kept"][name] = _kept(function, given, own, manifold)
    return row


Function = tuple[Callable[..., Tensor], list[Tensor]]  # and the parameters it learns


def _functions(place: Place, manifold: Any, paths: Sequence[str]) -> dict[str, Function]:
    operation, model = OPERATIONS[place.operation], MODELS[place.model]
    ours, own = operation.call(manifold), list(manifold.parameters())
    compiled = functools.partial(torch.compile, fullgraph=True, dynamic=False)
    makers: dict[str, Callable[[], Function | None]] = {
        TWIN: lambda: (operation.twin, []),
        "Euclid compiled": lambda: (compiled(operation.twin), []),
        "native": lambda: (ours, own),
        "plain": lambda: (ours, own),
        "compiled": lambda: (compiled(ours), own),
        "geoopt": lambda: libraries.geoopt_call(model, place.operation, operation.method),
        "hypll": lambda: libraries.hypll_call(model, place.operation),
    }
    made = {name: makers[name]() for name in dict.fromkeys((TWIN, *paths))}
    return {name: function for name, function in made.items() if function is not None}


def _working(
    functions: dict[str, Function], given: Sequence[Tensor]
) -> tuple[dict[str, Function], dict[str, str]]:
    """Part the functions that run from those that raise."""
    works, faults = {}, {}
    for name, (function, own) in functions.items():
        try:
            _call(function, given, own, "both")()
            works[name] = function, own
        except Exception as error:  # whatever a peer or the compiler raises is a result
            if name == TWIN:
                raise
            faults[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return works, faults


def _call(
    function: Callable[..., Tensor], given: Sequence[Tensor], own: Sequence[Tensor], phase: str
) -> Callable[[], object]:
    """Return a function without arguments: forward, or forward and backward."""
    if phase == "forward":
        tensors = [t.detach() for t in given]
        return lambda: function(*tensors)
    tensors = [t.detach().requires_grad_() for t in given]
    leaves, out = [*tensors, *own], function(*tensors)
    pull = torch.randn(out.shape, dtype=out.dtype, device=out.device)

    def both() -> object:
        return torch.autograd.grad(function(*tensors), leaves, pull, allow_unused=True)

    return both


def _kept(
    function: Callable[..., Tensor], given: Sequence[Tensor], own: Sequence[Tensor], manifold: Any
) -> int:
    tensors = [t.detach().requires_grad_() for t in given]
    function(*tensors)
    there = [*tensors, *own, *manifold.buffers()]
    return memory.kept_bytes(lambda: function(*tensors), there)


def _traffic(function: Callable[..., Tensor], given: Sequence[Tensor]) -> dict[str, int]:
    """Return the bytes that an operation must move: arguments and result, then gradients too."""
    read = sum(t.numel() * t.element_size() for t in given)
    result = function(*given)
    written = result.numel() * result.element_size()
    return {"forward": read + written, "both": 3 * read + 2 * written}


@functools.cache
def _copy_rate(device: torch.device) -> float:
    """Return the bytes a second that a copy within the device moves, read and written."""
    source = torch.empty(2**26, device=device)
    target = torch.empty_like(source)
    seconds = clock.take_turns(
        {"copy": lambda: target.copy_(source)}, Effort(), clock.device_seconds, {}
    )
    return 2 * source.numel() * source.element_size() / clock.spread(seconds["copy"]).median


def _waits(call: Callable[[], object]) -> bool:
    """Tell whether a call makes the host wait for the GPU."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        call()
    except RuntimeError as error:
        if "synchroniz" not in str(error):
            raise
        return True
    finally:
        torch.cuda.set_sync_debug_mode(before)
    return False
