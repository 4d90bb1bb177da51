"""One bundle in each of its precisions → requests a second, what they cost, and how many answers are right."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench import measurement, upper_bound
from loadtests.bench.readings import Readings
from loadtests.bench.results.benchmark_page import table
from loadtests.bench.results.results_table import figure
from loadtests.bench.systems import tandem
from loadtests.inputs.fashion_images import Specimen
from loadtests.inputs.request_bodies import single

ALONE = "work alone, images/s"
WORDS = (
    "The same bundle served in each of its precisions, in interleaved rounds. *Work alone* is decoding, embedding and "
    "deciding one image at a time in as many processes, with no server around them. Accuracy is of the whole hybrid on "
    "the bundle's test images, as its manifest has it."
)


@dataclass(frozen=True)
class Comparison:
    """What is compared, and for how long.

    Attributes:
        bundle: One version's directory, or a store entry.
        precisions: The first is what the others are held against.
        specimen: The image that is sent.
        workers: Processes.
        connections: Of the closed loop.
        rounds: How often each measurement is repeated.
        seconds: Length of one measurement.
    """

    bundle: Path
    precisions: Sequence[str]
    specimen: Specimen
    workers: int
    connections: int
    rounds: int
    seconds: int


def carry_out(comparison: Comparison, out: Path) -> Readings:
    """Measure each precision in turn, and again for every round.

    Raises:
        MatchError, CeilingError: As soon as one figure cannot be trusted.
    """
    readings = Readings()
    for round_ in range(1, comparison.rounds + 1):
        for precision in comparison.precisions:
            figures = _measure(comparison, precision, out)
            readings.add(precision, round_, figures)
            print(f"round {round_}: {precision}: {figures[measurement.REQUESTS_PER_S]:.0f} requests/s", flush=True)
    return readings


def _measure(comparison: Comparison, precision: str, out: Path) -> dict[str, float]:
    load = measurement.Load(single(comparison.specimen), comparison.connections, comparison.seconds)
    service = tandem(comparison.bundle, comparison.workers, precision=precision)
    figures, _ = measurement.closed_loop(service, load, out)
    alone = upper_bound.measure(
        comparison.bundle,
        [comparison.specimen],
        out,
        workers=comparison.workers,
        seconds=comparison.seconds,
        environ={"TANDEM_PRECISION": precision},
    )
    return {**figures, ALONE: alone.images_per_s}


def standings(readings: Readings, accuracies: Mapping[str, float]) -> str:
    """Lay out what each precision gives, and how many times what the first does."""
    header = [
        "",
        measurement.REQUESTS_PER_S,
        "times the first",
        measurement.CPU_US,
        measurement.CLOSED_P99_MS,
        ALONE,
        "accuracy",
    ]
    first = readings.spread(readings.subjects[0], measurement.REQUESTS_PER_S)
    rows = []
    for precision in readings.subjects:
        rate = readings.spread(precision, measurement.REQUESTS_PER_S)
        times = f"{rate.median / first.median:.2f}" if rate and first else "-"
        others = [
            figure(readings.spread(precision, name)) for name in (measurement.CPU_US, measurement.CLOSED_P99_MS, ALONE)
        ]
        accuracy = f"{accuracies[precision]:.4f}" if precision in accuracies else "-"
        rows.append([precision, figure(rate), times, *others, accuracy])
    return table(header, rows)


def read_accuracies(bundle: Path) -> dict[str, float]:
    """Read the test accuracy of each precision out of a bundle's manifest."""
    champion = bundle / "champion"
    version = bundle / champion.read_text().strip() if champion.is_file() else bundle
    manifest = json.loads((version / "manifest.json").read_text())
    measured = {each["precision"]: each["metrics"] for each in manifest.get("variants", [])}
    return {precision: found["test_accuracy"] for precision, found in measured.items() if "test_accuracy" in found}
