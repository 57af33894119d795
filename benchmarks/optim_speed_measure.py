"""Steps of optimizers on the same tensors, in turns: ours, torch's, geoopt's."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import speed_clock as clock
import torch
from speed_clock import Effort
from speed_libraries import installed
from torch import Tensor

import noneuclid as ne
from noneuclid import optim

UNIT = "torch Adam"
PATHS = (UNIT, "twin", "eager", "compiled", "geoopt")
SIZES = {"one tensor 100000 x 10": (1, 100_000, 10), "200 tensors 32 x 16": (200, 32, 16)}
TINY = {"one tensor 500 x 10": (1, 500, 10), "5 tensors 8 x 16": (5, 8, 16)}
RATE = 1e-3


def _product(width: int) -> Any:
    third = width // 3
    return ne.manifold(f"H{width - 2 * third - 1} x S{third - 1} x E{third}")


def _geoopt_product(width: int) -> Any:
    geoopt, third = installed("geoopt"), width // 3
    factors = (geoopt.Lorentz(), width - 2 * third), (geoopt.Sphere(), third)
    return geoopt.ProductManifold(*factors, (geoopt.Euclidean(1), third))


MODELS: dict[str, tuple[Callable[[int], Any], Callable[[int], Any]]] = {  # by coordinates
    "PoincareBall": (ne.PoincareBall, lambda width: installed("geoopt").PoincareBall()),
    "Lorentz": (lambda width: ne.Lorentz(width - 1), lambda width: installed("geoopt").Lorentz()),
    "Sphere": (lambda width: ne.Sphere(width - 1), lambda width: installed("geoopt").Sphere()),
    "H x S x E": (_product, _geoopt_product),
}
PLAIN = "plain"


@dataclass(frozen=True)
class Method:
    """An optimizer of ours, its twin in torch, the options of both, and geoopt's name."""

    ours: type
    twin: type
    options: dict[str, Any]
    geoopt: str = ""


METHODS = {
    "SGD": Method(optim.RiemannianSGD, torch.optim.SGD, {}, "RiemannianSGD"),
    "SGD, momentum": Method(
        optim.RiemannianSGD, torch.optim.SGD, {"momentum": 0.9}, "RiemannianSGD"
    ),
    "Adam": Method(optim.RiemannianAdam, torch.optim.Adam, {}, "RiemannianAdam"),
    "AdamW": Method(optim.RiemannianAdamW, torch.optim.AdamW, {}),
}


def measure(
    model: str, method: str, size: tuple[int, int, int], paths: Sequence[str], effort: Effort,
    timer: Callable[[Callable[[], object], int], float],
) -> dict[str, Any]:  # fmt: skip
    """Return the time of a step by each path over that of torch.optim.Adam(foreach=True).

    Returns:
        ratios: path -> (median, quartile, quartile). seconds: of a step of torch's Adam, median.
        twin_ratios: the same over the twin's. faults: path -> what it raised. rounds: how many.
    """
    steps, faults = {}, {}
    for path in dict.fromkeys((UNIT, "twin", *paths)):
        try:
            step = _step(path, model, METHODS[method], size)
            if step is not None:
                step()
                steps[path] = step
        except Exception as error:  # whatever a peer or the compiler raises is a result
            faults[path] = f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
    seconds = clock.take_turns(steps, effort, timer, {})
    return {
        "ratios": clock.ratios(seconds, UNIT),
        "twin_ratios": clock.ratios(seconds, "twin"),
        "seconds": clock.spread(seconds[UNIT]).median,
        "faults": faults,
        "rounds": len(seconds[UNIT]),
    }


def _step(
    path: str, model: str, method: Method, size: tuple[int, int, int]
) -> Callable[[], object] | None:
    count, rows, width = size
    source = torch.Generator().manual_seed(0)
    shapes = [(rows, width)] * count
    if path in (UNIT, "twin"):
        parameters = [torch.nn.Parameter(torch.randn(s, generator=source)) for s in shapes]
        cls, options = (torch.optim.Adam, {}) if path == UNIT else (method.twin, method.options)
        optimizer = cls(parameters, lr=RATE, foreach=True, **options)
    elif model == PLAIN:
        if path != "eager":
            return None
        parameters = [torch.nn.Parameter(torch.randn(s, generator=source)) for s in shapes]
        optimizer = method.ours(parameters, lr=RATE, foreach=True, **method.options)
    elif path == "geoopt":
        geoopt = installed("geoopt")
        if geoopt is None or not method.geoopt:
            return None
        points, theirs = MODELS[model][0](width), MODELS[model][1](width)
        starts = [points.random(rows, generator=source) for _ in shapes]
        parameters = [geoopt.ManifoldParameter(start, manifold=theirs) for start in starts]
        optimizer = getattr(geoopt.optim, method.geoopt)(parameters, lr=RATE, **method.options)
    else:
        manifold = MODELS[model][0](width)
        starts = [manifold.random(rows, generator=source) for _ in shapes]
        parameters = [ne.ManifoldParameter(start, manifold) for start in starts]
        optimizer = method.ours(parameters, lr=RATE, **method.options)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=source)
    return torch.compile(optimizer.step) if path == "compiled" else optimizer.step


def sparse(rows: int, touched: int, effort: Effort, timer: Any) -> dict[str, Any]:
    """Return what a step costs on a table of points in the ball, with few rows touched.

    Returns:
        name -> seconds of a step; bytes it takes beyond what is there (None where the system does
        not tell); bytes of the state. The names: ours with a dense gradient, ours with a sparse
        one of `touched` rows, torch.optim.SparseAdam on the same plain table.
    """
    dim, source = 10, torch.Generator().manual_seed(0)
    ball = ne.PoincareBall(dim)
    index = torch.randint(rows, (1, touched), generator=source)
    values = torch.randn(touched, dim, generator=source)
    few = torch.sparse_coo_tensor(index, values, (rows, dim), check_invariants=False)
    found = {}
    for name in ("dense", "sparse", "torch SparseAdam"):
        table = 0.01 * torch.randn(rows, dim, generator=source)
        if name == "torch SparseAdam":
            parameter: Tensor = torch.nn.Parameter(table)
            optimizer: torch.optim.Optimizer = torch.optim.SparseAdam([parameter], lr=RATE)
        else:
            parameter = ne.ManifoldParameter(table, ball)
            optimizer = optim.RiemannianAdam([parameter], lr=RATE)
        parameter.grad = torch.randn_like(parameter) if name == "dense" else few
        optimizer.step()
        seconds = clock.take_turns({name: optimizer.step}, effort, timer, {})[name]
        found[name] = {
            "seconds": clock.spread(seconds).median,
            "peak": peak_bytes(optimizer.step),
            "state": sum(
                value.numel() * value.element_size()
                for state in optimizer.state.values()
                for value in state.values()
                if isinstance(value, Tensor)
            ),
        }
        del table, parameter, optimizer
    return found


def peak_bytes(call: Callable[[], object]) -> int | None:
    """Return how much the memory of the process rises within a call, None where it is unknown."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
        before = _status("VmRSS")
        call()
        return max(0, _status("VmHWM") - before)
    except (OSError, KeyError):
        return None


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(dict(line.split(":", 1) for line in lines)[name].split()[0])


def wall_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the time of one call on the wall clock; other processes count."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats
