"""pixels of one batch ──▶ device memory bound to a session ──▶ embedding; the addresses never change."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.runtime.sessions import Embedding


class Buffers:
    """Input and output buffers of one batch-size bucket.

    Args:
        session: reads and writes them.
        size: images in the bucket.
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
        """Copies at most `size` images to the device; unused rows keep what they held."""
        if len(pixels) < self.size:
            self._padded[: len(pixels)] = pixels
            pixels = self._padded
        self._image.update_inplace(pixels)

    def run(self, session: ort.InferenceSession, options: ort.RunOptions) -> None:
        """Embeds the loaded images and waits for the result."""
        session.run_with_iobinding(self._binding, options)
        self._binding.synchronize_outputs()

    def read(self, count: int) -> Embedding:
        """A copy of the first `count` embeddings."""
        embedding: Embedding = self._embedding.numpy()[:count].copy()  # with `cpu`, numpy() is a view
        return embedding

    def spoil(self) -> None:
        """Fills the output with NaN, so that a run that does not write it is noticed."""
        self._embedding.update_inplace(np.full(self._embedding.shape(), np.nan, np.float32))

    def decoy(self, session: ort.InferenceSession) -> tuple[ort.IOBinding, ort.OrtValue]:
        """Binds the same input to another output, filled with NaN."""
        spoiled = np.full(self._embedding.shape(), np.nan, np.float32)
        output = ort.OrtValue.ortvalue_from_numpy(spoiled, self._memory)
        return self._bind(session, output), output

    def _bind(self, session: ort.InferenceSession, output: ort.OrtValue) -> ort.IOBinding:
        binding = session.io_binding()
        binding.bind_ortvalue_input("image", self._image)
        binding.bind_ortvalue_output("embedding", output)
        return binding
