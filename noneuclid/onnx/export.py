"""Export of modules that compute on manifolds to ONNX."""

import os
from typing import Any

import torch
from torch import nn

from noneuclid.onnx.lowering import translation_table
from noneuclid.onnx.single_precision import to_float32


def export(
    module: nn.Module | torch.export.ExportedProgram,
    args: tuple[Any, ...],
    path: str | os.PathLike[str] | None = None,
    *,
    float32_only: bool = False,
    **options: Any,
) -> torch.onnx.ONNXProgram:
    """Export `module` to ONNX with lowerings that keep the digits, and write it to `path`.

    Args:
        module: what to export, in eval mode.
        args: example inputs.
        path: file to write; None to only return the program.
        float32_only: leave no float64 in the graph, see the table.
        options: of `torch.onnx.export`, such as `dynamic_shapes`; its own
            `custom_translation_table` goes before the one of this package.

    Raises:
        ImportError: without the extra `noneuclid[onnx]`.

    Accuracy: with float64 row scalars the graph gives the eager numbers, measured to 1e-8 relative
    in ONNX Runtime for float32 points at distances from 1e-6 to 15. With `float32_only` the largest
    error of a row, relative to its size, in dimension 4 and K = -1 (R: distance of x from the
    origin and of y from x):

    | R | ball exp, exp0 | ball log, dist | ball log0, dist0 | Lorentz exp | log | dist | rest |
    | --- | --- | --- | --- | --- | --- | --- | --- |
    | 1 | 4e-7 | 3e-7 | 2e-7 | 2e-7 | 3e-7 | 2e-7 | 1e-7 |
    | 5 | 2e-7 | 9e-5 | 5e-7 | 2e-5 | 3e-4 | 5e-7 | 4e-7 |
    | 10 | 2e-7 | 4e-2 | 5e-5 | 3e-3 | 5e-2 | 5e-5 | 8e-7 |
    | 15 | 2e-7 | 5e-1 | 5e-3 | 5e-1 | none | 5e-3 | 1e-6 |

    So a trigger should keep its points within R = 5, or use the maps at the origin.
    """
    table = {**translation_table(), **options.pop("custom_translation_table", {})}
    program = torch.onnx.export(
        module, args, dynamo=True, custom_translation_table=table, **options
    )
    assert program is not None
    if float32_only:
        to_float32(program.model)
    if path is not None:
        program.save(path)
    return program
