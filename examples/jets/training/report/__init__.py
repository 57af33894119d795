"""The report of a run: one HTML file that holds its figures."""

from training.report.page import can_draw, write_report

__all__ = ["can_draw", "write_report"]
