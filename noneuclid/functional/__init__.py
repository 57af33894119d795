"""Functional: algorithms over any manifold, as functions of tensors."""

from noneuclid.functional.hyperplane import hyperplane_logits

__all__ = ["hyperplane_logits"]
