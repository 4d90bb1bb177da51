"""device and precision asked for ──▶ an embedder that really runs there, or a DeviceError.

ONNX Runtime falls back to the CPU silently when a GPU provider fails to load. Here a device that was asked for and
cannot be used is an error (`models/devices/cuda.py`). Only `auto` falls back to the CPU, and it logs why.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

from models.bundle.loading import Bundle
from models.bundle.manifest import EMBEDDER_FILES, Precision
from models.devices.cuda import Gpu, open_gpu
from models.errors import DeviceError
from models.runtime.sessions import Embedder, cpu_session

logger = logging.getLogger(__name__)

Device = Literal["cpu"] | Gpu

# Fastest first. fp16 needs a GPU's arithmetic; int8 is quantized for CPUs.
_FASTEST: dict[Device, tuple[Precision, ...]] = {
    "cpu": ("int8", "fp32"),
    "cuda": ("fp16", "fp32"),
    "tensorrt": ("fp16", "fp32"),
}


@dataclass(frozen=True)
class Placement:
    """An embedder with its device and precision."""

    embedder: Embedder
    device: Device
    precision: Precision


def place(
    bundle: Bundle,
    device: Literal["auto", "cpu", "cuda", "tensorrt"],
    precision: str = "auto",
    *,
    max_batch: int = 1,
    threads: int = 1,
) -> Placement:
    """Opens the bundle's embedder on a device.

    Args:
        bundle: an audited bundle.
        device: `auto` takes CUDA if it works, else the CPU.
        precision: `auto` takes the fastest variant that the bundle has for the device.
        max_batch: images in the largest run; a GPU prepares memory and kernels for it.
        threads: of one run, on a CPU.

    Raises:
        DeviceError: the device or the precision cannot be used.
        BundleError: the graph is damaged, or is not what the manifest says.
    """
    if device != "auto":
        return _place(bundle, device, precision, max_batch, threads)
    try:
        return _place(bundle, "cuda", precision, max_batch, threads)
    except DeviceError as error:
        logger.warning("device auto: serving on CPU, because %s", error)
    return _place(bundle, "cpu", precision, max_batch, threads)


def _place(bundle: Bundle, device: Device, precision: str, max_batch: int, threads: int) -> Placement:
    variant = _variant(bundle, device, precision)
    if device == "cpu":
        session = cpu_session(bundle.embedder(variant), threads, file=EMBEDDER_FILES[variant])
        return Placement(Embedder.checked(session, bundle.manifest), device, variant)
    return Placement(open_gpu(bundle, device, variant, max_batch), device, variant)


def _variant(bundle: Bundle, device: Device, precision: str) -> Precision:
    available = bundle.manifest.precisions
    if precision == "auto":
        return next(variant for variant in _FASTEST[device] if variant in available)
    for variant in available:
        if variant == precision:
            return variant
    raise DeviceError(f"precision {precision!r} is not in {bundle.manifest.model}, which has {', '.join(available)}")
