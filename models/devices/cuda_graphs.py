"""one bucket's buffers ──▶ a captured CUDA graph whose replay is proven, or a DeviceError.

ONNX Runtime captures a graph when a run names a `gpu_graph_id` that it has not seen, but does not report whether it
did. A replay, unlike a run, only writes to the addresses that were captured. So a run bound to another output shows
which of the two happens: a replay leaves that output alone.
"""

from __future__ import annotations

import numpy as np
import onnxruntime as ort

from models.devices.device_buffers import Buffers
from models.errors import DeviceError
from models.runtime.sessions import Embedding

NO_GRAPH = -1
"""The `gpu_graph_id` of a run that is neither captured nor replayed."""

# Replay and run use the same kernels, a few of which add in another order. A stale or missing result is off by 1.
REPLAY_TOLERANCE = 0.01


def run_options(graph: int) -> ort.RunOptions:
    """Options of a run that captures or replays the graph with that number."""
    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return options


def capture(session: ort.InferenceSession, buffers: Buffers) -> None:
    """Captures the bucket's graph, numbered by its size, on the thread that will replay it.

    Raises:
        DeviceError: no graph was captured, or its replay computes something else.
    """
    size = buffers.size
    pixels = np.random.default_rng(size).integers(0, 256, (size, *buffers.image_shape), np.uint8)
    buffers.load(pixels)
    buffers.run(session, run_options(NO_GRAPH))
    wanted = buffers.read(size)
    buffers.load(np.zeros_like(pixels))
    buffers.run(session, run_options(size))
    buffers.load(pixels)
    _check_replay(session, buffers, wanted)


def _check_replay(session: ort.InferenceSession, buffers: Buffers, wanted: Embedding) -> None:
    buffers.spoil()
    binding, output = buffers.decoy(session)
    session.run_with_iobinding(binding, run_options(buffers.size))
    binding.synchronize_outputs()
    if not np.isnan(output.numpy()).all():
        raise DeviceError(f"no CUDA graph was captured for batches of {buffers.size}")
    difference = float(np.abs(buffers.read(buffers.size) - wanted).max())
    if not difference <= REPLAY_TOLERANCE * float(np.abs(wanted).max()):  # `not`, so that NaN is refused too
        raise DeviceError(f"the CUDA graph for batches of {buffers.size} computes something else, by {difference:.2g}")
