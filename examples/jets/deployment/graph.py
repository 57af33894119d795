"""A tagger as an ONNX graph: written, compared with the network, and timed."""

import contextlib
import logging
import statistics
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

TOLERANCE = 1e-5  # of a logit, between the graph and the network
_RUNS = 500


class Deployed(NamedTuple):
    """What became of a graph.

    Attributes:
        bytes: size of the file.
        difference: largest difference of a logit from the network's.
        alone: CPU-microseconds for a jet by itself, median, on one thread.
        together: CPU-microseconds for a jet in a batch of 256.
    """

    bytes: int
    difference: float
    alone: float
    together: float


class MismatchError(RuntimeError):
    """The graph does not say what the network says."""


def deploy(network: nn.Module, features: Tensor, mask: Tensor, path: Path) -> Deployed:
    """Write a network as a graph with any number of jets, run it, and compare and time it.

    Args:
        network: (features, mask) -> logits.
        features: jets to compare on, (B, P, F), at least 256.
        mask: (B, P) bool.
        path: of the file.

    Raises:
        ImportError: without the extra `noneuclid[onnx]`. MismatchError: logits differ by more than
            1e-5.
    """
    session = _session(write(network, features, mask, path))
    with torch.no_grad():
        expected = network(features, mask).numpy()
    names = [one.name for one in session.get_inputs()]
    inputs = dict(zip(names, (features.numpy(), mask.numpy()), strict=True))
    found = session.run(None, inputs)[0]
    difference = float(np.abs(found - expected).max())
    if not difference <= TOLERANCE:
        raise MismatchError(f"{path} differs from the network by {difference:.1e} in a logit")
    alone, together = (
        _microseconds(session, {name: value[:count] for name, value in inputs.items()}) / count
        for count in (1, 256)
    )
    return Deployed(path.stat().st_size, difference, alone, together)


def write(network: nn.Module, features: Tensor, mask: Tensor, path: Path) -> Path:
    """Write the graph, all of it in float32, without the source lines that torch adds."""
    from noneuclid.onnx import export

    batch = torch.export.Dim("jets")
    with _quiet():
        program = export(
            network.eval(),
            (features[:2], mask[:2]),
            float32_only=True,
            input_names=["features", "mask"],
            output_names=["logits"],
            dynamic_shapes={"features": {0: batch}, "mask": {0: batch}},
            verbose=False,
        )
    for node in program.model.graph:
        node.metadata_props.clear()
    program.save(path, external_data=False)
    return path


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says of packages that are not needed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("the graph is run by onnxruntime: noneuclid[onnx]") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _microseconds(session: Any, inputs: dict[str, np.ndarray]) -> float:
    """Return the median CPU time of a run; on one thread it is the time of an idle machine."""
    times = []
    for _ in range(_RUNS):
        begin = time.process_time()
        session.run(None, inputs)
        times.append(time.process_time() - begin)
    return 1e6 * statistics.median(times[_RUNS // 10 :])
