"""Options of the TensorRT provider: shapes, precision, cache; libraries that are missing."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

import models.devices.tensorrt
from models.bundle.loading import Bundle
from models.bundle.manifest import Manifest
from models.devices.tensorrt import cache_options, describe_gpu, load_tensorrt, profile_options, tensorrt_options
from models.errors import DeviceError
from tests.models.devices.gpus import needs_none
from tests.tiny_bundle import tiny_bundle


class FakeDriver:
    """NVIDIA's driver with one GPU, or an error in its place."""

    def __init__(self, status: int = 0) -> None:
        self._status = status

    def cuInit(self, flags: int) -> int:
        return self._status

    def cuDeviceGet(self, device: object, ordinal: int) -> int:
        device._obj.value = ordinal
        return 0

    def cuDeviceGetName(self, name: ctypes.Array, length: int, device: ctypes.c_int) -> int:
        name.value = b"NVIDIA H100 80GB HBM3 MIG 1g.10gb"
        return 0

    def cuDeviceGetAttribute(self, value: object, attribute: int, device: ctypes.c_int) -> int:
        value._obj.value = {75: 9, 76: 0}[attribute]
        return 0


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return Bundle.open(tiny_bundle(tmp_path / "store", size=12, channels=3, precisions=("fp32", "fp16"))).manifest


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """TensorRT 10.13.3 and a GPU, so far as options need them."""
    monkeypatch.setattr(models.devices.tensorrt, "load_tensorrt", lambda: 101303)
    monkeypatch.setattr(models.devices.tensorrt, "describe_gpu", lambda: "nvidia-l4-sm89")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "to be undone")
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
    return monkeypatch


def test_shapes_reach_from_one_image_to_the_full_batch_for_which_they_are_tuned(manifest: Manifest) -> None:
    assert profile_options(manifest, 32) == {
        "trt_profile_min_shapes": "image:1x12x12x3",
        "trt_profile_opt_shapes": "image:32x12x12x3",
        "trt_profile_max_shapes": "image:32x12x12x3",
    }


@pytest.mark.parametrize(("variant", "flag"), [("fp32", "0"), ("fp16", "1")])
@pytest.mark.usefixtures("on_gpu")
def test_fp16_is_allowed_only_where_the_fp16_embedder_was_chosen(manifest: Manifest, variant: str, flag: str) -> None:
    assert tensorrt_options(manifest, variant, 8)["trt_fp16_enable"] == flag


@pytest.mark.usefixtures("on_gpu")
def test_tf32_is_off_for_fp32_and_left_alone_for_fp16(manifest: Manifest) -> None:
    tensorrt_options(manifest, "fp16", 8)
    assert "NVIDIA_TF32_OVERRIDE" not in os.environ
    tensorrt_options(manifest, "fp32", 8)
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"


@pytest.mark.usefixtures("on_gpu")
def test_engines_and_timings_are_kept_in_a_folder_that_names_model_versions_and_gpu(
    manifest: Manifest, tmp_path: Path
) -> None:
    options = tensorrt_options(manifest, "fp32", 8)
    folder = Path(options["trt_engine_cache_path"])
    assert folder.is_relative_to(tmp_path / "cache" / "tandem" / "tensorrt")
    assert folder.parent.name == manifest.files["embedder.onnx"].sha256[:16]
    assert folder.name.endswith("-tensorrt-101303-nvidia-l4-sm89-batch-8")
    assert options["trt_timing_cache_path"] == str(folder)
    assert (options["trt_engine_cache_enable"], options["trt_timing_cache_enable"]) == ("1", "1")


def test_without_a_folder_nothing_is_kept() -> None:
    assert cache_options(None) == {"trt_engine_cache_enable": "0", "trt_timing_cache_enable": "0"}


def test_the_gpu_is_described_by_name_and_compute_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.devices.tensorrt.ctypes, "CDLL", lambda _: FakeDriver())
    assert describe_gpu() == "nvidia-h100-80gb-hbm3-mig-1g.10gb-sm90"


def test_a_driver_without_a_gpu_is_an_error_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.devices.tensorrt.ctypes, "CDLL", lambda _: FakeDriver(status=100))
    with pytest.raises(DeviceError, match="CUDA error 100"):
        describe_gpu()


@needs_none
def test_a_missing_driver_is_an_error() -> None:
    with pytest.raises(DeviceError, match=r"needs NVIDIA's driver \(libcuda"):
        describe_gpu()


@needs_none
def test_missing_libraries_are_an_error_that_says_what_to_install() -> None:
    with pytest.raises(DeviceError, match=r"needs TensorRT 10 \(libnvinfer.*; install tensorrt-cu13-libs"):
        load_tensorrt()


def test_libraries_come_from_the_package_where_it_has_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libnvinfer.so.10").touch()
    loaded: list[str] = []

    def load(name: str) -> SimpleNamespace:
        loaded.append(name)
        return SimpleNamespace(getInferLibVersion=lambda: 101303)

    package = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(models.devices.tensorrt.importlib.util, "find_spec", lambda _: package)
    monkeypatch.setattr(models.devices.tensorrt.ctypes, "CDLL", load)
    assert load_tensorrt() == 101303
    assert loaded == [str(tmp_path / "libnvinfer.so.10"), "libnvinfer_plugin.so.10", "libnvonnxparser.so.10"]
