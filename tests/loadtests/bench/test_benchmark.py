"""The requests/s of the open loop."""

import pytest

from loadtests.bench.benchmark import open_loop_rates, reference
from loadtests.bench.readings import Readings
from loadtests.load.closed_loop import REQUESTS_PER_S


@pytest.mark.parametrize(
    ("systems", "expected"),
    [
        pytest.param(["Tandem", "FastAPI", "MOSEC"], "MOSEC", id="MOSEC sets them where it is measured"),
        pytest.param(["Tandem", "FastAPI"], "Tandem", id="the service sets them without MOSEC"),
    ],
)
def test_half_and_four_fifths_of_the_reference_are_sent_to_all(systems: list[str], expected: str) -> None:
    readings = Readings()
    for round_, factor in ((1, 1.0), (2, 2.0), (3, 3.0)):
        for index, name in enumerate(systems, start=1):
            readings.add(name, round_, {REQUESTS_PER_S: 1000.0 * index * factor})
    assert reference(readings) == expected
    median = 2000.0 * (1 + systems.index(expected))
    assert open_loop_rates(readings) == {"50%": 0.5 * median, "80%": 0.8 * median}
