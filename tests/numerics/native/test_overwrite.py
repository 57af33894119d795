"""Kernels that overwrite their arguments, against the same formulas in torch: every layout."""

import importlib

import pytest
import torch

from noneuclid.numerics import combination, dots, formula, joined, rows, update
from noneuclid.numerics.native import Joined, overwriting, run_together

SETTINGS = torch.tensor([0.3, 0.8], dtype=torch.float64)
COLUMNS = (False, False, True, False)


def step(rate, keep, gradient, mean, total, x):
    """Take a step like Adagrad's with momentum: a vector, a number for each row, and a point."""
    (G,) = rows(gradient)
    (gg,) = dots((G, G))
    total = total + gg
    mean = combination((keep, mean), (1 - keep, gradient))
    y = combination((1.0, x), (-rate / (total + 1).sqrt(), mean))
    return mean.to(x.dtype), total, y.to(x.dtype)


def rotated(cosine, sine, x, y):
    """Return new x and y, each of both: the second must not see the first as it was written."""
    first, second = combination((cosine, x), (-sine, y)), combination((sine, x), (cosine, y))
    return first.to(x.dtype), second.to(x.dtype)


def shortened(rate, keep, x):
    """Scale the rest of a row, and write its sum of squares before it."""
    (X,) = rows(x.rest if isinstance(x, Joined) else x[..., 1:])
    moved = (rate * X).to(x.dtype)
    (M,) = rows(moved)
    (mm,) = dots((M, M))
    return (joined(mm + keep, moved),)


def made(shape, dtype, number=1):
    """Return pieces (gradient, mean, total, x); the total holds one number in each row."""
    pieces = []
    for _ in range(number):
        gradient, mean, x = (torch.randn(shape, dtype=dtype) for _ in range(3))
        total = torch.rand(*shape[:-1], 1, dtype=dtype).expand(shape).clone()
        pieces.append([gradient, mean, total, x])
    return pieces


def copies(pieces):
    return [[x.clone() for x in piece] for piece in pieces]


def same(function):
    """Return the formula that a recipe holds."""
    return function


@pytest.fixture
def check(native, monkeypatch):
    """Return a function that runs an update by its kernel and in torch, and compares them."""
    module = importlib.import_module("noneuclid.numerics.update")
    in_torch = module._in_torch

    def run(pieces, function=step, columns=COLUMNS, skip=0):
        expected = copies(pieces)
        in_torch(function, SETTINGS, expected, columns, 1)
        monkeypatch.setattr(module, "_in_torch", None)  # whoever comes here has no kernel
        reads = int(function is step)
        update(function, (same, function), SETTINGS, pieces, columns, reads=reads, skip=skip)
        monkeypatch.setattr(module, "_in_torch", in_torch)
        for piece, other in zip(pieces, expected, strict=True):
            for found, wanted in zip(piece, other, strict=True):
                units = 4 * torch.finfo(found.dtype).eps
                torch.testing.assert_close(found, wanted, rtol=units, atol=units)

    return run


@pytest.mark.parametrize("width", [1, 7, 8, 9, 33])
def test_any_width(width, dtype, check):
    check(made((37, width), dtype))


@pytest.mark.parametrize("batch", [(), (1,), (5,), (3, 4), (2, 1, 33), (0,)])
@pytest.mark.parametrize("number", [1, 3])
def test_any_batch(batch, number, dtype, check):
    check(made((*batch, 5), dtype, number))


def test_pieces_of_different_batches_with_empty_ones_between(dtype, check):
    batches = [(0,), (), (40,), (0, 3), (2, 3), (0,)]
    check([made((*batch, 9), dtype)[0] for batch in batches])


def test_pieces_that_are_all_empty(dtype, check):
    check([made((0, 9), dtype)[0] for _ in range(2)])


