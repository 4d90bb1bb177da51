"""Servers, payload and rounds → readings: each server in turn, alone, and again for every round."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench import measurement, upper_bound
from loadtests.bench.readings import Readings
from loadtests.bench.systems import MAX_BATCH, Contestant
from loadtests.inputs.fashion_images import Specimen
from loadtests.inputs.request_bodies import single


@dataclass(frozen=True)
class Bench:
    """What is compared, and for how long.

    Attributes:
        contestants: The service first: the others' answers are held against its.
        bundle: What all of them serve.
        specimen: The image that is sent.
        workers: Processes that each of them computes in.
        connections: Of the closed loop.
        rounds: How often each measurement is repeated.
        seconds: Length of one measurement.
    """

    contestants: Sequence[Contestant]
    bundle: Path
    specimen: Specimen
    workers: int
    connections: int
    rounds: int
    seconds: int

    @property
    def load(self) -> measurement.Load:
        """What is sent to every server."""
        return measurement.Load(single(self.specimen), self.connections, self.seconds)

    @property
    def ceiling_batches(self) -> tuple[int, int]:
        """One at a time, and as many as each process could gather of what is under way."""
        return 1, max(2, min(MAX_BATCH, self.connections // self.workers))


def carry_out(bench: Bench, out: Path) -> Readings:
    """Measure the peaks, in interleaved rounds, and then the latencies below them.

    Raises:
        MatchError, CeilingError: As soon as one figure cannot be trusted.
    """
    readings = Readings()
    for round_ in range(1, bench.rounds + 1):
        _closed_round(bench, round_, readings, out)
    for round_ in range(1, bench.rounds + 1):
        _open_round(bench, round_, readings, out)
    return readings


def _closed_round(bench: Bench, round_: int, readings: Readings, out: Path) -> None:
    wanted = None
    for contestant in bench.contestants:
        figures, answer = measurement.closed_loop(contestant, bench.load, out)
        wanted = wanted or answer
        measurement.check_agreement(contestant.name, answer, wanted)
        readings.add(contestant.name, round_, figures)
        _tell(round_, contestant.name, figures)
    for batch in bench.ceiling_batches:
        images = [bench.specimen] * batch
        alone = upper_bound.measure(bench.bundle, images, out, workers=bench.workers, seconds=bench.seconds)
        name, figures = (
            work_alone(batch),
            {measurement.REQUESTS_PER_S: alone.images_per_s, measurement.CPU_US: alone.cpu_us},
        )
        readings.add(name, round_, figures)
        _tell(round_, name, figures)


def work_alone(batch: int) -> str:
    """Name the work without a server, so many images at a time."""
    return f"work alone, {batch} at a time"


def _open_round(bench: Bench, round_: int, readings: Readings, out: Path) -> None:
    for contestant in bench.contestants:
        peak = readings.spread(contestant.name, measurement.REQUESTS_PER_S)
        assert peak is not None
        figures = measurement.open_loop(contestant, bench.load, peak.median, out)
        readings.add(contestant.name, round_, figures)
        _tell(round_, contestant.name, figures)


def _tell(round_: int, name: str, figures: dict[str, float]) -> None:
    print(f"round {round_}: {name}: " + ", ".join(f"{value:.4g} {unit}" for unit, value in figures.items()), flush=True)
