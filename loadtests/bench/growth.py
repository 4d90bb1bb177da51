"""Ever more connections, images or trees → does the service keep its throughput, and is cost in proportion?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench import measurement
from loadtests.bench.readings import Readings
from loadtests.bench.systems import Contestant
from loadtests.inputs import request_bodies
from loadtests.inputs.fashion_images import Specimen
from loadtests.inputs.request_bodies import Body
from loadtests.load import request_cost
from loadtests.load.server_process import Server

DOUBLINGS = (1, 2, 4, 8, 16, 32, 64)
KEPT_SHARE = 0.95  # of the peak so far, which throughput should not fall below as connections grow
CONNECTIONS, TREES = "connections", "trees"


@dataclass(frozen=True)
class Growth:
    """What is measured, and for how long.

    Attributes:
        service: Bundle → the service that serves it.
        bundle: What it serves while connections grow.
        grown: Number of trees → a bundle with so many.
        specimen: The image that is sent.
        connections: Numbers of them.
        rounds: How often each measurement is repeated.
        seconds: Length of one measurement.
    """

    service: Callable[[Path], Contestant]
    bundle: Path
    grown: dict[int, Path]
    specimen: Specimen
    connections: Sequence[int]
    rounds: int
    seconds: int


def grown_bundles(store: Path) -> dict[int, Path]:
    """Find the bundles ``trees-<number>`` of a store, by their numbers, ascending."""
    found = {int(path.name.removeprefix("trees-")): path for path in store.glob("trees-*") if path.is_dir()}
    return dict(sorted(found.items()))


def carry_out(growth: Growth, out: Path) -> Readings:
    """Measure each number of connections, and each bundle, in interleaved rounds.

    Raises:
        MatchError: As soon as one figure cannot be trusted.
    """
    readings = Readings()
    body = request_bodies.single(growth.specimen)
    for round_ in range(1, growth.rounds + 1):
        with measurement.serving(growth.service(growth.bundle), body, out) as server:
            for connections in growth.connections:
                figures = _figures(server, body, out, connections, growth.seconds)
                readings.add(CONNECTIONS, round_, figures, x=connections)
        for trees, bundle in growth.grown.items():
            with measurement.serving(growth.service(bundle), body, out) as server:
                figures = _figures(server, body, out, request_cost.CONNECTIONS, growth.seconds)
                readings.add(TREES, round_, figures, x=trees)
        print(f"round {round_} of {growth.rounds}: connections and trees", flush=True)
    return readings


def kept(readings: Readings) -> list[tuple[float, float, float]]:
    """Compare throughput with the peak at fewer connections.

    Returns:
        For each number of connections: the number, the median of requests/s, and ``KEPT_SHARE`` of the greatest
        median so far, its own included.
    """
    rows, peak = [], 0.0
    for connections in readings.xs(CONNECTIONS):
        spread = readings.spread(CONNECTIONS, measurement.REQUESTS_PER_S, connections)
        assert spread is not None
        peak = max(peak, spread.median)
        rows.append((connections, spread.median, KEPT_SHARE * peak))
    return rows


def _figures(server: Server, body: Body, out: Path, connections: int, seconds: int) -> dict[str, float]:
    seen = request_cost.measure(server.url, server.pid, body, out, connections=connections, seconds=seconds)
    return {
        measurement.REQUESTS_PER_S: seen.requests_per_s,
        measurement.CPU_US: seen.cpu_ms_per_request * 1000,
        measurement.CLOSED_P50_MS: seen.p50_ms,
        measurement.CLOSED_P99_MS: seen.p99_ms,
        measurement.OTHERS: seen.other_cores,
    }
