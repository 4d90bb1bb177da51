"""Where the embedder runs: what was asked for, or an error; never the CPU without a word."""

from __future__ import annotations

import logging
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

import service.device
from models.bundle import Bundle
from models.errors import BundleError, DeviceError
from service.device import place
from service.engine import Engine, PaddedEmbedder, Work
from tests.service.serving import settings_of
from tests.tiny_bundle import tiny_bundle

ON_GPU = ("cuda", "tensorrt")


def has_cuda() -> bool:
    """Whether CUDA can really be used; ONNX Runtime lists it on machines that have none, too."""
    smi = shutil.which("nvidia-smi")
    if "CUDAExecutionProvider" not in ort.get_available_providers() or smi is None:
        return False
    return subprocess.run([smi], capture_output=True, check=False).returncode == 0


needs_cuda = pytest.mark.skipif(not has_cuda(), reason="onnxruntime has no CUDA device on this machine")
needs_none = pytest.mark.skipif(has_cuda(), reason="this machine has a CUDA device")


class FakeSession:
    """A session that says where it runs."""

    def __init__(self, *providers: str) -> None:
        self._providers = list(providers)

    def get_providers(self) -> list[str]:
        return self._providers


@pytest.fixture(scope="module")
def bundle(tiny_path: Path) -> Bundle:
    return Bundle.open(tiny_path)


@pytest.fixture(scope="module")
def precise_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with an embedder in every precision."""
    path = tiny_bundle(tmp_path_factory.mktemp("store"), precisions=("fp32", "fp16", "int8"))
    return Bundle.open(path)


@pytest.fixture
def listed_gpu(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An onnxruntime that lists the providers of a GPU, as the GPU's package does everywhere."""
    providers = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(service.device.ort, "get_available_providers", lambda: providers)
    monkeypatch.setattr(service.device.ort, "preload_dlls", lambda: None)
    return monkeypatch


def test_the_cpu_is_used_where_it_was_asked_for(bundle: Bundle) -> None:
    placement = place(bundle, "cpu")
    assert (placement.device, placement.precision) == ("cpu", "fp32")
    assert placement.session.get_providers() == ["CPUExecutionProvider"]


@needs_none
@pytest.mark.parametrize("device", ON_GPU)
def test_a_gpu_that_is_not_there_is_an_error(bundle: Bundle, device: str) -> None:
    with pytest.raises(DeviceError, match=f"device '{device}'"):
        place(bundle, device)


@needs_none
def test_auto_serves_on_the_cpu_and_says_so_once(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert place(bundle, "auto").device == "cpu"
    assert [record.message.split(",")[0] for record in caplog.records] == ["device auto: serving on CPU"]


@pytest.mark.parametrize(("device", "provider"), [("cuda", "CUDA"), ("tensorrt", "Tensorrt")], ids=ON_GPU)
def test_a_gpu_that_the_session_really_uses_is_taken(
    bundle: Bundle, device: str, provider: str, listed_gpu: pytest.MonkeyPatch
) -> None:
    asked = []

    def open_session(graph: bytes, options: ort.SessionOptions, providers: list, *rest: object) -> FakeSession:
        asked.append([name for name, _ in providers])
        assert options.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
        return FakeSession(f"{provider}ExecutionProvider", "CPUExecutionProvider")

    listed_gpu.setattr(service.device, "open_session", open_session)
    assert place(bundle, device).device == device
    assert asked[0][0] == f"{provider}ExecutionProvider"
    assert "CPUExecutionProvider" not in asked[0]


def test_auto_takes_cuda_where_it_works(bundle: Bundle, listed_gpu: pytest.MonkeyPatch) -> None:
    listed_gpu.setattr(service.device, "open_session", lambda *_: FakeSession("CUDAExecutionProvider"))
    assert place(bundle, "auto").device == "cuda"


@pytest.mark.parametrize("device", ON_GPU)
def test_a_session_that_fell_back_to_the_cpu_is_an_error(
    bundle: Bundle, device: str, listed_gpu: pytest.MonkeyPatch
) -> None:
    listed_gpu.setattr(service.device, "open_session", lambda *_: FakeSession("CPUExecutionProvider"))
    with pytest.raises(DeviceError, match=f"device '{device}' was asked for, but the session runs on CPU"):
        place(bundle, device)


def test_a_session_that_cannot_be_made_is_an_error_that_gives_the_reason(
    bundle: Bundle, listed_gpu: pytest.MonkeyPatch
) -> None:
    def open_session(*_: object) -> FakeSession:
        raise BundleError("libcudnn is missing")

    listed_gpu.setattr(service.device, "open_session", open_session)
    with pytest.raises(DeviceError, match=r"device 'cuda' cannot .*libcudnn is missing"):
        place(bundle, "cuda")


def test_a_precision_that_the_bundle_lacks_is_an_error_that_names_those_it_has(bundle: Bundle) -> None:
    with pytest.raises(DeviceError, match="precision 'int8' is not in tiny@1, which has fp32"):
        place(bundle, "cpu", "int8")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_precision_that_the_bundle_has_is_used(precise_bundle: Bundle, precision: str) -> None:
    assert place(precise_bundle, "cpu", precision).precision == precision


def test_automatic_precision_is_int8_on_a_cpu_and_fp16_on_a_gpu(
    precise_bundle: Bundle, listed_gpu: pytest.MonkeyPatch
) -> None:
    assert place(precise_bundle, "cpu").precision == "int8"
    listed_gpu.setattr(service.device, "open_session", lambda *_: FakeSession("CUDAExecutionProvider"))
    assert place(precise_bundle, "cuda").precision == "fp16"


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_embeddings_and_probabilities_on_cuda_equal_those_on_the_cpu(tiny_path: Path, device: str) -> None:
    cpu = Engine.load(settings_of(tiny_path))
    gpu = Engine.load(settings_of(tiny_path, device=device, max_batch=8))
    assert gpu.device == "cuda"
    assert isinstance(gpu._embedder, PaddedEmbedder)
    random = np.random.default_rng(0)
    works = [Work(random.integers(0, 256, (8, 8, 1), np.uint8), {}) for _ in range(11)]
    for found, wanted in zip(gpu.run(works, [0.0] * 11), cpu.run(works, [0.0] * 11), strict=True):
        np.testing.assert_allclose(found.embedding, wanted.embedding, atol=1e-3)
