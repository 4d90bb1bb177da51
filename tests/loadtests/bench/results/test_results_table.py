"""The tables and the picture of a comparison."""

from pathlib import Path

import pytest

from loadtests.bench import measurement
from loadtests.bench.readings import Readings, Spread
from loadtests.bench.results import plots, results_table
from loadtests.bench.systems import System
from loadtests.load import closed_loop


def figures(requests_per_s: float) -> dict[str, float]:
    closed = dict.fromkeys(results_table.PEAK, 2.5) | {
        closed_loop.REQUESTS_PER_S: requests_per_s,
        closed_loop.CPU_US: 400.0,
    }
    return closed | dict.fromkeys(results_table.LATENCY, 3.0)


@pytest.fixture
def readings() -> Readings:
    taken = Readings()
    for round_, rate in ((1, 4000.0), (2, 5000.0), (3, 4800.0)):
        taken.add("Tandem", round_, figures(rate))
        taken.add("MOSEC", round_, figures(rate / 2))
        taken.add("work alone, 8 at a time", round_, {closed_loop.REQUESTS_PER_S: 8000.0, closed_loop.CPU_US: 250.0})
    return taken


def test_the_fastest_comes_first_with_its_share_of_the_most(readings: Readings) -> None:
    rows = results_table.peaks(readings).splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == ["work alone, 8 at a time", "Tandem", "MOSEC"]
    assert "| 4,800 (4,000..5,000) | 60% | 400 (400..400) |" in rows[1]
    assert rows[0].endswith("| - | - | - | - |")


def test_only_servers_have_a_latency(readings: Readings) -> None:
    rows = results_table.latencies(readings).splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == ["Tandem", "MOSEC"]


def test_the_open_loop_names_its_requests_per_second_and_leaves_out_what_a_system_cannot_reach(
    readings: Readings,
) -> None:
    slow = {closed_loop.REQUESTS_PER_S: 100.0, closed_loop.CPU_US: 9.0, measurement.IDLE_MS: 3.0}
    readings.add("Ray Serve", 1, slow)
    assert "1,200 (50%) and 1,920 (80%) of the peak of MOSEC" in results_table.open_loop_text(readings)
    assert results_table.latencies(readings).splitlines()[-1] == "| Ray Serve | 3.00 | - | - | - | - | - | - |"


def test_other_work_on_the_machine_is_shown() -> None:
    taken = Readings()
    taken.add("Tandem", 1, {closed_loop.OTHER_CORES: 0.1, measurement.OPEN_LOOP_OTHER_CORES: 0.5})
    taken.add("MOSEC", 1, {closed_loop.OTHER_CORES: 0.2})
    assert (
        results_table.other_work(taken)
        == "Other work kept 0.20 cores busy during a measurement (median), 0.50 at most."
    )


def test_a_section_has_conditions_picture_and_settings(readings: Readings) -> None:
    system = System("Tandem", "2 workers", {"bentoml": "1.4"}, lambda _: [], lambda _: {})
    text = results_table.comparison("Title", "a/plot.svg", [system], readings, {"hardware": "2 cores"})
    assert text.startswith("## Title\n\n- Hardware: 2 cores\n\n![Title](a/plot.svg)")
    assert text.endswith("| Tandem | 2 workers | bentoml 1.4 |")


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.456, "0.46")]
)
def test_a_number_has_the_digits_that_count(value: float, text: str) -> None:
    assert results_table.number(value) == text


def test_one_round_has_no_range() -> None:
    assert results_table.figure(Spread(5.0, 5.0, 5.0, 1)) == "5.00"


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_picture_is_the_same_file_each_time(readings: Readings, tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        plots.comparison(readings, "Title", path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
