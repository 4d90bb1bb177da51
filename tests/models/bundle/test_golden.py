"""`models.bundle.golden`: a bundle serves only where it computes what was recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.bundle.golden import check_golden, verify
from models.bundle.loading import Bundle
from models.bundle.manifest import GoldenSpec
from models.errors import BundleError
from models.imaging.decode import decode
from models.runtime.head_set import HeadSet
from models.runtime.sessions import Embedder, Embedding, cpu_session
from tests.models import encoded
from tests.tiny_bundle import embedder_graph, npy, tiny_bundle


@pytest.fixture
def bundle(tiny_columns_path: Path) -> Bundle:
    return Bundle.open(tiny_columns_path)


def with_files(bundle: Bundle, **files: bytes) -> Bundle:
    """The bundle with other bytes for some files."""
    return replace(bundle, files={**bundle.files, **files})


def scaled_embedder(bundle: Bundle, factor: float) -> bytes:
    model = onnx.ModelProto.FromString(bundle.embedder("fp32"))
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    weights.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(weights) * factor).astype(np.float32), "weights"))
    return bytes(model.SerializeToString())


def test_a_sound_bundle_passes(bundle: Bundle) -> None:
    verify(bundle)


def test_a_colour_bundle_of_every_precision_passes(tmp_path: Path) -> None:
    verify(Bundle.open(tiny_bundle(tmp_path, channels=3, size=12, precisions=("fp32", "fp16", "int8"))))


def test_an_embedder_that_computes_something_else_is_refused(bundle: Bundle) -> None:
    changed = with_files(bundle, **{"embedder.onnx": scaled_embedder(bundle, 1.001)})
    with pytest.raises(
        BundleError, match=r"^embedder\.onnx: golden results differ by 0\.0\d+, the tolerance is 0\.0001"
    ):
        verify(changed)


def test_a_difference_within_the_tolerance_passes(bundle: Bundle) -> None:
    verify(with_files(bundle, **{"embedder.onnx": scaled_embedder(bundle, 1.00001)}))


def test_every_precision_is_checked(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, precisions=("fp32", "int8")))
    changed = with_files(bundle, **{"embedder.int8.onnx": scaled_embedder(bundle, 1.001)})
    with pytest.raises(BundleError, match=r"^embedder\.int8\.onnx: golden results differ"):
        verify(changed)


def test_each_precision_is_compared_with_its_own_results(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, precisions=("fp32", "int8")))
    graph = scaled_embedder(bundle, 1.1)
    pixels = np.stack([decode(data, bundle.manifest.input) for data in bundle.golden_images()])
    results = npy(Embedder(cpu_session(graph))(pixels))
    verify(with_files(bundle, **{"embedder.int8.onnx": graph, "golden/embedding.int8.npy": results}))
    with pytest.raises(BundleError, match=r"^embedder\.int8\.onnx: golden results differ"):
        verify(with_files(bundle, **{"embedder.int8.onnx": graph}))


def test_a_precision_without_results_of_its_own_is_refused(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, precisions=("fp32", "int8")))
    files = {name: data for name, data in bundle.files.items() if name != "golden/embedding.int8.npy"}
    with pytest.raises(BundleError, match=r"^golden/embedding\.int8\.npy: missing"):
        verify(replace(bundle, files=files))


@pytest.mark.parametrize("head", ["shade", "priced"])
def test_a_head_that_computes_something_else_is_refused(bundle: Bundle, head: str) -> None:
    recorded = bundle.golden_array(f"probabilities-{head}")
    changed = with_files(bundle, **{f"golden/probabilities-{head}.npy": npy(recorded + np.float32(1e-3))})
    with pytest.raises(BundleError, match=rf"^head-{head}\.onnx: golden results differ by 0\.001"):
        verify(changed)


@pytest.mark.parametrize("output", ["value", "interval"])
def test_a_head_that_names_other_numbers_is_refused(tmp_path: Path, output: str) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, regressions=["light"]))
    verify(bundle)
    recorded = bundle.golden_array(f"{output}-light")
    with pytest.raises(BundleError, match=r"^head-light\.onnx: golden results differ by 0\.001"):
        verify(with_files(bundle, **{f"golden/{output}-light.npy": npy(recorded * np.float32(1.001))}))


def test_intervals_that_were_not_recorded_are_asked_for(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, regressions=["light"]))
    files = {name: data for name, data in bundle.files.items() if name != "golden/interval-light.npy"}
    with pytest.raises(BundleError, match=r"^golden/interval-light\.npy: missing"):
        verify(replace(bundle, files=files))


def test_other_weights_of_photos_are_refused(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, pooling=("attention",)))
    verify(bundle)
    recorded = bundle.golden_array("weight")
    with pytest.raises(BundleError, match=r"^sequence\.onnx: golden results differ by 0\.001"):
        verify(with_files(bundle, **{"golden/weight.npy": npy(recorded * np.float32(1.001))}))
    with pytest.raises(BundleError, match=r"^sequence\.onnx: the graph has .*, the manifest says"):
        verify(with_files(bundle, **{"sequence.onnx": bundle.files["head-shade.onnx"]}))


def test_results_that_are_not_numbers_are_refused(bundle: Bundle) -> None:
    class NotANumber(Embedder):
        def __call__(self, pixels: np.ndarray) -> Embedding:
            return np.full((len(pixels), 4), np.nan, np.float32)

    with pytest.raises(BundleError, match="golden results differ by nan"):
        check_golden(bundle, NotANumber(cpu_session(bundle.embedder("fp32"))), HeadSet({}, {}))


def test_a_result_of_another_shape_is_refused(bundle: Bundle) -> None:
    class Short(Embedder):
        def __call__(self, pixels: np.ndarray) -> Embedding:
            return super().__call__(pixels)[1:]

    with pytest.raises(BundleError, match="golden results differ by inf"):
        check_golden(bundle, Short(cpu_session(bundle.embedder("fp32"))), HeadSet({}, {}))


def test_a_recorded_embedding_of_zeros_is_compared_too(bundle: Bundle) -> None:
    changed = with_files(bundle, **{"golden/embedding.npy": npy(np.zeros((6, 4), np.float32))})
    with pytest.raises(BundleError, match=r"^embedder\.onnx: golden results differ"):
        verify(changed)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        pytest.param("embedding", (5, 4), id="an embedding too few"),
        pytest.param("embedding", (6, 3), id="an embedding too narrow"),
        pytest.param("probabilities-shade", (6, 4), id="probabilities of more classes than the manifest names"),
    ],
)
def test_recorded_results_of_another_shape_are_refused_by_name(
    bundle: Bundle, name: str, shape: tuple[int, int]
) -> None:
    changed = with_files(bundle, **{f"golden/{name}.npy": npy(np.zeros(shape, np.float32))})
    with pytest.raises(BundleError, match=rf"^golden/{name}\.npy: shape \({shape[0]}, {shape[1]}\), not "):
        verify(changed)


def test_another_number_of_images_is_refused(bundle: Bundle) -> None:
    golden = GoldenSpec(count=7, embedding_tolerance={"fp32": 1e-4}, probability_tolerance=1e-5)
    with pytest.raises(BundleError, match="golden/: 6 images, not 7"):
        verify(replace(bundle, manifest=bundle.manifest.model_copy(update={"golden": golden})))


def test_a_golden_image_that_cannot_be_decoded_is_refused(bundle: Bundle) -> None:
    changed = with_files(bundle, **{"golden/00.png": encoded.png_header(8, 8)})
    with pytest.raises(BundleError, match=r"golden/: an image cannot be decoded"):
        verify(changed)


def test_golden_columns_too_few_are_refused(bundle: Bundle) -> None:
    changed = with_files(bundle, **{"golden/columns.json": b'[{"shift": 1}]'})
    with pytest.raises(BundleError, match=r"golden/"):
        verify(changed)


def test_a_graph_that_is_not_what_the_manifest_says_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="the manifest says"):
        verify(with_files(bundle, **{"embedder.onnx": embedder_graph(8, 3)}))


def test_a_graph_that_cannot_be_loaded_is_refused_by_name(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"^head-shade\.onnx: ONNX Runtime"):
        verify(with_files(bundle, **{"head-shade.onnx": b"\x08\x08"}))
