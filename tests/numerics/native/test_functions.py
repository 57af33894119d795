"""The elementary functions of eight lanes against mpmath, over wide ranges and at the edges."""

import ctypes
import math

import mpmath
import pytest
import torch

from noneuclid.numerics.native.build import compiler, loaded
from noneuclid.numerics.native.emit import FUNCTIONS, PRELUDE

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler")

NAMES = ("exp", "expm1", "log1p", "sin", "cos", "tan", "atan2")
ULPS = {"exp": 0.9, "expm1": 1.5, "log1p": 0.9, "sin": 0.9, "cos": 0.9, "tan": 1.3, "atan2": 0.8}
POINTS = 600  # in each range
INFINITY, NAN = math.inf, math.nan


def call(name, *arguments):
    """Return a function of float64 tensors whose length is a multiple of eight."""
    cases = "".join(
        f"if (which == {k}) store_double(to + r, {n}_lanes(x{', y' * (n == 'atan2')}), WIDTH);\n"
        for k, n in enumerate(NAMES)
    )
    head = "void kernel(const int64_t *table, char *scratch, int64_t which, int64_t count)"
    body = f"""{head} {{
        const double *const first = (const double *)table[0];
        const double *const second = (const double *)table[1];
        double *const to = (double *)scratch;
        for (int64_t r = 0; r < count; r += WIDTH) {{
            const Lanes x = load_double(first + r, WIDTH), y = load_double(second + r, WIDTH);
            {cases}
        }}
    }}"""
    (kernel,) = loaded(PRELUDE + FUNCTIONS + body)
    addresses = (ctypes.c_int64 * 2)(arguments[0].data_ptr(), arguments[-1].data_ptr())
    result = torch.empty_like(arguments[0])
    kernel(addresses, result.data_ptr(), NAMES.index(name), len(result))
    return result


def errors(name, *arguments):
    """Return the errors in units in the last place of the exact values."""
    with mpmath.workdps(60):
        exact_function = getattr(mpmath, name)
        found = call(name, *arguments).tolist()
        for value, *point in zip(found, *(a.tolist() for a in arguments), strict=True):
            exact = exact_function(*map(mpmath.mpf, point))
            rounded = float(exact)
            if math.isinf(rounded):
                yield 0.0 if value == rounded else INFINITY
            else:
                yield float(abs(mpmath.mpf(value) - exact) / math.ulp(rounded))


def spread(low, high, generator, count=POINTS):
    """Return points of both signs whose magnitudes are spread over powers of two."""
    draw = torch.rand(count, generator=generator, dtype=torch.float64)
    sign = torch.randint(0, 2, (count,), generator=generator) * 2.0 - 1.0
    return sign * torch.exp2(low + (high - low) * draw)


def between(low, high, generator, count=POINTS):
    return low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)


RANGES = {
    "exp": [(-800, 720), (-1, 1), (-746, -700), (700, 710)],
    "expm1": [(-60, 60), (-2, -0.3), (0.3, 2), (-0.4, 0.4), (30, 720)],
    "log1p": [(-1, 2), (-0.35, 0.5), (-1, -0.999), (0, 1e6)],
    "sin": [(-1e5, 1e5), (-10, 10), (-1, 1)],
    "cos": [(-1e5, 1e5), (-10, 10), (-1, 1)],
    "tan": [(-1e5, 1e5), (-10, 10), (-1, 1)],
}
POWERS = {
    "exp": (-70, 10),
    "expm1": (-1070, 10),
    "log1p": (-1070, -1),
    "sin": (-1070, 1),
    "cos": (-40, 17),
    "tan": (-1070, 17),
}


@pytest.mark.parametrize("name", RANGES)
def test_within_the_last_place(name, generator):
    points = [between(*limits, generator) for limits in RANGES[name]]
    points.append(spread(*POWERS[name], generator))
    if name == "log1p":
        points += [spread(0, 1023, generator).abs(), torch.exp2(-between(0, 53, generator)) - 1]
    assert max(errors(name, torch.cat(points))) <= ULPS[name]


def test_expm1_away_from_zero(generator):
    """What the sum of 2^n - 1 and 2^n r lost is added back: 1.1 without."""
    points = torch.cat([between(-2, -0.6, generator, 2000), between(2, 10, generator, 2000)])
    assert max(errors("expm1", points)) <= 0.8


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_at_multiples_of_half_pi(name, generator):
    """The float64 numbers nearest to n pi/2 are reduced to all digits, as is beyond 1e5."""
    n = between(1, 63661, generator).round()
    with mpmath.workdps(40):
        nearest = [float(k * mpmath.pi / 2) for k in n.int().tolist()]
    zeros = torch.tensor(nearest, dtype=torch.float64)
    far = torch.cat([spread(17, 49, generator, 80), spread(49, 1000, generator, 40)])
    assert max(errors(name, torch.cat([zeros, far]))) <= ULPS["tan"]


def test_directions(generator):
    """All quadrants, all ratios, points on both sides of the octants' borders."""
    angles = between(-math.pi, math.pi, generator, 2000)
    steps = torch.arange(-8, 8, dtype=torch.float64) * math.pi / 8
    angles = torch.cat([angles, steps + 1e-15, steps - 1e-15, steps + 1e-8])
    y, x = angles.sin(), angles.cos()
    assert max(errors("atan2", y, x)) <= ULPS["atan2"]
    for low, high in [(-30, 30), (-1070, 1023), (-1073, -1000), (1000, 1023), (1023, 1023.9)]:
        y, x = spread(low, high, generator), spread(low, high, generator)
        assert max(errors("atan2", y, x)) <= ULPS["atan2"]


EDGES = {
    "exp": {INFINITY: INFINITY, -INFINITY: 0.0, NAN: NAN, 0.0: 1.0, -800.0: 0.0, 710.0: INFINITY},
    "expm1": {INFINITY: INFINITY, -INFINITY: -1.0, NAN: NAN, -0.0: -0.0, 5e-324: 5e-324},
    "log1p": {-1.0: -INFINITY, -1.5: NAN, -INFINITY: NAN, INFINITY: INFINITY, NAN: NAN,
              -0.0: -0.0, 5e-324: 5e-324, 1e-20: 1e-20},
    "sin": {INFINITY: NAN, NAN: NAN, -0.0: -0.0, 5e-324: 5e-324},
    "cos": {INFINITY: NAN, NAN: NAN, -0.0: 1.0},
    "tan": {-INFINITY: NAN, NAN: NAN, -0.0: -0.0},
}  # fmt: skip


def same(value, wanted):
    if math.isnan(wanted):
        return math.isnan(value)
    return value == wanted and math.copysign(1, value) == math.copysign(1, wanted)


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    for point, wanted in EDGES[name].items():
        values = call(name, torch.full((8,), point, dtype=torch.float64)).tolist()
        assert all(same(value, wanted) for value in values), (point, values[0])


def test_directions_of_zeros_and_infinities():
    sides = [0.0, -0.0, 1.0, -1.0, INFINITY, -INFINITY, NAN, 5e-324]
    pairs = torch.cartesian_prod(*[torch.tensor(sides, dtype=torch.float64)] * 2)
    y, x = pairs.mT.contiguous()
    for value, a, b in zip(call("atan2", y, x).tolist(), y.tolist(), x.tolist(), strict=True):
        assert same(value, math.atan2(a, b)), (a, b, value)
