"""Steps of flat factors: R^n counts as n lines, and each number takes torch's step by itself.

Torch's own code takes a few columns of each row one number at a time, once for each operation. For
the factors of products in float32 there are kernels that do the same in one pass, `Lines`; they
equal torch's code but for the last digit of a root. Everything else on R^n, and all of it in
float64, goes through torch's code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.graph import increment_version

from noneuclid.manifolds import Manifold
from noneuclid.numerics import Call, Lines, repeatable
from noneuclid.optim._pieces import Piece


@dataclass(frozen=True)
class LineRule:
    """A method on lines with its settings for one step of some pieces; the likeness of `Rule`.

    Args:
        lines: gradient, state and point to state and point.
        settings: its numbers.
        names: of the state.
    """

    lines: Lines
    settings: tuple[float, ...]
    names: tuple[str, ...] = ()

    def on(self, manifold: Manifold) -> "LineRule":
        """Return this rule: it is the same on every R^n."""
        return self

    def shared(self, manifold: Manifold, x: torch.Tensor) -> list[float]:
        """Return the numbers that are the same for all rows."""
        return list(self.settings)

    def recipe(self, manifold: Manifold, dtype: torch.dtype) -> tuple[Any, ...]:
        """Return (function, *constants), which makes the formula of this step."""
        return _formula, self.lines

    def repeatable(self, manifold: Manifold, pieces: Sequence[Piece]) -> Call | None:
        """Return the kernel call of this step, None where there is none."""
        if torch.compiler.is_compiling():
            return None
        tensors = [(p.gradient, *self._written(p)) for p in pieces]
        settings = torch.tensor(self.settings, dtype=torch.float64)
        columns = (False,) * len(tensors[0])
        return repeatable(self.recipe(manifold, pieces[0].x.dtype), settings, tensors, columns)

    def take(self, manifold: Manifold, pieces: Sequence[Piece]) -> bool:
        """Move the points of pieces, and their state, in place; False where no kernel does."""
        call = self.repeatable(manifold, pieces)
        if call is None:
            return False
        call.run()
        increment_version([tensor for piece in pieces for tensor in self._written(piece)])
        return True

    def _written(self, piece: Piece) -> tuple[torch.Tensor, ...]:
        return *(piece.state[name] for name in self.names), piece.x


def _formula(lines: Lines) -> Lines:
    return lines
