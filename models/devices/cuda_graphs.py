"""one batch size's buffers ──▶ a captured CUDA graph that is proven to be replayed, or a DeviceError.

ONNX Runtime captures when a run names a `gpu_graph_id` it has not seen, and runs the network as often as its memory
needs before that. It does not tell whether a graph was captured. But a replay, unlike a run, knows only the addresses
that were captured; so a run bound to another output shows which of the two it is.
"""

from __future__ import annotations

import numpy as np
import onnxruntime as ort

from models.devices.device_buffers import Buffers
from models.errors import DeviceError
from models.runtime.sessions import Embedding

NO_GRAPH = -1
"""The `gpu_graph_id` of a run that is neither captured nor replayed."""

# The same kernels on the same numbers; what differs is the order in which a few of them add. A stale or missing result
# is off by the whole of it.
REPLAY_TOLERANCE = 0.01


def run_options(graph: int) -> ort.RunOptions:
    """Options of a run that captures or replays the graph of that number."""
    options = ort.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return options


def capture(session: ort.InferenceSession, buffers: Buffers) -> None:
    """Captures the batch size's graph under its size as number; on the thread that will replay it.

    Raises:
        DeviceError: the run that should be a replay is none, or computes something else.
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
    if not difference <= REPLAY_TOLERANCE * float(np.abs(wanted).max()):  # so written that NaN is refused, too
        raise DeviceError(f"the CUDA graph for batches of {buffers.size} computes something else, by {difference:.2g}")
