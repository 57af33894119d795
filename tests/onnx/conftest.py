"""Exports without the trace that torch writes where a log is captured: it takes half the time."""

import logging

import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_trace():
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)
