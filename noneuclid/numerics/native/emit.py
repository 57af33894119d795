"""C code for a traced formula: one pass over blocks of rows that writes nothing but the results.

A block of 32 rows goes through the stages of `plan.py`; the scalars of all its rows are made in
loops that the C compiler vectorises. All sums and scalars are float64.

Sums run in eight lanes, lane l over the columns l, l + 8, l + 16, ...; the lanes are then added as
((0+4)+(2+6)) + ((1+5)+(3+7)). The code is compiled without contraction of products and sums, so
that its bits do not depend on the machine.
"""

# over 300 lines: one class, whose methods share the names they give in the C code

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from noneuclid.numerics.native.plan import IN_A_LOOP_OF_ITS_OWN, SUMS, Plan, Written
from noneuclid.numerics.native.trace import (
    Filled,
    Joined,
    Leaf,
    Rounded,
    Row,
    Scalar,
    Summed,
    Trace,
)

PRELUDE = Path(__file__).with_name("prelude.h").read_text()
FUNCTIONS = Path(__file__).with_name("functions.h").read_text()  # goes after the prelude
_FORMS = {
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}",
    "abs": "fabs({})", "sqrt": "sqrt({})", "detach": "{}", "gap": "gap({}, {}, {})",
    "maximum": "larger({}, {})", "minimum": "smaller({}, {})",
    "lt": "{} < {} ? 1.0 : 0.0", "le": "{} <= {} ? 1.0 : 0.0", "eq": "{} == {} ? 1.0 : 0.0",
    "where": "{} != 0.0 ? {} : {}",
}  # fmt: skip


@dataclass
class Source:
    """The C code of a kernel, and the order in which it takes its addresses."""

    code: str
    operands: list[int]  # which of the rows that are given, in order
    parameters: list[int]  # which of the row scalars
    scratch: int  # rounded rows kept for each row of a block
    sums: tuple[int, ...] = ()  # which results are sums over the batch


