"""`training.quantization.graph_folding`: the same function in a form that suits 8 bits."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from models.runtime.sessions import Embedder, cpu_session
from training.exceptions import ExportError
from training.export.network_export import export_embedder
from training.export.onnx_graph import Graph, attributes_of, make_node
from training.network.network import EmbeddingNetwork
from training.network.presets import Hyperparameters
from training.quantization.graph_folding import fold

RECIPE = Hyperparameters(epochs=1, stem_width=8, widths=(8, 12, 16), depths=(1, 1, 1), embedding_width=8)


@cache
def exported(size: int, channels: int, *, mean: tuple[float, ...], std: float = 60.0) -> bytes:
    torch.manual_seed(size)
    network = EmbeddingNetwork(RECIPE, channels=channels, image_size=size, classes=3).eval()
    network.mean.copy_(torch.tensor(mean))
    network.std.fill_(std)
    return export_embedder(network, network.classifier, images(size, channels))


def images(size: int, channels: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (6, size, size, channels), dtype=np.uint8)


def difference(graph: bytes, size: int, channels: int) -> float:
    """Largest difference that folding makes, as a share of the largest element."""
    folded = fold(Graph.parse(graph)).to_bytes()
    found, expected = (Embedder(cpu_session(g))(images(size, channels)) for g in (folded, graph))
    return float(np.abs(found - expected).max() / expected.max())


@pytest.mark.parametrize(
    ("size", "channels"),
    [
        pytest.param(28, 1, id="28x28 grey: four columns at once, a pool of 7x7"),
        pytest.param(12, 3, id="12x12 colour: four columns at once"),
        pytest.param(48, 3, id="48x48 colour: two columns at once, as its first convolution halves"),
        pytest.param(30, 3, id="30x30 colour: no columns at once, as 30 is no multiple of 4"),
        pytest.param(
            50, 1, id="50x50 grey: a first convolution that halves, and no columns at once", marks=pytest.mark.slow
        ),
    ],
)
def test_the_embedding_stays_as_it_was(size: int, channels: int) -> None:
    assert difference(exported(size, channels, mean=(90.0,) * channels), size, channels) <= 1e-5


def test_a_mean_between_two_levels_is_off_at_the_border_only_by_half_a_level() -> None:
    assert difference(exported(28, 1, mean=(90.5,)), 28, 1) <= 0.01


def test_means_that_differ_by_channel_are_folded_nearly() -> None:
    assert difference(exported(28, 3, mean=(124.0, 116.0, 104.0)), 28, 3) <= 0.1


def test_what_8_bits_do_badly_is_gone() -> None:
    graph = fold(Graph.parse(exported(28, 1, mean=(90.0,))))
    operators = [node.op_type for node in graph.nodes]
    assert operators[0] == "DequantizeLinear"
    assert not {"AveragePool", "Sub", "Div", "Cast"} & set(operators)
    first = next(node for node in graph.nodes if node.op_type == "Conv")
    assert graph.constants[first.input[1]].shape == (4 * 8, 4, 3, 3)
    assert attributes_of(first)["strides"] == [1, 1]


def test_a_pool_that_others_take_too_stays() -> None:
    graph = Graph.parse(exported(28, 1, mean=(90.0,)))
    pool = next(node for node in graph.nodes if node.op_type == "AveragePool")
    graph.nodes.append(make_node("Relu", [pool.output[0]], "second"))
    assert "AveragePool" in [node.op_type for node in fold(graph).nodes]


def test_more_than_a_scaling_before_the_first_convolution_is_refused() -> None:
    graph = Graph.parse(exported(12, 1, mean=(90.0,)))
    first = next(node for node in graph.nodes if node.op_type == "Conv")
    squared = make_node("Mul", [first.input[0], first.input[0]], "squared")
    position = graph.nodes.index(first)
    first.input[0] = "squared"
    with pytest.raises(ExportError, match="something else than the image with each channel scaled"):
        fold(replace(graph, nodes=[*graph.nodes[:position], squared, *graph.nodes[position:]]))
