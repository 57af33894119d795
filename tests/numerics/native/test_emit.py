"""The C code: sums in the order that emit.py states, and random formulas."""

import random

import pytest
import torch

from noneuclid.numerics import compute, dots, plain_formulas, rows


def products(K, x, y):
    X, Y = rows(x, y)
    return dots((X, Y))[0]


def in_lanes(x, y):
    """Return x.y in eight lanes, lane l over columns l, l + 8, ..., as emit.py states it."""
    terms = x.double() * y.double()
    lanes = torch.zeros(*terms.shape[:-1], 8, dtype=torch.float64)
    for j in range(0, terms.shape[-1], 8):
        part = terms[..., j : j + 8]
        lanes[..., : part.shape[-1]] = lanes[..., : part.shape[-1]] + part
    a, b, c, d, e, f, g, h = lanes.unbind(-1)
    return (((a + e) + (c + g)) + ((b + f) + (d + h)))[..., None]


@pytest.mark.parametrize("width", [1, 7, 8, 9, 33, 64, 65])
def test_sums_have_the_order_that_is_stated(width, dtype, native, generator):
    x, y = torch.randn(2, 300, width, generator=generator, dtype=dtype)
    K = torch.ones(1, dtype=torch.float64)
    assert torch.equal(compute(products, (K,), (x, y)), in_lanes(x, y))


class RandomFormula:
    """A formula of random operations on K, x and y; every number stays of the order of 1."""

    def __init__(self, seed):
        self.seed = seed

    def __call__(self, K, x, y):
        draw = random.Random(self.seed)
        combinations, scalars = [*rows(x, y)], [K]
        for _ in range(draw.randrange(4, 12)):
            self._scalar(draw, combinations, scalars)
            self._row(draw, combinations, scalars, x.dtype)
        if draw.random() < 0.3:
            return scalars[-1] + 0.0 * dots((combinations[-1], combinations[-1]))[0]
        return combinations[-1].to(x.dtype)

    def _scalar(self, draw, combinations, scalars):
        (size,) = dots((draw.choice(combinations), draw.choice(combinations)))
        a, b = size / (1 + size * size), draw.choice(scalars)
        scalars.append(
            draw.choice(
                [
                    lambda: a * b + 0.5,
                    lambda: (1 + a * a + b * b).sqrt() - b,
                    lambda: a / (1 + b * b),
                    lambda: torch.exp(-a * a) - torch.expm1(-b * b),
                    lambda: torch.log1p(a * a) * torch.cos(b),
                    lambda: torch.sin(a) + torch.atan2(b, 1 + a * a),
                    lambda: torch.where(a < b, a, -b) + a.detach(),
                    lambda: torch.maximum(a, b) - torch.minimum(a, 2 * b),
                    lambda: a.abs().clamp(max=0.7) + (~(a <= b)).to(a.dtype) - (1 - b) / 3,
                    lambda: torch.tan(a / 2) * ((a < 0.1) & (b > -0.5)).to(a.dtype),
                ]
            )()
        )

    def _row(self, draw, combinations, scalars, dtype):
        A, B, s = draw.choice(combinations), draw.choice(combinations), draw.choice(scalars)
        made = draw.choice(
            [
                lambda: A - B,
                lambda: A + B,
                lambda: (s / (1 + s * s)) * A - 0.5 * B,
                lambda: -A + B / 2,
                lambda: rows(((1 / (1 + s * s)) * A + B * 0.25).to(dtype))[0],
            ]
        )()
        combinations.append(made * (0.5 if draw.random() < 0.5 else 1.0))


@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(k, marks=pytest.mark.slow) for k in range(3, 60))]
)
def test_random_formulas_equal_plain_torch(seed, dtype, native, generator):
    """Values and every gradient; a float32 row in between is rounded alike."""
    formula = RandomFormula(seed)
    given = [torch.tensor([0.4], dtype=torch.float64)]
    given += [*torch.randn(2, 37, 11, generator=generator, dtype=dtype) / 11**0.5]
    results = []
    for plain in (False, True):
        leaves = [t.detach().requires_grad_() for t in given]
        if plain:
            with plain_formulas():
                value = compute(formula, (leaves[0],), tuple(leaves[1:]))
        else:
            value = compute(formula, (leaves[0],), tuple(leaves[1:]))
        slopes = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
        slopes = [
            torch.zeros_like(x) if s is None else s for s, x in zip(slopes, leaves, strict=True)
        ]
        results.append([value.detach(), *slopes])
    units = 2**10 if dtype == torch.float64 else 2**4
    for a, b in zip(*results, strict=True):
        error = (a - b).abs().max() / (1 + b.abs().max())
        assert error <= units * torch.finfo(dtype).eps
