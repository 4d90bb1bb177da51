"""A bundle in each of its precisions: what is laid out, and where accuracy comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtests.bench.precisions import ALONE, read_accuracies, results_table
from loadtests.bench.readings import Readings
from loadtests.load import closed_loop


def figures(requests_per_s: float) -> dict[str, float]:
    return {
        closed_loop.REQUESTS_PER_S: requests_per_s,
        closed_loop.CPU_US: 9000.0,
        closed_loop.P99_MS: 90.0,
        ALONE: 220.0,
    }


def test_each_precision_is_held_against_the_first() -> None:
    readings = Readings()
    for round_ in (1, 2, 3):
        readings.add("fp32", round_, figures(200.0 + round_))
        readings.add("int8", round_, figures(2 * (200.0 + round_)))
    lines = results_table(readings, {"fp32": 0.9, "int8": 0.8991}).splitlines()
    assert lines[2].startswith("| fp32 | 202 (201..203) | 1.00 |")
    assert lines[3].startswith("| int8 | 404 (402..406) | 2.00 |")
    assert lines[3].endswith("| 0.8991 |")


@pytest.mark.parametrize("entry", [True, False], ids=["a store entry", "one version"])
def test_accuracies_are_read_from_the_manifest(entry: bool, tmp_path: Path) -> None:
    variants = [
        {"precision": "fp32", "kept": True, "metrics": {"test_accuracy": 0.9, "ms_per_image": 6.0}},
        {"precision": "fp16", "kept": False, "reason": "slow", "metrics": {}},
    ]
    (tmp_path / "2").mkdir()
    (tmp_path / "champion").write_text("2\n")
    (tmp_path / "2" / "manifest.json").write_text(json.dumps({"variants": variants}))
    assert read_accuracies(tmp_path if entry else tmp_path / "2") == {"fp32": 0.9}


def test_a_bundle_from_before_there_were_variants_has_none(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    assert read_accuracies(tmp_path) == {}
