"""Which nodes run where, as the session tells: the network's on the GPU, or an error."""

from __future__ import annotations

import logging
from pathlib import Path

import onnxruntime as ort
import pytest

from models.bundle.loading import Bundle
from models.devices.node_assignment import assigned, check_assignment
from models.errors import DeviceError
from models.runtime.sessions import cpu_options, open_session
from tests.models.devices.gpus import CPU, CUDA, TENSORRT, GraphSession


@pytest.fixture(scope="module")
def graph(tiny_path: Path) -> bytes:
    return Bundle.open(tiny_path).embedder("fp32")


def session_of(graph: bytes) -> ort.InferenceSession:
    options = cpu_options()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return open_session(graph, options, [CPU])


def test_a_real_session_tells_of_every_node(graph: bytes) -> None:
    session = session_of(graph)
    assert [name for name, _ in assigned(session)] == [CPU] * 5
    assert "Conv" in dict(map(reversed, assigned(session)))


def test_a_network_on_the_gpu_is_logged(graph: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        check_assignment(GraphSession(session_of(graph)), "cuda", CUDA, "embedder.onnx")
    assert [record.message for record in caplog.records] == [
        f"device 'cuda': embedder.onnx: nodes on {CUDA} 5; on the CPU: none"
    ]


def test_arithmetic_of_shapes_on_the_cpu_is_named_in_the_log(graph: bytes, caplog: pytest.LogCaptureFixture) -> None:
    session = GraphSession(session_of(graph), cpu_nodes=("Shape", "Gather", "Gather"))
    with caplog.at_level(logging.INFO):
        check_assignment(session, "cuda", CUDA, "embedder.onnx")
    assert "on the CPU: Gather 2, Shape 1" in caplog.text


def test_a_part_of_the_network_on_the_cpu_is_an_error_that_names_it(graph: bytes) -> None:
    session = GraphSession(session_of(graph), cpu_nodes=("Shape", "LayerNormalization"))
    with pytest.raises(DeviceError, match=r"2 of 7 nodes of embedder.onnx run on the CPU \(LayerNorm.* 1, Shape 1\)"):
        check_assignment(session, "cuda", CUDA, "embedder.onnx")


def test_tensorrt_that_left_everything_to_cuda_is_an_error(graph: bytes) -> None:
    session = GraphSession(session_of(graph), TENSORRT, network_on=CUDA)
    with pytest.raises(DeviceError, match=f"no node of embedder.onnx runs on {TENSORRT}"):
        check_assignment(session, "tensorrt", TENSORRT, "embedder.onnx")
