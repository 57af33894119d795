"""What happens inside a network while it looks at jets."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

Calls = list[tuple[Any, ...]]


@contextmanager
def recorded(module: nn.Module, method: str) -> Iterator[Calls]:
    """Collect the positional arguments with which a method of a module is called."""
    original = getattr(module, method)
    calls: Calls = []

    def record(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return original(*arguments, **options)

    setattr(module, method, record)
    try:
        yield calls
    finally:
        delattr(module, method)
