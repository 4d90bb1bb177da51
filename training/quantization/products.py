"""float graph and images ──▶ the graph whose convolutions and matrix products with constants are in 8 bits.

For networks that `training.quantization.quantize` has no rule for: transformers, ConvNeXt. It is ONNX Runtime's own
static quantization: products of two activations, norms and activation functions stay in float32. Ranges are fixed
beforehand, so that an embedding never depends on the images beside it in a batch, as it would with dynamic ranges.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

_OPERATORS = ["Conv", "Gemm", "MatMul"]


class _Images(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(np.split(images, len(images)))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next image, as a batch of one; None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {"image": batch}


def quantize_products(graph: bytes, images: NDArray[np.uint8]) -> bytes:
    """Makes the graph.

    Args:
        graph: from `image` uint8 `[N, H, W, C]` to `embedding` float32 `[N, D]`.
        images: some dozens, uint8 `[N, H, W, C]`, which give the ranges of activations.
    """
    model = onnx.load_model_from_string(graph)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            made,
            _Images(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_OPERATORS,
            nodes_to_quantize=_with_weights(model),
            per_channel=True,
            reduce_range=True,  # as in `training.quantization.quantize`: 16-bit sums overflow without VNNI
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return made.read_bytes()


def _with_weights(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that multiply by a constant."""
    constants = {constant.name for constant in model.graph.initializer}
    return [node.name for node in model.graph.node if node.op_type in _OPERATORS and constants & set(node.input)]
