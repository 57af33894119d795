"""C code for a traced formula: one pass over blocks of rows that writes nothing but the results.

A block of rows goes through stages. A stage first makes the products of rows that its scalars need
(one loop over the columns of each row), then the scalars, 32 rows at a time in loops that the C
compiler vectorises, then the rounded rows that later stages read. All sums and scalars are float64.

Sums run in eight lanes, lane l over the columns l, l + 8, l + 16, ...; the lanes are then added as
((0+4)+(2+6)) + ((1+5)+(3+7)). The code is compiled without contraction of products and sums, so
that its bits do not depend on the machine.
"""

# over 300 lines: one class that walks one graph

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from noneuclid.numerics.native.derivative import Result
from noneuclid.numerics.native.trace import Filled, Joined, Leaf, Rounded, Row, Scalar, Trace

Written = Result | Filled
PRELUDE = Path(__file__).with_name("prelude.h").read_text()
FUNCTIONS = Path(__file__).with_name("functions.h").read_text()  # goes after the prelude
_IN_A_LOOP_OF_ITS_OWN = {"exp", "expm1", "log1p", "sin", "cos", "tan", "atan2"}
_SUMS = {"dot", "residue"}
_READ = {"parameter", "entry"}
_FORMS = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "neg": "-{}",
    "abs": "fabs({})",
    "sqrt": "sqrt({})",
    "detach": "{}",
    "lt": "{} < {} ? 1.0 : 0.0",
    "le": "{} <= {} ? 1.0 : 0.0",
    "eq": "{} == {} ? 1.0 : 0.0",
    "where": "{} != 0.0 ? {} : {}",
    "maximum": "larger({}, {})",
    "minimum": "smaller({}, {})",
    "gap": "gap({}, {}, {})",
}


@dataclass
class Source:
    """The C code of a kernel, and the order in which it takes its addresses."""

    code: str
    operands: list[int]  # which of the rows that are given, in order
    parameters: list[int]  # which of the row scalars
    scratch: int  # rounded rows kept for each row of a block