class _Emitter(Plan):
    def __init__(self, trace: Trace, results: list[Written], targets: Sequence[int]) -> None:
        super().__init__(trace, results, targets)
        self.lines: list[str] = []

    def source(self) -> Source:
        made: list[int] = []  # rounded rows of the stage before, not yet kept
        for level, loops in self.loops.items():
            for loop in loops:
                if loop[0].operation in SUMS:  # one pass keeps them and sums over them
                    self._sums(loop, made)
                    made = []
                else:
                    self._loop(loop)
            self._keep(made)
            made = [p for p in self.kept if self.value_levels[p] == level]
        self._keep(made)
        if self.targets:
            self._overwrite()
        for k, result in enumerate(() if self.targets else self.results):
            self._write(k, result)
        body = "\n".join("        " + line for line in self.lines)
        elementary = any(n.operation in IN_A_LOOP_OF_ITS_OWN for n in self.nodes_needed())
        code = _KERNEL.format(
            operands=len(self.operands) + len(self.parameters),
            prelude=PRELUDE + FUNCTIONS if elementary else PRELUDE,
            uniform="\n".join(self._uniform_scalars()),
            spread="" if self.targets else _SPREAD,
            counting="" if self.targets else _COUNTING,
            values=max(1, len(self.slots)),
            body=body,
        )
        places = [n.arguments[0] for n in self.parameters]
        numbers = [self.trace.values[p].number for p in self.operands]
        sums = tuple(k for k, result in enumerate(self.results) if isinstance(result, Summed))
        return Source(code, numbers, places, len(self.kept), sums)

    def _uniform_scalars(self) -> Iterator[str]:
        """Yield the scalars that are the same for all rows, in the order in which they are made."""
        places = {n.index: at for at, n in enumerate(self.parameters, start=len(self.operands))}
        for n in self.nodes_needed() if self.targets else ():
            if n.operation == "constant" or not self.is_uniform(n):
                continue
            value = f"*(const double *)table[{2 + 3 * places.get(n.index, 0)}]"
            if n.operation != "parameter":
                value = _FORMS[n.operation].format(*map(self._kept, n.arguments))
            yield f"    const double u{n.index} = {value};"

    def _address(self, at: int, kind: str) -> str:
        return f"{'GIVEN' if self.targets else 'OPERAND'}({at}, {kind})"

    def _say(self, *lines: str) -> None:
        self.lines.extend(lines)

    def _sums(self, nodes: list[Scalar], made: list[int]) -> None:
        rows = {id(a): a for n in nodes for a in n.arguments}
        dots = [n for n in nodes if n.operation == "dot"]
        self._say("{", *(f"Lanes eight{n.index}[WIDTH] = {{0}};" for n in dots), "EACH_ROW {")
        names = self._open(rows.values(), made)
        for n in nodes:
            self._say(f"    Lanes s{n.index} = {{0}}, e{n.index} = {{0}};")
        body = []
        for n in nodes:
            a, b = names[id(n.arguments[0])], names[id(n.arguments[-1])]
            if n.operation == "dot":
                body.append(f"s{n.index} += {a} * {b};")
            else:
                body.append(f"add_square({a}, &s{n.index}, &e{n.index});")
        self._columns(rows.values(), names, body, made)
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

    def _open(self, rows: Iterable[Row], made: Sequence[int] = ()) -> dict[int, str]:
        """Fetch the addresses and coefficients that rows need; return a name for each row.

        `made`: places of rounded rows that the same loop keeps.
        """
        names: dict[int, str] = {id(row): f"m{k}" for k, row in enumerate(rows)}
        everything = [*rows, *self._rows_of(made)]
        for place in _places(everything) | set(made):
            value = self.trace.values[place]
            kind = _C_TYPES[value.dtype]
            if value.kind == "operand":
                at = self.operands.index(place)
                self._say(f"    const {kind} *p{place} = {self._address(at, kind)};")
            elif value.kind == "rounded":
                at = self.kept.index(place)
                self._say(f"    {kind} *p{place} = KEPT({at}, {kind});")
        wanted = {
            c.index: c for row in everything for c in row.terms.values() if isinstance(c, Scalar)
        }
        for index, coefficient in wanted.items():
            self._say(f"    const double c{index} = {self._kept(coefficient)};")
        return names

    def _rows_of(self, places: Iterable[int]) -> list[Row]:
        rows = (self.trace.values[place].row for place in places)
        return [row for row in rows if row is not None]

    def _columns(
        self,
        rows: Iterable[Row],
        names: dict[int, str],
        body: list[str],
        made: Sequence[int] = (),
    ) -> None:
        """Walk the columns eight at a time: whole lanes first, then what is left."""
        lines = self._lanes(list(rows), names, made)
        for head in ("WHOLE_LANES", "LANES_LEFT"):
            self._say(f"    {head} {{", *(f"        {line}" for line in [*lines, *body]), "    }")

    def _lanes(self, rows: list[Row], names: dict[int, str], made: Sequence[int] = ()) -> list[str]:
        """Return the lines that make eight columns of each row."""
        lines: list[str] = []
        leaves: dict[Leaf, str] = {}

        def combined(row: Row) -> str:
            for leaf in row.terms:
                a, b, sign = leaf
                if leaf not in leaves:
                    leaves[leaf] = f"x{a}" if b < 0 else f"l{len(leaves)}"
                    if b >= 0:
                        difference = f"x{a} {'-' if sign < 0 else '+'} x{b}"
                        lines.append(f"const Lanes {leaves[leaf]} = {difference};")
            return " + ".join(_term(c, leaves[leaf]) for leaf, c in row.terms.items())

        for place in sorted(_places([*rows, *self._rows_of(made)]) - set(made)):
            value = self.trace.values[place]
            if value.kind == "axis":
                lines.append(f"const Lanes x{place} = axis({value.number} - j);")
            else:
                kind = _C_TYPES[value.dtype]
                lines.append(f"const Lanes x{place} = LOAD_{kind}(p{place} + j);")
        for place, row in zip(made, self._rows_of(made), strict=True):
            kept = f"KEEP_{_C_TYPES[self.trace.values[place].dtype]}(p{place} + j, {combined(row)})"
            lines.append(f"const Lanes x{place} = {kept}; (void)x{place};")
        for row in rows:
            combination = combined(row)
            lines.append(f"const Lanes {names[id(row)]} = {combination};")
        return lines

    def _keep(self, made: Sequence[int]) -> None:
        if made:
            self._say("EACH_ROW {")
            self._columns([], self._open([], made), [], made)
            self._say("}")

    def _overwrite(self) -> None:
        """Write all results in one loop, which reads eight columns of every row before it writes.

        The last eight columns are made before anything is written, and written last, over what
        they share with the eight before: no store is of a part of eight, where there are as many.
        """
        parts = [(k, r.rest if isinstance(r, Joined) else r) for k, r in enumerate(self.results)]
        written = {k: self._source_of(rows) for k, rows in parts if isinstance(rows, Rounded)}
        kinds = {k: _C_TYPES[rows.dtype] for k, rows in parts if isinstance(rows, Rounded | Filled)}
        self._say("EACH_ROW {")
        for k, kind in kinds.items():
            self._say(f"    {kind} *to{k} = IN_PLACE({k}, {kind});")
            result = self.results[k]
            if isinstance(result, Joined):
                self._say(f"    *to{k}++ = ({kind}){self._kept(result.first)};")
            if isinstance(result, Filled):
                value = self._kept(result.value)
                self._say(f"    fill_{kind}(to{k}, {value}, width + {result.extra});")
        rows = list(written.values())
        names = self._open(rows)
        lines = self._lanes(rows, names)
        values = {k: (kinds[k], names[id(row)]) for k, row in written.items()}
        stores = [f"STORE_{kind}(to{k} + j, {value});" for k, (kind, value) in values.items()]
        last = [f"last{k} = {value};" for k, (_, value) in values.items()]
        indented = [f"        {line}" for line in lines]
        self._say(
            "    if (width < WIDTH) LANES_LEFT {", *indented, *stores, "    } else {",
            *(f"    Lanes last{k};" for k in values),
            "    LAST_LANES {", *indented, *last, "    }",
            "    LANES_BEFORE {", *indented, *stores, "    }",
            *(f"    store_{kind}(to{k} + width - WIDTH, last{k}, WIDTH);"
              for k, (kind, _) in values.items()),
            "    }", "}",
        )  # fmt: skip

    def _source_of(self, rows: Rounded) -> Row:
        """Return what rows are written from: what was kept of them, or their combination."""
        is_kept = rows.place in self.values
        return Row(self.trace, {(rows.place, -1, 0): 1.0}) if is_kept else self.row_of(rows)[0]

    def _write(self, k: int, result: Written) -> None:
        first = result.first if isinstance(result, Joined) else None
        rows = result.rest if isinstance(result, Joined) else result
        assert not isinstance(rows, Filled)  # only what is overwritten may be
        if isinstance(rows, Summed):
            self._add(k, rows.rows)
            return
        if isinstance(rows, Scalar):
            self._say("EACH_ROW {", f"    *RESULT({k}, double, 1) = {self._kept(rows)};", "}")
            return
        kind = _C_TYPES[rows.dtype]
        address = f"RESULT({k}, {kind}, width + {0 if first is None else 1})"
        self._say("EACH_ROW {", f"    {kind} *to = {address};")
        if first is not None:
            self._say(f"    *to++ = ({kind}){self._kept(first)};")
        self._store(rows, kind, "{}")

    def _add(self, k: int, rows: Rounded) -> None:
        """Add the rows to the one row, of `width` float64, that is the result."""
        self._say("EACH_ROW {", f"    double *to = (double *)table[RESULTS + {k}];")
        self._store(rows, "double", "LOAD_double(to + j) + {}")

    def _store(self, rows: Rounded, kind: str, form: str) -> None:
        row = self._source_of(rows)
        names = self._open([row])
        value = form.format(names[id(row)])
        self._columns([row], names, [f"STORE_{kind}(to + j, {value});"])
        self._say("}")

    def _loop(self, loop: list[Scalar]) -> None:
        """Write one loop over the block; what it makes for others is kept in V."""
        first = loop[0]
        if first.operation == "parameter":
            at = len(self.operands) + [n.index for n in self.parameters].index(first.index)
            self._say(f"EACH_ROW {self._kept(first)} = *OPERAND({at}, double);")
        elif first.operation == "entry":
            place, column = first.arguments
            at, kind = self.operands.index(place), _C_TYPES[self.trace.values[place].dtype]
            address = self._address(at, kind)
            self._say(f"EACH_ROW {self._kept(first)} = {address}[{column}];")
        elif first.operation in IN_A_LOOP_OF_ITS_OWN:
            taken = ", ".join(
                f"all({self._kept(a)})" if self.is_uniform(a) else f"EIGHT({self.slots[a.index]})"
                for a in first.arguments
            )
            value = f"{first.operation}_lanes({taken})"
            self._say(f"EACH_EIGHT store_double(V[{self.slots[first.index]}] + r, {value}, WIDTH);")
        else:
            self._arithmetic(loop)

    def _arithmetic(self, loop: list[Scalar]) -> None:
        made = {n.index for n in loop}
        taken = {a.index: a for n in loop for a in n.arguments if isinstance(a, Scalar)}
        names = {i: self._kept(a) if self.is_uniform(a) else f"v{i}" for i, a in taken.items()}
        self._say("EACH_LANE {")
        for index in sorted(taken.keys() - made):
            if not self.is_uniform(taken[index]):
                self._say(f"    const double v{index} = {self._kept(taken[index])};")
        for n in loop:
            form = _FORMS[n.operation].format(*(names[a.index] for a in n.arguments))
            self._say(f"    const double v{n.index} = {form};")
        for n in loop:
            if n.index in self.slots:
                self._say(f"    {self._kept(n)} = v{n.index};")
        self._say("}")

    def _kept(self, node: Scalar) -> str:
        if self.is_uniform(node):
            is_constant = node.operation == "constant"
            return _literal(node.arguments[0]) if is_constant else f"u{node.index}"
        return f"V[{self.slots[node.index]}][r]"


