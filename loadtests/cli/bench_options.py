"""Options that all comparisons have ──▶ the settings of a run, and where its results go."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from loadtests.bench import measurement, systems
from loadtests.bench.bench_settings import Settings
from loadtests.bench.peer_environments import EnvironmentBuildError
from loadtests.bench.readings import Readings
from loadtests.bench.results.benchmark_page import publish
from loadtests.bench.work_alone import WorkAloneError
from loadtests.cli.argument_types import Commands, positive
from loadtests.inputs.payloads import PAYLOADS, PayloadError, read_images
from loadtests.load import closed_loop, run_conditions
from loadtests.load.server_process import REPOSITORY

FAILURES = (measurement.MeasurementError, WorkAloneError, EnvironmentBuildError, PayloadError)


def add_bench_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], None],
    text: str,
    connections: int = closed_loop.CONNECTIONS,
) -> argparse.ArgumentParser:
    """Add a command with the options that all comparisons have; ``connections`` is a default."""
    command = commands.add_parser(name, help=text)
    command.set_defaults(run=partial(_run, run))
    add = command.add_argument
    add("--bundle", metavar="DIR", type=Path, default=systems.DEFAULT_BUNDLE, help="what is served (%(default)s)")
    add("--payload", choices=PAYLOADS, default="small", help="image to send (%(default)s)")
    add("--image", metavar="FILE", type=Path, help="send this image instead")
    add("--rounds", metavar="N", type=positive, default=5, help="(%(default)s)")
    add("--seconds", metavar="S", type=positive, default=5, help="of one measurement (%(default)s)")
    add("--connections", metavar="N", type=positive, default=connections, help="of wrk (%(default)s)")
    add("--workers", metavar="N", type=positive, default=systems.cores(), help="processes of a system (%(default)s)")
    add("--json", metavar="FILE", type=Path, help="takes every figure of every round")
    add("--docs", metavar="FILE", type=Path, help="page that takes the section; its plots go beside it")
    add("--out", metavar="DIR", type=Path, default=Path("build/bench"), help="takes logs and plots (%(default)s)")
    return command


def _run(command: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Run a command; 1 where a system cannot be installed, started or trusted."""
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        command(options)
    except FAILURES as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def read_settings(options: argparse.Namespace, images: int) -> Settings:
    """Read the settings of a run that sends up to ``images`` images a request.

    Raises:
        PayloadError: There is no such image.
    """
    return Settings(
        bundle=(REPOSITORY / options.bundle).resolve(),
        images=read_images(options.payload, options.image, images),
        workers=options.workers,
        connections=options.connections,
        rounds=options.rounds,
        seconds=options.seconds,
        out=options.out,
    )


def describe_run(settings: Settings) -> dict[str, str]:
    """Return the conditions of a run by their names."""
    connections = f"{settings.connections} connections in the closed loop"
    return run_conditions.describe(
        payload=f"{settings.images[0].describe()}, bundle {settings.bundle.name}",
        rounds=f"{settings.rounds} of {settings.seconds} s, interleaved; {connections}, {settings.workers} workers",
    )


class Report:
    """The results of one command: printed, and written where the options say."""

    def __init__(self, options: argparse.Namespace, command: str) -> None:
        """Name the results after the command, the bundle, the image and the precision, if one is set."""
        image = options.image.stem if options.image else options.payload
        precision = os.environ.get("TANDEM_PRECISION", "auto")
        names = [command, options.bundle.name, image, *([] if precision == "auto" else [precision])]
        self._name = "-".join(names)
        self._docs: Path | None = options.docs
        self._json: Path | None = options.json
        self._out: Path = options.out

    def plot(self, suffix: str = "") -> Path:
        """Return the path of a plot: beside the page, in a folder of its name; without a page, with the logs."""
        folder = self._docs.with_suffix("") if self._docs else self._out
        return folder / f"{self._name}{suffix}.svg"

    def plot_link(self, suffix: str = "") -> str:
        """Return the path of a plot as seen from the page."""
        return os.path.relpath(self.plot(suffix), self._docs.parent) if self._docs else str(self.plot(suffix))

    def print(self, text: str) -> None:
        """Print the section, and publish it on the page."""
        print(text)
        if self._docs:
            publish(self._docs, self._name, text)

    def keep(self, readings: Readings, facts: Mapping[str, str]) -> None:
        """Write every figure as JSON, where that was asked for."""
        if self._json:
            readings.write(self._json, dict(facts))
