"""ONNX bytes ──▶ `Embedder` and `Head`: two ONNX Runtime sessions behind typed calls.

Used by the golden check, by training (which embeds with the very graph that will be served) and by the service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.bundle.head_spec import HeadSpec, INTERVAL
from models.bundle.manifest import Manifest
from models.columns import Column, ColumnValue
from models.errors import BundleError

# What ONNX Runtime raises for a graph it cannot load or run; the classes have no common base of their own.
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
"""`[N, 2]`: the lower and the upper bound of each number."""

_MISSING_NUMBER = float("nan")
_MISSING_CATEGORY = ""
_FLOAT = "tensor(float)"
_DTYPES: dict[str, type[np.generic]] = {
    _FLOAT: np.float32,
    "tensor(double)": np.float64,
    "tensor(string)": np.object_,
}
_LARGEST = float(np.finfo(np.float32).max)


def cpu_options(threads: int = 1) -> ort.SessionOptions:
    """Session options for a CPU that the session shares with an HTTP server: no spinning between runs."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def cpu_session(graph: bytes, threads: int = 1, file: str = "a graph") -> ort.InferenceSession:
    """A CPU session on a serialized graph; `threads` as in ONNX Runtime's intra-op threads.

    Raises:
        BundleError: ONNX Runtime cannot load the graph, which the error names `file`.
    """
    return open_session(graph, cpu_options(threads), ["CPUExecutionProvider"], file)


def open_session(
    graph: bytes,
    options: ort.SessionOptions,
    providers: list[str | tuple[str, dict[str, str]]],
    file: str = "a graph",
) -> ort.InferenceSession:
    """A session on a serialized graph; `file` names it in the error.

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
        """Wraps a session whose input and output are what the manifest promises.

        Raises:
            BundleError: another name, type or shape.
        """
        spec = manifest.input
        wanted = [("image", "tensor(uint8)", [spec.height, spec.width, spec.channels])]
        _check_nodes("embedder", session.get_inputs(), wanted)
        _check_nodes("embedder", session.get_outputs(), [("embedding", "tensor(float)", [manifest.embedding_width])])
        return cls(session)

    def __call__(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embeds a batch."""
        embedding: Embedding = self.session.run(["embedding"], {"image": pixels})[0]
        return embedding


class Head:
    """embedding float32 `[N, D]` and columns ──▶ probabilities float32 `[N, K]`, or a value `[N, 1]`, maybe bounded."""

    def __init__(self, session: ort.InferenceSession, spec: HeadSpec) -> None:
        types = {node.name: node.type for node in session.get_inputs()}
        self.session = session
        self.spec = spec
        self._outputs = [spec.output] + ([] if spec.interval_coverage is None else [INTERVAL])
        self._inputs = [(column.name, _DTYPES[types[column.name]]) for column in spec.columns]

    @classmethod
    def checked(cls, session: ort.InferenceSession, spec: HeadSpec, embedding_width: int) -> Head:
        """Wraps a session whose inputs and outputs are what the manifest promises.

        Raises:
            BundleError: another name, type or shape.
        """
        found = {node.name: node.type for node in session.get_inputs()}
        wanted = [("embedding", _FLOAT, [embedding_width])]
        wanted += [(column.name, _input_type(column, found.get(column.name)), [1]) for column in spec.columns]
        _check_nodes(spec.file, session.get_inputs(), wanted)
        outputs = {node.name: node.type for node in session.get_outputs()}
        is_labelled = spec.task == "regression" or "label" in outputs
        if not is_labelled or outputs.get(spec.output) != "tensor(float)":
            needed = (
                "label and a float tensor probabilities" if spec.task == "classification" else "a float tensor value"
            )
            raise BundleError(f"{spec.file}: the outputs are {outputs}, not {needed}; export it again")
        if spec.interval_coverage is not None and outputs.get(INTERVAL) != "tensor(float)":
            raise BundleError(
                f"{spec.file}: the outputs are {outputs}, without a float tensor interval; train it again"
            )
        return cls(session, spec)

    def __call__(self, embedding: Embedding, columns: Sequence[Mapping[str, ColumnValue]] = ()) -> Probabilities:
        """Decides a batch; `columns` holds one checked mapping an image where the head has columns."""
        return self.answer(embedding, columns)[0]

    def answer(
        self, embedding: Embedding, columns: Sequence[Mapping[str, ColumnValue]] = ()
    ) -> tuple[Probabilities, Interval | None]:
        """The same, with the bounds of each number; None where the head has none."""
        inputs: dict[str, NDArray[np.generic]] = {"embedding": embedding}
        for name, dtype in self._inputs:
            inputs[name] = _column_array([row[name] for row in columns], dtype)
        output, *bounds = self.session.run(self._outputs, inputs)
        return output, bounds[0] if bounds else None


class Novelty:
    """embedding float32 `[N, D]` ──▶ distance float32 `[N]` from the embeddings of training."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self.session = session

    @classmethod
    def checked(cls, session: ort.InferenceSession, file: str, embedding_width: int) -> Novelty:
        """Wraps a session whose input and output are what a bundle promises.

        Raises:
            BundleError: another name, type or shape.
        """
        _check_nodes(file, session.get_inputs(), [("embedding", "tensor(float)", [embedding_width])])
        _check_nodes(file, session.get_outputs(), [("distance", "tensor(float)", [])])
        return cls(session)

    def __call__(self, embedding: Embedding) -> Distances:
        """Measures a batch."""
        distance: Distances = self.session.run(["distance"], {"embedding": embedding})[0]
        return distance


def relative_difference(found: NDArray[np.float32], recorded: NDArray[np.float32]) -> float:
    """Largest difference of two arrays of numbers, as a share of the largest recorded; infinite if shapes differ."""
    if found.shape != recorded.shape:
        return float("inf")
    return float(np.abs(found - recorded).max()) / (float(np.abs(recorded).max()) or 1.0)


def _input_type(column: Column, found: str | None) -> str:
    """The type that a column's input is to have; graphs of before dates were there take float32."""
    if column.type == "category":
        return "tensor(string)"
    return _FLOAT if found == _FLOAT and column.type != "date" else "tensor(double)"


def _column_array(values: list[ColumnValue], dtype: type[np.generic]) -> NDArray[np.generic]:
    """One column's values `[N, 1]`; those beyond float32 count as its largest where the graph takes that."""
    if dtype is np.object_:
        return np.array([_MISSING_CATEGORY if value is None else value for value in values], dtype).reshape(-1, 1)
    numbers = [_MISSING_NUMBER if value is None else float(value) for value in values]
    if dtype is np.float32:  # NaN stays NaN
        numbers = [min(number, _LARGEST) if number > 0 else max(number, -_LARGEST) for number in numbers]
    return np.array(numbers, dtype).reshape(-1, 1)


def _check_nodes(file: str, nodes: Sequence[ort.NodeArg], wanted: list[tuple[str, str, list[int]]]) -> None:
    found = {node.name: (node.type, list(node.shape[1:])) for node in nodes}
    promised = {name: (type_, shape) for name, type_, shape in wanted}
    if found != promised:
        raise BundleError(f"{file}: the graph has {found}, the manifest says {promised}; export it again")
