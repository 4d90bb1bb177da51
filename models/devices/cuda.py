"""an embedder's graph ──▶ a `BucketEmbedder` that really runs on a GPU, or a DeviceError.

Strict at four points, each of which ONNX Runtime passes over in silence: the provider is in this build, the session
got it, the network's nodes were given to it (`models/devices/node_assignment.py`), and every batch size runs. CUDA
graphs are the
one thing that may be done without: not every network can be captured, and the log then says why it was not.

Sources, for ONNX Runtime 1.31: the option names are those in its CUDA and TensorRT libraries. Its TensorRT provider
keeps one execution context for all shapes, and NVIDIA leaves undefined what a graph does once the context that it was
captured from has been given another shape; so TensorRT runs without graphs.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Literal

import onnxruntime as ort

from models.bundle.loading import Bundle
from models.bundle.manifest import EMBEDDER_FILES, Precision
from models.devices.batch_buckets import DEVICE_ERRORS, BucketEmbedder
from models.devices.node_assignment import check_assignment
from models.devices.tensorrt import tensorrt_options
from models.errors import BundleError, DeviceError
from models.runtime.sessions import Embedder, cpu_options, open_session

logger = logging.getLogger(__name__)

Gpu = Literal["cuda", "tensorrt"]
Provider = tuple[str, dict[str, str]]

PROVIDERS: dict[Gpu, str] = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


def open_gpu(bundle: Bundle, device: Gpu, variant: Precision, max_batch: int) -> BucketEmbedder:
    """Opens the embedder on the GPU and runs every bucket; on CUDA with CUDA graphs if they work.

    Raises:
        DeviceError: the GPU cannot be used, or cannot run this network.
        BundleError: the graph is not what the manifest says.
    """
    _load_libraries(device)
    if device == "tensorrt":
        logger.info("device 'tensorrt': serving without CUDA graphs, which it cannot keep for several batch sizes")
        return _open(bundle, device, variant, max_batch, graphs=False)
    try:
        return _open(bundle, device, variant, max_batch, graphs=True)
    except DeviceError as error:
        reason = str(error)
    embedder = _open(bundle, device, variant, max_batch, graphs=False)  # raises if graphs were not the cause
    logger.warning("device 'cuda': serving without CUDA graphs, because %s", reason)
    return embedder


def _load_libraries(device: Gpu) -> None:
    provider = PROVIDERS[device]
    if provider not in ort.get_available_providers():
        raise DeviceError(f"device {device!r} needs {provider}, which this onnxruntime lacks; install the extra `gpu`")
    with contextlib.redirect_stdout(sys.stderr):  # it prints what it cannot load
        ort.preload_dlls()


def _open(bundle: Bundle, device: Gpu, variant: Precision, max_batch: int, *, graphs: bool) -> BucketEmbedder:
    session = _session(bundle, device, variant, _providers(bundle, device, variant, max_batch, graphs=graphs))
    checked = Embedder.checked(session, bundle.manifest)
    embedder = BucketEmbedder(checked.session, bundle.manifest, max_batch)
    try:
        embedder.warm_up(graphs=graphs)
    except DEVICE_ERRORS as error:
        raise DeviceError(
            f"device {device!r} cannot run {EMBEDDER_FILES[variant]} in batches of {max_batch} ({_line(error)}); "
            "lower max_batch if its memory is full"
        ) from error
    return embedder


def _session(bundle: Bundle, device: Gpu, variant: Precision, providers: list[str | Provider]) -> ort.InferenceSession:
    file = EMBEDDER_FILES[variant]
    options = cpu_options()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    try:
        session = open_session(bundle.embedder(variant), options, providers, file)
    except (BundleError, *DEVICE_ERRORS) as error:
        raise DeviceError(
            f"device {device!r} cannot run the embedder; check driver and libraries of the extra `gpu` ({_line(error)})"
        ) from error
    found = session.get_providers()[0]
    if found != PROVIDERS[device]:
        raise DeviceError(
            f"device {device!r} was asked for, but the session runs on {found}; check driver and libraries"
        )
    check_assignment(session, device, found, file)
    return session


def _line(error: Exception) -> str:
    """The error's text in one line; ONNX Runtime's have several lines."""
    return " ".join(str(error).split())


def _providers(
    bundle: Bundle, device: Gpu, variant: Precision, max_batch: int, *, graphs: bool
) -> list[str | Provider]:
    """Providers and their options. TF32 is off: its 10-bit mantissa would fail the fp32 golden check."""
    cuda: Provider = (
        PROVIDERS["cuda"],
        {
            "arena_extend_strategy": "kSameAsRequested",
            "cudnn_conv_algo_search": "HEURISTIC",
            "use_tf32": "0",
            "enable_cuda_graph": "1" if graphs else "0",
        },
    )
    if device == "cuda":
        return [cuda]
    return [(PROVIDERS["tensorrt"], tensorrt_options(bundle.manifest, variant, max_batch)), cuda]
