"""A real bundle in miniature, made in a moment: what the model says of a plain grey image is obvious.

The embedding is four numbers made of the image's mean brightness `b` in [0, 1]. With classes `dark`, `mid` and
`bright`, `b` below 1/3 is dark and above 2/3 is bright; other class names divide [0, 1] likewise, in order.

A head without columns is a gradient boosting exported by skl2onnx, as training makes them. A head with columns is
put together by hand: each number column is added to `b`, of a date a thousandth for each day since 1970, each boolean
that is true turns `b` into `1 - b`, and a category that names a class makes that class the answer. A missing column
changes nothing.
"""

from __future__ import annotations

import functools
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from models.bundle.head_spec import INTERVAL, HeadSpec
from models.bundle.input_spec import InputSpec
from models.bundle.loading import GOLDEN, REPORT, WEIGHT, golden_embedding
from models.bundle.manifest import EMBEDDER_FILES, SEQUENCE, GoldenSpec, Manifest, Precision
from models.bundle.store import Store
from models.columns import Column, ColumnValue
from models.imaging.decode import decode
from models.policy import Policy
from models.pooling import PoolKind, pool_alone, pooled_width
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedder, Embedding, cpu_session
from training.export.example_selection import make_examples

CLASSES = ("dark", "mid", "bright")
GREYS = {"dark": 30, "mid": 128, "bright": 225}
"""A grey level for each of `CLASSES`, in the middle of what the class covers."""

COLUMNS = (
    Column(name="shift", type="number"),
    Column(name="force", type="category", required=False),
    Column(name="invert", type="boolean", required=False),
)
"""A required number, an optional category and an optional boolean."""

EMBEDDING_WIDTH = 4
EXPLAIN_ROWS = 16
_IR_VERSION = 9
_OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
_GOLDEN_GREYS = (10, 60, 100, 150, 200, 250)


def solid_image(grey: int, *, size: tuple[int, int] = (8, 8), mode: str = "L", format_: str = "PNG") -> bytes:
    """An encoded image of one grey level; `size` is (width, height), `format_` as Pillow names it."""
    body = io.BytesIO()
    Image.new("L", size, grey).convert(mode).save(body, format_)
    return body.getvalue()


def tiny_bundle(
    store: Path,
    *,
    name: str = "tiny",
    version: int = 1,
    size: int = 8,
    channels: int = 1,
    classes: tuple[str, ...] = CLASSES,
    heads: Mapping[str, tuple[Column, ...]] | None = None,
    precisions: tuple[Precision, ...] = ("fp32",),
    min_confidence: float = 0.0,
    policy: Policy | None = None,
    explained: bool = False,
    regressions: Sequence[str] = (),
    pooling: tuple[PoolKind, ...] = (),
) -> Path:
    """Writes a bundle into the store at `store` and returns its directory; the first of a name is champion.

    Args:
        store: the store's root, for example `tmp_path`.
        name: the model's name.
        version: its version, which must be new.
        size: height and width of the embedder's input.
        channels: 1 or 3.
        classes: class names from dark to bright.
        heads: columns of each head by the head's name; by default one head, `shade`, without columns.
        precisions: embedders to write; all hold the same float32 graph.
        min_confidence: of every head's policy.
        policy: every head's; images brighter than its `max_distance` are unfamiliar.
        explained: whether the heads have examples: a dark, a medium and a bright image, with thumbnails.
        regressions: names of further heads, which name the brightness `b` as a number, between `b / 2` and `2 * b`.
        pooling: of several images of one instance, `mean` first: then `b` is their mean brightness.
    """
    specs = tuple(
        HeadSpec(
            name=head,
            kind="by_hand" if columns else "hist_gradient_boosting",
            classes=classes,
            columns=columns,
            policy=policy or Policy(min_confidence=min_confidence),
            explain_rows=EXPLAIN_ROWS if explained else 0,
            metrics={"accuracy": 1.0},
        )
        for head, columns in (heads or {"shade": ()}).items()
    )
    specs += tuple(
        HeadSpec(
            name=head,
            kind="by_hand",
            task="regression",
            policy=policy or Policy(),
            interval_coverage=0.9,
            explain_rows=EXPLAIN_ROWS if explained else 0,
        )
        for head in regressions
    )
    manifest = Manifest(
        name=name,
        version=version,
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        input=InputSpec(height=size, width=size, channels=3 if channels == 3 else 1),
        embedding_width=EMBEDDING_WIDTH,
        pooling=pooling,
        precisions=precisions,
        heads=specs,
        golden=GoldenSpec(
            count=len(_GOLDEN_GREYS),
            embedding_tolerance=dict.fromkeys(precisions, 1e-4),
            probability_tolerance=1e-5,
        ),
        data_fingerprint="0" * 64,
        training={"seed": 0},
        libraries={"onnx": onnx.__version__},
        files={},
    )
    return Store(store).add(manifest, tiny_files(manifest))