class _Emitter:
    def __init__(self, trace: Trace, results: list[Written], targets: Sequence[int]) -> None:
        self.trace, self.results, self.targets = trace, results, targets
        self.values: set[int] = set()  # stored rows that are read
        self.scalars: set[int] = set()
        self._mark(results)
        self.levels: dict[int, int] = {}
        self.value_levels: dict[int, int] = {}
        self._set_levels()
        used = [self.trace.values[p] for p in range(len(trace.values))]
        self.operands = [p for p in sorted(self.values) if used[p].kind == "operand"]
        self.parameters = [n for n in self._nodes() if n.operation == "parameter"]
        self.kept = [p for p in sorted(self.values) if used[p].kind == "rounded"]
        self.last = max([*self.levels.values(), *self.value_levels.values()], default=0)
        self.loops = {level: self._loops(level) for level in range(self.last + 1)}
        self.slots = {n: k for k, n in enumerate(sorted(self._shared()))}
        self.lines: list[str] = []

    # -- what is needed, and when ----------------------------------------------------------------

    def _mark(self, results: list[Written]) -> None:
        """Find what results need; rows that are only written are not kept."""
        waiting: list[Scalar | Row] = []
        for result in results:
            for part in _parts(result):
                waiting.extend([part] if isinstance(part, Scalar) else self._row_of(part))
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

    def _row_of(self, rounded: Rounded) -> list[Row]:
        row = self.trace.values[rounded.place].row
        if row is None or self._is_overwritten(rounded, row):
            return [Row(self.trace, {(rounded.place, -1, 0): 1.0})]
        return [row]

    def _is_overwritten(self, rounded: Rounded, row: Row) -> bool:
        """Tell whether a result written earlier would change this row: it is kept apart then."""
        for target, result in zip(self.targets, self.results, strict=False):
            if any(part is rounded for part in _parts(result)):
                return False
            if any(target in (a, b) for a, b, _ in row.terms):
                return True
        return False

    def _nodes(self) -> Iterator[Scalar]:
        return (n for n in self.trace.nodes if n.index in self.scalars)

    def _set_levels(self) -> None:
        """Give each scalar the stage that makes it: products of rows start a new one."""
        places = iter(range(len(self.trace.values)))
        done = -1
        for node in self._nodes():
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

    def _is_uniform(self, node: Scalar) -> bool:
        """Tell whether a scalar is the same for all rows: those that an update is given are."""
        return node.operation == "constant" or (
            bool(self.targets) and node.operation == "parameter"
        )

    def _loops(self, level: int) -> list[list[Scalar]]:
        """Return the scalars of a stage by the loops that make them, in order; no constants."""
        nodes = [n for n in self._nodes() if self.levels[n.index] == level]
        nodes = [n for n in nodes if not self._is_uniform(n)]
        sums = [n for n in nodes if n.operation in _SUMS]
        loops = [sums] if sums else []
        open_loop: list[Scalar] = []
        for node in nodes:
            if node.operation in _SUMS:
                continue
            if node.operation in _READ or node.operation in _IN_A_LOOP_OF_ITS_OWN:
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
        rows = [a for n in self._nodes() for a in n.arguments if isinstance(a, Row)]
        rows += [row for p in self.kept if (row := self.trace.values[p].row) is not None]
        shared = set()
        for result in self.results:
            for part in _parts(result):
                if isinstance(part, Scalar):
                    shared.add(part.index)
                else:
                    rows += self._row_of(part)
        shared |= {c.index for row in rows for c in row.terms.values() if isinstance(c, Scalar)}
        for n in self._nodes():
            if n.operation in _SUMS or n.operation in _IN_A_LOOP_OF_ITS_OWN:
                shared.add(n.index)
            if n.operation in _READ and not self._is_uniform(n):
                shared.add(n.index)
            for a in n.arguments:
                if isinstance(a, Scalar) and home.get(a.index) != home.get(n.index):
                    shared.add(a.index)
        return shared & home.keys()

    # -- code ------------------------------------------------------------------------------------

    def source(self) -> Source:
        for level, loops in self.loops.items():
            for loop in loops:
                self._loop(loop)
            for place in self.kept:
                if self.value_levels[place] == level:
                    self._keep(place)
        for k, result in enumerate(self.results):
            self._write(k, result)
        body = "\n".join("        " + line for line in self.lines)
        elementary = any(n.operation in _IN_A_LOOP_OF_ITS_OWN for n in self._nodes())
        code = _KERNEL.format(
            operands=len(self.operands) + len(self.parameters),
            prelude=PRELUDE + FUNCTIONS if elementary else PRELUDE,
            uniform="\n".join(
                f"    const double u{n.index} = *(const double *)table[{2 + 3 * at}];"
                for at, n in enumerate(self.parameters, start=len(self.operands))
                if self.targets
            ),
            values=max(1, len(self.slots)),
            body=body,
        )
        places = [n.arguments[0] for n in self.parameters]
        numbers = [self.trace.values[p].number for p in self.operands]
        return Source(code, numbers, places, len(self.kept))

    def _say(self, *lines: str) -> None:
        self.lines.extend(lines)

    def _sums(self, nodes: list[Scalar]) -> None:
        rows = {id(a): a for n in nodes for a in n.arguments}
        dots = [n for n in nodes if n.operation == "dot"]
        self._say("{", *(f"Lanes eight{n.index}[WIDTH] = {{0}};" for n in dots), "EACH_ROW {")
        names = self._open(rows.values())
        for n in nodes:
            self._say(f"    Lanes s{n.index} = {{0}}, e{n.index} = {{0}};")
        body = []
        for n in nodes:
            a, b = names[id(n.arguments[0])], names[id(n.arguments[-1])]
            if n.operation == "dot":
                body.append(f"s{n.index} += {a} * {b};")
            else:
                body.append(f"add_square({a}, &s{n.index}, &e{n.index});")
        self._columns(rows.values(), names, body)
        for n in nodes:
            if n.operation == "residue":
                self._say(f"    {self._kept(n)} = residue(s{n.index}, e{n.index});")
        for n in dots:
            self._say(f"    (void)e{n.index}, eight{n.index}[r % WIDTH] = s{n.index};")
        self._say("    if (r % WIDTH == WIDTH - 1 || r == count - 1) {")
        for n in dots:
            to = f"V[{self.slots[n.index]}] + r - r % WIDTH"
            self._say(f"        across_eight({to}, eight{n.index});")
        self._say("    }", "}", "}")

    def _open(self, rows: Iterable[Row]) -> dict[int, str]:
        """Fetch the addresses and coefficients that rows need; return a name for each row."""
        names: dict[int, str] = {}
        for place in sorted({p for row in rows for a, b, _ in row.terms for p in (a, b) if p >= 0}):
            value = self.trace.values[place]
            kind = _C_TYPES[value.dtype]
            if value.kind == "operand":
                at = self.operands.index(place)
                self._say(f"    const {kind} *p{place} = OPERAND({at}, {kind});")
            elif value.kind == "rounded":
                at = self.kept.index(place)
                self._say(f"    const {kind} *p{place} = KEPT({at}, {kind});")
        wanted = {c.index: c for row in rows for c in row.terms.values() if isinstance(c, Scalar)}
        for index, coefficient in wanted.items():
            self._say(f"    const double c{index} = {self._kept(coefficient)};")
        for k, row in enumerate(rows):
            names[id(row)] = f"m{k}"
        return names

    def _columns(self, rows: Iterable[Row], names: dict[int, str], body: list[str]) -> None:
        """Walk the columns eight at a time: whole lanes first, then what is left."""
        lines = []
        rows = list(rows)
        leaves: dict[Leaf, str] = {}
        for place in sorted({p for row in rows for a, b, _ in row.terms for p in (a, b) if p >= 0}):
            value = self.trace.values[place]
            if value.kind == "axis":
                lines.append(f"const Lanes x{place} = axis({value.number} - j);")
            else:
                kind = _C_TYPES[value.dtype]
                lines.append(f"const Lanes x{place} = LOAD_{kind}(p{place} + j);")
        for leaf in {leaf: None for row in rows for leaf in row.terms}:
            a, b, sign = leaf
            leaves[leaf] = f"x{a}"
            if b >= 0:
                leaves[leaf] = f"l{len(leaves)}"
                lines.append(f"const Lanes {leaves[leaf]} = x{a} {'-' if sign < 0 else '+'} x{b};")
        for row in rows:
            terms = [_term(c, leaves[leaf]) for leaf, c in row.terms.items()]
            lines.append(f"const Lanes {names[id(row)]} = {' + '.join(terms)};")
        for head in ("WHOLE_LANES", "LANES_LEFT"):
            self._say(f"    {head} {{", *(f"        {line}" for line in [*lines, *body]), "    }")

    def _keep(self, place: int) -> None:
        value = self.trace.values[place]
        assert value.row is not None
        kind = _C_TYPES[value.dtype]
        self._say("EACH_ROW {", f"    {kind} *to = KEPT({self.kept.index(place)}, {kind});")
        names = self._open([value.row])
        self._columns([value.row], names, [f"STORE_{kind}(to + j, {names[id(value.row)]});"])
        self._say("}")

    def _write(self, k: int, result: Written) -> None:
        first = result.first if isinstance(result, Joined) else None
        rows = result.rest if isinstance(result, Joined) else result
        if isinstance(rows, Scalar):
            self._say("EACH_ROW {", f"    *RESULT({k}, double, 1) = {self._kept(rows)};", "}")
            return
        kind = _C_TYPES[rows.dtype]
        if self.targets:
            address = f"IN_PLACE({k}, {kind})"
        else:
            address = f"RESULT({k}, {kind}, width + {0 if first is None else 1})"
        self._say("EACH_ROW {", f"    {kind} *to = {address};")
        if isinstance(rows, Filled):
            self._say(f"    const {kind} value = {self._kept(rows.value)};")
            self._say(f"    for (int64_t j = 0; j < width + {rows.extra}; j++) to[j] = value;", "}")
            return
        if first is not None:
            self._say(f"    *to++ = ({kind}){self._kept(first)};")
        is_kept = rows.place in self.values
        (row,) = [Row(self.trace, {(rows.place, -1, 0): 1.0})] if is_kept else self._row_of(rows)
        names = self._open([row])
        self._columns([row], names, [f"STORE_{kind}(to + j, {names[id(row)]});"])
        self._say("}")

    def _loop(self, loop: list[Scalar]) -> None:
        """Write one loop over the block; what it makes for others is kept in V."""
        first = loop[0]
        if first.operation in _SUMS:
            self._sums(loop)
        elif first.operation == "parameter":
            at = len(self.operands) + [n.index for n in self.parameters].index(first.index)
            self._say(f"EACH_ROW {self._kept(first)} = *OPERAND({at}, double);")
        elif first.operation == "entry":
            place, column = first.arguments
            at, kind = self.operands.index(place), _C_TYPES[self.trace.values[place].dtype]
            self._say(f"EACH_ROW {self._kept(first)} = OPERAND({at}, {kind})[{column}];")
        elif first.operation in _IN_A_LOOP_OF_ITS_OWN:
            taken = ", ".join(
                f"all({self._kept(a)})" if self._is_uniform(a) else f"EIGHT({self.slots[a.index]})"
                for a in first.arguments
            )
            value = f"{first.operation}_lanes({taken})"
            self._say(f"EACH_EIGHT store_double(V[{self.slots[first.index]}] + r, {value}, WIDTH);")
        else:
            self._arithmetic(loop)

    def _arithmetic(self, loop: list[Scalar]) -> None:
        made = {n.index for n in loop}
        taken = {a.index: a for n in loop for a in n.arguments if isinstance(a, Scalar)}
        names = {i: self._kept(a) if self._is_uniform(a) else f"v{i}" for i, a in taken.items()}
        self._say("EACH_LANE {")
        for index in sorted(taken.keys() - made):
            if not self._is_uniform(taken[index]):
                self._say(f"    const double v{index} = {self._kept(taken[index])};")
        for n in loop:
            form = _FORMS[n.operation].format(*(names[a.index] for a in n.arguments))
            self._say(f"    const double v{n.index} = {form};")
        for n in loop:
            if n.index in self.slots:
                self._say(f"    {self._kept(n)} = v{n.index};")
        self._say("}")

    def _kept(self, node: Scalar) -> str:
        if self._is_uniform(node):
            is_constant = node.operation == "constant"
            return _literal(node.arguments[0]) if is_constant else f"u{node.index}"
        return f"V[{self.slots[node.index]}][r]"


