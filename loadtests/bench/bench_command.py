"""Command line → ``bench``, ``bulk``, ``growth``, ``precisions``: JSON, plots, a section of ``docs/benchmarks.md``."""

import argparse
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from loadtests.bench import benchmark, bulk, growth, measurement, precisions, systems
from loadtests.bench.peer_environments import EnvironmentBuildError
from loadtests.bench.readings import Readings
from loadtests.bench.results import curve_plots, curves, plots, results_table
from loadtests.bench.results.benchmark_page import publish
from loadtests.bench.upper_bound import CeilingError
from loadtests.inputs.fashion_images import Specimen
from loadtests.inputs.payloads import PAYLOADS, PayloadError, image_file
from loadtests.load import request_cost, run_conditions
from loadtests.load.server_process import REPOSITORY

OUT = Path("build/bench")
DEFAULT_BUNDLE = Path("models/store/fashion-mnist")
GROWN_HEADS = Path("build/grown-heads")
BULK_CONNECTIONS = 4  # each has several images under way
FAILURES = (measurement.MatchError, CeilingError, EnvironmentBuildError, PayloadError)
Positive = Callable[[str], int]


def add_commands(commands: Any, positive: Positive) -> None:
    """Add the four to the commands; ``positive`` reads a number of at least 1."""
    command = commands.add_parser("bench", help="compare the service with other servers of the same bundle")
    command.set_defaults(carry_out=lambda options: _guarded(run_bench, options))
    known = ", ".join(systems.PEERS)
    command.add_argument("--peers", metavar="A,B", type=_peers, default=list(systems.PEERS), help=f"of {known} (all)")
    _add_shared(command, positive, request_cost.CONNECTIONS)
    command = commands.add_parser("bulk", help="measure several images a request, beside what is possible")
    command.set_defaults(carry_out=lambda options: _guarded(run_bulk, options))
    command.add_argument("--images", metavar="N,M", type=_numbers, default=[64], help="a request (64)")
    _add_forms(command)
    _add_shared(command, positive, BULK_CONNECTIONS)
    command = commands.add_parser("growth", help="measure ever more connections, images a request, and trees")
    command.set_defaults(carry_out=lambda options: _guarded(run_growth, options))
    command.add_argument(
        "--heads",
        metavar="DIR",
        type=Path,
        default=GROWN_HEADS,
        help="store of `python -m tools.grown_heads` (%(default)s)",
    )
    _add_forms(command)
    _add_shared(command, positive, BULK_CONNECTIONS)

    command = commands.add_parser("precisions", help="measure a bundle in each of its precisions")
    command.set_defaults(carry_out=lambda options: _guarded(run_precisions, options))
    command.add_argument("--precisions", metavar="A,B", type=_precisions, default=["fp32", "int8"], help="(fp32,int8)")
    _add_shared(command, positive, request_cost.CONNECTIONS)


def _add_forms(command: argparse.ArgumentParser) -> None:
    known = ", ".join(bulk.FORMS)
    command.add_argument("--forms", metavar="A,B", type=_forms, default=["multipart", "binary"], help=f"of {known}")


def _add_shared(command: argparse.ArgumentParser, positive: Positive, connections: int) -> None:
    command.add_argument("--bundle", metavar="DIR", type=Path, default=DEFAULT_BUNDLE, help="served (%(default)s)")
    command.add_argument("--payload", choices=PAYLOADS, default="small", help="image that is sent (%(default)s)")
    command.add_argument("--image", metavar="FILE", type=Path, help="send this one instead")
    command.add_argument("--rounds", metavar="N", type=positive, default=5, help="default: %(default)s")
    command.add_argument("--seconds", metavar="S", type=positive, default=5, help="of one measurement (%(default)s)")
    command.add_argument("--connections", metavar="N", type=positive, default=connections, help="of wrk (%(default)s)")
    command.add_argument("--workers", metavar="N", type=positive, default=systems.cores(), help="default: %(default)s")
    command.add_argument("--json", metavar="FILE", type=Path, help="takes every figure of every round")
    command.add_argument("--docs", metavar="FILE", type=Path, help="page that takes the section, its plots beside it")
    command.add_argument("--out", metavar="DIR", type=Path, default=OUT, help="takes logs and plots (%(default)s)")