def tiny_files(manifest: Manifest) -> dict[str, bytes]:
    """Every file of the bundle but the manifest, golden results included."""
    embedder = embedder_graph(manifest.input.height, manifest.input.channels)
    images = _golden_images()
    embedding = Embedder(cpu_session(embedder))(np.stack([decode(data, manifest.input) for data in images.values()]))
    files = {
        **dict.fromkeys((EMBEDDER_FILES[precision] for precision in manifest.precisions), embedder),
        **images,
        **{f"{GOLDEN}/{golden_embedding(precision)}.npy": npy(embedding) for precision in manifest.precisions},
        REPORT: b"<!doctype html><title>tiny</title>\n",
    }
    rows = [_golden_row(manifest.heads, index) for index in range(len(images))]
    if "attention" in manifest.pooling:
        files[SEQUENCE] = weights_graph()
        files[f"{GOLDEN}/{WEIGHT}.npy"] = npy(embedding[:, 0])
    embedding = pool_alone(embedding, manifest.pooling)
    if any(head.columns for head in manifest.heads):
        files[f"{GOLDEN}/columns.json"] = json.dumps(rows).encode()
    for spec in manifest.heads:
        files |= _head_files(spec, manifest.pooling)
        columns = [spec.stored.check_columns(row) for row in rows]
        output, bounds = Head(cpu_session(files[spec.file]), spec).answer(embedding, columns)
        files[f"{GOLDEN}/{spec.output}-{spec.name}.npy"] = npy(output)
        if bounds is not None:
            files[f"{GOLDEN}/{INTERVAL}-{spec.name}.npy"] = npy(bounds)
        if spec.outlier_file:
            files[f"{GOLDEN}/distance-{spec.name}.npy"] = npy(embedding[:, 0])
    return files


def _head_files(spec: HeadSpec, pooling: tuple[PoolKind, ...]) -> dict[str, bytes]:
    width = pooled_width(EMBEDDING_WIDTH, pooling)
    if spec.task == "regression":
        files = {spec.file: _bounded_graph(width)}
    elif spec.columns:
        files = {spec.file: column_head_graph(spec, width=width)}
    else:
        files = {spec.file: head_graph(len(spec.classes), pooling)}
    if spec.outlier_file:
        files[spec.outlier_file] = _distance_graph(width)
    if spec.examples_folder:
        greys = np.array(list(GREYS.values()))
        embedding = pool_alone(_embedding((greys / 255).astype(np.float32)), pooling)
        answers = np.arange(3) if spec.classes else embedding[:, 0]
        pictures = [solid_image(int(grey)) for grey in greys]
        files |= make_examples(embedding, answers, embedding[1], pictures).to_files(spec.examples_folder)
    return files


def weights_graph() -> bytes:
    """embedding ──▶ its first number, the brightness, as the logarithm of the `weight` float32 `[P]`."""
    nodes = [helper.make_node("Gather", ["embedding", "first"], ["weight"], axis=1)]
    inputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["P", EMBEDDING_WIDTH])]
    outputs = [helper.make_tensor_value_info("weight", TensorProto.FLOAT, ["P"])]
    return _model(nodes, inputs, outputs, {"first": np.array(0)})


