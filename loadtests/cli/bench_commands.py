"""``python -m loadtests bench``, ``bulk``, ``growth``, ``precisions``: tables, JSON, plots, ``docs/benchmarks.md``."""

import argparse
from functools import partial
from pathlib import Path

from loadtests.bench import benchmark, bulk, growth, precisions, systems
from loadtests.bench.results import curve_plots, curves, plots, results_table
from loadtests.bench.results.benchmark_page import section
from loadtests.cli.argument_types import Commands, integers, names_of
from loadtests.cli.bench_options import Report, add_bench_command, describe_run, read_settings
from loadtests.inputs.payloads import PayloadError
from loadtests.load.server_process import REPOSITORY

GROWN_HEADS = Path("build/grown-heads")
BULK_CONNECTIONS = 4  # each has several images in progress
PRECISIONS = ("fp32", "fp16", "int8")


def add_command(commands: Commands) -> None:
    """Add the four commands."""
    add = partial(add_bench_command, commands)
    bench = add("bench", run_bench, "compare the service with other servers of the same bundle")
    peers = list(systems.PEERS)
    bench.add_argument(
        "--peers", metavar="A,B", type=names_of(peers), default=peers, help=f"of {', '.join(peers)} (all)"
    )
    several = add("bulk", run_bulk, "measure several images a request, next to the work alone", BULK_CONNECTIONS)
    several.add_argument("--images", metavar="N,M", type=integers, default=[64], help="images a request (64)")
    grown = add(
        "growth", run_growth, "measure more and more connections, images a request, and trees", BULK_CONNECTIONS
    )
    grown.add_argument(
        "--heads",
        metavar="DIR",
        type=Path,
        default=GROWN_HEADS,
        help="from `python -m tools.grown_heads` (%(default)s)",
    )
    for command in (several, grown):
        command.add_argument(
            "--forms", metavar="A,B", type=names_of(bulk.FORMS), default=["multipart", "binary"],
            help=f"forms of body, of {', '.join(bulk.FORMS)} (multipart,binary)",
        )  # fmt: skip
    compared = add("precisions", run_precisions, "measure a bundle in each of its precisions")
    compared.add_argument(
        "--precisions", metavar="A,B", type=names_of(PRECISIONS), default=["fp32", "int8"], help="(fp32,int8)"
    )


def run_bench(options: argparse.Namespace) -> None:
    """Compare the service with its peers."""
    settings = read_settings(options, 1)
    facts = describe_run(settings)
    compared = [systems.tandem(settings.bundle, settings.workers)]
    compared += [systems.PEERS[key].install(settings.bundle, settings.workers) for key in options.peers]
    readings = benchmark.measure(compared, settings)
    title = f"One image a request: {facts['payload']}, {facts['precision']}"
    report = Report(options, "bench")
    plots.comparison(readings, title, report.plot())
    report.print(results_table.comparison(title, report.plot_link(), compared, readings, facts))
    report.keep(readings, facts | {f"settings of {each.name}": each.settings for each in compared})


def run_bulk(options: argparse.Namespace) -> None:
    """Measure several images a request."""
    settings = read_settings(options, max(options.images))
    facts = describe_run(settings)
    readings = bulk.measure(settings, options.forms, options.images)
    parts = [curves.BULK_TEXT, curves.images(readings, options.forms), results_table.other_work(readings)]
    report = Report(options, "bulk")
    report.print(section(f"Several images a request: {facts['payload']}, {facts['precision']}", facts, parts))
    report.keep(readings, facts)


def run_growth(options: argparse.Namespace) -> None:
    """Measure more and more connections, images a request, and trees."""
    settings = read_settings(options, max(growth.DOUBLINGS))
    facts = describe_run(settings)
    grown = growth.grown_bundles(REPOSITORY / options.heads)
    if not grown:
        raise PayloadError(f"{options.heads} holds no bundles; make them with `python -m tools.grown_heads`")
    readings = growth.measure(settings, grown)
    several = bulk.measure(settings, options.forms, growth.DOUBLINGS)
    report = Report(options, "growth")
    curve_plots.connections(readings, "More connections, one image a request", report.plot("-connections"))
    curve_plots.images(several, "More images a request", report.plot("-images"))
    curve_plots.trees(readings, "More trees", report.plot("-trees"))
    chapters = (
        ("More connections", "-connections", curves.CONNECTIONS_TEXT, curves.connections(readings)),
        ("More images a request", "-images", curves.BULK_TEXT, curves.images(several, options.forms)),
        ("More trees", "-trees", curves.TREES_TEXT, curves.trees(readings)),
    )
    parts = [curves.part(title, text, report.plot_link(plot), table) for title, plot, text, table in chapters]
    readings.extend(several)
    parts.append(results_table.other_work(readings))
    report.print(section(f"Growth: {facts['payload']}", facts, parts))
    report.keep(readings, facts)


def run_precisions(options: argparse.Namespace) -> None:
    """Measure a bundle in each of its precisions."""
    settings = read_settings(options, 1)
    facts = describe_run(settings)
    del facts["precision"]
    readings = precisions.measure(settings, options.precisions)
    found = precisions.results_table(readings, precisions.read_accuracies(settings.bundle))
    report = Report(options, "precisions")
    report.print(section(f"Precisions: {facts['payload']}", facts, [precisions.TEXT, found]))
    report.keep(readings, facts)