_C_TYPES = {torch.float32: "float", torch.float64: "double"}
_KERNEL = """/* GCC moves parts of a long loop into the one before, and cannot vectorise the rest */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-pre")
#endif
enum {{ OPERANDS = {operands}, RESULTS = 2 + 3 * OPERANDS }};
{prelude}
void kernel(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {{
    double V[{values}][BLOCK] __attribute__((aligned(64)));
    memset(V, 0, sizeof V);
    const int64_t width = table[1], padded = (width + 7) & ~(int64_t)7;
    (void)scratch, (void)padded;  // KEPT alone reads them
{uniform}{spread}
    for (int64_t block = begin; block < end; block += BLOCK) {{
        const int64_t count = end - block < BLOCK ? end - block : BLOCK;{counting}
{body}
    }}
}}
"""
# rows that an update overwrites lie one stride apart; others may be spread over two axes
_SPREAD = """
    int64_t outside[BLOCK], inside[BLOCK];
    const int64_t inner = table[0];
    int64_t o = begin / inner, i = begin % inner;"""
_COUNTING = """
        for (int64_t r = 0; r < count; r++) {
            outside[r] = o, inside[r] = i;
            if (++i == inner)
                i = 0, o++;
        }"""


def _places(rows: Iterable[Row]) -> set[int]:
    """Return the stored rows that combinations read."""
    return {p for row in rows for a, b, _ in row.terms for p in (a, b) if p >= 0}


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
