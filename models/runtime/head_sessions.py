"""ONNX bytes ──▶ `Head` and `OutlierDetector`: what is computed from an embedding, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.bundle.head_spec import INTERVAL, HeadSpec
from models.bundle.loading import Bundle
from models.columns import Column, ColumnValue
from models.errors import BundleError
from models.runtime.sessions import Embedding, Interval, Probabilities, ScalarGraph, check_nodes, cpu_session

_FLOAT = "tensor(float)"
_DTYPES: dict[str, type[np.generic]] = {
    _FLOAT: np.float32,
    "tensor(double)": np.float64,
    "tensor(string)": np.object_,
}
_LARGEST = float(np.finfo(np.float32).max)


class Head:
    """embedding float32 `[N, D]` and columns ──▶ probabilities float32 `[N, K]`, or values `[N, 1]` and their bounds.

    Args:
        session: of the head's graph.
        spec: the head's entry in the manifest.
    """

    def __init__(self, session: ort.InferenceSession, spec: HeadSpec) -> None:
        types = {node.name: node.type for node in session.get_inputs()}
        self.session = session
        self.spec = spec
        self._outputs = [spec.output] + ([] if spec.interval_coverage is None else [INTERVAL])
        self._inputs = [(column.name, _DTYPES[types[column.name]]) for column in spec.columns]

    @classmethod
    def checked(cls, session: ort.InferenceSession, spec: HeadSpec, width: int) -> Head:
        """Wraps a session whose inputs and outputs are those that the manifest promises.

        Args:
            session: of the head's graph.
            spec: the head's entry in the manifest.
            width: of the rows that it is given, `Manifest.instance_width`.

        Raises:
            BundleError: another name, type or shape.
        """
        found = {node.name: node.type for node in session.get_inputs()}
        wanted = [("embedding", _FLOAT, [width])]
        wanted += [(column.name, _input_type(column, found.get(column.name)), [1]) for column in spec.columns]
        check_nodes(spec.file, session.get_inputs(), wanted)
        outputs = {node.name: node.type for node in session.get_outputs()}
        is_labelled = spec.task == "regression" or "label" in outputs
        if not is_labelled or outputs.get(spec.output) != _FLOAT:
            needed = (
                "label and a float tensor probabilities" if spec.task == "classification" else "a float tensor value"
            )
            raise BundleError(f"{spec.file}: the outputs are {outputs}, not {needed}; export it again")
        if spec.interval_coverage is not None and outputs.get(INTERVAL) != _FLOAT:
            raise BundleError(
                f"{spec.file}: the outputs are {outputs}, without a float tensor interval; train it again"
            )
        return cls(session, spec)

    def __call__(self, embedding: Embedding, columns: Sequence[Mapping[str, ColumnValue]] = ()) -> Probabilities:
        """Computes a batch; `columns` holds one checked mapping for each image if the head has columns."""
        return self.answer(embedding, columns)[0]

    def answer(
        self, embedding: Embedding, columns: Sequence[Mapping[str, ColumnValue]] = ()
    ) -> tuple[Probabilities, Interval | None]:
        """Computes a batch with the bounds of each value; None if the head has no interval."""
        inputs: dict[str, NDArray[np.generic]] = {"embedding": embedding}
        for name, dtype in self._inputs:
            inputs[name] = _column_array([row[name] for row in columns], dtype)
        output, *bounds = self.session.run(self._outputs, inputs)
        return output, bounds[0] if bounds else None


class OutlierDetector(ScalarGraph):
    """embedding float32 `[N, D]` ──▶ distance float32 `[N]` from the embeddings of training."""

    output = "distance"


def open_head(bundle: Bundle, spec: HeadSpec) -> Head:
    """Opens one of the bundle's heads.

    Raises:
        BundleError: the graph is not what the manifest says.
    """
    return Head.checked(cpu_session(bundle.head(spec), file=spec.file), spec, bundle.manifest.instance_width)


def open_outlier_detector(bundle: Bundle, spec: HeadSpec) -> OutlierDetector | None:
    """Opens a head's outlier detector; None if it has none.

    Raises:
        BundleError: the graph is not an outlier detector.
    """
    graph, file = bundle.outlier_detector(spec), spec.outlier_file
    if graph is None or file is None:
        return None
    return OutlierDetector.checked(cpu_session(graph, file=file), file, bundle.manifest.instance_width)


def open_outlier_detectors(bundle: Bundle) -> dict[str, OutlierDetector]:
    """Opens all outlier detectors, by the names of their heads; heads with equal files share one session.

    Raises:
        BundleError: a graph is not an outlier detector.
    """
    opened: dict[bytes, OutlierDetector] = {}
    by_head: dict[str, OutlierDetector] = {}
    for spec in bundle.manifest.heads:
        graph = bundle.outlier_detector(spec) or b""
        if found := opened.get(graph) or open_outlier_detector(bundle, spec):
            by_head[spec.name] = opened[graph] = found
    return by_head


def _input_type(column: Column, found: str | None) -> str:
    """Type that a column's input must have; graphs from before there were date columns take float32 numbers."""
    if column.type == "category":
        return "tensor(string)"
    return _FLOAT if found == _FLOAT and column.type != "date" else "tensor(double)"


def _column_array(values: list[ColumnValue], dtype: type[np.generic]) -> NDArray[np.generic]:
    """One column's values `[N, 1]`; a missing number is NaN, a missing category the empty text.

    Where the graph takes float32, numbers beyond its range become its largest or smallest number.
    """
    if dtype is np.object_:
        return np.array(["" if value is None else value for value in values], dtype).reshape(-1, 1)
    numbers = [np.nan if value is None else float(value) for value in values]
    if dtype is np.float32:  # NaN stays NaN
        numbers = [min(number, _LARGEST) if number > 0 else max(number, -_LARGEST) for number in numbers]
    return np.array(numbers, dtype).reshape(-1, 1)