LAYOUTS = {
    "one row for all": lambda x: x[:1, :1].expand(x.shape),
    "rows repeated in blocks": lambda x: x[:, :1].expand(x.shape),
    "columns first": lambda x: x.permute(2, 1, 0).contiguous().permute(2, 1, 0),
    "batch axes swapped": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "columns of a wider tensor": lambda x: torch.cat([x, x, x], -1)[..., 5:14],
    "every other row": lambda x: torch.stack([x, x], 1)[:, 0],
    "one number": lambda x: x[:1, :1, :1].expand(x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_gradients_of_any_layout(layout, dtype, check):
    (piece,) = made((4, 5, 9), dtype)
    check([[layout(piece[0]), *piece[1:]]])


@pytest.mark.parametrize("name", ["columns first", "batch axes swapped", "every other row"])
def test_targets_of_any_layout(name, dtype, check):
    (piece,) = made((4, 5, 9), dtype)
    check([[LAYOUTS[name](x) for x in piece]])


def test_views_of_a_product_leave_its_other_columns_alone(dtype, check):
    wide = [torch.cat([x, x, x], -1) for x in made((40, 9), dtype)[0]]
    before = copies([wide])[0]
    check([[x[:, 9:18] for x in wide]])
    for x, old in zip(wide, before, strict=True):
        assert torch.equal(x[:, :9], old[:, :9])
        assert torch.equal(x[:, 18:], old[:, 18:])
    assert not torch.equal(wide[-1], before[-1])


def test_results_do_not_see_each_other(dtype, check):
    check([[torch.randn(70, 11, dtype=dtype) for _ in "xy"]], rotated, (False, False))


@pytest.mark.parametrize("width", [2, 8, 9, 10])
def test_a_leading_column_is_a_number_of_its_own(width, dtype, check):
    check([[torch.randn(40, width, dtype=dtype)] for _ in "ab"], shortened, (False,), skip=1)


def test_threads_give_the_same_bits(check, threads):
    """Spans of rows of one piece, and spans of pieces."""
    for shape, number in (((2**15, 20), 1), ((2**10, 16), 40)):
        pieces = made(shape, torch.float32, number)
        alone = copies(pieces)
        threads(1)
        check(alone)
        threads(2)
        update(step, (same, step), SETTINGS, pieces, COLUMNS, reads=1)
        for piece, other in zip(pieces, alone, strict=True):
            assert all(map(torch.equal, piece, other))


def test_versions_are_counted_of_what_was_written(native):
    pieces = made((5, 3), torch.float32, 2)
    before = [[x._version for x in piece] for piece in pieces]
    update(step, (same, step), SETTINGS, pieces, COLUMNS, reads=1)
    counts = [[x._version - v for x, v in zip(*p, strict=True)] for p in zip(pieces, before)]  # noqa: B905
    assert all(count[0] == 0 and min(count[1:]) > 0 for count in counts)


def test_small_updates_and_those_without_a_key_stay_in_torch(monkeypatch):
    module = importlib.import_module("noneuclid.numerics.update")
    made_kernels = []
    monkeypatch.setattr(module, "overwriting", lambda *a: made_kernels.append(a))
    monkeypatch.setattr(formula, "SMALLEST", 16)
    update(step, (same, step), SETTINGS, made((5, 3), torch.float32), COLUMNS, reads=1)
    update(step, None, SETTINGS, made((50, 3), torch.float32), COLUMNS, reads=1)
    update(step, (same, step), SETTINGS, made((50, 3), torch.bfloat16), COLUMNS, reads=1)
    assert not made_kernels
    update(step, (same, step), SETTINGS, made((3, 3), torch.float32, 2), COLUMNS, reads=1)  # 18
    assert len(made_kernels) == 1


@pytest.mark.parametrize("count", [40, 9000])  # in one turn, and in several
@pytest.mark.parametrize("number", [1, 2])
def test_calls_together_are_the_calls_one_by_one(count, number, native, threads):
    wide = [torch.randn(count, 12) for _ in range(4)]
    wide[2] = wide[2][:, :1].abs().expand(count, 12).clone()
    alone = [x.clone() for x in wide]
    kernel = overwriting((same, step), 2, (torch.float32,) * 4, COLUMNS, 0)
    for start in (0, 5):
        kernel(SETTINGS, [[x[:, start : start + 5] for x in alone]])
    threads(number)
    pieces = [[x[:, start : start + 5] for x in wide] for start in (0, 5)]
    run_together([kernel.call_on(SETTINGS, [piece]) for piece in pieces])
    assert all(map(torch.equal, wide, alone))
