"""Export to ONNX that keeps the digits: `torch.onnx.export` with accurate lowerings.

Needs the extra `noneuclid[onnx]` (onnx, onnxscript); a runtime is the user's choice.
"""

from noneuclid.onnx.export import export
from noneuclid.onnx.lowering import translation_table
from noneuclid.onnx.single_precision import to_float32

__all__ = ["export", "to_float32", "translation_table"]
