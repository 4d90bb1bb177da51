"""Growth: whether throughput is kept, and the tables and pictures of it."""

from pathlib import Path

import pytest

from loadtests.bench import bulk, growth
from loadtests.bench.readings import Readings
from loadtests.bench.results import curve_plots, curves
from loadtests.bench.work_alone import IMAGES_PER_S
from loadtests.load import closed_loop

RATES = {1: 1000.0, 2: 2000.0, 4: 1890.0, 8: 1910.0}
OTHERS = {closed_loop.CPU_US: 400.0, closed_loop.P50_MS: 1.0, closed_loop.P99_MS: 2.0}


@pytest.fixture
def grown() -> Readings:
    readings = Readings()
    for connections, rate in RATES.items():
        readings.add(growth.CONNECTIONS, 1, {closed_loop.REQUESTS_PER_S: rate, **OTHERS}, x=connections)
    for trees in (100, 1000):
        figures = {closed_loop.REQUESTS_PER_S: 1e6 / trees, **OTHERS, closed_loop.CPU_US: 300.0 + trees / 10}
        readings.add(growth.TREES, 1, figures, x=trees)
    return readings


@pytest.fixture
def several() -> Readings:
    readings = Readings()
    for count in (1, 2):
        for subject, rate in (("multipart", 3000.0), ("binary", 3600.0), (bulk.WORK_ALONE, 4000.0)):
            readings.add(subject, 1, {IMAGES_PER_S: rate * count, bulk.CPU_US_IMAGE: 300.0}, x=count)
    return readings


def test_throughput_is_held_against_its_peak_so_far(grown: Readings) -> None:
    assert [wanted for _, _, wanted in growth.kept(grown)] == [950.0, 1900.0, 1900.0, 1900.0]
    verdicts = [row.split(" | ")[3] for row in curves.connections(grown).splitlines()[2:]]
    assert verdicts == ["yes", "yes", "**no**", "yes"]


def test_each_form_is_held_against_the_work_alone(several: Readings) -> None:
    rows = curves.images(several, ["multipart", "binary"]).splitlines()[2:]
    assert rows[1] == "| 2 | 6,000 | 75% | 300 | 7,200 | 90% | 300 | 8,000 | 300 |"


def test_trees_have_a_row_each(grown: Readings) -> None:
    assert [row.split(" | ")[:2] for row in curves.trees(grown).splitlines()[2:]] == [
        ["| 100", "10,000"],
        ["| 1,000", "1,000"],
    ]


def test_there_is_a_picture_of_each(grown: Readings, several: Readings, tmp_path: Path) -> None:
    curve_plots.connections(grown, "Connections", tmp_path / "a.svg")
    curve_plots.images(several, "Images", tmp_path / "b.svg")
    curve_plots.trees(grown, "Trees", tmp_path / "c.svg")
    assert all((tmp_path / f"{name}.svg").read_text().startswith("<?xml") for name in "abc")


def test_bundles_are_found_by_their_number_of_trees(tmp_path: Path) -> None:
    for name in ("trees-1000", "trees-250", "other"):
        (tmp_path / name).mkdir()
    assert list(growth.grown_bundles(tmp_path)) == [250, 1000]
