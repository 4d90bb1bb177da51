"""float graph and images ──▶ the graph in 8 bits: activations uint8, weights int8 by output channel.

The network is computed node by node for the images, in float32 and as 8 bits will have it. The weights of a convolution
are rounded for the inputs that they really get (`training.quantization.rounding`). The bias is set so that every output
channel keeps its mean, as errors of weights on non-negative inputs do not cancel out. Activations are rounded between
their smallest and largest value on the images (percentiles and entropy did worse on EfficientNet-Lite0). ReLU and ReLU6
are then no operators any more: what they cut off is outside that range.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.runtime.sessions import cpu_session
from training.exceptions import ExportError
from training.export.onnx_graph import Array, Graph, Node, attributes_of, float_value, make_node
from training.progress import progress
from training.quantization.graph_folding import CUTS, fold
from training.quantization.qdq import LEVELS, Writer
from training.quantization.rounding import round_weights

Floats = NDArray[np.float32]

# Levels of weights. Processors with AVX2 or AVX-512 but without VNNI add two products of a matrix in 16 bits, where
# weights up to 127 overflow: on an emulated Haswell an embedding's elements were off by up to 0.43 of the largest.
# Weights up to 64 give the same bits everywhere, and `round_weights` makes good for the lost one. ONNX Runtime's own
# remedy, the session's `x64quantprecision`, makes the network three times as slow, and that with VNNI, too. Kernels of
# one channel add in 32 bits.
_LARGEST, _LARGEST_BY_CHANNEL = 64, 127
_BATCH = 16  # images computed at once
_POSITIONS = 4000  # in a batch at which the inputs of a convolution are looked at
_MOVES = ("Transpose", "Reshape", "Pad")
_LAST = ("ReduceMean",)  # means, of which the embedding is made, stay in float32, and so does what is made of them


def quantize(graph: bytes, images: NDArray[np.uint8]) -> bytes:
    """Makes the 8-bit graph.

    Args:
        graph: a float graph from `image` uint8 `[N, H, W, C]` to `embedding` float32 `[N, D]`, as
            `training.export.network_export` writes it.
        images: some dozens, uint8 `[N, H, W, C]`, of the kind that will be embedded. Memory holds the largest
            activations of all of them four times.

    Raises:
        ExportError: an operator or a structure of the network is not supported.
    """
    parsed = Graph.parse(graph)
    if all(node.op_type != "Conv" for node in parsed.nodes):
        raise NoRuleError("the network has no convolution")
    return _Quantizer(fold(parsed), images).run().to_bytes()


class NoRuleError(ExportError):
    """An operator of the network has no rule here."""


@dataclass(frozen=True)
class _Activation:
    """A tensor for all images, float32 `[N, ...]`: as the network computes it, and as 8 bits will have it."""

    exact: Floats
    rounded: Floats


class _Quantizer:
    """What is known of the tensors at one point of the graph, and the new graph up to there."""

    def __init__(self, graph: Graph, images: NDArray[np.uint8]) -> None:
        self.graph = graph
        self.images = images
        self.activations: dict[str, _Activation] = {}
        self.writer = Writer()
        self._means = set[str]()  # names of them, and of what is made of them alone

    def run(self) -> Graph:
        """Goes through the graph."""
        for index, node in enumerate(progress(self.graph.nodes, "rounding to 8 bits", "node", part=True)):
            self._step(node)
            self._forget(self.graph.nodes[index + 1 :])
        return replace(self.graph, nodes=self.writer.nodes, constants=self.writer.constants)

    def _step(self, node: Node) -> None:
        if node.op_type == "DequantizeLinear":
            self._start(node)
        elif node.op_type in _MOVES and node.input[0] in self.writer.rounded:
            self.activations[node.output[0]] = self._both(node)
            self.writer.move(node, self.graph.constants)
        elif node.op_type == "Conv" and node.input[0] in self.writer.rounded:
            self._convolve(node)
        elif node.op_type == "Add" and self.writer.rounded.keys() >= set(node.input):
            self.writer.compute(node, [])
            self._settle(node, self._both(node))
        elif node.op_type in CUTS and node.input[0] not in self.writer.rounded:
            self._round(node.input[0], node.output[0], self._both(node))
        elif node.op_type in _LAST:
            self.writer.compute(node, self.writer.copy(node.input[1:], self.graph.constants))
            self._means.update(node.output)
        elif self._means >= {name for name in node.input if name not in self.graph.constants}:
            self.writer.keep(node, self.graph.constants)
            self._means.update(node.output)
        else:
            raise NoRuleError(f"8 bits: there is no rule for the operator {node.op_type} where it stands")

    def _start(self, node: Node) -> None:
        _, scale, zero = (self.graph.constants.get(name) for name in node.input)
        levels = (self.images.astype(np.float32) - np.float32(zero)) * np.float32(scale)
        self.activations[node.output[0]] = _Activation(levels, levels)
        self.writer.start(node, self.graph.constants)

    def _convolve(self, node: Node) -> None:
        constants, source = self.graph.constants, node.input[0]
        given, weights = self.activations[source], constants[node.input[1]]
        exact = _compute(node, constants, {source: given.exact})
        covariance = _covariance(given.rounded, node, weights)
        grouped = weights.reshape(len(covariance), -1, covariance.shape[1]).astype(np.float64)
        levels, scale = round_weights(grouped, covariance, _LARGEST if len(covariance) == 1 else _LARGEST_BY_CHANNEL)
        rounded_weights = (levels * scale).reshape(weights.shape).astype(np.float32)
        without_bias = make_node("Conv", node.input[:2], node.output[0], attributes_of(node))
        rounded = _compute(without_bias, {node.input[1]: rounded_weights}, {source: given.rounded})
        bias = exact.mean((0, 2, 3), np.float64) - rounded.mean((0, 2, 3), np.float64)
        rounded += bias.astype(np.float32)[:, None, None]
        names = self.writer.weights(node, levels.reshape(weights.shape), scale.ravel(), bias)
        self.writer.compute(node, names)
        self._settle(node, _Activation(exact, rounded))

    def _both(self, node: Node) -> _Activation:
        """A node's output for both of what its inputs are."""
        names = [name for name in node.input if name in self.activations]
        constants = self.graph.constants
        return _Activation(
            _compute(node, constants, {name: self.activations[name].exact for name in names}),
            _compute(node, constants, {name: self.activations[name].rounded for name in names}),
        )

    def _settle(self, node: Node, activation: _Activation) -> None:
        """Rounds a node's output, unless it goes to nothing but a ReLU, whose output is then rounded instead."""
        users = self.graph.users(node.output[0])
        if len(users) == 1 and users[0].op_type in CUTS:
            self.activations[node.output[0]] = activation
        else:
            self._round(node.output[0], node.output[0], activation)

    def _round(self, source: str, tensor: str, activation: _Activation) -> None:
        low, high = min(0.0, float(activation.exact.min())), max(0.0, float(activation.exact.max()))
        step, zero = self.writer.round(source, tensor, low, high)
        levels = activation.rounded / step
        np.rint(levels, out=levels)
        np.clip(levels, -np.float32(zero), LEVELS - np.float32(zero), out=levels)
        self.activations[tensor] = _Activation(activation.exact, np.multiply(levels, step, out=levels))

    def _forget(self, rest: Sequence[Node]) -> None:
        """Frees the activations that no node to come takes."""
        needed = {name for node in rest for name in node.input}
        self.activations = {name: values for name, values in self.activations.items() if name in needed}


