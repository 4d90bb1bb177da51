"""Configurations of the service, tried one by one ──▶ the one with most requests/s within a limit of latency.

A configuration is the number of processes, of threads for one run of the network, and of images in one run. Each is
started and loaded by more and more connections, until the 99th percentile of latency is above the limit.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtests.bench.results.benchmark_page import table
from loadtests.inputs.request_bodies import Body
from loadtests.load import closed_loop
from loadtests.load.closed_loop import Cost
from loadtests.load.server_process import Command, running

CONNECTIONS = (1, 2, 4, 8, 16, 32, 64)


class TuneError(Exception):
    """No configuration keeps the limit."""


@dataclass(frozen=True)
class Configuration:
    """Settings of the service: processes, threads of one run of the network, most images in one run."""

    workers: int
    threads: int
    max_batch: int

    def environ(self) -> dict[str, str]:
        """Return the variables that give the service this configuration."""
        return {f"TANDEM_{name.upper()}": str(value) for name, value in asdict(self).items()}

    def describe(self) -> str:
        """Return the variables as a shell takes them."""
        return " ".join(f"{name}={value}" for name, value in self.environ().items())


@dataclass(frozen=True)
class Trial:
    """The best of a configuration within the limit.

    Attributes:
        configuration: What was tried.
        connections: Connections at which requests/s were highest; 0 if a single one was above the limit.
        cost: What was measured with them; with one connection if that was above the limit.
    """

    configuration: Configuration
    connections: int
    cost: Cost

    def cells(self) -> list[str]:
        """Return the trial as a row of the results table."""
        cost = self.cost
        figures = f"{cost.requests_per_s:.0f}", f"{cost.p50_ms:.2f}", f"{cost.p99_ms:.2f}", f"{cost.cpu_us:.0f}"
        return [*map(str, asdict(self.configuration).values()), str(self.connections or "above the limit"), *figures]


@dataclass(frozen=True)
class Tuning:
    """What is tried and how.

    Attributes:
        body: Body of a request.
        max_p99_ms: Limit of the 99th percentile of latency.
        seconds: Length of each measurement.
        serve: Port → the command that starts the service.
        environ: Variables of every configuration.
        out: Existing folder for the log.
    """

    body: Body
    max_p99_ms: float
    seconds: int
    serve: Command
    environ: Mapping[str, str]
    out: Path

    def attempt(self, configuration: Configuration) -> Trial:
        """Start the service in a configuration and find its best within the limit.

        Raises:
            ServerError: It does not become ready.
            CostError: Some requests failed.
        """
        best: Trial | None = None
        variables = {**self.environ, **configuration.environ()}
        with running(self.serve, log=self.out / "tune.log", environ=lambda _: variables) as server:
            for connections in CONNECTIONS:
                cost = closed_loop.measure(server, self.body, self.out, connections=connections, seconds=self.seconds)
                if cost.p99_ms > self.max_p99_ms:
                    return best or Trial(configuration, 0, cost)
                if best is None or cost.requests_per_s > best.cost.requests_per_s:
                    best = Trial(configuration, connections, cost)
        assert best is not None
        return best


def configurations(
    cores: int, workers: Sequence[int], threads: Sequence[int], max_batches: Sequence[int]
) -> list[Configuration]:
    """Return all combinations; where workers or threads are not given, those with at most one thread a core."""
    counts = sorted({1, max(1, cores // 2), cores})
    pairs = itertools.product(workers or counts, threads or counts)
    fitting = [(w, t) for w, t in pairs if w * t <= cores or (workers and threads)]
    return [Configuration(w, t, batch) for w, t in fitting for batch in max_batches]


def results_table(trials: Sequence[Trial], max_p99_ms: float) -> str:
    """Return the trials as a Markdown table, the best first, and the settings to use.

    Raises:
        TuneError: None kept the limit.
    """
    ranked = sorted(trials, key=lambda each: (each.connections > 0, each.cost.requests_per_s), reverse=True)
    if not ranked[0].connections:
        least = min(trial.cost.p99_ms for trial in trials)
        raise TuneError(
            f"no configuration keeps the 99th percentile below {max_p99_ms:g} ms; the least was {least:.1f} ms"
        )
    header = ["workers", "threads", "max batch", "connections", "requests/s", "p50 ms", "p99 ms", closed_loop.CPU_US]
    return f"{table(header, [trial.cells() for trial in ranked])}\n\nuse: {ranked[0].configuration.describe()}"
