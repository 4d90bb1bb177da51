"""rounded tensors and weights ──▶ a graph in QDQ format, in which each tensor is quantized and dequantized at once.

ONNX Runtime fuses everything between two roundings into one 8-bit operator, as fast as in QOperator format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.export.onnx_graph import Array, Node, attributes_of, make_node

LEVELS = 255
_LARGEST_BIAS = 2**30  # levels: half of what int32 holds, which leaves room for the sum


@dataclass(frozen=True)
class Rounded:
    """Names of a uint8 tensor, of its scale and zero point, and the scale itself."""

    tensor: str
    scale: str
    zero: str
    step: np.float32


@dataclass
class Writer:
    """Nodes and constants of the new graph so far; `rounded` has the tensors that can be used, by their old names."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    rounded: dict[str, Rounded] = field(default_factory=dict)

    def start(self, node: Node, constants: dict[str, Array]) -> None:
        """Takes over a uint8 input with the scale and zero point that a DequantizeLinear gives it."""
        tensor, scale, zero = node.input
        self._copy_constants(node.input[1:], constants)
        self.rounded[node.output[0]] = Rounded(tensor, scale, zero, np.float32(constants[scale]))

    def move(self, node: Node, constants: dict[str, Array]) -> None:
        """Lets a node that only moves elements move the rounded ones."""
        before = self.rounded[node.input[0]]
        moved = f"{node.output[0]}.q"
        self._copy_constants(node.input[1:], constants)
        self.nodes.append(make_node(node.op_type, [before.tensor, *node.input[1:]], moved, attributes_of(node)))
        self.rounded[node.output[0]] = Rounded(moved, before.scale, before.zero, before.step)

    def keep(self, node: Node, constants: dict[str, Array]) -> None:
        """Takes over a node whose tensors are floats still, with its constants."""
        self._copy_constants([name for name in node.input if name in constants], constants)
        self.nodes.append(node)

    def compute(self, node: Node, others: Sequence[str]) -> None:
        """Copies a node: inputs that were rounded come as floats again, and `others` after them."""
        given = [self._as_float(name) for name in node.input if name in self.rounded]
        self.nodes.append(make_node(node.op_type, [*given, *others], node.output[0], attributes_of(node)))

    def round(self, source: str, tensor: str, low: float, high: float) -> tuple[np.float32, np.uint8]:
        """Rounds `source` between two values, of which one may be 0; it is then known as `tensor`.

        Returns:
            Scale and zero point.
        """
        step = np.float32((high - low) / LEVELS or 1)
        zero = np.uint8(np.clip(np.rint(-low / step), 0, LEVELS))
        rounded = Rounded(f"{tensor}.q", f"{tensor}.scale", f"{tensor}.zero", step)
        self.constants |= {rounded.scale: np.asarray(step), rounded.zero: np.asarray(zero)}
        self.nodes.append(make_node("QuantizeLinear", [source, rounded.scale, rounded.zero], rounded.tensor))
        self.rounded[tensor] = rounded
        return step, zero

    def weights(self, node: Node, levels: NDArray[np.int8], scale: NDArray[np.float64], bias: Array) -> list[str]:
        """Adds int8 weights `[O, C, h, w]` with scales `[O]`, and an int32 bias for a float64 one `[O]`.

        Returns:
            The names under which they come as floats again.
        """
        step = float(self.rounded[node.input[0]].step)
        scale = np.maximum(scale, np.abs(bias) / (step * _LARGEST_BIAS))  # where all weights are all but 0
        scales = scale.astype(np.float32)
        bias_scales = np.float32(step) * scales
        return [
            self._constant(f"{node.output[0]}.weight", levels, scales),
            self._constant(f"{node.output[0]}.bias", np.rint(bias / bias_scales).astype(np.int32), bias_scales),
        ]

    def copy(self, names: Sequence[str], constants: dict[str, Array]) -> list[str]:
        """Copies constants under their old names."""
        self._copy_constants(names, constants)
        return list(names)

    def _copy_constants(self, names: Sequence[str], constants: dict[str, Array]) -> None:
        self.constants |= {name: constants[name] for name in names}

    def _constant(self, name: str, levels: Array, scales: Array) -> str:
        inputs = [f"{name}.q", f"{name}.scale", f"{name}.zero"]
        self.constants |= dict(zip(inputs, (levels, scales, np.zeros_like(scales, levels.dtype)), strict=True))
        self.nodes.append(make_node("DequantizeLinear", inputs, name, {"axis": 0}))
        return name

    def _as_float(self, tensor: str) -> str:
        rounded = self.rounded[tensor]
        name = f"{tensor}.f"
        if not any(name in node.output for node in self.nodes):
            self.nodes.append(make_node("DequantizeLinear", [rounded.tensor, rounded.scale, rounded.zero], name))
        return name
