"""`training.export`: the graph computes what was fitted, and tells nothing of the machine."""

from __future__ import annotations

import getpass
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from models.audit import audit_onnx
from models.manifest import HeadSpec
from models.sessions import Embedder, Head, cpu_session
from tests.training.conftest import boosted
from tests.training.squares import CLASSES, TINY
from training.dataset import Dataset
from training.errors import ExportError
from training.export import export_embedder, export_head
from training.heads.calibration import AsIs
from training.heads.decider import Decider
from training.network import EmbeddingNetwork

SPEC = HeadSpec(name="category", kind="hist_gradient_boosting", classes=CLASSES)


@pytest.fixture(scope="module")
def embedding(embedder: Embedder, dataset: Dataset) -> np.ndarray:
    return embedder(dataset.images)


@pytest.fixture(scope="module")
def head(embedding: np.ndarray, dataset: Dataset) -> Decider:
    return boosted(embedding, dataset.labels)


@pytest.fixture(scope="module")
def head_graph(head: Decider, embedding: np.ndarray) -> bytes:
    return export_head(head, SPEC, embedding)


class Drifting(EmbeddingNetwork):
    """Computes something else at every call; the exporter freezes the first."""

    drift = 1.0

    def forward(self, images: Tensor) -> Tensor:
        factor, self.factor = self.factor, self.factor * self.drift
        return super().forward(images) * factor

    factor = 1.0


def test_the_graph_embeds_as_the_network_does(
    embedding: np.ndarray, network: EmbeddingNetwork, dataset: Dataset
) -> None:
    with torch.no_grad():
        expected = network(torch.from_numpy(dataset.images)).numpy()
    np.testing.assert_allclose(embedding, expected, atol=1e-5 * expected.max())


def test_the_graph_has_the_promised_input_and_output(embedder_graph: bytes) -> None:
    session = cpu_session(embedder_graph)
    (image,), (output,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape[1:]) == ("image", "tensor(uint8)", [8, 8, 3])
    assert (output.name, output.type, output.shape[1:]) == ("embedding", "tensor(float)", [64])
    assert isinstance(image.shape[0], str), "the batch is open"


@pytest.mark.parametrize("graph", ["embedder_graph", "head_graph"])
def test_a_bundle_may_hold_the_graph(graph: str, request: pytest.FixtureRequest) -> None:
    audit_onnx(request.getfixturevalue(graph), graph)


@pytest.mark.parametrize("graph", ["embedder_graph", "head_graph"])
def test_the_graph_names_no_path_person_or_source_line(graph: str, request: pytest.FixtureRequest) -> None:
    data: bytes = request.getfixturevalue(graph)
    home = str(Path.home())
    traces = [b".py", b"site-packages", b"training.network", b"stack_trace", b"Traceback", str(Path.cwd()).encode()]
    for trace in [*traces, home.encode() + b"/", f"/{getpass.getuser()}/".encode()]:
        assert trace not in data


@pytest.mark.parametrize("graph", ["embedder_graph", "head_graph"])
def test_the_graph_brings_no_notes_along(graph: str, request: pytest.FixtureRequest) -> None:
    model = onnx.ModelProto.FromString(request.getfixturevalue(graph))
    assert not model.functions
    for part in (model, model.graph, *model.graph.node, *model.graph.initializer):
        assert not part.metadata_props
        assert not part.doc_string


@pytest.mark.parametrize(("drift", "difference"), [(1.01, "0.0099"), (math.nan, "nan")])
def test_a_network_that_computes_something_else_than_its_graph_is_refused(
    dataset: Dataset, drift: float, difference: str
) -> None:
    network = Drifting(TINY, channels=3, image_size=8, classes=3).eval()
    network.drift = drift
    with pytest.raises(ExportError, match=rf"^embedder\.onnx does not compute .*: largest difference {difference} \("):
        export_embedder(network, network.classifier, dataset.images)


def test_the_head_s_graph_answers_as_the_head_does(head: Decider, head_graph: bytes, embedding: np.ndarray) -> None:
    found = Head(cpu_session(head_graph), SPEC)(embedding)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, head(embedding), atol=1e-5)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)


def test_a_head_of_two_classes_gives_two_probabilities(embedding: np.ndarray, dataset: Dataset) -> None:
    two = dataset.labels < 2
    head = boosted(embedding[two], dataset.labels[two])
    spec = SPEC.model_copy(update={"classes": CLASSES[:2]})
    graph = export_head(head, spec, embedding[two])
    assert Head(cpu_session(graph), spec)(embedding[:4]).shape == (4, 2)


class Rolled(AsIs):
    """Which the graph does not do."""

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        return np.roll(scores, 1, axis=1)


def test_a_head_that_answers_otherwise_than_its_graph_is_refused(head: Decider, embedding: np.ndarray) -> None:
    other = replace(head, calibration=Rolled())
    with pytest.raises(ExportError, match=r"^head-category\.onnx does not compute .* same class for 0\.0000%"):
        export_head(other, SPEC, embedding)
