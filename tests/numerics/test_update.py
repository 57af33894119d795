"""Updates in torch: many tensors joined, and cut apart again."""

import pytest
import torch

from noneuclid.numerics import combination, update


def averaged(rate, x_column, x):
    """Return the column and the point, moved by the rate."""
    return x_column + rate, combination((1 + rate, x))


@pytest.mark.parametrize("axes", [1, 2])
def test_pieces_together_are_the_pieces_alone(axes, dtype):
    shapes = [(), (5,), (0,), (2, 3)]
    point = (4, 3)[2 - axes :]
    pieces = [[torch.randn(*shape, *point, dtype=dtype) for _ in "nx"] for shape in shapes]
    for piece in pieces:
        piece[0].fill_(2.0)
    rate = torch.tensor([0.5], dtype=torch.float64)
    alone = [[x.clone() for x in piece] for piece in pieces]
    update(averaged, None, rate, pieces, (True, False), reads=0, axes=axes)
    for piece, (column, x) in zip(pieces, alone, strict=True):
        assert torch.equal(piece[0], torch.full_like(column, 2.5))
        torch.testing.assert_close(piece[1], 1.5 * x)
        update(averaged, None, rate, [[column, x]], (True, False), reads=0, axes=axes)
        assert torch.equal(piece[0], column)
        assert torch.equal(piece[1], x)


def test_halves_are_computed_in_float32_and_stored_in_16_bits():
    x = torch.randn(5, 3).to(torch.bfloat16)
    expected = (1.01 * x.float()).to(torch.bfloat16)
    column = torch.zeros_like(x)
    rate = torch.tensor([0.01], dtype=torch.float64)
    update(averaged, None, rate, [[column, x]], (True, False), reads=0)
    assert torch.equal(x, expected)
