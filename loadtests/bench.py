"""Servers, payload and rounds → readings: each server in turn, alone, and again for every round."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests import ceiling, match
from loadtests.bodies import single
from loadtests.images import Specimen
from loadtests.lineup import CEILING, Contestant
from loadtests.readings import Readings


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
    def load(self) -> match.Load:
        """What is sent to every server."""
        return match.Load(single(self.specimen), self.connections, self.seconds)


def carry_out(bench: Bench, out: Path) -> Readings:
    """Measure the peaks, in interleaved rounds, and then the latencies below them.

    Raises:
        ServerError, CostError, OpenLoopError, CeilingError, MatchError: As soon as one figure cannot be trusted.
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
        figures, answer = match.closed_loop(contestant, bench.load, out)
        wanted = wanted or answer
        match.check_agreement(contestant.name, answer, wanted)
        readings.add(contestant.name, round_, figures)
        _tell(round_, contestant.name, figures)
    alone = ceiling.measure(bench.bundle, [bench.specimen], out, workers=bench.workers, seconds=bench.seconds)
    figures = {match.REQUESTS_PER_S: alone.images_per_s, match.CPU_US: alone.cpu_us}
    readings.add(CEILING, round_, figures)
    _tell(round_, CEILING, figures)


def _open_round(bench: Bench, round_: int, readings: Readings, out: Path) -> None:
    for contestant in bench.contestants:
        peak = readings.spread(contestant.name, match.REQUESTS_PER_S)
        assert peak is not None
        figures = match.open_loop(contestant, bench.load, peak.median, out)
        readings.add(contestant.name, round_, figures)
        _tell(round_, contestant.name, figures)


def _tell(round_: int, name: str, figures: dict[str, float]) -> None:
    print(f"round {round_}: {name}: " + ", ".join(f"{value:.4g} {unit}" for unit, value in figures.items()), flush=True)
