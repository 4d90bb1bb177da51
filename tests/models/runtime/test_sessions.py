"""`models.runtime.sessions`: the embedder gives what its graph computes, or is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.bundle.loading import Bundle
from models.errors import BundleError
from models.imaging.decode import decode
from models.runtime.sessions import Embedder, cpu_options, cpu_session, relative_difference
from tests.tiny_bundle import GREYS, solid_image


@pytest.fixture(scope="module")
def bundle(tiny_columns_path: Path) -> Bundle:
    return Bundle.open(tiny_columns_path)


@pytest.fixture(scope="module")
def embedder(bundle: Bundle) -> Embedder:
    return Embedder.checked(cpu_session(bundle.embedder("fp32")), bundle.manifest)


@pytest.fixture(scope="module")
def greys(bundle: Bundle) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """One image of each class, `[3, 8, 8, 1]`."""
    return np.stack([decode(solid_image(grey), bundle.manifest.input) for grey in GREYS.values()])


def test_the_embedding_is_float32_one_row_an_image(embedder: Embedder, greys: np.ndarray) -> None:
    embedding = embedder(greys)
    brightness = np.array(list(GREYS.values())) / 255
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding[:, 0], brightness, atol=1e-6)
    assert embedding.shape == (3, 4)


@pytest.mark.parametrize(
    ("found", "share"),
    [([1.0, 2.0], 0.0), ([1.0, 2.2], 0.1), ([1.0, float("nan")], float("nan")), ([1.0], float("inf"))],
)
def test_numbers_differ_by_a_share_of_the_largest(found: list[float], share: float) -> None:
    recorded = np.array([1, 2], np.float32)
    assert relative_difference(np.array(found, np.float32), recorded) == pytest.approx(share, nan_ok=True)


def test_a_graph_that_cannot_be_loaded_is_refused_by_name() -> None:
    with pytest.raises(BundleError, match=r"^embedder\.onnx: ONNX Runtime .* cannot load it"):
        cpu_session(b"no graph", file="embedder.onnx")


def test_threads_are_as_asked_for() -> None:
    assert cpu_options(3).intra_op_num_threads == 3
    assert cpu_options().get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.parametrize(
    "update",
    [
        pytest.param({"embedding_width": 5}, id="another width"),
        pytest.param({"input": {"height": 9, "width": 8, "channels": 1}}, id="another size"),
        pytest.param({"input": {"height": 8, "width": 8, "channels": 3}}, id="another number of channels"),
    ],
)
def test_an_embedder_other_than_the_manifest_says_is_refused(bundle: Bundle, update: dict[str, object]) -> None:
    manifest = type(bundle.manifest).model_validate({**bundle.manifest.model_dump(), **update})
    with pytest.raises(BundleError, match=r"^embedder: the graph has .*, the manifest says"):
        Embedder.checked(cpu_session(bundle.embedder("fp32")), manifest)
