"""`training.quantization.quantize`: a network in 8 bits, near the one in float32, and nothing but 8 bits in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from models.bundle.audit import audit_onnx
from models.runtime.sessions import Embedder, cpu_options, cpu_session
from tests.training.squares import squares
from training.backbones.backbone import FrozenNetwork
from training.data.dataset import Dataset
from training.exceptions import ExportError
from training.export.network_export import export_embedder
from training.export.onnx_graph import Graph, make_node
from training.quantization.quantize import quantize


class Bottlenecks(FrozenNetwork):
    """What EfficientNet-Lite is made of: ReLU6, kernels of one channel, sums of outputs that may be negative."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Conv2d(3, 8, 3, 2, 1)
        self.wide, self.deep, self.narrow = (
            nn.Conv2d(8, 24, 1),
            nn.Conv2d(24, 24, 5, 1, 2, groups=24),
            nn.Conv2d(24, 8, 1),
        )
        self.last = nn.Conv2d(8, 16, 1)
        self.classifier = nn.Linear(16, 3)

    def forward(self, images: Tensor) -> Tensor:
        x = torch.nn.functional.relu6(self.start((images.permute(0, 3, 1, 2).float() - 127) / 32))
        y = torch.nn.functional.relu6(self.deep(torch.nn.functional.relu6(self.wide(x))))
        return torch.nn.functional.relu6(self.last(x + self.narrow(y))).mean((2, 3))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.asarray(squares(90, size=16).images)


@pytest.fixture(scope="module")
def bottlenecks(images: np.ndarray) -> bytes:
    torch.manual_seed(0)
    network = Bottlenecks().eval()
    return export_embedder(network, network.classifier, images)


@pytest.fixture(scope="module")
def rounded(bottlenecks: bytes, images: np.ndarray) -> bytes:
    return quantize(bottlenecks, images[:40])


def error(found: bytes, graph: bytes, images: np.ndarray) -> float:
    """Norm of the difference, as a share of the embeddings' norm."""
    a, b = (Embedder(cpu_session(g))(images) for g in (found, graph))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def test_a_network_of_bottlenecks_stays_near_on_images_that_it_was_not_fitted_on(
    bottlenecks: bytes, rounded: bytes, images: np.ndarray
) -> None:
    assert error(rounded, bottlenecks, images[40:]) <= 0.03


def test_the_network_of_the_presets_stays_near(embedder_graph: bytes, dataset: Dataset) -> None:
    rounded = quantize(embedder_graph, dataset.images[np.arange(60)])
    assert error(rounded, embedder_graph, dataset.images[np.arange(60, 180)]) <= 0.05


def test_each_channel_keeps_its_mean(bottlenecks: bytes, rounded: bytes, images: np.ndarray) -> None:
    found, expected = (Embedder(cpu_session(g))(images[:40]).mean(0) for g in (rounded, bottlenecks))
    np.testing.assert_allclose(found, expected, atol=0.01 * expected.max())


def test_an_embedding_does_not_depend_on_its_batch(rounded: bytes, images: np.ndarray) -> None:
    embedder = Embedder(cpu_session(rounded))
    together = embedder(images[:9])
    for index in range(9):
        np.testing.assert_array_equal(embedder(images[index : index + 1])[0], together[index])


def test_a_bundle_may_hold_it_and_it_is_much_smaller(bottlenecks: bytes, rounded: bytes) -> None:
    audit_onnx(rounded, "embedder.int8.onnx")
    session = cpu_session(rounded)
    (image,), (embedding,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape[1:]) == ("image", "tensor(uint8)", [16, 16, 3])
    assert (embedding.name, embedding.type, embedding.shape[1:]) == ("embedding", "tensor(float)", [16])


def test_the_runtime_computes_in_8_bits_from_the_image_to_the_mean(rounded: bytes, tmp_path: Path) -> None:
    options = cpu_options()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    ort.InferenceSession(rounded, options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert operators.count("QLinearConv") == 5
    assert operators.count("QLinearAdd") == 1
    moves = {"Reshape", "Transpose"}
    assert set(operators) - moves == {"QLinearConv", "QLinearAdd", "DequantizeLinear", "ReduceMean"}


def test_weights_leave_room_for_sums_in_16_bits_but_for_kernels_of_one_channel(rounded: bytes) -> None:
    levels = [
        numpy_helper.to_array(tensor).astype(int)
        for tensor in onnx.load_model_from_string(rounded).graph.initializer
        if tensor.name.endswith(".weight.q")
    ]
    largest = {weights.shape: np.abs(weights).max() for weights in levels}
    assert largest.pop((24, 1, 5, 5)) == 127
    assert set(largest.values()) == {64}


def test_the_same_images_give_the_same_bytes(bottlenecks: bytes, rounded: bytes, images: np.ndarray) -> None:
    assert quantize(bottlenecks, images[:40]) == rounded


def test_one_image_is_enough_to_get_a_graph(bottlenecks: bytes, images: np.ndarray) -> None:
    assert np.isfinite(Embedder(cpu_session(quantize(bottlenecks, images[:1])))(images)).all()


def test_an_operator_without_a_rule_is_refused_by_name(bottlenecks: bytes, images: np.ndarray) -> None:
    graph = Graph.parse(bottlenecks)
    *nodes, mean = graph.nodes
    nodes.append(make_node("Sigmoid", [mean.input[0]], "sigmoid"))
    mean.input[0] = "sigmoid"
    graph.nodes[:] = [*nodes, mean]
    with pytest.raises(ExportError, match="no rule for the operator Sigmoid"):
        quantize(graph.to_bytes(), images[:4])
