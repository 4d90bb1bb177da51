"""pixels ──copied once──▶ a GPU's buffers of a padded batch size ──▶ embedding.

A GPU is quick on batches it has seen: kernels are chosen, memory is held and a CUDA graph is captured for one shape.
So batches are padded to 1, 2, 4 … max_batch, all of which are run before the first request, each in buffers of its
own that never move.

All of it happens on one thread, which the embedder owns: ONNX Runtime keeps what it captured a thread
(`PerThreadContext` in its CUDA provider), so another thread would capture again, in the middle of a request. Handing a
batch over costs 20 µs (`ThreadPoolExecutor(1).submit(f).result()`, 2-core EPYC, Python 3.11).
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

# What a GPU's session raises: TensorRT's build fails with EPFail, allocations and copies with a plain RuntimeError.
DEVICE_ERRORS = (*LOAD_ERRORS, ort_errors.EPFail, RuntimeError)

# A process has one GPU. While one thread captures, the others may neither copy nor allocate there
# (cudaStreamCaptureModeGlobal), as the model that serves would do while the one that replaces it is captured.
_gpu_is_used = threading.Lock()


def padded_sizes(max_batch: int) -> tuple[int, ...]:
    """Powers of two below `max_batch`, and `max_batch` itself, ascending."""
    return (*(2**exponent for exponent in range((max_batch - 1).bit_length())), max_batch)


class PaddedEmbedder(Embedder):
    """An embedder on a GPU; may be called from any thread.

    Args:
        session: checked, on the GPU.
        manifest: the bundle's, for the shapes.
        max_batch: images in the largest run.
        memory: where the buffers lie, as ONNX Runtime names it; tests without a GPU have them in `cpu`.
    """

    def __init__(
        self, session: ort.InferenceSession, manifest: Manifest, max_batch: int, *, memory: str = "cuda"
    ) -> None:
        super().__init__(session)
        self.sizes = padded_sizes(max_batch)
        self.graphs = False
        """Whether batches are replayed from CUDA graphs."""
        spec = manifest.input
        self._image_shape = (spec.height, spec.width, spec.channels)
        self._width = manifest.embedding_width
        self._memory = memory
        self._buffers: dict[int, Buffers] = {}
        self._options = {size: run_options(NO_GRAPH) for size in self.sizes}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpu")

    def warm_up(self, *, graphs: bool) -> None:
        """Makes the buffers, and runs or captures every size, so that no request pays for it.

        Args:
            graphs: capture CUDA graphs; the session must have been opened for them.

        Raises:
            DeviceError: a graph cannot be captured, or is not what is replayed.
            DEVICE_ERRORS: a size cannot be run.
        """
        self._thread.submit(self._warm_up, graphs).result()

    def __call__(self, pixels: NDArray[np.uint8]) -> Embedding:
        """Embeds a batch `[N, H, W, C]` of any N > 0, in padded runs of at most `max_batch`."""
        return self._thread.submit(self._embed, pixels).result()

    def _warm_up(self, graphs: bool) -> None:
        for size in self.sizes:
            with _gpu_is_used:
                buffers = Buffers(self.session, size, self._image_shape, self._width, self._memory)
                if graphs:
                    capture(self.session, buffers)
                    self._options[size] = run_options(size)
                else:
                    buffers.load(np.zeros((size, *self._image_shape), np.uint8))
                    buffers.run(self.session, self._options[size])
            self._buffers[size] = buffers
        self.graphs = graphs

    def _embed(self, pixels: NDArray[np.uint8]) -> Embedding:
        largest = self.sizes[-1]
        if len(pixels) <= largest:
            return self._run(pixels)
        return np.concatenate([self._run(pixels[start : start + largest]) for start in range(0, len(pixels), largest)])

    def _run(self, pixels: NDArray[np.uint8]) -> Embedding:
        size = next(size for size in self.sizes if size >= len(pixels))
        buffers = self._buffers[size]
        with _gpu_is_used:
            buffers.load(pixels)
            buffers.run(self.session, self._options[size])
            return buffers.read(len(pixels))
