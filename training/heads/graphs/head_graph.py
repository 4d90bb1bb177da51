"""a fitted head ──▶ one ONNX graph: the encoder, the estimator as its library exports it, the calibration."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, compose, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import LinearSVC

from models.bundle.head_spec import INTERVAL, HeadSpec
from training.export.graph_builder import OPSETS, GraphBuilder, set_versions
from training.heads.calibration import LEAST, LOGITS, LOGS, AsIs, Calibration, Rescaling, Temperature
from training.heads.estimators.blend import Blend
from training.heads.estimators.boosted import Boosted
from training.heads.fitted_head import FittedHead
from training.heads.graphs.blend_graph import PREFIXES, weighted_sum
from training.heads.graphs.encoder_graph import FEATURES, encoder_graph
from training.heads.graphs.tree_converters import register_converter
from training.heads.intervals import Scale


def head_graph(head: FittedHead, spec: HeadSpec, width: int) -> ModelProto:
    """Builds a head's graph, without comparing it with the head.

    Args:
        head: the fitted head.
        spec: its entry in the manifest, which names and types the columns.
        width: of the embedding.
    """
    head = _fold_temperature(head)
    joined = _to_scores(head, spec, width)
    scores = _scores(joined)
    whole = _calibrated(joined, head, spec)
    if head.scale is not None and isinstance(head.calibration, Rescaling):
        features = f"{PREFIXES[0]}{FEATURES}" if isinstance(head, Blend) else FEATURES
        _append(whole, _interval(head.scale, head.calibration, features, scores))
    return _with_outputs(whole, spec, scores)


def _to_scores(head: FittedHead, spec: HeadSpec, width: int) -> ModelProto:
    """From embedding and columns to scores, the last output."""
    if isinstance(head, Blend):
        parts = [_fold_temperature(part) for part in head.parts]
        models = [_to_scores(part, spec, width) for part in parts]
        if spec.classes:
            models = [_calibrated(model, part, spec) for model, part in zip(models, parts, strict=True)]
        shares = [weight for _, weight in head.weighted]
        return weighted_sum(models, [_scores(model) for model in models], shares)
    model = compose.add_prefix(_model(head, head.encoder.width(width)), "model/")
    return compose.merge_models(encoder_graph(head.encoder, spec, width), model, [(FEATURES, "model/features")])


def _scores(model: ModelProto) -> str:
    """The name of the scores: the last output, after a label if there is one."""
    return str(model.graph.output[-1].name)


def _calibrated(model: ModelProto, head: FittedHead, spec: HeadSpec) -> ModelProto:
    """Appends the calibration, if there is one."""
    scores = _scores(model)
    last = _calibration(head.calibration, spec, scores)
    return model if last is None else compose.merge_models(model, last, [(scores, scores)])


def _fold_temperature(head: FittedHead) -> FittedHead:
    """Divides boosted trees and their margin by the temperature, so that it needs no node."""
    boosted, calibration = head.estimator, head.calibration
    if not isinstance(boosted, Boosted) or not isinstance(calibration, Temperature) or calibration.least != LEAST:
        return head
    return replace(head, estimator=boosted.times(1 / calibration.temperature), calibration=LOGITS)


def _model(head: FittedHead, features: int) -> ModelProto:
    """From `features` to scores, the last output."""
    estimator, build = head.estimator, GraphBuilder("")
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, features])]
    if isinstance(estimator, Boosted):
        scores = estimator.add(build, "features")
        return build.model(inputs, [helper.make_tensor_value_info(scores, TensorProto.FLOAT, [None, None])])
    if head.scaling is None:
        return _estimator(head, features)
    head.scaling.add(build, "features", "scaled")
    scaled = build.model(inputs, [helper.make_tensor_value_info("scaled", TensorProto.FLOAT, [None, features])])
    model = compose.add_prefix(_estimator(head, features), "on/")
    return compose.merge_models(scaled, model, [("scaled", "on/features")])


def _estimator(head: FittedHead, features: int) -> ModelProto:
    """The estimator's own graph, `features` to `label` and `probabilities`."""
    estimator = head.estimator
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    options: dict[str, bool | str] = {}
    if head.task == "classification":
        options = {} if isinstance(last, LinearSVC) else {"zipmap": False}  # its scores are an array anyway
        options |= {} if head.kind.has_probabilities else {"raw_scores": True}
    if isinstance(last, KNeighborsClassifier | KNeighborsRegressor):
        options["optim"] = "cdist"  # without it each distance is a step of a loop
    register_converter(last, is_classifier=head.task == "classification")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # skl2onnx 1.20 passes NumPy's booleans as integers,
        warnings.simplefilter("ignore", FutureWarning)  # and reads attributes that scikit-learn 1.11 drops
        model: ModelProto = to_onnx(
            estimator,
            initial_types=[("features", FloatTensorType([None, features]))],
            options={id(last): options},
            target_opset=OPSETS,
        )
    set_versions(model)
    return model


