"""An open jet file: what the reader of every format offers."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from noneuclid.datasets._block import Block, JetFileError


class JetFile(ABC):
    """A jet file whose rows can be read in any order; use it as a context manager.

    Attributes:
        kind: Name of the format in messages.
        path: The file.
        class_names: Name of each class.
        extra: Names of the columns beyond momenta that the file holds, see ``Block.extra``.
        row_is_event: Whether each row is a collision of its own, because the file tells none; the
            numbers of the collisions are then those of the rows, from ``first_event`` on.
    """

    kind: ClassVar[str]
    row_is_event: ClassVar[bool] = True
    class_names: tuple[str, ...]
    extra: frozenset[str] = frozenset()

    def __init__(self, path: Path, first_event: int) -> None:
        self.path, self.first_event = path, first_event
        with self._reporting():
            self._open()

    def __enter__(self) -> "JetFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, first: int, stop: int, extra: Sequence[str] = ()) -> Block:
        """Read the jets of some rows.

        Args:
            first: First row.
            stop: Row after the last.
            extra: Names of the columns to read beyond the momenta.

        Raises:
            JetFileError: The file is damaged or lacks a column.
        """
        missing = [name for name in extra if name not in self.extra]
        if missing:
            raise JetFileError(f"{self.path} ({self.kind}) has no column for {', '.join(missing)}")
        with self._reporting():
            return self._read(first, stop, extra)

    def classes(self, first: int, stop: int) -> np.ndarray:
        """Read the classes of some rows, without their particles."""
        with self._reporting():
            return self._classes(first, stop)

    def clusters(self) -> list[int]:
        """Give the rows at which to cut: rows between two are cheap to read one after another."""
        return [0, len(self)]

    def events(self, first: int, stop: int) -> np.ndarray:
        """Give the numbers of the collisions of some rows."""
        return self.first_event + np.arange(first, stop, dtype=np.int64)

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Turn what the format libraries raise on damaged files into one clear error."""
        try:
            yield
        except (ImportError, MemoryError, JetFileError):
            raise
        except Exception as error:  # they raise nearly anything
            cause = " ".join([type(error).__name__, *str(error).split()])
            message = f"{self.path} is a truncated or damaged {self.kind} file ({cause})"
            raise JetFileError(message) from error

    @abstractmethod
    def __len__(self) -> int:
        """Give the number of jets."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    @abstractmethod
    def _open(self) -> None: ...

    @abstractmethod
    def _read(self, first: int, stop: int, extra: Sequence[str]) -> Block: ...

    @abstractmethod
    def _classes(self, first: int, stop: int) -> np.ndarray: ...
