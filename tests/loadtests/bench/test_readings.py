"""Figures of rounds, summed up and kept."""

from pathlib import Path

from loadtests.bench.readings import Readings, Spread, read


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


def test_readings_read_back_are_the_same(tmp_path: Path) -> None:
    some().write(tmp_path / "bench.json", {"date": "today"})
    conditions, readings = read(tmp_path / "bench.json")
    assert conditions == {"date": "today"}
    assert readings.spread("Tandem", "requests/s") == some().spread("Tandem", "requests/s")
    assert readings.spread("MOSEC", "requests/s", x=2) == Spread(5.0, 5.0, 5.0, 1)
