"""Figures of rounds, summarized and written."""

import json
from pathlib import Path

from loadtests.bench.readings import Readings, Spread


def some() -> Readings:
    readings = Readings()
    for round_, value in enumerate([30.0, 10.0, 20.0], start=1):
        readings.add("Tandem", round_, {"requests/s": value})
    readings.add("MOSEC", 1, {"requests/s": 5.0}, x=2)
    readings.add("MOSEC", 1, {"requests/s": 4.0}, x=1)
    return readings


def test_rounds_are_summed_up_by_their_median_and_range() -> None:
    assert some().spread("Tandem", "requests/s") == Spread(median=20.0, low=10.0, high=30.0, n=3)


def test_what_was_not_measured_has_no_spread() -> None:
    assert some().spread("Tandem", "memory MiB") is None
    assert some().spread("MOSEC", "requests/s") is None


def test_subjects_keep_their_order_and_points_ascend() -> None:
    assert some().subjects == ["Tandem", "MOSEC"]
    assert some().xs("MOSEC") == [1, 2]


def test_a_ratio_is_taken_within_each_round() -> None:
    readings = some()
    for round_, value in enumerate([15.0, 10.0, 40.0], start=1):
        readings.add("MOSEC", round_, {"requests/s": value})
    assert readings.ratio("Tandem", "MOSEC", "requests/s") == Spread(median=1.0, low=0.5, high=2.0, n=3)
    assert readings.ratio("Tandem", "FastAPI", "requests/s") is None


def test_readings_are_written_with_their_conditions(tmp_path: Path) -> None:
    some().write(tmp_path / "bench.json", {"date": "today"})
    content = json.loads((tmp_path / "bench.json").read_text())
    assert content["conditions"] == {"date": "today"}
    assert content["readings"][-1] == {"subject": "MOSEC", "quantity": "requests/s", "round": 1, "value": 4.0, "x": 1}
