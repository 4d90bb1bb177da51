"""graphs of the same inputs ──▶ one graph: the weighted sum of what they give."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import ModelProto, TensorProto, compose, helper

from training.export.graph_builder import GraphBuilder

SUM = "blend/sum"
PREFIXES = ("first/", "second/")


def weighted_sum(models: Sequence[ModelProto], outputs: Sequence[str], shares: Sequence[float]) -> ModelProto:
    """Puts two graphs side by side and adds what they give under the name `SUM`.

    Args:
        models: of the same inputs; their other names get a prefix each.
        outputs: which output counts of each, float32 `[N, K]`.
        shares: what each is multiplied by.
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