def _calibration(calibration: Calibration, spec: HeadSpec, source: str) -> ModelProto | None:
    """From `source`, float32 `[N, K]`, to the head's output; None if nothing is to be done."""
    build = GraphBuilder("calibration/")
    if isinstance(calibration, AsIs):
        return None
    if isinstance(calibration, Rescaling):
        _rescaled(build, calibration, source, spec.output)
    if isinstance(calibration, Temperature):
        logits = source
        if calibration.of_probabilities:
            logits = build.node("Log", build.node("Max", source, build.constant(calibration.least)))
        elif calibration.least != LEAST:
            logs = build.node("LogSoftmax", source, axis=1)
            logits = build.node("Max", logs, build.constant(np.log(calibration.least)))
        if calibration.temperature != 1:
            logits = build.node("Mul", logits, build.constant(1 / calibration.temperature))
        build.node("Softmax", logits, output="probabilities", axis=1)
    inputs = [helper.make_tensor_value_info(source, TensorProto.FLOAT, [None, spec.width])]
    return build.model(inputs, [helper.make_tensor_value_info(spec.output, TensorProto.FLOAT, [None, spec.width])])


def _interval(scale: Scale, rescaling: Rescaling, features: str, scores: str) -> GraphBuilder:
    """From `features` and `scores` to the lower and upper bound, in the numbers' own unit."""
    build = GraphBuilder("interval/")
    _rescaled(build, rescaling, scale.add_bounds(build, features, scores), INTERVAL)
    return build


def _append(model: ModelProto, build: GraphBuilder) -> None:
    model.graph.node.extend(build.nodes)
    model.graph.initializer.extend(build.constants)


def _rescaled(build: GraphBuilder, rescaling: Rescaling, source: str, output: str) -> None:
    stretched = build.node("Mul", source, build.constant(rescaling.deviation))
    if not rescaling.is_log:
        build.node("Add", stretched, build.constant(rescaling.mean), output=output)
        return
    logs = build.node("Add", stretched, build.constant(rescaling.mean))
    build.node("Exp", build.node("Clip", logs, *(build.constant(end) for end in LOGS)), output=output)


def _with_outputs(model: ModelProto, spec: HeadSpec, scores: str) -> ModelProto:
    """The model with exactly the outputs of a head."""
    del model.graph.output[:]
    nodes = model.graph.node
    if not any(spec.output in node.output for node in nodes):
        nodes.append(helper.make_node("Identity", [scores], [spec.output], name=spec.output))
    if spec.classes:
        nodes.append(helper.make_node("ArgMax", [spec.output], ["label"], name="label", axis=1, keepdims=0))
        model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, [None]))
    model.graph.output.append(helper.make_tensor_value_info(spec.output, TensorProto.FLOAT, [None, spec.width]))
    if spec.interval_coverage is not None:
        model.graph.output.append(helper.make_tensor_value_info(INTERVAL, TensorProto.FLOAT, [None, 2]))
    del model.graph.value_info[:]  # of a linear classifier of two classes skl2onnx and ONNX infer another width
    onnx.checker.check_model(model)
    return model