def run_bench(options: argparse.Namespace) -> None:
    """Compare the service with its peers."""
    specimen = _specimens(options, 1)[0]
    bundle = _bundle(options)
    peers = [systems.PEERS[key].contestant(bundle, options.workers) for key in options.peers]
    contestants = [systems.tandem(bundle, options.workers), *peers]
    numbers = (options.workers, options.connections, options.rounds, options.seconds)
    facts = _conditions(options, specimen)
    readings = benchmark.carry_out(benchmark.Bench(contestants, bundle, specimen, *numbers), options.out)
    title, name = (
        f"One image a request: {facts['payload']}, {facts['precision']}",
        f"bench-{options.bundle.name}-{_payload_name(options)}",
    )
    plots.comparison(readings, title, _picture(options, name))
    _deliver(options, name, results_table.section(title, _seen(options, name), contestants, readings, facts))
    _keep(options, readings, facts | {f"settings of {each.name}": each.settings for each in contestants})


def run_bulk(options: argparse.Namespace) -> None:
    """Measure several images a request."""
    specimens = _specimens(options, max(options.images))
    facts = _conditions(options, specimens[0])
    readings = bulk.carry_out(_bulk(options, specimens, options.images), options.out)
    title, name = (
        f"Several images a request: {facts['payload']}, {facts['precision']}",
        f"bulk-{options.bundle.name}-{_payload_name(options)}",
    )
    parts = [
        curves.BULK_WORDS,
        curves.images(readings, options.forms),
        results_table.disturbance(readings, [measurement.OTHERS]),
    ]
    _deliver(options, name, curves.section(title, facts, parts))
    _keep(options, readings, facts)


def run_growth(options: argparse.Namespace) -> None:
    """Measure ever more of what a service may get more of."""
    specimens = _specimens(options, max(growth.DOUBLINGS))
    facts = _conditions(options, specimens[0])
    grown = growth.grown_bundles(REPOSITORY / options.heads)
    if not grown:
        raise PayloadError(f"{options.heads} holds no bundles; make them with `python -m tools.grown_heads`")
    plan = growth.Growth(
        service=lambda bundle: systems.tandem(bundle, options.workers),
        bundle=_bundle(options),
        grown=grown,
        specimen=specimens[0],
        connections=growth.DOUBLINGS,
        rounds=options.rounds,
        seconds=options.seconds,
    )
    readings = growth.carry_out(plan, options.out)
    several = bulk.carry_out(_bulk(options, specimens, growth.DOUBLINGS), options.out)
    name = f"growth-{options.bundle.name}-{_payload_name(options)}"
    curve_plots.connections(readings, "More connections, one image a request", _picture(options, f"{name}-connections"))
    curve_plots.images(several, "More images a request", _picture(options, f"{name}-images"))
    curve_plots.trees(readings, "More trees", _picture(options, f"{name}-trees"))
    parts = [
        curves.part(
            "More connections",
            curves.CONNECTIONS_WORDS,
            _seen(options, f"{name}-connections"),
            curves.connections(readings),
        ),
        curves.part(
            "More images a request",
            curves.BULK_WORDS,
            _seen(options, f"{name}-images"),
            curves.images(several, options.forms),
        ),
        curves.part("More trees", curves.TREES_WORDS, _seen(options, f"{name}-trees"), curves.trees(readings)),
    ]
    everything = readings.joined(several)
    parts.append(results_table.disturbance(everything, [measurement.OTHERS]))
    _deliver(options, name, curves.section(f"Growth: {facts['payload']}", facts, parts))
    _keep(options, everything, facts)


