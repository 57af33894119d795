"""Attention between the points of sets: by a softmax over scores, or by a kernel at linear cost."""

from noneuclid.layers.attention.kernel import KernelAttention
from noneuclid.layers.attention.multihead import MultiheadAttention

__all__ = ["KernelAttention", "MultiheadAttention"]
