"""More connections or more trees ──▶ whether throughput is kept, and whether cost stays in proportion."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtests.bench import measurement
from loadtests.bench.bench_settings import Settings
from loadtests.bench.readings import Readings
from loadtests.bench.systems import tandem
from loadtests.load import closed_loop
from loadtests.load.closed_loop import REQUESTS_PER_S

DOUBLINGS = (1, 2, 4, 8, 16, 32, 64)
KEPT_SHARE = 0.95  # of the peak so far: the least throughput at more connections
CONNECTIONS, TREES = "connections", "trees"


def grown_bundles(store: Path) -> dict[int, Path]:
    """Find the bundles ``trees-<number>`` of a store, by their numbers, ascending."""
    found = {int(path.name.removeprefix("trees-")): path for path in store.glob("trees-*") if path.is_dir()}
    return dict(sorted(found.items()))


def measure(settings: Settings, grown: Mapping[int, Path]) -> Readings:
    """Measure 1 to 64 connections on the bundle, and 16 on each bundle of ``grown``, in interleaved rounds.

    Raises:
        MeasurementError: As soon as one figure cannot be trusted.
    """
    readings = Readings()
    runs: list[tuple[str, int, Path, Sequence[int]]] = [(CONNECTIONS, 0, settings.bundle, DOUBLINGS)]
    runs += [(TREES, trees, bundle, (closed_loop.CONNECTIONS,)) for trees, bundle in grown.items()]
    for round_ in range(1, settings.rounds + 1):
        for subject, trees, bundle, counts in runs:
            with measurement.serving(tandem(bundle, settings.workers), settings.body, settings.out) as server:
                for count in counts:
                    cost = closed_loop.measure(
                        server, settings.body, settings.out, connections=count, seconds=settings.seconds
                    )
                    readings.add(subject, round_, cost.figures(), x=trees or count)
        print(f"round {round_} of {settings.rounds}: connections and trees", flush=True)
    return readings


def kept(readings: Readings) -> list[tuple[float, float, float]]:
    """Compare throughput with the peak at fewer connections.

    Returns:
        For each number of connections: the number, the median of requests/s, and ``KEPT_SHARE`` of the greatest
        median so far, its own included.
    """
    rows, peak = [], 0.0
    for connections in readings.xs(CONNECTIONS):
        median = readings.median(CONNECTIONS, REQUESTS_PER_S, connections)
        peak = max(peak, median)
        rows.append((connections, median, KEPT_SHARE * peak))
    return rows
