"""Several images a request → images a second in each form of body, beside what is possible without a server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench import measurement, upper_bound
from loadtests.bench.readings import Readings
from loadtests.bench.systems import Contestant
from loadtests.inputs import request_bodies
from loadtests.inputs.fashion_images import Specimen
from loadtests.inputs.request_bodies import Body
from loadtests.load import request_cost
from loadtests.load.server_process import Server

FORMS: dict[str, Callable[[Sequence[Specimen]], Body]] = {
    "multipart": request_bodies.multipart,
    "binary": request_bodies.binary,
    "json": request_bodies.instances,
}
IMAGES_PER_S = "images/s"
CPU_US_IMAGE = "CPU us/image"
WORK_ALONE = "work alone"


@dataclass(frozen=True)
class Bulk:
    """What is measured, and for how long.

    Attributes:
        service: With room for the largest body.
        bundle: What it serves.
        forms: Names in ``FORMS``.
        specimens: The images of the largest request.
        counts: Images a request.
        workers: Processes of the service, and of the work without a server.
        connections: Of the closed loop.
        rounds: How often each measurement is repeated.
        seconds: Length of one measurement.
    """

    service: Contestant
    bundle: Path
    forms: Sequence[str]
    specimens: Sequence[Specimen]
    counts: Sequence[int]
    workers: int
    connections: int
    rounds: int
    seconds: int


def carry_out(bulk: Bulk, out: Path) -> Readings:
    """Measure every form and the work alone at every number of images, in interleaved rounds.

    Raises:
        MatchError, CeilingError: As soon as one figure cannot be trusted.
    """
    readings = Readings()
    first = request_bodies.single(bulk.specimens[0])
    for round_ in range(1, bulk.rounds + 1):
        with measurement.serving(bulk.service, first, out) as server:
            for count in bulk.counts:
                for form in bulk.forms:
                    readings.add(form, round_, _measure(bulk, server, form, count, out), x=count)
                readings.add(WORK_ALONE, round_, _measure_alone(bulk, count, out), x=count)
        print(f"round {round_} of {bulk.rounds}: several images a request", flush=True)
    return readings


def _measure_alone(bulk: Bulk, count: int, out: Path) -> dict[str, float]:
    """Compute without the server, which idles meanwhile: side by side, the two meet the same machine."""
    images = bulk.specimens[:count]
    alone = upper_bound.measure(bulk.bundle, images, out, workers=bulk.workers, seconds=bulk.seconds)
    return {IMAGES_PER_S: alone.images_per_s, CPU_US_IMAGE: alone.cpu_us}


def _measure(bulk: Bulk, server: Server, form: str, count: int, out: Path) -> dict[str, float]:
    body = FORMS[form](bulk.specimens[:count])
    _check_whole(server.url, body, count, form)
    seen = request_cost.measure(server.url, server.pid, body, out, connections=bulk.connections, seconds=bulk.seconds)
    return {
        IMAGES_PER_S: seen.requests_per_s * count,
        CPU_US_IMAGE: seen.cpu_ms_per_request * 1000 / count,
        measurement.CLOSED_P50_MS: seen.p50_ms,
        measurement.CLOSED_P99_MS: seen.p99_ms,
        measurement.OTHERS: seen.other_cores,
    }


def _check_whole(url: str, body: Body, count: int, form: str) -> None:
    """Refuse an answer that has not a prediction for each image."""
    try:
        predictions = measurement.ask(url, body)
    except ValueError as error:
        raise measurement.MatchError(f"{count} images as {form}: {error}") from error
    if len(predictions) != count:
        raise measurement.MatchError(f"{count} images as {form}: {len(predictions)} predictions")
