"""Several images a request ──▶ images/s in each form of body, next to the work with no server around it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

from loadtests.bench import measurement, work_alone
from loadtests.bench.bench_settings import Settings
from loadtests.bench.readings import Readings
from loadtests.bench.systems import tandem
from loadtests.bench.work_alone import IMAGES_PER_S
from loadtests.inputs import request_bodies
from loadtests.inputs.fashion_images import LabelledImage
from loadtests.inputs.request_bodies import Body
from loadtests.load import closed_loop
from loadtests.load.server_process import Server

FORMS: dict[str, Callable[[Sequence[LabelledImage]], Body]] = {
    "multipart": request_bodies.multipart,
    "binary": request_bodies.binary,
    "json": request_bodies.instances,
    "open_inference": request_bodies.open_inference,
}
CPU_US_IMAGE = "CPU us/image"
WORK_ALONE = "work alone"


def measure(settings: Settings, forms: Sequence[str], counts: Sequence[int]) -> Readings:
    """Measure every form, and the work alone, at every number of images a request, in interleaved rounds.

    Raises:
        MeasurementError, WorkAloneError: As soon as one figure cannot be trusted.
    """
    readings = Readings()
    body_bytes = 2 * sum(len(each.body) for each in settings.images)  # room for base64 and boundaries
    service = tandem(settings.bundle, settings.workers, body_bytes=body_bytes)
    for round_ in range(1, settings.rounds + 1):
        with measurement.serving(service, settings.body, settings.out) as server:
            for count in counts:
                for form in forms:
                    readings.add(form, round_, _measure(settings, server, form, count), x=count)
                # The server is idle meanwhile: side by side, the two have the same machine.
                alone = work_alone.measure(settings, count)
                figures = {IMAGES_PER_S: alone[IMAGES_PER_S], CPU_US_IMAGE: alone[closed_loop.CPU_US]}
                readings.add(WORK_ALONE, round_, figures, x=count)
        print(f"round {round_} of {settings.rounds}: several images a request", flush=True)
    return readings


def _measure(settings: Settings, server: Server, form: str, count: int) -> dict[str, float]:
    body = FORMS[form](settings.images[:count])
    body = replace(body, path=body.path.format(model=settings.model_name))
    try:
        answered = _count_answers(measurement.post(server.url, body))
    except ValueError as error:
        raise measurement.MeasurementError(f"{count} images as {form}: {error}") from error
    if answered != count:
        raise measurement.MeasurementError(f"{count} images as {form}: {answered} predictions")
    cost = closed_loop.measure(server, body, settings.out, connections=settings.connections, seconds=settings.seconds)
    per_image = {IMAGES_PER_S: cost.requests_per_s * count, CPU_US_IMAGE: cost.cpu_us / count}
    return {**cost.figures(), **per_image}


def _count_answers(content: bytes) -> int:
    """Images that a response decides on: predictions, or rows of the first tensor, whose bytes follow the JSON."""
    answer, _ = json.JSONDecoder().raw_decode(content.decode("latin-1"))
    if "outputs" in answer:
        return int(answer["outputs"][0]["shape"][0])
    return sum("label" in prediction for prediction in answer["predictions"])
