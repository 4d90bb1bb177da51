"""device and precision asked for ──▶ a session that really runs there, or a DeviceError.

ONNX Runtime falls back to the CPU without a word when a GPU provider fails to load. Here a device that was
asked for and is not used stops the start: fallback is switched off, and the session is asked which
providers it got. `auto` is the only way to be given a CPU unasked, and it says so once in the log.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnxruntime as ort

from models.bundle import Bundle
from models.errors import BundleError, DeviceError
from models.manifest import EMBEDDER_FILES, Precision
from models.sessions import cpu_session, open_session

logger = logging.getLogger(__name__)

Device = Literal["cpu", "cuda", "tensorrt"]
Provider = tuple[str, dict[str, str]]

_PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
# Fastest first. fp16 needs a GPU's arithmetic; int8 is quantized for a CPU's.
_FASTEST: dict[Device, tuple[Precision, ...]] = {
    "cpu": ("int8", "fp32"),
    "cuda": ("fp16", "fp32"),
    "tensorrt": ("fp16", "fp32"),
}


@dataclass(frozen=True)
class Placement:
    """A session on the embedder, and where and in which precision it runs."""

    session: ort.InferenceSession
    device: Device
    precision: Precision


def place(bundle: Bundle, device: Literal["auto", "cpu", "cuda", "tensorrt"], precision: str = "auto") -> Placement:
    """Opens the bundle's embedder on a device.

    Args:
        bundle: an audited bundle.
        device: `auto` takes CUDA where it works, else the CPU.
        precision: `auto` takes the fastest variant in the bundle for the device.

    Raises:
        DeviceError: the device or the precision cannot be had.
    """
    if device != "auto":
        return _place(bundle, device, precision)
    try:
        return _place(bundle, "cuda", precision)
    except DeviceError as error:
        logger.warning("device auto: serving on CPU, because %s", error)
        return _place(bundle, "cpu", precision)


def _place(bundle: Bundle, device: Device, precision: str) -> Placement:
    variant = _variant(bundle, device, precision)
    graph = bundle.embedder(variant)
    session = (
        cpu_session(graph, file=EMBEDDER_FILES[variant])
        if device == "cpu"
        else _gpu_session(graph, device, variant, bundle)
    )
    return Placement(session, device, variant)


def _variant(bundle: Bundle, device: Device, precision: str) -> Precision:
    available = bundle.manifest.precisions
    if precision == "auto":
        return next(variant for variant in _FASTEST[device] if variant in available)
    for variant in available:
        if variant == precision:
            return variant
    raise DeviceError(f"precision {precision!r} is not in {bundle.manifest.model}, which has {', '.join(available)}")


def _gpu_session(graph: bytes, device: Device, variant: Precision, bundle: Bundle) -> ort.InferenceSession:
    provider = _PROVIDERS[device]
    if provider not in ort.get_available_providers():
        raise DeviceError(f"device {device!r} needs {provider}, which this onnxruntime lacks; install the extra `gpu`")
    ort.preload_dlls()
    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = open_session(graph, options, _gpu_providers(device, variant, bundle), EMBEDDER_FILES[variant])
    except (BundleError, RuntimeError) as error:  # TensorRT's loader raises a plain RuntimeError
        raise DeviceError(
            f"device {device!r} cannot run the embedder; check driver and libraries of the extra `gpu` ({error})"
        ) from error
    found = session.get_providers()[0]
    if found != provider:
        raise DeviceError(
            f"device {device!r} was asked for, but the session runs on {found}; check driver and libraries"
        )
    return session


def _gpu_providers(device: Device, variant: Precision, bundle: Bundle) -> list[str | Provider]:
    """Provider options; TF32 is off, since its 10-bit mantissa would not pass the fp32 golden check."""
    cuda: Provider = (
        "CUDAExecutionProvider",
        {
            "arena_extend_strategy": "kSameAsRequested",
            "cudnn_conv_algo_search": "HEURISTIC",
            "use_tf32": "0",
        },
    )
    if device == "cuda":
        return [cuda]
    cache = Path.home() / ".cache" / "tandem" / "tensorrt" / bundle.manifest.files[EMBEDDER_FILES[variant]].sha256[:16]
    tensorrt: Provider = (
        "TensorrtExecutionProvider",
        {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(cache / f"ort-{ort.__version__}"),
            "trt_timing_cache_enable": "1",
        },
    )
    return [tensorrt, cuda]