def _compute(node: Node, constants: Mapping[str, Array], given: Mapping[str, Floats]) -> Floats:
    """One node alone, for all images."""
    own = {name: constants[name] for name in node.input if name in constants}
    graph = Graph([node], own, [float_value(name) for name in given], [float_value(node.output[0])])
    session = cpu_session(graph.to_bytes(), threads=os.cpu_count() or 1)
    count = len(next(iter(given.values())))
    batches = [slice(start, start + _BATCH) for start in range(0, count, _BATCH)]
    return np.concatenate([session.run(None, {name: x[batch] for name, x in given.items()})[0] for batch in batches])


def _covariance(x: Floats, node: Node, weights: Array) -> NDArray[np.float64]:
    """Covariance of what lies under a convolution's kernel, float64 `[G, K, K]`, for inputs `x` `[N, C, H, W]`."""
    generator = torch.Generator().manual_seed(0)
    seen = []
    for start in range(0, len(x), _BATCH):
        patches = _under_kernel(torch.from_numpy(x[start : start + _BATCH]), node, weights)
        chosen = torch.randperm(patches.shape[2], generator=generator)[:_POSITIONS]
        seen.append(patches[:, :, chosen])
    patches = torch.cat(seen, 2).double()
    patches -= patches.mean(2, keepdim=True)
    covariance: NDArray[np.float64] = (patches @ patches.transpose(1, 2) / patches.shape[2]).numpy()
    return covariance


def _under_kernel(x: torch.Tensor, node: Node, weights: Array) -> torch.Tensor:
    """Inputs `[N, C, H, W]` as they lie under the kernel at all P positions, `[G, K, P]`."""
    settings = attributes_of(node)
    top, left, bottom, right = settings.get("pads", [0, 0, 0, 0])
    padded = functional.pad(x, (left, right, top, bottom))
    stride, dilation = settings.get("strides", 1), settings.get("dilations", 1)
    patches = functional.unfold(padded, tuple(weights.shape[2:]), stride=stride, dilation=dilation)
    count, _, positions = patches.shape
    by_group = patches.view(count, settings.get("group", 1), -1, positions)
    return by_group.permute(1, 2, 0, 3).flatten(2)
