"""One bundle in each of its precisions ──▶ requests/s, their cost, and the accuracy."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtests.bench import measurement, work_alone
from loadtests.bench.bench_settings import Settings
from loadtests.bench.readings import Readings
from loadtests.bench.results.benchmark_page import table
from loadtests.bench.results.results_table import figures
from loadtests.bench.systems import tandem
from loadtests.load.closed_loop import CPU_US, P99_MS, REQUESTS_PER_S

ALONE = "work alone, images/s"
TEXT = (
    "The same bundle is served in each of its precisions, in interleaved rounds. *Work alone* is decoding, embedding "
    "and deciding one image at a time in as many processes, with no server around them. Accuracy is that of the whole "
    "hybrid on the bundle's test images, from its manifest."
)


def measure(settings: Settings, precisions: Sequence[str]) -> Readings:
    """Measure each precision in turn, in every round.

    Raises:
        MeasurementError, WorkAloneError: As soon as one figure cannot be trusted.
    """
    readings = Readings()
    for round_ in range(1, settings.rounds + 1):
        for precision in precisions:
            service = tandem(settings.bundle, settings.workers, precision=precision)
            peak, _ = measurement.measure_peak(service, settings)
            alone = work_alone.measure(settings, environ={"TANDEM_PRECISION": precision})
            readings.add(precision, round_, {**peak, ALONE: alone[work_alone.IMAGES_PER_S]})
            print(f"round {round_}: {precision}: {peak[REQUESTS_PER_S]:.0f} requests/s", flush=True)
    return readings


def results_table(readings: Readings, accuracies: Mapping[str, float]) -> str:
    """Write the figures of each precision, and its requests/s in ratio to the first."""
    first = readings.median(readings.subjects[0], REQUESTS_PER_S)
    rows = []
    for precision in readings.subjects:
        rate, *others = figures(readings, precision, (REQUESTS_PER_S, CPU_US, P99_MS, ALONE))
        times = f"{readings.median(precision, REQUESTS_PER_S) / first:.2f}"
        accuracy = f"{accuracies[precision]:.4f}" if precision in accuracies else "-"
        rows.append([precision, rate, times, *others, accuracy])
    return table(["", REQUESTS_PER_S, "times the first", CPU_US, P99_MS, ALONE, "accuracy"], rows)


def read_accuracies(bundle: Path) -> dict[str, float]:
    """Read the test accuracy of each precision from a bundle's manifest; ``bundle`` is a store entry or one version."""
    champion = bundle / "champion"
    version = bundle / champion.read_text().strip() if champion.is_file() else bundle
    manifest = json.loads((version / "manifest.json").read_text())
    metrics = {each["precision"]: each["metrics"] for each in manifest.get("variants", [])}
    return {precision: found["test_accuracy"] for precision, found in metrics.items() if "test_accuracy" in found}
