"""Functional: algorithms over any manifold, as functions of tensors."""

from noneuclid.functional.busemann import busemann_logits
from noneuclid.functional.hyperplane import hyperplane_logits

__all__ = ["busemann_logits", "hyperplane_logits"]
