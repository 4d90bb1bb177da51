"""`training.export.network_export`: the graph computes what was fitted, and tells nothing of the machine."""

from __future__ import annotations

import getpass
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor

from models.bundle.audit import audit_onnx
from models.runtime.sessions import Embedder, cpu_session
from tests.training.squares import TINY
from training.data.dataset import Dataset
from training.exceptions import ExportError
from training.export.network_export import export_embedder
from training.network.network import EmbeddingNetwork


class Drifting(EmbeddingNetwork):
    """Computes something else at every call; the exporter freezes the first."""

    drift = 1.0

    def forward(self, images: Tensor) -> Tensor:
        factor, self.factor = self.factor, self.factor * self.drift
        return super().forward(images) * factor

    factor = 1.0


def test_the_graph_embeds_as_the_network_does(embedder: Embedder, network: EmbeddingNetwork, dataset: Dataset) -> None:
    with torch.no_grad():
        expected = network(torch.from_numpy(dataset.images)).numpy()
    np.testing.assert_allclose(embedder(dataset.images), expected, atol=1e-5 * expected.max())


def test_the_graph_has_the_promised_input_and_output(embedder_graph: bytes) -> None:
    session = cpu_session(embedder_graph)
    (image,), (output,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape[1:]) == ("image", "tensor(uint8)", [8, 8, 3])
    assert (output.name, output.type, output.shape[1:]) == ("embedding", "tensor(float)", [160])
    assert isinstance(image.shape[0], str), "the batch is open"


@pytest.mark.parametrize("graph", ["embedder_graph", "head_graph"])
def test_a_bundle_may_hold_the_graph(graph: str, request: pytest.FixtureRequest) -> None:
    audit_onnx(request.getfixturevalue(graph), graph)


@pytest.mark.parametrize("graph", ["embedder_graph", "head_graph"])
def test_the_graph_names_no_path_person_or_source_line(graph: str, request: pytest.FixtureRequest) -> None:
    data: bytes = request.getfixturevalue(graph)
    home = str(Path.home())
    traces = [
        b".py",
        b"site-packages",
        b"training.network.network",
        b"stack_trace",
        b"Traceback",
        str(Path.cwd()).encode(),
    ]
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