def run_precisions(options: argparse.Namespace) -> None:
    """Measure a bundle in each of its precisions."""
    specimen, bundle = _specimens(options, 1)[0], _bundle(options)
    facts = _conditions(options, specimen)
    del facts["precision"]
    numbers = (options.workers, options.connections, options.rounds, options.seconds)
    readings = precisions.carry_out(precisions.Comparison(bundle, options.precisions, specimen, *numbers), options.out)
    title = f"Precisions: {facts['payload']}"
    name = f"precisions-{options.bundle.name}-{_payload_name(options)}"
    found = precisions.standings(readings, precisions.read_accuracies(bundle))
    _deliver(options, name, curves.section(title, facts, [precisions.WORDS, found]))
    _keep(options, readings, facts)


def _guarded(run: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Run; 1, with a sentence, where a server cannot be installed, started or trusted."""
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        run(options)
    except FAILURES as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _bulk(options: argparse.Namespace, specimens: list[Specimen], counts: Sequence[int]) -> bulk.Bulk:
    bundle = _bundle(options)
    body_bytes = sum(len(each.body) for each in specimens)
    return bulk.Bulk(
        service=systems.tandem(bundle, options.workers, body_bytes=2 * body_bytes),  # base64, boundaries
        bundle=bundle,
        forms=options.forms,
        specimens=specimens,
        counts=counts,
        workers=options.workers,
        connections=options.connections,
        rounds=options.rounds,
        seconds=options.seconds,
    )


def _bundle(options: argparse.Namespace) -> Path:
    return Path(REPOSITORY / options.bundle).resolve()


def _conditions(options: argparse.Namespace, specimen: Specimen) -> dict[str, str]:
    connections = f"{options.connections} connections in the closed loop"
    return run_conditions.describe(
        payload=f"{specimen.describe()}, bundle {options.bundle.name}",
        rounds=f"{options.rounds} of {options.seconds} s, interleaved; {connections}, {options.workers} workers",
    )


def _specimens(options: argparse.Namespace, count: int) -> list[Specimen]:
    return [image_file(options.image)] * count if options.image else PAYLOADS[options.payload](count)


def _payload_name(options: argparse.Namespace) -> str:
    """Name what is sent, and in which precision it is embedded where that is not left to the servers."""
    name = str(options.image.stem if options.image else options.payload)
    precision = os.environ.get("TANDEM_PRECISION", "auto")
    return name if precision == "auto" else f"{name}-{precision}"


def _picture(options: argparse.Namespace, name: str) -> Path:
    """Beside the page, in a folder of its name; without a page, with the logs."""
    folder: Path = options.docs.with_suffix("") if options.docs else options.out
    return folder / f"{name}.svg"


def _seen(options: argparse.Namespace, name: str) -> str:
    """Give a picture's path as seen from the page."""
    picture = _picture(options, name)
    return os.path.relpath(picture, options.docs.parent) if options.docs else str(picture)


def _deliver(options: argparse.Namespace, name: str, text: str) -> None:
    print(text)
    if options.docs:
        publish(options.docs, name, text)


def _keep(options: argparse.Namespace, readings: Readings, facts: dict[str, str]) -> None:
    if options.json:
        readings.write(options.json, facts)


def _numbers(text: str) -> list[int]:
    numbers = sorted(int(word) for word in text.split(","))
    if numbers[0] < 1:
        raise argparse.ArgumentTypeError(f"{numbers[0]} is below 1")
    return numbers


def _forms(text: str) -> list[str]:
    return _known(text, bulk.FORMS)


def _precisions(text: str) -> list[str]:
    return _known(text, ("fp32", "fp16", "int8"))


def _peers(text: str) -> list[str]:
    return _known(text, systems.PEERS)


def _known(text: str, names: Collection[str]) -> list[str]:
    keys = [key for key in text.split(",") if key]
    if unknown := [key for key in keys if key not in names]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(names)}")
    return keys
