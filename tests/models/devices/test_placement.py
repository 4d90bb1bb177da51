"""Where the embedder runs: what was asked for, or an error; never the CPU without a word."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import models.devices.placement
from models.bundle.loading import Bundle
from models.devices.placement import place
from models.errors import DeviceError
from models.runtime.sessions import Embedder, cpu_session
from tests.models.devices.gpus import needs_none
from tests.tiny_bundle import tiny_bundle

ON_GPU = ("cuda", "tensorrt")


@pytest.fixture(scope="module")
def bundle(tiny_path: Path) -> Bundle:
    return Bundle.open(tiny_path)


@pytest.fixture(scope="module")
def precise_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle with an embedder in every precision."""
    path = tiny_bundle(tmp_path_factory.mktemp("store"), precisions=("fp32", "fp16", "int8"))
    return Bundle.open(path)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """GPUs that work: device, precision and largest batch of each embedder that was opened on one."""
    seen: list[tuple[str, str, int]] = []

    def open_gpu(bundle: Bundle, device: str, variant: str, max_batch: int) -> Embedder:
        seen.append((device, variant, max_batch))
        return Embedder(cpu_session(bundle.embedder("fp32")))

    monkeypatch.setattr(models.devices.placement, "open_gpu", open_gpu)
    return seen


def test_the_cpu_is_used_where_it_was_asked_for(bundle: Bundle) -> None:
    placement = place(bundle, "cpu")
    assert (placement.device, placement.precision) == ("cpu", "fp32")
    assert placement.embedder.session.get_providers() == ["CPUExecutionProvider"]


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


@pytest.mark.parametrize(("asked", "taken"), [("auto", "cuda"), ("cuda", "cuda"), ("tensorrt", "tensorrt")])
def test_a_gpu_that_works_is_taken_and_made_ready_for_the_largest_batch(
    bundle: Bundle, asked: str, taken: str, opened: list[tuple[str, str, int]]
) -> None:
    assert place(bundle, asked, max_batch=16).device == taken
    assert opened == [(taken, "fp32", 16)]


def test_a_precision_that_the_bundle_lacks_is_an_error_that_names_those_it_has(bundle: Bundle) -> None:
    with pytest.raises(DeviceError, match="precision 'int8' is not in tiny@1, which has fp32"):
        place(bundle, "cpu", "int8")


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_precision_that_the_bundle_has_is_used(precise_bundle: Bundle, precision: str) -> None:
    assert place(precise_bundle, "cpu", precision).precision == precision


def test_automatic_precision_is_int8_on_a_cpu_and_fp16_on_a_gpu(
    precise_bundle: Bundle, opened: list[tuple[str, str, int]]
) -> None:
    assert place(precise_bundle, "cpu").precision == "int8"
    assert place(precise_bundle, "cuda").precision == "fp16"
    assert opened == [("cuda", "fp16", 1)]


def test_the_embedder_runs_on_as_many_threads_as_are_asked_for(bundle: Bundle) -> None:
    for threads in (1, 2):
        embedder = place(bundle, "cpu", threads=threads).embedder
        assert embedder.session.get_session_options().intra_op_num_threads == threads
