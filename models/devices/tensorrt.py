"""a bundle's embedder ──▶ options of ONNX Runtime's TensorRT provider, with TensorRT's libraries loaded.

TensorRT takes minutes to compile the network for one GPU, so the result is kept (`models/devices/tensorrt_cache.py`).
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from pathlib import Path

from models.bundle.manifest import EMBEDDER_FILES, Manifest, Precision
from models.devices.tensorrt_cache import EngineKey, cache_folder
from models.errors import DeviceError

# Each library needs those before it. The package's folder is on no search path, and `preload_dlls` omits TensorRT.
_LIBRARIES = ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10")
_PACKAGE = "tensorrt_libs"  # of `tensorrt-cu13-libs`


def tensorrt_options(manifest: Manifest, variant: Precision, max_batch: int) -> dict[str, str]:
    """Provider options. TensorRT is loaded first, because the cache's path contains its version.

    Raises:
        DeviceError: TensorRT or the GPU's driver is missing.
    """
    if variant != "fp16":
        # TensorRT uses TF32 by default, and the provider has no option for it. NVIDIA's libraries read this variable
        # when they are loaded.
        os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
    version = load_tensorrt()
    sha256 = manifest.files[EMBEDDER_FILES[variant]].sha256
    folder = cache_folder(EngineKey(sha256=sha256, tensorrt=version, gpu=describe_gpu(), max_batch=max_batch))
    return {
        **profile_options(manifest, max_batch),
        **cache_options(folder),
        "trt_fp16_enable": "1" if variant == "fp16" else "0",
    }


def profile_options(manifest: Manifest, max_batch: int) -> dict[str, str]:
    """Allows batches of 1 to `max_batch` and tunes for the full batch, which decides throughput."""
    spec = manifest.input
    smallest, largest = (f"image:{size}x{spec.height}x{spec.width}x{spec.channels}" for size in (1, max_batch))
    return {
        "trt_profile_min_shapes": smallest,
        "trt_profile_opt_shapes": largest,
        "trt_profile_max_shapes": largest,
    }


def cache_options(folder: Path | None) -> dict[str, str]:
    """Keeps compiled engines, and the timings that they are chosen by, in the folder; None keeps nothing."""
    if folder is None:
        return {"trt_engine_cache_enable": "0", "trt_timing_cache_enable": "0"}
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_engine_cache_prefix": "embedder",
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }


def load_tensorrt() -> int:
    """Loads TensorRT from its package or from the loader's path and returns its version, 101303 for 10.13.3.

    Raises:
        DeviceError: a library is missing.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    try:
        infer, *_ = [ctypes.CDLL(_found(name, folders)) for name in _LIBRARIES]
    except OSError as error:
        raise DeviceError(
            f"device 'tensorrt' needs TensorRT 10 ({error}); install tensorrt-cu13-libs>=10.13,<11"
        ) from error
    return int(infer.getInferLibVersion())


def _found(name: str, folders: list[Path]) -> str:
    return next((str(folder / name) for folder in folders if (folder / name).exists()), name)


def describe_gpu() -> str:
    """Asks the driver for name and compute capability of the first visible GPU, for example `nvidia-l4-sm89`.

    Raises:
        DeviceError: there is no driver or no GPU.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise DeviceError(f"device 'tensorrt' needs NVIDIA's driver ({error})") from error
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(256)
    status = (
        cuda.cuInit(0)
        or cuda.cuDeviceGet(ctypes.byref(device), 0)
        or cuda.cuDeviceGetName(name, len(name), device)
        or cuda.cuDeviceGetAttribute(ctypes.byref(major), 75, device)  # COMPUTE_CAPABILITY_MAJOR
        or cuda.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)  # COMPUTE_CAPABILITY_MINOR
    )
    if status:
        raise DeviceError(f"device 'tensorrt' needs a GPU, but the driver answers CUDA error {status}")
    return f"{'-'.join(name.value.decode().lower().split())}-sm{major.value}{minor.value}"
