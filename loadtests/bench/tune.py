"""Shapes of the service tried one by one → the one that answers most requests within a limit of latency.

A shape is how many processes there are, how many threads one run of the network has, and how many images. Each is
started, and loaded by more and more connections until the 99th percentile of latency is over the limit.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtests.bench.systems import cores
from loadtests.inputs.payloads import PAYLOADS, PayloadError, image_file
from loadtests.inputs.request_bodies import Body, single
from loadtests.load import machine, request_cost
from loadtests.load.request_cost import Cost, CostError
from loadtests.load.server_process import Command, ServerError, bentoml_command, running

OUT = Path("build/tune")
CONNECTIONS = (1, 2, 4, 8, 16, 32, 64)


class TuneError(Exception):
    """No shape keeps the limit."""


@dataclass(frozen=True)
class Shape:
    """Settings of the service.

    Attributes:
        workers: Processes.
        threads: Of one run of the network.
        max_batch: Images in one run, at most.
    """

    workers: int
    threads: int
    max_batch: int

    def environ(self) -> dict[str, str]:
        """Return the variables that give the service this shape."""
        return {f"TANDEM_{name.upper()}": str(value) for name, value in asdict(self).items()}

    def describe(self) -> str:
        """Return the variables as a shell takes them."""
        return " ".join(f"{name}={value}" for name, value in self.environ().items())


@dataclass(frozen=True)
class Trial:
    """What a shape gives, at the number of connections at which it gave most within the limit.

    Attributes:
        shape: The shape.
        connections: Of the closed loop; 0 where even one was over the limit.
        cost: What was measured; where even one connection was over the limit, with one.
    """

    shape: Shape
    connections: int
    cost: Cost

    def describe(self) -> str:
        """Return one line for a person."""
        within = f"{self.connections} connections" if self.connections else "over the limit"
        return f"{within}, {self.cost.describe()}"


@dataclass(frozen=True)
class Objective:
    """What is asked for.

    Attributes:
        body: A request's.
        max_p99_ms: Limit of the 99th percentile of latency.
        seconds: Length of each measurement.
    """

    body: Body
    max_p99_ms: float
    seconds: int


def add_command(commands: Any, positive: Callable[[str], int]) -> None:
    """Add ``tune`` to the commands; ``positive`` reads a number of at least 1."""
    command = commands.add_parser("tune", help="find the settings that answer most within a limit of latency")
    command.set_defaults(carry_out=run)
    command.add_argument("--bundle", metavar="DIR", type=Path, help="served (the service's default)")
    command.add_argument("--payload", choices=PAYLOADS, default="small", help="image that is sent (%(default)s)")
    command.add_argument("--image", metavar="FILE", type=Path, help="send this one instead")
    command.add_argument(
        "--max-p99-ms", metavar="X", type=float, default=50.0, help="limit of the 99th percentile (%(default)s)"
    )
    for name, default in (("workers", []), ("threads", []), ("max-batch", [1, 8, 32])):
        shown = ",".join(map(str, default)) or "what fits the cores"
        command.add_argument(
            f"--{name}", metavar="N,M", type=_numbers, default=default, help=f"{name} to try ({shown})"
        )
    command.add_argument("--seconds", metavar="S", type=positive, default=3, help="of one measurement (%(default)s)")
    command.add_argument("--json", metavar="FILE", type=Path, help="takes every trial")
    command.add_argument("--out", metavar="DIR", type=Path, default=OUT, help="takes the log (%(default)s)")


def run(options: argparse.Namespace, serve: Command = bentoml_command) -> int:
    """Try the shapes and print what they give; 1 where none keeps the limit or the service does not start."""
    options.out.mkdir(parents=True, exist_ok=True)
    environ = {"TANDEM_BUNDLE": str(options.bundle.resolve())} if options.bundle else {}
    try:
        specimen = image_file(options.image) if options.image else PAYLOADS[options.payload](1)[0]
        objective = Objective(single(specimen), options.max_p99_ms, options.seconds)
        print(f"p99 at most {options.max_p99_ms:g} ms, on {machine.describe()}", flush=True)
        trials: list[Trial] = []
        for shape in shapes(cores(), options.workers, options.threads, options.max_batch):
            trials.append(attempt(shape, objective, serve, environ, options.out))
            print(f"{shape.describe()}: {trials[-1].describe()}", flush=True)
        if options.json:
            write(trials, options.json)
        print("\n" + table(trials, options.max_p99_ms))
    except (ServerError, CostError, PayloadError, TuneError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def shapes(cores: int, workers: Sequence[int], threads: Sequence[int], max_batches: Sequence[int]) -> list[Shape]:
    """Return the combinations that have no more threads in all than there are cores, or those that were asked for."""
    counts = sorted({1, max(1, cores // 2), cores})
    pairs = itertools.product(workers or counts, threads or counts)
    fitting = [(w, t) for w, t in pairs if w * t <= cores or (workers and threads)]
    return [Shape(w, t, batch) for w, t in fitting for batch in max_batches]


def attempt(shape: Shape, objective: Objective, serve: Command, environ: dict[str, str], out: Path) -> Trial:
    """Start the service in a shape and find its best within the limit.

    Raises:
        ServerError: It does not become ready.
        CostError: Not every request was answered well.
    """
    best: Trial | None = None
    variables = {**environ, **shape.environ()}
    with running(serve, log=out / "tune.log", environ=lambda _: variables) as server:
        for connections in CONNECTIONS:
            seen = request_cost.measure(
                server.url, server.pid, objective.body, out, connections=connections, seconds=objective.seconds
            )
            if seen.p99_ms > objective.max_p99_ms:
                return best or Trial(shape, 0, seen)
            if best is None or seen.requests_per_s > best.cost.requests_per_s:
                best = Trial(shape, connections, seen)
    assert best is not None
    return best


def best_of(trials: Sequence[Trial], max_p99_ms: float) -> Trial:
    """Return the trial with most requests a second within the limit.

    Raises:
        TuneError: There is none.
    """
    kept = [trial for trial in trials if trial.connections]
    if not kept:
        least = min(trial.cost.p99_ms for trial in trials)
        raise TuneError(f"no shape keeps the 99th percentile below {max_p99_ms:g} ms; the least was {least:.1f} ms")
    return max(kept, key=lambda trial: trial.cost.requests_per_s)


def table(trials: Sequence[Trial], max_p99_ms: float) -> str:
    """Return the trials as a Markdown table, the best first, and the settings to use.

    Raises:
        TuneError: None kept the limit.
    """
    best = best_of(trials, max_p99_ms)
    lines = ["| workers | threads | max batch | connections | requests/s | p50 ms | p99 ms | CPU ms/request |"]
    lines.append("|" + "---:|" * 8)
    for trial in sorted(trials, key=lambda each: (each.connections > 0, each.cost.requests_per_s), reverse=True):
        shape, seen = trial.shape, trial.cost
        within = str(trial.connections) if trial.connections else "over the limit"
        figures = f"{seen.requests_per_s:.0f} | {seen.p50_ms:.2f} | {seen.p99_ms:.2f} | {seen.cpu_ms_per_request:.3f}"
        lines.append(f"| {shape.workers} | {shape.threads} | {shape.max_batch} | {within} | {figures} |")
    return "\n".join([*lines, "", f"use: {best.shape.describe()}"])


def write(trials: Sequence[Trial], path: Path) -> None:
    """Write the trials as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(trial) for trial in trials], indent=1) + "\n")


def _numbers(text: str) -> list[int]:
    numbers = sorted({int(word) for word in text.split(",")})
    if numbers[0] < 1:
        raise argparse.ArgumentTypeError(f"{numbers[0]} is below 1")
    return numbers
