"""One process or several, started by torchrun: who is who, and what they tell each other."""

import os
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from training.settings import SettingsError


def start(device: str) -> torch.device:
    """Join the processes that torchrun has started, if it has; return this one's device.

    Raises:
        SettingsError: there is no such device.
    """
    together = "WORLD_SIZE" in os.environ and int(os.environ["WORLD_SIZE"]) > 1
    name = device
    if device == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and together:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        chosen = torch.device(name)
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(f"no device {name!r} here: {str(error).splitlines()[0]}") from error
    if together and not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return chosen


def stop() -> None:
    """Leave the other processes."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Return the number of this process."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def wrap(model: nn.Module, device: torch.device) -> nn.Module:
    """Return the model whose gradients are the means over the processes."""
    if world_size() == 1:
        return model
    return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)


def gather(value: Any) -> list[Any]:
    """Return what every process has, in the order of their numbers."""
    if world_size() == 1:
        return [value]
    everyone: list[Any] = [None] * world_size()
    dist.all_gather_object(everyone, value)
    return everyone


def any_of(flag: bool, device: torch.device) -> bool:
    """Tell whether the flag is up in any process."""
    return total(float(flag), device) > 0


def total(value: float, device: torch.device) -> float:
    """Return the sum of a number over the processes."""
    if world_size() == 1:
        return value
    everyone = torch.tensor([value], device=device)
    dist.all_reduce(everyone)
    return everyone.item()