_C_TYPES = {torch.float32: "float", torch.float64: "double"}
_KERNEL = """enum {{ OPERANDS = {operands}, RESULTS = 2 + 3 * OPERANDS }};
{prelude}
void kernel(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {{
    double V[{values}][BLOCK] __attribute__((aligned(64)));
    memset(V, 0, sizeof V);
    const int64_t inner = table[0], width = table[1], padded = (width + 7) & ~(int64_t)7;
    (void)scratch, (void)padded;  // KEPT alone reads them
{uniform}
    int64_t outside[BLOCK], inside[BLOCK], o = begin / inner, i = begin % inner;
    for (int64_t block = begin; block < end; block += BLOCK) {{
        const int64_t count = end - block < BLOCK ? end - block : BLOCK;
        for (int64_t r = 0; r < count; r++) {{
            outside[r] = o, inside[r] = i;
            if (++i == inner)
                i = 0, o++;
        }}
{body}
    }}
}}
"""


def _parts(result: Written) -> list[Scalar | Rounded]:
    if isinstance(result, Filled):
        return [result.value]
    return [result.first, result.rest] if isinstance(result, Joined) else [result]


def _literal(value: float) -> str:
    if math.isinf(value):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    return "NAN" if math.isnan(value) else f"({value!r})"


def _term(coefficient: Scalar | float, leaf: str) -> str:
    if isinstance(coefficient, Scalar):
        return f"c{coefficient.index} * {leaf}"
    if coefficient == 1.0:
        return leaf
    return f"{_literal(coefficient)} * {leaf}"


def source(trace: Trace, results: list[Written], targets: Sequence[int] = ()) -> Source:
    """Return the C code that computes `results` of a trace.

    `targets`: the operands that the results overwrite, each with strides of its own.
    """
    return _Emitter(trace, results, targets).source()
