"""Run a formula and its derivative as compiled kernels.

A formula takes the curvature (and other row scalars) and rows, and returns rows or a row scalar.
It is traced once for each combination of dtypes and fixed arguments.
"""

import array
import hashlib
import itertools
import logging
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from noneuclid.numerics.native.build import NotBuiltError, compiler, loaded, may_build
from noneuclid.numerics.native.derivative import Derivative, Result
from noneuclid.numerics.native.emit import Source, source
from noneuclid.numerics.native.plan import Written
from noneuclid.numerics.native.threads import in_threads, spans_of
from noneuclid.numerics.native.trace import (
    Joined,
    Rounded,
    Row,
    Scalar,
    Summed,
    Trace,
    UntraceableError,
)

_BLOCK = 32  # rows; BLOCK of prelude.h
_log = logging.getLogger(__name__)


class Kernels:
    """The kernels of one formula for arguments of given dtypes: itself, and its derivatives."""

    def __init__(
        self, formula: Callable[..., Any], dtypes: tuple[torch.dtype | None, ...], skip: int
    ) -> None:
        self.formula, self.dtypes, self.skip = formula, dtypes, skip
        trace, _, result = self._traced()
        rows = result.rest if isinstance(result, Joined) else result
        self.is_joined, self.is_scalar = isinstance(result, Joined), isinstance(rows, Scalar)
        self.dtype = torch.float64 if isinstance(rows, Scalar) else rows.dtype
        made = source(trace, [result])
        identity = repr((made.code, dtypes, skip))
        self.name = hashlib.sha256(identity.encode()).hexdigest()[:32]
        self._itself = _Kernel(made)
        self._derivatives: dict[tuple[_Stored | None, ...], _Kernel] = {}

    def __call__(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return the formula of its arguments, row scalars and rows in the formula's order."""
        scalars, rows = self._sorted(tensors)
        shape = self.shape_of(tensors)
        out = _empty(shape, self.dtype)
        self._itself(_Batch(shape[:-1], rows[0].shape[-1]), rows, scalars, [out])
        return out

    def shape_of(self, tensors: Sequence[Tensor]) -> tuple[int, ...]:
        """Return the shape of the result."""
        shape = torch.broadcast_shapes(*(x.shape[:-1] for x in tensors))
        width = tensors[-1].shape[-1] - self.skip + self.is_joined
        return (*shape, 1 if self.is_scalar else width)

    def gradients(
        self, tensors: Sequence[Tensor], needs: tuple[bool, ...], g: Tensor
    ) -> list[Tensor | None]:
        """Return the gradients by the arguments that need one, from that by the result."""
        scalars, rows = self._sorted(tensors)
        shape = torch.broadcast_shapes(*(x.shape[:-1] for x in tensors))
        batch = _Batch(shape, rows[0].shape[-1])
        if self.is_scalar:
            scalars.append(g)
        else:
            rows.append(g[..., 1:] if self.is_joined else g)
        if self.is_joined:
            scalars.append(g[..., :1].to(torch.float64))
        # What was broadcast has a sum of gradients, which is rounded once.
        stored = tuple(
            _stored(x, given, shape) if need else None
            for x, given, need in zip(tensors, self.dtypes, needs, strict=True)
        )
        outs = [
            torch.zeros(x.shape, dtype=torch.float64, device="cpu")
            if each.is_summed
            else _empty((*shape, 1 if given is None else self.skip + batch.width), each.dtype)
            for x, given, each in zip(tensors, self.dtypes, stored, strict=True)
            if each
        ]
        try:
            kernel = self._derivative(stored)
        except NotBuiltError:
            return self._gradients_in_torch(tensors, needs, g)
        kernel(batch, rows, scalars, outs, self.skip)
        found = iter(outs)
        return [
            next(found).sum_to_size(x.shape).to(x.dtype) if need else None
            for x, need in zip(tensors, needs, strict=True)
        ]

    def _gradients_in_torch(
        self, tensors: Sequence[Tensor], needs: tuple[bool, ...], g: Tensor
    ) -> list[Tensor | None]:
        inputs = [x.detach().requires_grad_(need) for x, need in zip(tensors, needs, strict=True)]
        wanted = [x for x in inputs if x.requires_grad]
        with torch.enable_grad():
            pairs = zip(inputs, self.dtypes, strict=True)
            given = [x if dtype is None else x[..., self.skip :] for x, dtype in pairs]
            found = iter(torch.autograd.grad(self.formula(*given), wanted, g, allow_unused=True))
        return [next(found) if need else None for need in needs]

    def _sorted(self, tensors: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        pairs = list(zip(self.dtypes, tensors, strict=True))
        return [x for d, x in pairs if d is None], [
            x[..., self.skip :] for d, x in pairs if d is not None
        ]

    def _traced(self) -> tuple[Trace, list[Rounded | Scalar], Result]:
        trace = Trace()
        stand_ins = [
            trace.parameter() if dtype is None else trace.operand(dtype) for dtype in self.dtypes
        ]
        return trace, stand_ins, self.formula(*stand_ins)

    def _derivative(self, stored: "tuple[_Stored | None, ...]") -> "_Kernel":
        """Return the kernel whose arguments are the formula's and the gradient by the result.

        `stored`: for each argument how its gradient is written, None for one that is not needed.
        """
        if stored not in self._derivatives:
            trace, stand_ins, result = self._traced()
            rows_back = None if self.is_scalar else trace.operand(self.dtype)
            scalar_back = trace.parameter() if self.is_scalar or self.is_joined else None
            adjoints = Derivative(trace, result, rows_back, scalar_back)
            results: list[Written] = []
            for stand_in, each in zip(stand_ins, stored, strict=True):
                if not each:
                    continue
                if isinstance(stand_in, Scalar):
                    zero = trace.scalar(0.0)
                    results.append(adjoints.scalars.get(stand_in.index, zero))
                else:
                    adjoint = adjoints.rows.get(stand_in.place)
                    if adjoint is None:
                        adjoint = Row(trace, {(stand_in.place, -1, 0): 0.0})
                    rows = adjoint.to(each.dtype)
                    if each.is_summed:
                        results.append(Summed(rows))
                    else:  # what was skipped has gradient zero
                        results.append(Joined(trace.scalar(0.0), rows) if self.skip else rows)
            self._derivatives[stored] = _Kernel(source(trace, results))
        return self._derivatives[stored]


class _Stored(NamedTuple):
    """How the gradient by one argument is written."""

    dtype: torch.dtype
    is_summed: bool  # over the batch, for one row that all of it shares


def _stored(x: Tensor, given: torch.dtype | None, shape: tuple[int, ...]) -> _Stored:
    if x.shape[:-1] == shape:
        return _Stored(x.dtype, is_summed=False)
    is_one = math.prod(x.shape[:-1]) == 1
    return _Stored(torch.float64, is_summed=is_one and given is not None)


class _Kernel:
    """A compiled kernel, and which arguments its addresses come from."""

    def __init__(self, made: Source) -> None:
        self.made = made
        (self.function,) = loaded(made.code)

    def __call__(
        self, batch: "_Batch", rows: Sequence[Tensor], scalars: Sequence[Tensor],
        outs: Sequence[Tensor], skip: int = 0,
    ) -> None:  # fmt: skip
        """Fill `outs`; `rows` and `scalars` in the order of the trace.

        Sums over the batch are added to `outs`, from their column `skip` on.
        """
        given = [batch.rows(rows[k]) for k in self.made.operands]
        given += [batch.scalars(scalars[k]) for k in self.made.parameters]
        split = _best_split(given, len(batch.shape))
        given = [x if _is_collapsible(x, split) else x.contiguous() for x in given]
        inner = math.prod(batch.shape[split:])
        head = array.array("q", (max(1, inner), batch.width))
        for x in given:
            head.extend((x.data_ptr(), *_strides(x, split)))
        count = math.prod(batch.shape)
        scratch = self.made.scratch * _BLOCK * (batch.width + 8)
        spans = spans_of(count, _BLOCK, work=count * batch.width)
        # Every span adds to a sum of its own.
        sums = self.made.sums
        pieces = [
            [out.clone() if k in sums and n else out for k, out in enumerate(outs)]
            for n in range(len(spans))
        ]
        calls = []
        for piece, span in zip(pieces, spans, strict=True):
            skipped = ((k in sums) * skip * out.element_size() for k, out in enumerate(piece))
            addresses = [out.data_ptr() + s for out, s in zip(piece, skipped, strict=True)]
            calls.append((head + array.array("q", addresses), *span))
        in_threads(self.function, calls, scratch, alive=(given, pieces))
        for piece in pieces[1:]:
            for k in sums:
                outs[k].add_(piece[k])


def _empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="cpu")  # whatever the default device is


# -- batches ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Batch:
    shape: tuple[int, ...]
    width: int

    def rows(self, x: Tensor) -> Tensor:
        x = x.expand(*self.shape, self.width).resolve_neg()
        return x if self.width == 1 or x.stride(-1) == 1 else x.contiguous()

    def scalars(self, s: Tensor) -> Tensor:
        return s.expand(*self.shape, 1).resolve_neg()


def _axes(x: Tensor, split: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return (size, stride) of the batch axes before and after `split`, without those of size 1."""
    axes = list(zip(x.shape[:-1], x.stride()[:-1], strict=True))
    return [a for a in axes[:split] if a[0] != 1], [a for a in axes[split:] if a[0] != 1]


def _is_collapsible(x: Tensor, split: int) -> bool:
    """Tell whether each half of the batch axes can be walked with one stride."""
    return all(a[1] == b[0] * b[1] for half in _axes(x, split) for a, b in itertools.pairwise(half))


def _best_split(tensors: Sequence[Tensor], axes: int) -> int:
    """Return the place where to split the batch axes in two so that the fewest copies are made."""
    return min(range(max(1, axes)), key=lambda p: sum(not _is_collapsible(x, p) for x in tensors))


def _strides(x: Tensor, split: int) -> tuple[int, int]:
    outer, inner = _axes(x, split)
    return (outer[-1][1] if outer else 0), (inner[-1][1] if inner else 0)


# -- from formulas to kernels ----------------------------------------------------------------------

_made: dict[Any, Kernels | None] = {}


def kernels_of(
    formula: Callable[..., Any],
    key: Hashable,
    dtypes: tuple[torch.dtype | None, ...],
    skip: int = 0,
) -> Kernels | None:
    """Return the kernels of a formula, or None where it has none and stays plain torch.

    Args:
        formula: takes row scalars (float64, (..., 1)) and rows (..., n) of one width.
        key: what tells this formula from others.
        dtypes: for each argument its dtype, None for a row scalar.
        skip: leading columns of each row that the formula does not see, 0 or 1.
    """
    if compiler() is None:
        return None
    if (key, dtypes, skip) not in _made:
        if not may_build():
            return None
        try:
            _made[key, dtypes, skip] = Kernels(formula, dtypes, skip)
        except NotBuiltError as reason:  # of this moment, not of the formula
            _log.info("%s stays in torch for now: %s", key, reason)
            return None
        except (UntraceableError, TypeError, AttributeError) as reason:  # what stand-ins lack
            _log.info("%s stays in torch: %s", key, reason)
            _made[key, dtypes, skip] = None
    return _made[key, dtypes, skip]
