"""pixels ──copied once──▶ a GPU's buffers of one batch-size bucket ──▶ embedding.

A GPU is fast on batch sizes it has run before: kernels are chosen, memory is allocated and a CUDA graph is captured for
one shape. So batches are padded to a bucket: 1, 2, 4 … max_batch. Every bucket has its own buffers, which never move,
and is run before the first request.

Everything happens on one thread that the embedder owns. ONNX Runtime keeps captured graphs for each thread
(`PerThreadContext` in its CUDA provider), so another thread would capture again in the middle of a request. Passing a
batch to the thread costs 20 µs (`ThreadPoolExecutor(1).submit(f).result()`, 2-core EPYC, Python 3.11).
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.bundle.manifest import Manifest
from models.devices.cuda_graphs import NO_GRAPH, capture, run_options
from models.devices.device_buffers import Buffers
from models.runtime.sessions import LOAD_ERRORS, Embedder, Embedding

# What a GPU's session raises: EPFail when TensorRT cannot build, RuntimeError when allocating or copying fails.
DEVICE_ERRORS = (*LOAD_ERRORS, ort_errors.EPFail, RuntimeError)

# A process uses one GPU. While one thread captures, no other may copy or allocate there (cudaStreamCaptureModeGlobal),
# as the serving model would do while its successor is being captured.
_gpu_lock = threading.Lock()


def bucket_sizes(max_batch: int) -> tuple[int, ...]:
    """Powers of two below `max_batch`, and `max_batch` itself, ascending."""
    return (*(2**exponent for exponent in range((max_batch - 1).bit_length())), max_batch)


class BucketEmbedder(Embedder):
    """An embedder on a GPU that pads batches to buckets; any thread may call it.

    Args:
        session: on the GPU, its inputs and outputs checked.
        manifest: gives the shapes.
        max_batch: images in the largest bucket.
        memory: ONNX Runtime's name of the device that holds the buffers; `cpu` works without a GPU.
    """

    def __init__(
        self, session: ort.InferenceSession, manifest: Manifest, max_batch: int, *, memory: str = "cuda"
    ) -> None:
        super().__init__(session)
        self.sizes = bucket_sizes(max_batch)
        self.graphs = False
        """Whether CUDA graphs are replayed."""
        spec = manifest.input
        self._image_shape = (spec.height, spec.width, spec.channels)
        self._width = manifest.embedding_width
        self._memory = memory
        self._buffers: dict[int, Buffers] = {}
        self._options: dict[int, ort.RunOptions] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpu")

    def warm_up(self, *, graphs: bool) -> None:
        """Allocates the buffers and runs or captures every bucket, so that no request pays for it.

        Args:
            graphs: whether to capture CUDA graphs; the session must have been opened for them.

        Raises:
            DeviceError: a graph cannot be captured, or its replay is wrong.
            DEVICE_ERRORS: a bucket cannot be run.
        """
        self._thread.submit(self._warm_up, graphs).result()

    def __call__(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embeds a batch `[N, H, W, C]`, N > 0, in runs of at most `max_batch`."""
        return self._thread.submit(self._embed, pixels).result()

    def _warm_up(self, graphs: bool) -> None:
        for size in self.sizes:
            with _gpu_lock:
                buffers = Buffers(self.session, size, self._image_shape, self._width, self._memory)
                options = run_options(size if graphs else NO_GRAPH)
                if graphs:
                    capture(self.session, buffers)
                else:
                    buffers.load(np.zeros((size, *self._image_shape), np.uint8))
                    buffers.run(self.session, options)
            self._buffers[size], self._options[size] = buffers, options
        self.graphs = graphs

    def _embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        largest = self.sizes[-1]
        if len(pixels) <= largest:
            return self._run(pixels)
        return np.concatenate([self._run(pixels[start : start + largest]) for start in range(0, len(pixels), largest)])

    def _run(self, pixels: NDArray[np.uint8]) -> Embedding:
        size = next(size for size in self.sizes if size >= len(pixels))
        buffers = self._buffers[size]
        with _gpu_lock:
            buffers.load(pixels)
            buffers.run(self.session, self._options[size])
            return buffers.read(len(pixels))
