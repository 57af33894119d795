"""A float32-only ONNX graph, for targets without float64: triggers, FPGAs, some accelerators."""

from typing import Any

_FLOAT, _DOUBLE = 1, 11  # onnx.TensorProto's numbers, which are part of the format


def to_float32(model: Any) -> None:
    """Replace float64 by float32 throughout an `onnx_ir.Model`, in place.

    Casts, constants, initializers, inputs and outputs; a constant beyond float32's range becomes
    its largest number. The row scalars of the manifolds then have 24 bits, see `export`.
    """
    graphs = [model.graph, *(function.graph for function in model.functions.values())]
    for graph in graphs:
        for value in graph.initializers.values():
            value.const_value = _single(value.const_value)
            _retype(value)
        for value in graph.inputs:
            _retype(value)
        for node in graph.all_nodes():
            _convert_attributes(node)
            for value in node.outputs:
                _retype(value)


def _convert_attributes(node: Any) -> None:
    import onnx_ir

    for name, attribute in list(node.attributes.items()):
        if attribute.type == onnx_ir.AttributeType.TENSOR:
            node.attributes[name] = onnx_ir.AttrTensor(name, _single(attribute.value))
        elif name in ("to", "dtype") and attribute.value == _DOUBLE:
            node.attributes[name] = onnx_ir.AttrInt64(name, _FLOAT)


def _retype(value: Any) -> None:
    import onnx_ir

    if value.dtype == onnx_ir.DataType.DOUBLE:
        value.dtype = onnx_ir.DataType.FLOAT


def _single(tensor: Any) -> Any:
    """Return a float64 tensor in float32, kept in range; any other as it is."""
    import numpy as np
    import onnx_ir

    if tensor is None or tensor.dtype != onnx_ir.DataType.DOUBLE:
        return tensor
    array = tensor.numpy()
    largest = np.finfo(np.float32).max
    bounded = np.where(np.isfinite(array), np.clip(array, -largest, largest), array)
    return onnx_ir.tensor(bounded.astype(np.float32), name=tensor.name)