def _distance_graph(width: int) -> bytes:
    """embedding ──▶ its first number, the brightness, as `distance` float32 `[N]`."""
    nodes = [helper.make_node("Gather", ["embedding", "first"], ["distance"], axis=1)]
    inputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", width])]
    outputs = [helper.make_tensor_value_info("distance", TensorProto.FLOAT, ["N"])]
    return _model(nodes, inputs, outputs, {"first": np.array(0)})


def _bounded_graph(width: int) -> bytes:
    """embedding ──▶ the brightness as `value` float32 `[N, 1]`, and `interval` float32 `[N, 2]`: half and twice it."""
    nodes = [
        helper.make_node("Gather", ["embedding", "first"], ["value"], axis=1),
        helper.make_node("Mul", ["value", "half_and_twice"], [INTERVAL]),
    ]
    inputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", width])]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
        for name, width in (("value", 1), (INTERVAL, 2))
    ]
    constants = {"first": np.array([0]), "half_and_twice": np.array([[0.5, 2.0]], np.float32)}
    return _model(nodes, inputs, outputs, constants)


def npy(array: NDArray[np.generic]) -> bytes:
    """The array as the bytes of an `.npy` file."""
    body = io.BytesIO()
    np.save(body, array, allow_pickle=False)
    return body.getvalue()


def embedder_graph(size: int, channels: int) -> bytes:
    """image uint8 `[N, size, size, channels]` ──▶ embedding float32 `[N, 4]`."""
    weights = np.array([1.0, -1.0, 2.0, 0.5], np.float32).reshape(EMBEDDING_WIDTH, 1, 1, 1) / (255 * channels)
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights", "bias"], ["features"]),
        helper.make_node("GlobalAveragePool", ["features"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
    ]
    constants = {
        "weights": np.tile(weights, (1, channels, 1, 1)).astype(np.float32),
        "bias": np.array([0.0, 1.0, -1.0, 0.0], np.float32),
    }
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", size, size, channels])]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", EMBEDDING_WIDTH])]
    return _model(nodes, inputs, outputs, constants)


