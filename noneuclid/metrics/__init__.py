"""Metrics: how well a tagger separates signal from background."""

from noneuclid.metrics.tagging import Rejection, accuracy, background_rejection, roc_auc

__all__ = ["Rejection", "accuracy", "background_rejection", "roc_auc"]
