"""What a kernel computes, and in which order: the stages that a traced formula goes through.

A stage first makes the products of rows that its scalars need, in one loop over the columns of
each row, then the scalars, then the rounded rows that later stages read.
"""

from collections.abc import Iterator, Sequence

from noneuclid.numerics.native.derivative import Result
from noneuclid.numerics.native.trace import Filled, Joined, Rounded, Row, Scalar, Summed, Trace

Written = Result | Filled | Summed
IN_A_LOOP_OF_ITS_OWN = {"exp", "expm1", "log1p", "sin", "cos", "tan", "atan2"}
SUMS = {"dot", "residue"}
_READ = {"parameter", "entry"}


class Plan:
    """The stages of a formula: scalars by loops, rounded rows by the stage that makes them.

    Args:
        trace: of the formula.
        results: what is written.
        targets: the operands that the results overwrite, if any.
    """

    def __init__(self, trace: Trace, results: list[Written], targets: Sequence[int]) -> None:
        self.trace, self.results, self.targets = trace, results, targets
        self.values: set[int] = set()  # stored rows that are read
        self.scalars: set[int] = set()
        self._mark(results)
        self.levels: dict[int, int] = {}
        self.value_levels: dict[int, int] = {}
        self._find_uniform()
        self._set_levels()
        used = [self.trace.values[p] for p in range(len(trace.values))]
        self.operands = [p for p in sorted(self.values) if used[p].kind == "operand"]
        self.parameters = [n for n in self.nodes_needed() if n.operation == "parameter"]
        self.kept = [p for p in sorted(self.values) if used[p].kind == "rounded"]
        self.last = max([*self.levels.values(), *self.value_levels.values()], default=0)
        self.loops = {level: self._loops(level) for level in range(self.last + 1)}
        self.slots = {n: k for k, n in enumerate(sorted(self._shared()))}

    # -- what is needed, and when ----------------------------------------------------------------

    def _mark(self, results: list[Written]) -> None:
        """Find what results need; rows that are only written are not kept."""
        waiting: list[Scalar | Row] = []
        for result in results:
            for part in parts_of(result):
                waiting.extend([part] if isinstance(part, Scalar) else self.row_of(part))
        while waiting:
            item = waiting.pop()
            if isinstance(item, Scalar):
                if item.index in self.scalars:
                    continue
                self.scalars.add(item.index)
                if item.operation == "entry":
                    self.values.add(item.arguments[0])
                waiting.extend(a for a in item.arguments if isinstance(a, Scalar | Row))
                continue
            for (a, b, _), coefficient in item.terms.items():
                if isinstance(coefficient, Scalar):
                    waiting.append(coefficient)
                for place in (a, b):
                    if place >= 0 and place not in self.values:
                        self.values.add(place)
                        row = self.trace.values[place].row
                        waiting.extend([] if row is None else [row])

    def row_of(self, rounded: Rounded) -> list[Row]:
        """Return what a result is written from: its combination, or what was given."""
        row = self.trace.values[rounded.place].row
        return [Row(self.trace, {(rounded.place, -1, 0): 1.0}) if row is None else row]

    def nodes_needed(self) -> Iterator[Scalar]:
        """Return the scalars that results depend on, in the order in which they were noted."""
        return (n for n in self.trace.nodes if n.index in self.scalars)

    def _set_levels(self) -> None:
        """Give each scalar the stage that makes it: products of rows start a new one."""
        places = iter(range(len(self.trace.values)))
        done = -1
        for node in self.nodes_needed():
            while done + 1 < len(self.trace.values) and (
                self.trace.values[done + 1].noted <= node.index
            ):
                done = next(places)
                self._set_value_level(done)
            below = [self.levels[a.index] for a in node.arguments if isinstance(a, Scalar)]
            below += [self._row_level(a) + 1 for a in node.arguments if isinstance(a, Row)]
            self.levels[node.index] = max(below, default=0)
        for place in places:
            self._set_value_level(place)

    def _set_value_level(self, place: int) -> None:
        row = self.trace.values[place].row
        if place in self.values:
            self.value_levels[place] = 0 if row is None else self._row_level(row)

    def _row_level(self, row: Row) -> int:
        below = [self.levels[c.index] for c in row.terms.values() if isinstance(c, Scalar)]
        stored = [p for a, b, _ in row.terms for p in (a, b) if p >= 0]
        return max([*below, *(self.value_levels[p] for p in stored)], default=0)

    def is_uniform(self, node: Scalar) -> bool:
        """Tell whether a scalar is the same for all rows: those that an update is given are."""
        if node.operation == "constant":
            return True
        if not self.targets or node.operation in IN_A_LOOP_OF_ITS_OWN or node.operation in SUMS:
            return False
        return node.operation == "parameter" or self._uniform.get(node.index, False)

    def _find_uniform(self) -> None:
        """Find the scalars that are made of uniform ones: they are made once, not for each row."""
        self._uniform: dict[int, bool] = {}
        for node in self.nodes_needed():
            if node.operation not in _READ and node.operation != "constant":
                arguments = node.arguments
                self._uniform[node.index] = all(
                    isinstance(a, Scalar) and self.is_uniform(a) for a in arguments
                )

    def _loops(self, level: int) -> list[list[Scalar]]:
        """Return the scalars of a stage by the loops that make them, in order; no constants."""
        nodes = [n for n in self.nodes_needed() if self.levels[n.index] == level]
        nodes = [n for n in nodes if not self.is_uniform(n)]
        sums = [n for n in nodes if n.operation in SUMS]
        loops = [sums] if sums else []
        open_loop: list[Scalar] = []
        for node in nodes:
            if node.operation in SUMS:
                continue
            if node.operation in _READ or node.operation in IN_A_LOOP_OF_ITS_OWN:
                loops.append([node])
                open_loop = []
                continue
            if not open_loop:
                loops.append(open_loop)
            open_loop.append(node)
        return loops

    def _shared(self) -> set[int]:
        """Return the scalars that are read outside the loop that makes them; no constants."""
        home = {
            n.index: (level, k)
            for level, loops in self.loops.items()
            for k, loop in enumerate(loops)
            for n in loop
        }
        rows = [a for n in self.nodes_needed() for a in n.arguments if isinstance(a, Row)]
        rows += [row for p in self.kept if (row := self.trace.values[p].row) is not None]
        shared = set()
        for result in self.results:
            for part in parts_of(result):
                if isinstance(part, Scalar):
                    shared.add(part.index)
                else:
                    rows += self.row_of(part)
        shared |= {c.index for row in rows for c in row.terms.values() if isinstance(c, Scalar)}
        for n in self.nodes_needed():
            if n.operation in SUMS or n.operation in IN_A_LOOP_OF_ITS_OWN:
                shared.add(n.index)
            if n.operation in _READ and not self.is_uniform(n):
                shared.add(n.index)
            for a in n.arguments:
                if isinstance(a, Scalar) and home.get(a.index) != home.get(n.index):
                    shared.add(a.index)
        return shared & home.keys()


def parts_of(result: Written) -> list[Scalar | Rounded]:
    """Return the scalars and rows that a result is written from."""
    if isinstance(result, Filled):
        return [result.value]
    if isinstance(result, Summed):
        return [result.rows]
    return [result.first, result.rest] if isinstance(result, Joined) else [result]
