"""`models.runtime.head_sessions`: heads give what their graphs compute, or are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.columns import Column, ColumnValue
from models.errors import BundleError
from models.imaging.decode import decode
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedder, cpu_session
from tests.tiny_bundle import CLASSES, GREYS, column_head_graph, solid_image, tiny_bundle


@pytest.fixture(scope="module")
def bundle(tiny_columns_path: Path) -> Bundle:
    return Bundle.open(tiny_columns_path)


@pytest.fixture(scope="module")
def embedder(bundle: Bundle) -> Embedder:
    return Embedder.checked(cpu_session(bundle.embedder("fp32")), bundle.manifest)


@pytest.fixture(scope="module")
def shade(bundle: Bundle) -> Head:
    spec = bundle.manifest.heads[0]
    return Head.checked(cpu_session(bundle.head(spec)), spec, 4)


@pytest.fixture(scope="module")
def priced(bundle: Bundle) -> Head:
    spec = bundle.manifest.heads[1]
    return Head.checked(cpu_session(bundle.head(spec)), spec, 4)


@pytest.fixture(scope="module")
def greys(bundle: Bundle) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """One image of each class, `[3, 8, 8, 1]`."""
    return np.stack([decode(solid_image(grey), bundle.manifest.input) for grey in GREYS.values()])


def test_a_head_gives_each_class_its_probability(embedder: Embedder, shade: Head, greys: np.ndarray) -> None:
    probabilities = shade(embedder(greys))
    assert probabilities.dtype == np.float32
    assert [CLASSES[best] for best in probabilities.argmax(axis=1)] == list(GREYS)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_a_batch_gives_what_its_images_give_alone(embedder: Embedder, shade: Head, greys: np.ndarray) -> None:
    alone = np.concatenate([shade(embedder(image[None])) for image in greys])
    np.testing.assert_allclose(shade(embedder(greys)), alone, atol=1e-6)


@pytest.mark.parametrize(
    ("columns", "label"),
    [
        pytest.param({"shift": 0.0, "force": None, "invert": None}, "dark", id="missing columns change nothing"),
        pytest.param({"shift": 0.4, "force": None, "invert": None}, "mid", id="a number"),
        pytest.param({"shift": 0.0, "force": None, "invert": True}, "bright", id="a boolean that is true"),
        pytest.param({"shift": 0.0, "force": None, "invert": False}, "dark", id="a boolean that is false"),
        pytest.param({"shift": 0.0, "force": "bright", "invert": None}, "bright", id="a category"),
        pytest.param({"shift": 0.0, "force": "unheard of", "invert": None}, "dark", id="an unknown category"),
        pytest.param({"shift": 0.0, "force": "bri\0ght", "invert": None}, "dark", id="a category with a zero in it"),
    ],
)
def test_columns_reach_the_head(
    embedder: Embedder, priced: Head, columns: dict[str, ColumnValue], label: str, bundle: Bundle
) -> None:
    pixels = decode(solid_image(GREYS["dark"]), bundle.manifest.input)
    assert CLASSES[int(priced(embedder(pixels[None]), [columns]).argmax())] == label


def test_each_row_gets_its_own_columns(embedder: Embedder, priced: Head, greys: np.ndarray) -> None:
    columns: list[dict[str, ColumnValue]] = [
        {"shift": 0.0, "force": force, "invert": None} for force in ("bright", None, "dark")
    ]
    assert priced(embedder(greys), columns).argmax(axis=1).tolist() == [2, 1, 0]


def test_a_number_comes_with_its_bounds(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, regressions=["light"]))
    spec = bundle.manifest.heads[1]
    head = Head.checked(cpu_session(bundle.head(spec)), spec, 4)
    values, bounds = head.answer(np.array([[0.5, 0, 0, 0], [0.25, 0, 0, 0]], np.float32))
    np.testing.assert_array_equal(values, [[0.5], [0.25]])
    np.testing.assert_array_equal(np.asarray(bounds), [[0.25, 1.0], [0.125, 0.5]])
    without = Head(head.session, spec.model_copy(update={"interval_coverage": None}))
    assert without.answer(np.zeros((1, 4), np.float32))[1] is None


def test_classes_have_no_bounds(shade: Head) -> None:
    assert shade.answer(np.zeros((1, 4), np.float32))[1] is None


def test_a_head_without_the_bounds_that_the_manifest_promises_is_refused(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, regressions=["light"]))
    spec = bundle.manifest.heads[1]
    model = onnx.ModelProto.FromString(bundle.head(spec))
    del model.graph.output[1]
    with pytest.raises(BundleError, match=r"^head-light\.onnx: .*, without a float tensor interval; train it again"):
        Head.checked(cpu_session(model.SerializeToString()), spec, 4)


@pytest.mark.parametrize(
    ("columns", "width"),
    [
        pytest.param((), 5, id="another embedding width"),
        pytest.param((Column(name="shift", type="number"),), 4, id="a column that the graph does not take"),
    ],
)
def test_a_head_other_than_the_manifest_says_is_refused(
    bundle: Bundle, columns: tuple[Column, ...], width: int
) -> None:
    spec = HeadSpec(name="shade", kind="test", classes=CLASSES, columns=columns)
    with pytest.raises(BundleError, match=r"^head-shade\.onnx: the graph has .*, the manifest says"):
        Head.checked(cpu_session(bundle.head(spec)), spec, width)


def test_a_head_with_a_column_of_another_type_is_refused(bundle: Bundle) -> None:
    spec = bundle.manifest.heads[1]
    columns = tuple(column.model_copy(update={"type": "category"}) for column in spec.columns)
    with pytest.raises(BundleError, match=r"^head-priced\.onnx: the graph has"):
        Head.checked(cpu_session(bundle.head(spec)), spec.model_copy(update={"columns": columns}), 4)


def test_a_head_from_before_numbers_were_doubles_answers_as_it_did(bundle: Bundle, priced: Head) -> None:
    spec, graph = bundle.manifest.heads[1], column_head_graph(bundle.manifest.heads[1], TensorProto.FLOAT)
    old = Head.checked(cpu_session(graph), spec, 4)
    embedding = np.full((3, 4), 0.2, np.float32)
    rows: list[dict[str, ColumnValue]] = [
        {"shift": shift, "force": None, "invert": invert}
        for shift, invert in ((0.3, None), (-1e300, True), (0.5, False))
    ]
    np.testing.assert_allclose(old(embedding, rows), priced(embedding, rows), atol=1e-6)


def test_a_date_is_too_large_for_an_input_of_float32() -> None:
    columns = (Column(name="made", type="date"),)
    spec = HeadSpec(name="aged", kind="test", classes=CLASSES, columns=columns)
    with pytest.raises(BundleError, match=r"^head-aged\.onnx: the graph has .*tensor\(float\).*tensor\(double\)"):
        Head.checked(cpu_session(column_head_graph(spec, TensorProto.FLOAT)), spec, 4)
    assert Head.checked(cpu_session(column_head_graph(spec)), spec, 4).spec == spec


@pytest.mark.parametrize("name", ["label", "probabilities"])
def test_a_head_without_one_of_its_outputs_is_refused(bundle: Bundle, name: str) -> None:
    spec = bundle.manifest.heads[1]
    model = onnx.ModelProto.FromString(bundle.head(spec))
    output = next(output for output in model.graph.output if output.name == name)
    model.graph.output.remove(output)
    with pytest.raises(BundleError, match=r"^head-priced\.onnx: the outputs are .*, not label and"):
        Head.checked(cpu_session(model.SerializeToString()), spec, 4)


def test_a_head_whose_probabilities_are_no_float_tensor_is_refused(bundle: Bundle) -> None:
    spec = bundle.manifest.heads[1]
    model = onnx.ModelProto.FromString(bundle.head(spec))
    for output in model.graph.output:  # what was the label, of integers, is now called probabilities
        output.name = {"label": "probabilities", "probabilities": "label"}[output.name]
    for node in model.graph.node:
        swap = {"label": "probabilities", "probabilities": "label"}
        node.output[:] = [swap.get(name, name) for name in node.output]
        node.input[:] = [swap.get(name, name) for name in node.input]
    assert {output.type.tensor_type.elem_type for output in model.graph.output} == {TensorProto.INT64, 1}
    with pytest.raises(BundleError, match="not label and a float tensor probabilities"):
        Head.checked(cpu_session(model.SerializeToString()), spec, 4)
