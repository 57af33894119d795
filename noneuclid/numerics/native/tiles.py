"""Hand-written C for tiles of rows: built for one dtype of results, called on spans of rows."""

import array
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from noneuclid.numerics.arc import SLOPE
from noneuclid.numerics.native.build import NotBuiltError, compiler, loaded, may_build
from noneuclid.numerics.native.emit import PRELUDE
from noneuclid.numerics.native.threads import in_threads
from noneuclid.numerics.precision import largest_norm

Call = tuple[Any, int, int]  # a table (array of 64-bit integers), the first row, the last but one

_HERE = Path(__file__)
_HEADERS = "arc.h", "tiles.h", "ambient.h"


class Tiles:
    """The functions of some files of C, for results of one dtype."""

    def __init__(self, files: tuple[str, ...], names: tuple[str, ...], dtype: torch.dtype) -> None:
        constants = {
            "SINGLE": int(dtype == torch.float32),
            "SLOPE": _numbers(SLOPE),
            "BALL": _numbers(largest_norm(dtype, "ball")),
            "SPHERE": _numbers(largest_norm(dtype, "sphere")),
        }
        head = "".join(f"#define {name} {value}\n" for name, value in constants.items())
        texts = (_HERE.with_name(name).read_text() for name in (*_HEADERS, *files))
        code = head + PRELUDE + "".join(texts)
        self._functions = loaded(code, (*names, "scratch_of"), contracts=True)

    def __call__(self, which: int, calls: Sequence[Call]) -> None:
        """Call one of the functions on spans, all of which need the same scratch."""
        if calls:
            answer = array.array("q", (0,))
            self._functions[-1](calls[0][0].buffer_info()[0], answer.buffer_info()[0], 0, 0)
            in_threads(self._functions[which], calls, scratch=-(-answer[0] // 8))


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(map(repr, values))


def tiles_of(files: tuple[str, ...], names: tuple[str, ...], dtype: torch.dtype) -> Tiles | None:
    """Return functions of files for results of `dtype`; None if not built, or of others."""
    if dtype not in (torch.float32, torch.float64) or compiler() is None:
        return None
    key = (files, dtype)
    if key not in _made and may_build():
        with contextlib.suppress(NotBuiltError):  # perhaps later
            _made[key] = Tiles(files, names, dtype)
    return _made.get(key)


_made: dict[tuple[tuple[str, ...], torch.dtype], Tiles] = {}


def address(tensor: Tensor | None) -> int:
    """Return where the numbers of a tensor lie, 0 for None."""
    return 0 if tensor is None else tensor.data_ptr()
