"""`scoring.output.scoring_summary`: counts of a whole output, beside what training expected."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from models.bundle.loading import Bundle
from models.bundle.manifest import Manifest
from models.policy import Policy
from scoring.output.output_folder import LocalFolder
from scoring.output.scoring_summary import false_alarms, sentences, summarize
from tests.tiny_bundle import tiny_bundle


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    path = tiny_bundle(tmp_path / "store", policy=Policy(max_distance=1.0))
    return Bundle.open(path).manifest.model_copy(update={"training": {"heads": {"shade": {"false alarms": 0.02}}}})


def lines(folder: Path, manifest: Manifest, unfamiliar: int, *, of: int, errors: int = 0) -> list[str]:
    reasons = [["unfamiliar"]] * unfamiliar + [[]] * (of - unfamiliar)
    table = pa.table(
        {
            "shade.label": ["dark"] * of + [None] * errors,
            "shade.decision": ["accept"] * of + [None] * errors,
            "shade.reasons": pa.array(reasons + [None] * errors, pa.list_(pa.string())),
            "error": pa.array([None] * of + ["bad_image"] * errors, pa.string()),
        }
    )
    half = len(table) // 2
    parquet.write_table(table[:half], folder / f"part-0000000000-{half - 1:010}.parquet")
    parquet.write_table(table[half:], folder / f"part-{half:010}-{len(table) - 1:010}.parquet")
    return list(sentences(summarize(LocalFolder(folder), manifest.heads), manifest))


def test_labels_decisions_and_errors_of_all_parts_are_counted(tmp_path: Path, manifest: Manifest) -> None:
    assert lines(tmp_path, manifest, 2, of=97, errors=3) == [
        "100 images: 97 decided, 3 with an error",
        "errors: bad_image 3",
        "shade: accept 97 (100.0 %)",
        "shade: dark 97",
        "shade: 2 unfamiliar, 2.1 %; of images like those of training it would be 2 %",
    ]


def test_far_more_unfamiliar_images_than_in_training_are_pointed_out(tmp_path: Path, manifest: Manifest) -> None:
    assert "These images differ from those of training" in lines(tmp_path, manifest, 100, of=500)[-1]


def test_a_few_images_prove_nothing(tmp_path: Path, manifest: Manifest) -> None:
    assert "differ" not in lines(tmp_path, manifest, 1, of=8)[-1]


def test_a_bundle_that_does_not_say_what_is_expected_is_no_error(manifest: Manifest) -> None:
    assert false_alarms(manifest.model_copy(update={"training": {"seed": 0}}), "shade") is None
