"""Updates of single coordinates as C: each number of a row by itself, in float32.

A flat factor of a product is a few columns of each row. Torch takes it one number at a time, once
for each operation of a step; here rows are laid side by side, so that lanes are full, and go
through the whole step at once. The functions of C round as torch does: a sum with one product is
rounded once.
"""

from dataclasses import dataclass

import torch

from noneuclid.numerics.native.emit import PRELUDE, Source
from noneuclid.numerics.native.trace import UntraceableError


@dataclass(frozen=True)
class Lines:
    """An update of numbers, written in C.

    Args:
        reads: names of the numbers that are read only, one for each tensor.
        writes: names of those that are overwritten; their tensors come after the others.
        shared: names of the numbers that are the same for all.
        code: statements that assign new values to `writes`.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    shared: tuple[str, ...]
    code: str

    def source(self, dtypes: tuple[torch.dtype, ...]) -> Source:
        """Return the kernel for tensors of float32; others have none."""
        if set(dtypes) != {torch.float32}:
            raise UntraceableError(f"lines of {dtypes}")
        tensors = (*self.reads, *self.writes)
        places = range(len(tensors))
        numbers = "\n".join(
            f"    const float {name} = (float)*(const double *)table[{2 + 3 * (len(tensors) + k)}];"
            for k, name in enumerate(self.shared)
        )
        lay = [f"laid(side[{k}], TABLE({k}), count, columns, STRIDE({k}));" for k in places]
        load = [f"float {name} = side[{k}][i];" for k, name in enumerate(tensors)]
        keep = [f"side[{tensors.index(name)}][i] = {name};" for name in self.writes]
        put = [f"put(TARGET({k}), side[{tensors.index(name)}], count, columns, APART({k}));"
               for k, name in enumerate(self.writes)]  # fmt: skip
        code = _KERNEL.format(
            prelude=PRELUDE,
            operands=len(tensors) + len(self.shared),
            tensors=len(tensors),
            numbers=numbers,
            lay="\n            ".join(lay),
            body="\n                ".join([*load, *self.code.strip().splitlines(), *keep]),
            put="\n            ".join(put),
        )
        return Source(code, list(places), list(range(len(self.shared))), 0)


_KERNEL = """{prelude}
enum {{ OPERANDS = {operands}, RESULTS = 2 + 3 * OPERANDS, ROOM = 256 }};

#define TABLE(k) ((const float *)table[2 + 3 * (k)] + row * STRIDE(k) + start)
#define STRIDE(k) table[4 + 3 * (k)]
#define TARGET(k) ((float *)table[RESULTS + 2 * (k)] + row * APART(k) + start)
#define APART(k) table[RESULTS + 2 * (k) + 1]

/* what lies beyond the last column is written over by the next row */
HELPER void laid(float *to, const float *from, int64_t rows, int64_t columns, int64_t stride) {{
    const int64_t left = columns % WIDTH, whole = columns - left;
    for (int64_t r = 0; r < rows; r++, from += stride, to += columns) {{
        for (int64_t j = 0; j < whole; j += WIDTH)
            memcpy(to + j, from + j, WIDTH * sizeof *to);
        const FloatLanes v = some_floats(from + whole, left);
        memcpy(to + whole, &v, sizeof v);
    }}
}}

HELPER void put(float *to, const float *from, int64_t rows, int64_t columns, int64_t stride) {{
    const int64_t left = columns % WIDTH, whole = columns - left;
    for (int64_t r = 0; r < rows; r++, from += columns, to += stride) {{
        for (int64_t j = 0; j < whole; j += WIDTH)
            memcpy(to + j, from + j, WIDTH * sizeof *to);
        FloatLanes v;
        memcpy(&v, from + whole, sizeof v);
#if MASKS
        _mm256_mask_storeu_ps(to + whole, (__mmask8)((1 << left) - 1), (__m256)v);
#else
        keep_floats(to + whole, v, left);
#endif
    }}
}}

void kernel(const int64_t *const table, char *const scratch, int64_t begin, int64_t end) {{
    float side[{tensors}][ROOM + WIDTH] __attribute__((aligned(64)));
    memset(side, 0, sizeof side);
    const int64_t width = table[1], most = width < ROOM ? ROOM / width : 1;
    (void)scratch;
{numbers}
    for (int64_t row = begin; row < end; row += most)
        for (int64_t start = 0; start < width; start += ROOM) {{
            const int64_t columns = width - start < ROOM ? width - start : ROOM;
            const int64_t count = end - row < most ? end - row : most;
            {lay}
            for (int64_t i = 0; i < ROOM; i++) {{
                {body}
            }}
            {put}
        }}
}}
"""
