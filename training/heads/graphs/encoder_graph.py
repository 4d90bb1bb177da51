"""an encoder ──▶ an ONNX graph that makes the same features of embedding and columns."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from models.bundle.head_spec import HeadSpec
from training.export.graph_builder import GraphBuilder
from training.heads.features.encoding import CategoryCode, Encoder, NumberCode

FEATURES = "columns/features"
_INPUT_TYPES = {
    "number": TensorProto.DOUBLE,
    "boolean": TensorProto.DOUBLE,
    "date": TensorProto.DOUBLE,
    "category": TensorProto.STRING,
}


def encoder_graph(encoder: Encoder, spec: HeadSpec, width: int) -> ModelProto:
    """Builds the graph that makes features, its output `FEATURES`, from `embedding` and columns.

    Args:
        encoder: fitted on training rows.
        spec: the head's entry in the manifest, which names and types the columns.
        width: of the embedding.
    """
    build = GraphBuilder("columns/")
    columns = _encoded(build, encoder)
    if encoder.expansion is not None:
        columns.append(encoder.expansion.add(build, _joined(build, columns)))
    view = [encoder.view.add(build, "embedding")] if encoder.view.width(width) else []
    _joined(build, [*view, *columns], output=FEATURES)
    inputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [None, width])]
    inputs += [helper.make_tensor_value_info(c.name, _INPUT_TYPES[c.type], [None, 1]) for c in spec.columns]
    return build.model(
        inputs, [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, [None, encoder.width(width)])]
    )


def _joined(build: GraphBuilder, parts: list[str], output: str = "", axis: int = 1) -> str:
    """Concatenates parts."""
    if len(parts) > 1:
        return build.node("Concat", *parts, output=output, axis=axis)
    return build.node("Identity", *parts, output=output) if output else parts[0]


def _encoded(build: GraphBuilder, encoder: Encoder) -> list[str]:
    """The encoded columns in the encoder's order; all numbers share nodes, as each node costs about a microsecond."""
    numbers = [code for code in encoder.codes if isinstance(code, NumberCode)]
    categories = [code for code in encoder.codes if isinstance(code, CategoryCode) and code.width]
    parts = [*_numbers(build, numbers), *_categories(build, categories)]
    made = [(code.name, at) for at in (0, 1) for code in numbers if at == 0 or any(each.is_missed for each in numbers)]
    made += [(code.name, at) for code in categories for at in range(code.width)]
    order = [made.index((code.name, at)) for code in encoder.codes for at in range(code.width)]
    if order == list(range(len(made))):
        return parts
    return [build.node("Gather", _joined(build, parts), build.constant(order, np.int64), axis=1)]


def _numbers(build: GraphBuilder, codes: list[NumberCode]) -> list[str]:
    """All numbers scaled, `[N, C]`; and which are missing, `[N, C]`, if one was missing in training."""
    if not codes:
        return []
    fill, low, high, mean, scale = (
        build.constant([getattr(code, name) for code in codes], np.float64)
        for name in ("fill", "low", "high", "mean", "scale")
    )
    given = _joined(build, [code.name for code in codes])
    missing = build.node("IsNaN", given)
    kept = build.node("Min", build.node("Max", build.node("Where", missing, fill, given), low), high)
    exact = build.node("Mul", build.node("Sub", kept, mean), scale)
    parts = [build.node("Cast", exact, to=TensorProto.FLOAT)]
    if any(code.is_missed for code in codes):
        parts.append(build.node("Cast", missing, to=TensorProto.FLOAT))
    return parts


def _categories(build: GraphBuilder, codes: list[CategoryCode]) -> list[str]:
    """All categories one-hot encoded, `[N, C]`."""
    hot = [
        build.node(
            "OneHotEncoder", code.name, domain="ai.onnx.ml", cats_strings=[c.encode() for c in code.categories], zeros=1
        )
        for code in codes
    ]
    return [build.node("Flatten", _joined(build, hot, axis=2), axis=1)] if hot else []
