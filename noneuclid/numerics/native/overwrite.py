"""Run a formula as one compiled kernel that overwrites what it read: the step of an optimizer."""

import array
import hashlib
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from noneuclid.numerics.native.build import NotBuiltError, compiler, loaded, may_build
from noneuclid.numerics.native.emit import Source, source
from noneuclid.numerics.native.lines import Lines
from noneuclid.numerics.native.plan import Written
from noneuclid.numerics.native.threads import in_threads, spans_of
from noneuclid.numerics.native.trace import Filled, Joined, Trace, UntraceableError

_BLOCK = 32  # rows; BLOCK of prelude.h
_TURN = 2**15  # numbers of a tensor that, with the others, stay in the cache between two kernels
_MANY = """
void kernels(const int64_t *const tables, char *const scratch, int64_t begin, int64_t end) {{
    for (const int64_t *t = tables + begin * {length}; t < tables + end * {length}; t += {length})
        kernel(t, scratch, 0, t[0]);
}}
"""
_log = logging.getLogger(__name__)


class Overwriting:
    """The kernel of a formula (*shared, *tensors) -> new values of the last of the tensors.

    Args:
        formula: of row scalars and rows; a tensor with `columns` true is seen as a row scalar. Or
            `Lines`, a formula of single numbers.
        shared: how many scalars are the same for all rows.
        dtypes: of the tensors.
        columns: which tensors hold the same number in every column of a row.
        skip: leading columns of each row that are a row scalar of their own, 0 or 1.
    """

    def __init__(
        self, formula: Callable[..., Any] | Lines, shared: int, dtypes: tuple[torch.dtype, ...],
        columns: tuple[bool, ...], skip: int,
    ) -> None:  # fmt: skip
        if isinstance(formula, Lines):
            made, results = formula.source(dtypes), len(formula.writes)
        else:
            made, results = _traced(formula, shared, dtypes, columns, skip)
        self.skip, self.targets = skip, range(len(dtypes) - results, len(dtypes))
        self.operands, self.parameters, self.scratch = made.operands, made.parameters, made.scratch
        self.offsets = [skip * dtype.itemsize for dtype in dtypes]
        length = 2 + 3 * (len(made.operands) + len(made.parameters)) + 2 * results
        functions = loaded(made.code + _MANY.format(length=length), ("kernel", "kernels"))
        self.kernel, self.kernels = functions
        identity = repr((made.code, dtypes, columns, skip))
        self.name = hashlib.sha256(identity.encode()).hexdigest()[:32]

    def __call__(self, shared: Tensor, pieces: Sequence[Sequence[Tensor]]) -> None:
        """Overwrite the last tensors of each piece.

        `shared`: (k,), or (pieces, k), in float64; the tensors of a piece are (*, n), of one shape.
        """
        filled = [k for k, piece in enumerate(pieces) if piece[-1].numel()]
        if not filled:
            return
        if len(filled) < len(pieces):
            pieces = [pieces[k] for k in filled]
            shared = shared[filled] if shared.dim() > 1 else shared
        dense = [[_with_one_stride(x) for x in piece] for piece in pieces]
        call = Call(self, dense, shared.contiguous())
        call.run()
        increment_version([piece[k] for piece in pieces for k in self.targets])
        for piece, used in zip(pieces, dense, strict=True):
            for k in self.targets:
                if used[k][0] is not piece[k]:
                    piece[k].copy_(used[k][0])

    def call_on(self, shared: Tensor, pieces: Sequence[Sequence[Tensor]]) -> "Call | None":
        """Return a call that may be run again; None if the rows of a tensor have no one stride."""
        dense = [[_with_one_stride(x) for x in piece] for piece in pieces]
        for piece, used in zip(pieces, dense, strict=True):
            if any(x is not y for x, (y, _) in zip(piece, used, strict=True)):
                return None
        call = Call(self, dense, shared)
        first = len(pieces[0]) - len(self.targets)
        call.alive = [piece[first:] for piece in pieces]
        return call


