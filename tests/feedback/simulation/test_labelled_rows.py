from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from feedback.simulation.labelled_rows import of_bundle, of_file
from models.bundle.store import DEFAULT_ROOT
from models.errors import DataError

BUNDLE = DEFAULT_ROOT / "fashion-mnist"


def test_a_file_of_rows_may_name_labels_by_text(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", embedding=np.eye(3), label=np.array(["b", "a", "b"]))
    rows = of_file(tmp_path / "rows.npz")
    assert rows.embedding.dtype == np.float32
    assert rows.labels.tolist() == [1, 0, 1]


def test_equal_embeddings_of_a_file_are_one_unit(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", embedding=np.array([[1.0, 2], [3, 4], [1, 2]]), label=np.arange(3))
    unit = of_file(tmp_path / "rows.npz").unit
    assert unit[0] == unit[2] != unit[1]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        pytest.param({"embedding": np.eye(3)}, "arrays `embedding` and `label`", id="no labels"),
        pytest.param({"embedding": np.eye(3), "label": np.arange(2)}, r"`label` \(2,\)", id="too few labels"),
        pytest.param({"embedding": np.eye(3) * np.nan, "label": np.arange(3)}, "NaN", id="not a number"),
        pytest.param({"embedding": np.array([{}]), "label": np.arange(1)}, r"no \.npz file", id="pickled objects"),
    ],
)
def test_a_file_without_the_arrays_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "rows.npz", **arrays)
    with pytest.raises(DataError, match=said):
        of_file(tmp_path / "rows.npz")


def test_a_file_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.npz").write_text("embedding,label")
    with pytest.raises(DataError, match=r"no \.npz file"):
        of_file(tmp_path / "rows.npz")


def test_a_bundle_gives_rows_that_its_network_has_not_seen() -> None:
    rows = of_bundle(BUNDLE, None)
    assert rows.embedding.shape[1] == 160
    assert len(rows.labels) > 1_000
    assert set(rows.labels.tolist()) == set(range(10))


def test_an_unknown_head_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(DataError, match="no head 'size'; it has category, family"):
        of_bundle(BUNDLE, "size")
