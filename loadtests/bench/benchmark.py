"""Systems ──▶ readings of interleaved rounds: each system in turn, alone on the machine, in every round."""

from collections.abc import Sequence

from loadtests.bench import measurement, work_alone
from loadtests.bench.bench_settings import Settings
from loadtests.bench.readings import Readings
from loadtests.bench.systems import MAX_BATCH, REFERENCE_PEER, System
from loadtests.load.closed_loop import CPU_US, REQUESTS_PER_S

SHARES = (0.5, 0.8)  # of the reference's peak: requests/s in the open loop
OPEN_LOOP = [f"{share:.0%}" for share in SHARES]


def measure(systems: Sequence[System], settings: Settings) -> Readings:
    """Measure the peak of every system, and then the latency of all at the same requests/s.

    The service comes first: the others' predictions are compared with its own.

    Raises:
        MeasurementError, WorkAloneError: As soon as one figure cannot be trusted.
    """
    readings = Readings()
    for round_ in range(1, settings.rounds + 1):
        _closed_loop_round(systems, settings, round_, readings)
    rates = open_loop_rates(readings)
    for round_ in range(1, settings.rounds + 1):
        for system in systems:
            peak = readings.median(system.name, REQUESTS_PER_S)
            reachable = {name: rate for name, rate in rates.items() if rate <= peak}
            figures = measurement.measure_latency(system, settings, reachable)
            _add(readings, round_, system.name, figures)
    return readings


def reference(readings: Readings) -> str:
    """Return the system whose peak sets the requests/s of the open loop: MOSEC, or the service without it."""
    return REFERENCE_PEER if REFERENCE_PEER in readings.subjects else readings.subjects[0]


def open_loop_rates(readings: Readings) -> dict[str, float]:
    """Return the requests/s of the open loop by their names in tables, e.g. ``50%`` of the reference's peak."""
    peak = readings.median(reference(readings), REQUESTS_PER_S)
    return {name: share * peak for name, share in zip(OPEN_LOOP, SHARES, strict=True)}


def _closed_loop_round(systems: Sequence[System], settings: Settings, round_: int, readings: Readings) -> None:
    expected = None
    for system in systems:
        figures, predictions = measurement.measure_peak(system, settings)
        expected = expected or predictions
        measurement.check_agreement(system.name, predictions, expected)
        _add(readings, round_, system.name, figures)
    # One image at a time, and as many as each process can gather of the requests in progress.
    for batch in (1, max(2, min(MAX_BATCH, settings.connections // settings.workers))):
        alone = work_alone.measure(settings, batch)
        figures = {REQUESTS_PER_S: alone[work_alone.IMAGES_PER_S], CPU_US: alone[CPU_US]}
        _add(readings, round_, f"work alone, {batch} at a time", figures)


def _add(readings: Readings, round_: int, name: str, figures: dict[str, float]) -> None:
    readings.add(name, round_, figures)
    print(f"round {round_}: {name}: " + ", ".join(f"{value:.4g} {unit}" for unit, value in figures.items()), flush=True)
