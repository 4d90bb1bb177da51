"""float graph ──▶ the same function in a form that suits 8 bits: no float image, a wide first convolution, no pooling.

Three changes, each of which keeps the embedding, up to float32 rounding:

- Scaling by mean and deviation goes into the first convolution, which then takes the image's own bytes. They are 8 bits
  already, so there is nothing to round. Beyond the border lies the grey level next to the mean, as the bytes have no
  level between: off by half a level, or more where the channels' means differ.
- The first convolution computes several columns at once, as channels. ONNX Runtime gathers the few bytes of each
  position one position at a time, which takes longer than multiplying them: 0.33 ms for 224x224x3 and 0.11 ms with
  two columns at once (ONNX Runtime 1.31, AMD EPYC with AVX512-VNNI, one thread).
- A 2x2 mean before a 1x1 convolution becomes a 2x2 convolution. ONNX Runtime's 8-bit AveragePool divides sums over
  windows that reach beyond the border by too much where `ceil_mode` is set (1.31: off by up to 0.3 of the largest
  element of the default bundle's embedding), and is slower.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.runtime.sessions import cpu_session
from training.exceptions import ExportError
from training.export.onnx_graph import Array, Graph, Node, attributes_of, float_value, make_node

Floats = NDArray[np.float64]

CUTS = ("Relu", "Clip")
_GATHERED = 4  # pixels of a row that the wide start takes as one: of 1 to 14 the fastest for 28x28x1 and 224x224x3
_PAIR = [2, 2]


def fold(graph: Graph) -> Graph:
    """Makes the three changes, where they apply.

    Args:
        graph: `image` uint8 `[N, H, W, C]` to `embedding` float32 `[N, D]`, as `training.export.network_export` writes
        it.

    Raises:
        ExportError: there is more than a scaling of each channel before the first convolution.
    """
    return _fold_pools(_widen_start(_fold_scaling(graph)))


def _fold_scaling(graph: Graph) -> Graph:
    position = next(index for index, node in enumerate(graph.nodes) if node.op_type == "Conv")
    first = graph.nodes[position]
    slope, offset = _scaling(graph, first.input[0])
    zero = np.clip(np.rint(np.mean(-offset / slope)), 0, 255)
    weights = graph.constants[first.input[1]].astype(np.float64)
    left_over = (weights * (offset + zero * slope)[:, None, None]).sum((1, 2, 3))
    constants = {
        **graph.constants,
        "image.scale": np.array(1, np.float32),
        "image.zero": np.array(zero, np.uint8),
        "start.weight": (weights * slope[:, None, None]).astype(np.float32),
        "start.bias": (_bias(graph, first) + left_over).astype(np.float32),
    }
    start = [
        make_node("DequantizeLinear", ["image", "image.scale", "image.zero"], "levels"),
        make_node("Transpose", ["levels"], "planes", {"perm": [0, 3, 1, 2]}),
        make_node("Conv", ["planes", "start.weight", "start.bias"], first.output[0], attributes_of(first)),
    ]
    return replace(graph, nodes=[*start, *graph.nodes[position + 1 :]], constants=constants)


def _scaling(graph: Graph, tensor: str) -> tuple[Floats, Floats]:
    """Slope and offset from a channel's grey level to the tensor's value, float64 `[C]` each, found by trying."""
    session = cpu_session(replace(graph, outputs=[float_value(tensor)]).to_bytes())
    images = np.random.default_rng(0).integers(0, 256, (3, *graph.shapes()["image"][1:]), dtype=np.uint8)
    images[0], images[1] = 0, 255
    found = session.run([tensor], {"image": images})[0].astype(np.float64).transpose(0, 2, 3, 1)
    offset, slope = found[0, 0, 0], (found[1, 0, 0] - found[0, 0, 0]) / 255
    if found.shape != images.shape or not np.allclose(found, offset + slope * images, atol=1e-4 * np.abs(found).max()):
        raise ExportError("the first convolution takes something else than the image with each channel scaled")
    return slope, offset


def _widen_start(graph: Graph) -> Graph:
    """Lets the first convolution compute as many columns at once as `_GATHERED` pixels of a row hold."""
    levels, _, first, cut, *rest = graph.nodes
    settings = attributes_of(first)
    stride = settings.get("strides", [1, 1])[1]
    width, columns = graph.shapes()["image"][2], graph.shapes()[first.output[0]][3]
    plain = settings.get("group", 1) == 1 and settings.get("dilations", [1, 1]) == [1, 1]
    known = plain and cut.op_type in CUTS and graph.users(first.output[0]) == [cut]
    if not known or _GATHERED // stride < 2 or width % _GATHERED or columns % (_GATHERED // stride):
        return graph
    start, constants = _wide_start(graph, first, cut, stride)
    return replace(graph, nodes=[levels, *start, *rest], constants={**graph.constants, **constants})


def _wide_start(graph: Graph, first: Node, cut: Node, stride: int) -> tuple[list[Node], dict[str, Array]]:
    """Nodes and constants that take the place of the first convolution and its ReLU."""
    _, height, width, channels = graph.shapes()["image"]
    _, outputs, rows, columns = graph.shapes()[first.output[0]]
    settings, at_once = attributes_of(first), _GATHERED // stride
    top, left, bottom, _ = settings.get("pads", [0, 0, 0, 0])
    weights, reach = _widen(graph.constants[first.input[1]], stride, left)
    right = columns // at_once - width // _GATHERED + reach.stop - 1
    wide = {
        "strides": [settings.get("strides", [1, 1])[0], 1],
        "pads": [top, -reach.start, bottom, right],
        "kernel_shape": list(weights.shape[2:]),
    }
    constants = {
        "start.weight": weights,
        "start.bias": np.tile(graph.constants[first.input[2]], at_once),
        "start.gathered": np.array([0, height, width // _GATHERED, _GATHERED * channels]),
        "start.columns": np.array([0, rows, columns, outputs]),
    }
    nodes = [
        make_node("Reshape", ["levels", "start.gathered"], "gathered"),
        make_node("Transpose", ["gathered"], "planes", {"perm": [0, 3, 1, 2]}),
        make_node("Conv", ["planes", "start.weight", "start.bias"], "wide", wide),
        make_node(cut.op_type, ["wide", *cut.input[1:]], "wide.cut"),
        make_node("Transpose", ["wide.cut"], "wide.last", {"perm": [0, 2, 3, 1]}),
        make_node("Reshape", ["wide.last", "start.columns"], "columns"),
        make_node("Transpose", ["columns"], cut.output[0], {"perm": [0, 3, 1, 2]}),
    ]
    return nodes, constants


def _widen(weights: Array, stride: int, left: int) -> tuple[Array, range]:
    """Weights `[O, C, h, w]` for several columns at once, and which neighbours among the gathered pixels they reach."""
    outputs, channels, height, width = weights.shape
    at_once = _GATHERED // stride
    # where the taps of each column lie, in pixels from the first of those that are gathered with it
    taps = stride * np.arange(at_once)[:, None] + np.arange(width) - left
    neighbour, place = np.divmod(taps, _GATHERED)
    reach = range(int(neighbour.min()), int(neighbour.max()) + 1)
    wide = np.zeros((at_once, outputs, _GATHERED, channels, height, len(reach)), weights.dtype)
    for column, tap in np.ndindex(*taps.shape):
        wide[column, :, place[column, tap], :, :, neighbour[column, tap] - reach.start] = weights[..., tap]
    return wide.reshape(at_once * outputs, _GATHERED * channels, height, len(reach)), reach


def _fold_pools(graph: Graph) -> Graph:
    """Makes one convolution of each 2x2 mean and the 1x1 convolution that alone takes it."""
    shapes = graph.shapes()
    folded = {pool.output[0]: pool for pool in graph.nodes if _is_pair_mean(pool) and _is_pointwise(graph, pool)}
    nodes, constants = [], dict(graph.constants)
    for node in graph.nodes:
        if node.output[0] in folded:
            continue
        pool = folded.get(node.input[0])
        if pool is None:
            nodes.append(node)
            continue
        weights = constants[node.input[1]]
        constants[f"{node.name}.pair"] = np.tile(weights / 4, (1, 1, 2, 2))
        even = _pad_to_pairs(nodes, constants, pool, shapes[pool.input[0]])
        inputs = [even, f"{node.name}.pair", *node.input[2:]]
        nodes.append(make_node("Conv", inputs, node.output[0], {"kernel_shape": _PAIR, "strides": _PAIR}))
    return replace(graph, nodes=nodes, constants=constants)


def _is_pair_mean(node: Node) -> bool:
    settings = attributes_of(node)
    return (
        node.op_type == "AveragePool"
        and settings["kernel_shape"] == settings.get("strides") == _PAIR
        and not any(settings.get("pads", []))
    )


def _is_pointwise(graph: Graph, pool: Node) -> bool:
    users = graph.users(pool.output[0])
    settings = attributes_of(users[0])
    plain = (
        settings.get("group", 1) == 1
        and settings.get("strides", [1, 1]) == [1, 1]
        and not any(settings.get("pads", []))
    )
    return len(users) == 1 and users[0].op_type == "Conv" and settings["kernel_shape"] == [1, 1] and plain


def _pad_to_pairs(nodes: list[Node], constants: dict[str, Array], pool: Node, shape: list[int]) -> str:
    """The pool's input with odd sides made even: a last row or column twice has the mean that it has alone."""
    odd = [side % 2 if attributes_of(pool).get("ceil_mode") else 0 for side in shape[2:]]
    if not any(odd):
        return str(pool.input[0])
    even = f"{pool.output[0]}.even"
    constants[f"{even}.pads"] = np.array([0, 0, 0, 0, 0, 0, *odd])
    nodes.append(make_node("Pad", [pool.input[0], f"{even}.pads"], even, {"mode": "edge"}))
    return even


def _bias(graph: Graph, convolution: Node) -> Array:
    return graph.constants[convolution.input[2]] if len(convolution.input) > 2 else np.zeros(1, np.float32)
