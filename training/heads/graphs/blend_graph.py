"""two graphs with the same inputs ──▶ one graph: the weighted sum of their outputs."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import ModelProto, TensorProto, compose, helper

from training.export.graph_builder import GraphBuilder

SUM = "blend/sum"
PREFIXES = ("first/", "second/")


def weighted_sum(models: Sequence[ModelProto], outputs: Sequence[str], shares: Sequence[float]) -> ModelProto:
    """Puts two graphs side by side and adds their outputs, weighted, under the name `SUM`.

    Args:
        models: with the same inputs; all other names get a prefix.
        outputs: the output of each that counts, float32 `[N, K]`.
        shares: the weight of each.
    """
    first, second = (
        compose.add_prefix(model, prefix, rename_inputs=False) for model, prefix in zip(models, PREFIXES, strict=True)
    )
    first.graph.node.extend(second.graph.node)
    first.graph.initializer.extend(second.graph.initializer)
    build = GraphBuilder("blend/")
    parts = [
        build.node("Mul", f"{prefix}{name}", build.constant(share))
        for prefix, name, share in zip(PREFIXES, outputs, shares, strict=True)
    ]
    build.node("Add", *parts, output=SUM)
    first.graph.node.extend(build.nodes)
    first.graph.initializer.extend(build.constants)
    del first.graph.output[:]
    first.graph.output.append(helper.make_tensor_value_info(SUM, TensorProto.FLOAT, [None, None]))
    return first
