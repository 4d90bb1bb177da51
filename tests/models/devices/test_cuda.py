"""An embedder on a GPU: what opening it refuses, and that it computes what the CPU does."""

from __future__ import annotations

import functools
import logging
import timeit
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

import models.devices.cuda
from models.bundle.golden import check_golden
from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT, resolve
from models.devices.batch_buckets import BucketEmbedder
from models.devices.cuda import open_gpu
from models.errors import BundleError, DeviceError
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput
from models.runtime.head_set import HeadSet
from models.runtime.sessions import Embedder, cpu_session, open_session
from tests.models.devices.gpus import CPU, CUDA, TENSORRT, GraphSession, needs_cuda, needs_none, needs_tensorrt


@pytest.fixture(scope="module")
def bundle(tiny_path: Path) -> Bundle:
    return Bundle.open(tiny_path)


@pytest.fixture
def listed_gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An onnxruntime that lists a GPU's providers, as the GPU's package does everywhere; buffers are on the CPU."""
    monkeypatch.setattr(models.devices.cuda.ort, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(models.devices.cuda.ort, "preload_dlls", lambda: None)
    monkeypatch.setattr(models.devices.cuda, "BucketEmbedder", functools.partial(BucketEmbedder, memory="cpu"))
    monkeypatch.setattr(models.devices.cuda, "tensorrt_options", lambda *_: {"trt_fp16_enable": "0"})
    return monkeypatch


class Sessions:
    """Opens CPU sessions that say they are on a GPU, and notes the providers that were asked for."""

    def __init__(self, **session: object) -> None:
        self._session = session
        self.asked: list[dict[str, dict[str, str]]] = []

    def __call__(self, graph: bytes, options: ort.SessionOptions, providers: list, *rest: object) -> GraphSession:
        assert options.get_session_config_entry("session.record_ep_graph_assignment_info") == "1"
        self.asked.append(dict(providers))
        return GraphSession(open_session(graph, options, [CPU]), next(iter(self.asked[-1])), **self._session)


def opening(listed_gpu: pytest.MonkeyPatch, **session: object) -> Sessions:
    sessions = Sessions(**session)
    listed_gpu.setattr(models.devices.cuda, "open_session", sessions)
    return sessions


def test_cuda_captures_graphs_and_computes_what_the_cpu_does(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = opening(listed_gpu)
    embedder = open_gpu(bundle, "cuda", "fp32", 4)
    assert embedder.graphs
    assert [asked[CUDA]["enable_cuda_graph"] for asked in sessions.asked] == ["1"]
    check_golden(bundle, embedder, HeadSet({}, {}))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("fault", ["none captured", "capture fails", "replay does nothing", "replay is stale"])
def test_a_network_that_cannot_be_captured_is_served_without_graphs_and_the_log_says_why(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    sessions = opening(listed_gpu, fault=fault)
    embedder = open_gpu(bundle, "cuda", "fp32", 4)
    assert not embedder.graphs
    assert [asked[CUDA]["enable_cuda_graph"] for asked in sessions.asked] == ["1", "0"]
    check_golden(bundle, embedder, HeadSet({}, {}))
    (warning,) = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.startswith("device 'cuda': serving without CUDA graphs, because ")


def test_a_session_that_refuses_graphs_is_opened_without(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = Sessions()

    def refuse_graphs(graph: bytes, options: ort.SessionOptions, providers: list, *rest: object) -> GraphSession:
        if dict(providers)[CUDA]["enable_cuda_graph"] == "1":
            raise BundleError("This session cannot use the graph capture feature as requested by the user")
        return sessions(graph, options, providers)

    listed_gpu.setattr(models.devices.cuda, "open_session", refuse_graphs)
    assert not open_gpu(bundle, "cuda", "fp32", 4).graphs
    assert "cannot use the graph capture feature" in caplog.text


def test_tensorrt_has_cuda_beside_it_and_no_graphs(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sessions = opening(listed_gpu)
    with caplog.at_level(logging.INFO):
        embedder = open_gpu(bundle, "tensorrt", "fp32", 4)
    assert not embedder.graphs
    (asked,) = sessions.asked
    assert list(asked) == [TENSORRT, CUDA]
    assert asked[CUDA]["enable_cuda_graph"] == "0"
    assert "without CUDA graphs" in caplog.text


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_provider_that_this_onnxruntime_lacks_is_an_error(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch, device: str
) -> None:
    listed_gpu.setattr(models.devices.cuda.ort, "get_available_providers", lambda: [CPU])
    with pytest.raises(DeviceError, match=f"device '{device}' needs .*; install the extra `gpu`"):
        open_gpu(bundle, device, "fp32", 4)


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_session_that_fell_back_to_the_cpu_is_an_error(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch, device: str
) -> None:
    listed_gpu.setattr(
        models.devices.cuda, "open_session", lambda *_: GraphSession(cpu_session(bundle.embedder("fp32")), CPU)
    )
    with pytest.raises(DeviceError, match=f"device '{device}' was asked for, but the session runs on CPU"):
        open_gpu(bundle, device, "fp32", 4)


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_network_that_is_not_on_the_gpu_is_an_error(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch, device: str
) -> None:
    opening(listed_gpu, cpu_nodes=("Conv",))
    with pytest.raises(DeviceError, match=r"run on the CPU \(Conv 1\)"):
        open_gpu(bundle, device, "fp32", 4)


@pytest.mark.parametrize("error", [BundleError("libcudnn is missing"), RuntimeError("libcudnn is missing")])
def test_a_session_that_cannot_be_made_is_an_error_that_gives_the_reason(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> GraphSession:
        raise error

    listed_gpu.setattr(models.devices.cuda, "open_session", fail)
    with pytest.raises(DeviceError, match=r"device 'cuda' cannot .*libcudnn is missing"):
        open_gpu(bundle, "cuda", "fp32", 4)


@needs_none
def test_memory_that_cannot_be_had_is_an_error_that_says_what_to_do(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch
) -> None:
    opening(listed_gpu)
    listed_gpu.setattr(models.devices.cuda, "BucketEmbedder", BucketEmbedder)  # its buffers would be on a GPU
    with pytest.raises(DeviceError, match=r"cannot run embedder.onnx in batches of 4 .*lower max_batch"):
        open_gpu(bundle, "cuda", "fp32", 4)


def test_what_onnxruntime_prints_about_libraries_stays_off_the_standard_output(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed_gpu.setattr(models.devices.cuda.ort, "preload_dlls", lambda: print("Failed to load libcublas.so.13"))
    opening(listed_gpu)
    open_gpu(bundle, "cuda", "fp32", 1)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Failed to load libcublas.so.13\n")


# Below, every test runs on the default bundle's network, once on a stand-in for a GPU and once on each GPU there is.

CUDA_ONLY = ["stand-in", pytest.param("cuda", marks=[pytest.mark.gpu, needs_cuda])]
ALL_DEVICES = [*CUDA_ONLY, pytest.param("tensorrt", marks=[pytest.mark.gpu, needs_tensorrt])]


@pytest.fixture(scope="module")
def champion() -> Bundle:
    """The default bundle that serves."""
    return Bundle.open(resolve(DEFAULT_ROOT / "fashion-mnist"))


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """A device to ask for; the stand-in is a CPU session that says it is on CUDA."""
    if request.param != "stand-in":
        return str(request.param)
    opening(request.getfixturevalue("listed_gpu"))
    return "cuda"


def images(bundle: Bundle, count: int) -> np.ndarray:
    spec = bundle.manifest.input
    return np.random.default_rng(count).integers(0, 256, (count, spec.height, spec.width, spec.channels), np.uint8)


@pytest.mark.parametrize("device", ALL_DEVICES, indirect=True)
def test_embeddings_of_every_batch_size_equal_the_cpus_within_the_golden_tolerance(
    champion: Bundle, device: str
) -> None:
    cpu = Embedder(cpu_session(champion.embedder("fp32")))
    gpu = open_gpu(champion, device, "fp32", 32)
    check_golden(champion, gpu, HeadSet({}, {}))
    tolerance = champion.manifest.golden.embedding_tolerance["fp32"]
    for count in range(1, 41):
        wanted = cpu(images(champion, count))
        np.testing.assert_allclose(gpu(images(champion, count)), wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@pytest.mark.parametrize("device", CUDA_ONLY, indirect=True)
def test_the_default_network_is_captured_and_its_replay_equals_a_run(
    champion: Bundle, device: str, caplog: pytest.LogCaptureFixture
) -> None:
    embedder = open_gpu(champion, device, "fp32", 32)
    assert embedder.graphs, caplog.text
    replayed = {count: embedder(images(champion, count)) for count in (1, 2, 3, 8, 31, 32, 33)}
    embedder.warm_up(graphs=False)
    for count, embedding in replayed.items():
        np.testing.assert_allclose(embedding, embedder(images(champion, count)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("device", CUDA_ONLY, indirect=True)
def test_every_node_of_the_default_network_runs_on_the_gpu(
    champion: Bundle, device: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        open_gpu(champion, device, "fp32", 1)
    assert "on the CPU: none" in caplog.text


@pytest.mark.parametrize("device", CUDA_ONLY, indirect=True)
def test_an_operator_without_a_cuda_kernel_is_an_error(
    bundle: Bundle, device: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "stand-in" in request.node.name:
        opening(monkeypatch, on_cpu=("Hardmax",))
    monkeypatch.setattr(Bundle, "embedder", lambda *_: hardmax_graph())
    with pytest.raises(DeviceError, match=r"run on the CPU \(.*Hardmax"):
        open_gpu(bundle, device, "fp32", 1)


def hardmax_graph() -> bytes:
    """An embedder with an operator for which ONNX Runtime's CUDA library has no kernel."""
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Hardmax", ["floats"], ["hard"], axis=1),
        helper.make_node("GlobalAveragePool", ["hard"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 8, 8, 1])]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 8])]
    graph = helper.make_graph(nodes, "partly on the CPU", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("asked", ["auto", "cuda"])
@pytest.mark.parametrize("device", CUDA_ONLY, indirect=True)
def test_an_engine_on_cuda_decides_as_one_on_the_cpu(champion: Bundle, device: str, asked: str) -> None:
    cpu = Engine.load(champion.path, device="cpu", precision="fp32")
    gpu = Engine.load(champion.path, device=asked, precision="fp32", max_batch=8)
    assert (gpu.device, gpu.max_batch) == ("cuda", 8)
    head = champion.manifest.default_head.name
    inputs = [EngineInput(pixels, {head: {}}) for pixels in images(champion, 11)]
    for found, wanted in zip(gpu.run(inputs, [0.0] * 11), cpu.run(inputs, [0.0] * 11), strict=True):
        np.testing.assert_allclose(found.embedding, wanted.embedding, atol=1e-3 * np.abs(wanted.embedding).max())
        assert found.decisions[head].output.argmax() == wanted.decisions[head].output.argmax()


@pytest.mark.gpu  # a CPU gains less
@pytest.mark.parametrize("device", ALL_DEVICES[1:], indirect=True)
def test_a_batch_of_32_embeds_at_least_4_times_as_many_images_a_second_as_single_ones(
    champion: Bundle, device: str
) -> None:
    embedder = open_gpu(champion, device, "fp32", 32)

    def best_s(count: int) -> float:
        pixels = images(champion, count)
        return min(timeit.repeat(lambda: embedder(pixels), number=1, repeat=200))

    assert 32 / best_s(32) >= 4 / best_s(1)