@functools.cache
def head_graph(classes: int, pooling: tuple[PoolKind, ...] = ()) -> bytes:
    """embedding ──▶ label and probabilities float32 `[N, classes]`: a gradient boosting through skl2onnx."""
    from skl2onnx import to_onnx  # noqa: PLC0415 - here, as it takes a second
    from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    brightness = np.linspace(0, 1, 60 * classes, dtype=np.float32)
    embedding = pool_alone(_embedding(brightness), pooling)
    labels = np.minimum((brightness * classes).astype(int), classes - 1)
    model = HistGradientBoostingClassifier(max_iter=12, learning_rate=0.5, max_leaf_nodes=4, early_stopping=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own deprecations
        graph = to_onnx(
            model.fit(embedding, labels),
            initial_types=[("embedding", FloatTensorType([None, embedding.shape[1]]))],
            options={"zipmap": False},
            target_opset={"": 17, "ai.onnx.ml": 3},
        )
    return bytes(graph.SerializeToString())


def column_head_graph(spec: HeadSpec, number: int = TensorProto.DOUBLE, *, width: int = EMBEDDING_WIDTH) -> bytes:
    """embedding and columns ──▶ label and probabilities: a head put together by hand, see the module's docstring.

    `number` is the type of the inputs that are no texts: FLOAT in bundles from before there were dates.
    """
    types = {"number": number, "boolean": number, "date": number, "category": TensorProto.STRING}
    inputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", width])]
    inputs += [helper.make_tensor_value_info(column.name, types[column.type], ["N", 1]) for column in spec.columns]
    count, kind = len(spec.classes), helper.tensor_dtype_to_np_dtype(number)
    constants: dict[str, NDArray[np.generic]] = {
        "column_0": np.array([0], np.int64),
        "zero": np.array(0, np.float32),
        "nothing": np.array(0, kind),
        "least": np.array(-1e6, kind),
        "most": np.array(1e6, kind),
        "a_thousandth": np.array(0.001, np.float32),
        "one": np.array(1, np.float32),
        "centres": ((np.arange(count, dtype=np.float32) + 0.5) / count).reshape(1, count),
        "sharpness": np.array(-20.0 * count, np.float32),
        "weight_of_force": np.array(100, np.float32),
        "indices": np.arange(count, dtype=np.int64).reshape(1, count),
    }
    nodes = [helper.make_node("Gather", ["embedding", "column_0"], ["brightness_0"], axis=1)]
    brightness, forced = "brightness_0", ""
    for step, column in enumerate(spec.columns):
        if column.type == "category":
            forced = _force(nodes, column.name, spec.classes)
            continue
        known, after = f"known_{step}", f"brightness_{step + 1}"
        nodes += [
            helper.make_node("IsNaN", [column.name], [f"missing_{step}"]),
            helper.make_node("Where", [f"missing_{step}", "nothing", column.name], [f"filled_{step}"]),
            helper.make_node("Clip", [f"filled_{step}", "least", "most"], [f"kept_{step}"]),
            helper.make_node("Cast", [f"kept_{step}"], [known], to=TensorProto.FLOAT),
        ]
        if column.type == "date":
            nodes += [
                helper.make_node("Mul", [known, "a_thousandth"], [f"part_{step}"]),
                helper.make_node("Add", [brightness, f"part_{step}"], [after]),
            ]
        elif column.type == "number":
            nodes.append(helper.make_node("Add", [brightness, known], [after]))
        else:
            nodes += [
                helper.make_node("Sub", ["one", brightness], [f"turned_{step}"]),
                helper.make_node("Cast", [known], [f"is_{step}"], to=TensorProto.BOOL),
                helper.make_node("Where", [f"is_{step}", f"turned_{step}", brightness], [after]),
            ]
        brightness = after
    nodes += [
        helper.make_node("Sub", [brightness, "centres"], ["distance"]),
        helper.make_node("Mul", ["distance", "distance"], ["squared"]),
        helper.make_node("Mul", ["squared", "sharpness"], ["near"]),
        helper.make_node("Add", ["near", forced or "zero"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", count]),
    ]
    return _model(nodes, inputs, outputs, constants)


def _force(nodes: list[onnx.NodeProto], column: str, classes: Sequence[str]) -> str:
    nodes += [
        helper.make_node(
            "LabelEncoder",
            [column],
            ["forced_index"],
            domain="ai.onnx.ml",
            keys_strings=list(classes),
            values_int64s=list(range(len(classes))),
            default_int64=-1,
        ),
        helper.make_node("Equal", ["forced_index", "indices"], ["is_forced"]),
        helper.make_node("Cast", ["is_forced"], ["forced_one"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["forced_one", "weight_of_force"], ["forced_score"]),
    ]
    return "forced_score"


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: Mapping[str, NDArray[np.generic]],
) -> bytes:
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())


def _embedding(brightness: NDArray[np.float32]) -> Embedding:
    b = brightness
    return np.stack([b, 1 - b, 2 * b - 1, b / 2], axis=1).astype(np.float32)


def _golden_images() -> dict[str, bytes]:
    """One image of each type, and sizes that need resizing; sorted by name, as a bundle reads them."""
    files = {}
    for index, grey in enumerate(_GOLDEN_GREYS):
        format_ = ("PNG", "JPEG", "WEBP")[index % 3]
        suffix = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}[format_]
        files[f"{GOLDEN}/{index:02}.{suffix}"] = solid_image(grey, size=(8 + index, 8), mode="RGB", format_=format_)
    return files


def _golden_row(heads: Sequence[HeadSpec], index: int) -> dict[str, ColumnValue]:
    """Columns of every head for one golden image, with optional ones missing now and then."""
    row: dict[str, ColumnValue] = {}
    for column in (column for head in heads for column in head.columns):
        values: dict[str, ColumnValue] = {
            "number": index / 10,
            "boolean": index % 2 == 0,
            "category": "mid",
            "date": index * 50.0,
        }
        row[column.name] = values[column.type] if column.required or index % 3 else None
    return row
