"""Command line → ``bench``: a comparison, its figures as JSON, its section of ``docs/benchmarks.md``."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loadtests import bench, conditions, lineup, match, plots, standings
from loadtests.ceiling import CeilingError
from loadtests.environments import EnvironmentBuildError
from loadtests.images import Specimen
from loadtests.pages import publish
from loadtests.payloads import PAYLOADS, PayloadError, image_file
from loadtests.server import REPOSITORY

OUT = Path("build/bench")
DEFAULT_BUNDLE = Path("models/store/fashion-mnist")
FAILURES = (match.MatchError, CeilingError, EnvironmentBuildError, PayloadError)


def add_bench(commands: Any, positive: Callable[[str], int]) -> None:
    """Add ``bench`` to the commands; ``positive`` reads a number of at least 1."""
    command = commands.add_parser("bench", help="compare the service with other servers of the same bundle")
    command.set_defaults(carry_out=run_bench)
    command.add_argument(
        "--peers", metavar="A,B", type=_peers, default=list(lineup.PEERS), help=f"of {', '.join(lineup.PEERS)} (all)"
    )
    add_shared(command, positive)


def add_shared(command: argparse.ArgumentParser, positive: Callable[[str], int]) -> None:
    """Add the options that every comparison takes."""
    command.add_argument("--bundle", metavar="DIR", type=Path, default=DEFAULT_BUNDLE, help="served (%(default)s)")
    command.add_argument("--payload", choices=PAYLOADS, default="small", help="image that is sent (%(default)s)")
    command.add_argument("--image", metavar="FILE", type=Path, help="send this one instead")
    command.add_argument("--rounds", metavar="N", type=positive, default=5, help="default: %(default)s")
    command.add_argument("--seconds", metavar="S", type=positive, default=5, help="of one measurement (%(default)s)")
    command.add_argument("--connections", metavar="N", type=positive, default=16, help="of wrk (%(default)s)")
    command.add_argument("--workers", metavar="N", type=positive, default=lineup.cores(), help="default: %(default)s")
    command.add_argument("--json", metavar="FILE", type=Path, help="takes every figure of every round")
    command.add_argument("--docs", metavar="FILE", type=Path, help="page that takes the section, its plot beside it")
    command.add_argument("--out", metavar="DIR", type=Path, default=OUT, help="takes logs and plots (%(default)s)")


def run_bench(options: argparse.Namespace) -> int:
    """Compare; 1 where a server cannot be installed, started or trusted."""
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        specimen = specimens(options, 1)[0]
        plan = _plan(options, specimen)
        facts = conditions.describe(payload=describe(specimen, options), rounds=_rounds(options))
        readings = bench.carry_out(plan, options.out)
    except FAILURES as error:
        print(error, file=sys.stderr)
        return 1
    name = f"bench-{options.bundle.name}-{payload_name(options)}"
    title = f"One image a request: {describe(specimen, options)}"
    picture = picture_path(options, name)
    plots.comparison(readings, title, picture)
    seen_from = os.path.relpath(picture, options.docs.parent) if options.docs else str(picture)
    text = standings.section(title, seen_from, plan.contestants, readings, facts)
    deliver(options, name, text)
    if options.json:
        readings.write(options.json, {**facts, "settings": {each.name: each.settings for each in plan.contestants}})
    return 0


def deliver(options: argparse.Namespace, name: str, text: str) -> None:
    """Print a section, and put it into the page where one is named."""
    print(text)
    if options.docs:
        publish(options.docs, name, text)


def picture_path(options: argparse.Namespace, name: str) -> Path:
    """Beside the page, in a folder of its name; without a page, with the logs."""
    folder: Path = options.docs.with_suffix("") if options.docs else options.out
    return folder / f"{name}.svg"


def specimens(options: argparse.Namespace, count: int) -> list[Specimen]:
    """Give so many images to send.

    Raises:
        PayloadError: There is no such image.
    """
    return [image_file(options.image)] * count if options.image else PAYLOADS[options.payload](count)


def payload_name(options: argparse.Namespace) -> str:
    """Name what is sent, for files."""
    return str(options.image.stem if options.image else options.payload)


def describe(specimen: Specimen, options: argparse.Namespace) -> str:
    """Say what is sent and what serves it."""
    return f"{specimen.describe()}, bundle {options.bundle.name}"


def _plan(options: argparse.Namespace, specimen: Specimen) -> bench.Bench:
    bundle = (REPOSITORY / options.bundle).resolve()
    peers = [lineup.PEERS[key].contestant(bundle, options.workers) for key in options.peers]
    contestants = [lineup.tandem(bundle, options.workers), *peers]
    numbers = (options.workers, options.connections, options.rounds, options.seconds)
    return bench.Bench(contestants, bundle, specimen, *numbers)


def _rounds(options: argparse.Namespace) -> str:
    return f"{options.rounds} of {options.seconds} s, {options.connections} connections in the closed loop"


def _peers(text: str) -> list[str]:
    keys = [key for key in text.split(",") if key]
    if unknown := [key for key in keys if key not in lineup.PEERS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(lineup.PEERS)}")
    return keys
