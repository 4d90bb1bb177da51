"""pixels of one batch ──▶ device memory bound to a session ──▶ embedding; addresses that never change."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.runtime.sessions import Embedding


class Buffers:
    """Input and output of one padded batch size.

    Args:
        session: reads and writes them.
        size: images in a batch.
        image_shape: `(H, W, C)`.
        width: numbers in an embedding.
        memory: `cuda` or `cpu`, as ONNX Runtime names devices; device 0.
    """

    def __init__(
        self, session: ort.InferenceSession, size: int, image_shape: tuple[int, int, int], width: int, memory: str
    ) -> None:
        self.size = size
        self.image_shape = image_shape
        self._memory = memory
        self._image = ort.OrtValue.ortvalue_from_shape_and_type((size, *image_shape), np.uint8, memory)
        self._embedding = ort.OrtValue.ortvalue_from_shape_and_type((size, width), np.float32, memory)
        self._padded = np.zeros((size, *image_shape), np.uint8)
        self._binding = self._bind(session, self._embedding)

    def load(self, pixels: NDArray[np.uint8]) -> None:
        """Copies at most `size` images to the device; the rows that are left hold what they held before."""
        if len(pixels) < self.size:
            self._padded[: len(pixels)] = pixels
            pixels = self._padded
        self._image.update_inplace(pixels)

    def run(self, session: ort.InferenceSession, options: ort.RunOptions) -> None:
        """Embeds what was loaded, and waits for it."""
        session.run_with_iobinding(self._binding, options)
        self._binding.synchronize_outputs()

    def read(self, count: int) -> Embedding:
        """A copy of the first `count` embeddings."""
        embedding: Embedding = self._embedding.numpy()[:count].copy()  # numpy() is a view where memory is the CPU's
        return embedding

    def spoil(self) -> None:
        """Fills the output with NaN, so that a run that does not write it is seen."""
        self._embedding.update_inplace(np.full(self._embedding.shape(), np.nan, np.float32))

    def decoy(self, session: ort.InferenceSession) -> tuple[ort.IOBinding, ort.OrtValue]:
        """The same input bound to another output, which is NaN."""
        spoiled = np.full(self._embedding.shape(), np.nan, np.float32)
        output = ort.OrtValue.ortvalue_from_numpy(spoiled, self._memory)
        return self._bind(session, output), output

    def _bind(self, session: ort.InferenceSession, output: ort.OrtValue) -> ort.IOBinding:
        binding = session.io_binding()
        binding.bind_ortvalue_input("image", self._image)
        binding.bind_ortvalue_output("embedding", output)
        return binding
