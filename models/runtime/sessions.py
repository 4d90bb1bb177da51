"""ONNX bytes ──▶ ONNX Runtime sessions, and the `Embedder`.

The golden check, training and serving all use these, so training embeds with the very graph that is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.bundle.manifest import Manifest
from models.errors import BundleError

# What ONNX Runtime raises for a graph that it cannot load or run. The classes share no base class of its own.
LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)

Embedding = NDArray[np.float32]
Probabilities = NDArray[np.float32]
Distances = NDArray[np.float32]
Interval = NDArray[np.float32]
"""`[N, 2]`: lower and upper bound of each value."""


def cpu_options(threads: int = 1) -> ort.SessionOptions:
    """Session options for a CPU that is shared with an HTTP server: threads do not spin between runs."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def cpu_session(graph: bytes, threads: int = 1, file: str = "a graph") -> ort.InferenceSession:
    """Opens a CPU session on a serialized graph with `threads` intra-op threads; errors call the graph `file`.

    Raises:
        BundleError: ONNX Runtime cannot load the graph.
    """
    return open_session(graph, cpu_options(threads), ["CPUExecutionProvider"], file)


def open_session(
    graph: bytes,
    options: ort.SessionOptions,
    providers: list[str | tuple[str, dict[str, str]]],
    file: str = "a graph",
) -> ort.InferenceSession:
    """Opens a session on a serialized graph; errors call the graph `file`.

    Raises:
        BundleError: ONNX Runtime cannot load the graph.
    """
    try:
        return ort.InferenceSession(graph, options, providers=providers, enable_fallback=0)
    except LOAD_ERRORS as error:
        raise BundleError(
            f"{file}: ONNX Runtime {ort.__version__} cannot load it ({error}); export it again"
        ) from error


class Embedder:
    """pixels uint8 `[N, H, W, C]` ──▶ embedding float32 `[N, D]`."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self.session = session

    @classmethod
    def checked(cls, session: ort.InferenceSession, manifest: Manifest) -> Embedder:
        """Wraps a session whose input and output are those that the manifest promises.

        Raises:
            BundleError: another name, type or shape.
        """
        spec = manifest.input
        wanted = [("image", "tensor(uint8)", [spec.height, spec.width, spec.channels])]
        check_nodes("embedder", session.get_inputs(), wanted)
        check_nodes("embedder", session.get_outputs(), [("embedding", "tensor(float)", [manifest.embedding_width])])
        return cls(session)

    def __call__(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embeds a batch."""
        embedding: Embedding = self.session.run(["embedding"], {"image": pixels})[0]
        return embedding


class ScalarGraph:
    """embedding float32 `[N, D]` ──▶ one number for each row, float32 `[N]`.

    Attributes:
        output: the number's name in the graph.
    """

    output: ClassVar[str]

    def __init__(self, session: ort.InferenceSession) -> None:
        self.session = session

    @classmethod
    def checked(cls, session: ort.InferenceSession, file: str, width: int) -> Self:
        """Wraps a session whose input and output are those that a bundle promises.

        Raises:
            BundleError: another name, type or shape.
        """
        check_nodes(file, session.get_inputs(), [("embedding", "tensor(float)", [width])])
        check_nodes(file, session.get_outputs(), [(cls.output, "tensor(float)", [])])
        return cls(session)

    def __call__(self, embedding: Embedding) -> NDArray[np.float32]:
        """Computes a batch."""
        numbers: NDArray[np.float32] = self.session.run([self.output], {"embedding": embedding})[0]
        return numbers


def check_nodes(file: str, nodes: Sequence[ort.NodeArg], wanted: list[tuple[str, str, list[int]]]) -> None:
    """Checks inputs or outputs of a graph against (name, type, shape without the batch axis).

    Raises:
        BundleError: another name, type or shape.
    """
    found = {node.name: (node.type, list(node.shape[1:])) for node in nodes}
    promised = {name: (type_, shape) for name, type_, shape in wanted}
    if found != promised:
        raise BundleError(f"{file}: the graph has {found}, the manifest says {promised}; export it again")


def largest_difference(found: NDArray[np.float32], recorded: NDArray[np.float32]) -> float:
    """Largest absolute difference of two arrays; infinite if their shapes differ."""
    return float(np.abs(found - recorded).max()) if found.shape == recorded.shape else float("inf")


def relative_difference(found: NDArray[np.float32], recorded: NDArray[np.float32]) -> float:
    """The largest difference as a share of the largest absolute recorded number."""
    return largest_difference(found, recorded) / (float(np.abs(recorded).max()) or 1.0)