def _traced(
    formula: Callable[..., Any], shared: int, dtypes: tuple[torch.dtype, ...],
    columns: tuple[bool, ...], skip: int,
) -> tuple[Source, int]:  # fmt: skip
    """Return the source of a formula's kernel, and how many of the tensors it overwrites."""
    trace = Trace()
    scalars = [trace.parameter() for _ in range(shared)]
    given: list[Any] = []
    for dtype, is_column in zip(dtypes, columns, strict=True):
        rows = trace.operand(dtype)
        if is_column:
            given.append(trace.entry(rows, -skip))
        else:
            given.append(Joined(trace.entry(rows, -1), rows) if skip else rows)
    results = formula(*scalars, *given)
    targets = range(len(dtypes) - len(results), len(dtypes))
    written: list[Written] = [
        Filled(result, dtypes[k], skip) if columns[k] else result
        for k, result in zip(targets, results, strict=True)
    ]
    return source(trace, written, targets), len(results)


class Call:
    """The table of a call: it may be run again, with other numbers and tensors that moved.

    Args:
        overwriting: the kernel.
        pieces: the tensors of each piece, with the stride of their rows.
        shared: (k,), or (pieces, k), in float64, contiguous: read when the call runs.
    """

    def __init__(
        self, overwriting: Overwriting, pieces: Sequence[Sequence[tuple[Tensor, int]]],
        shared: Tensor,
    ) -> None:  # fmt: skip
        start, self.width = shared.data_ptr(), pieces[0][0][0].shape[-1]
        apart = 8 * shared.shape[-1] if shared.dim() > 1 else 0
        scalars = [number for k in overwriting.parameters for number in (start + 8 * k, 0, 0)]
        self.tables, self.counts = array.array("q"), []
        for used in pieces:
            addresses = [x.data_ptr() for x, _ in used]
            self.counts.append(used[-1][0].numel() // self.width)
            table = [self.counts[-1], self.width - overwriting.skip]
            for k in overwriting.operands:
                table += (addresses[k] + overwriting.offsets[k], 0, used[k][1])
            table += scalars
            if apart:
                scalars = [n + apart if k % 3 == 0 else 0 for k, n in enumerate(scalars)]
            for k in overwriting.targets:
                table += (addresses[k], used[k][1])
            self.tables.extend(table)
        self.overwriting, self.shared = overwriting, shared
        self.length = len(self.tables) // len(pieces)
        self.alive: Any = pieces

    def move(self, k: int, addresses: "array.array[int]") -> None:
        """Let tensor k of every piece, which is read only, lie at these addresses from now on."""
        if k in self.overwriting.operands:
            offset = self.overwriting.offsets[k]
            moved = array.array("q", [a + offset for a in addresses]) if offset else addresses
            self.tables[2 + 3 * self.overwriting.operands.index(k) :: self.length] = moved

    @property
    def scratch(self) -> int:
        """How many float64 the kernel needs to work."""
        return self.overwriting.scratch * _BLOCK * (self.width + 8)

    @property
    def work(self) -> int:
        """How many numbers each tensor has, over all pieces."""
        return sum(self.counts) * self.width

    def run(self) -> None:
        """Overwrite; versions of tensors are the caller's to increment."""
        if len(self.counts) == 1:
            function, spans = self.overwriting.kernel, spans_of(self.counts[0], _BLOCK, self.work)
        else:
            function, spans = self.overwriting.kernels, spans_of(len(self.counts), 1, self.work)
        calls = [(self.tables, *span) for span in spans]
        in_threads(function, calls, self.scratch, alive=(self.alive, self.shared))


def run_together(calls: Sequence[Call]) -> None:
    """Run calls, those on columns of the same rows in turns: memory is then read once for all.

    As with `Call.run`, versions of tensors are the caller's to increment.
    """
    (count, *others), stride = calls[0].counts, calls[0].tables[4]
    turn = max(1, _TURN // max(1, stride * _BLOCK)) * _BLOCK
    if len(calls) == 1 or others or count <= turn or any(c.counts != [count] for c in calls):
        for call in calls:
            call.run()
        return
    kernels = [(call.overwriting.kernel, call.tables.buffer_info()[0]) for call in calls]

    def function(_: int, scratch: int, begin: int, end: int) -> None:
        for start in range(begin, end, turn):
            for kernel, table in kernels:
                kernel(table, scratch, start, min(start + turn, end))

    spans = spans_of(count, _BLOCK, sum(call.work for call in calls))
    in_threads(
        function, [(calls[0].tables, *span) for span in spans],
        max(call.scratch for call in calls), alive=[(call.alive, call.shared) for call in calls],
    )  # fmt: skip


def _with_one_stride(x: Tensor) -> tuple[Tensor, int]:
    """Return x (*, n), or a copy, whose rows lie one stride apart, and that stride."""
    width = x.shape[-1]
    if x.is_contiguous():
        return x, width
    if x.stride(-1) == 1 or width == 1:
        axes = [(n, s) for n, s in zip(x.shape[:-1], x.stride()[:-1], strict=True) if n != 1]
        stride = axes[-1][1] if axes else width
        sizes = [math.prod(n for n, _ in axes[k + 1 :]) for k in range(len(axes))]
        if all(s == stride * size for (_, s), size in zip(axes, sizes, strict=True)):
            return x, stride
    return x.contiguous(), width


_made: dict[Any, Overwriting | None] = {}


def overwriting(
    recipe: tuple[Any, ...], shared: int, dtypes: tuple[torch.dtype, ...],
    columns: tuple[bool, ...], skip: int,
) -> Overwriting | None:  # fmt: skip
    """Return the kernel of a formula, or None where it has none and stays plain torch.

    `recipe` is (function, *constants), which returns the formula; all else as in `Overwriting`.
    """
    if compiler() is None:
        return None
    key = (recipe, shared, dtypes, columns, skip)
    if key not in _made:
        if not may_build():
            return None
        function, *constants = recipe
        try:
            _made[key] = Overwriting(function(*constants), shared, dtypes, columns, skip)
        except UntraceableError as reason:
            _log.info("%s stays in torch: %s", recipe, reason)
            _made[key] = None
        except (NotBuiltError, TypeError, AttributeError) as reason:
            # What stand-ins lack, or what goes on around this step: the next one may have a kernel.
            _log.info("%s stays in torch for now: %s", recipe, reason)
            return None
    return _made[key]


# -- inside torch.compile --------------------------------------------------------------------------

_named: dict[str, Overwriting] = {}


def overwriting_name(
    recipe: tuple[Any, ...], shared: int, dtypes: tuple[torch.dtype, ...],
    columns: tuple[bool, ...], skip: int,
) -> str | None:  # fmt: skip
    """Return the name under which `overwrite_rows` knows a kernel; None where there is none.

    Torch keeps compiled graphs on disk: the name tells what the kernel does in any process.
    """
    kernel = overwriting(recipe, shared, dtypes, columns, skip)
    if kernel is None:
        return None
    _named[kernel.name] = kernel
    return kernel.name


# Run while a graph is made, as `_name` of numerics/formula.py.
overwriting_name._dynamo_marked_constant = True  # type: ignore[attr-defined]


@torch.library.custom_op("noneuclid::overwrite_rows", mutates_args=("written",))
def overwrite_rows(
    shared: Tensor, read: list[Tensor], written: list[Tensor], pieces: int, name: str
) -> None:
    """Overwrite the tensors `written` of all pieces; both lists hold one piece after the other."""
    lists = [
        [tensors[k * len(tensors) // pieces : (k + 1) * len(tensors) // pieces]
         for tensors in (read, written)]
        for k in range(pieces)
    ]  # fmt: skip
    _named[name](shared, [[*given, *targets] for given, targets in lists])
