"""Command line → a load test, a table, and an exit status that says whether the objectives were met."""

import argparse
import contextlib
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from loadtests.bench.bench_command import add_commands
from loadtests.bench.tune import add_command as add_tune
from loadtests.inputs.fashion_images import dataset_folder, read_test_set, small_images
from loadtests.inputs.request_bodies import Body, single, with_columns
from loadtests.load import machine
from loadtests.load.request_cost import CONNECTIONS, Cost, CostError, measure
from loadtests.load.server_process import Command, Server, ServerError, bentoml_command, running
from loadtests.scenarios.campaign import SUMMARY_FILE, USERS, CampaignError, Plan, carry_out
from loadtests.scenarios.load_shapes import SHAPES
from loadtests.scenarios.objectives import OBJECTIVES, missed_objectives
from loadtests.scenarios.run_summary import table, write_summary

OUT = Path("build/loadtest")


def main(arguments: Sequence[str], *, serve: Command = bentoml_command) -> int:
    """Run a load test.

    Args:
        arguments: Command line without the program's name.
        serve: Port → the command that starts the service where no ``--host`` is given.

    Returns:
        Exit status: 0 when every objective was met; 1 when one was missed or the run broke down.
    """
    options = parser().parse_args(arguments)
    if "carry_out" in options:
        return int(options.carry_out(options))
    return _cost(options, serve) if options.command == "cost" else _run(options, serve)


def _run(options: argparse.Namespace, serve: Command) -> int:
    plan = Plan(options.users, options.seconds, options.shape, options.traffic, options.images)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        with _target(options, serve) as (url, server_pid):
            conditions = f"{plan.describe()}, against {url} on {machine.describe()}"
            print(conditions, flush=True)
            measured = carry_out(plan, url, options.out, server_pid)
    except (ServerError, CampaignError) as error:
        print(error, file=sys.stderr)
        return 1
    summary = dataclasses.replace(measured, conditions=conditions)
    write_summary(summary, options.out / SUMMARY_FILE)
    print(table(summary))
    print(f"locust's report and figures: {options.out}")
    limits = {each.option: getattr(options, each.option) for each in OBJECTIVES}
    missed = missed_objectives(summary, limits)
    for line in missed:
        print(f"objective missed: {line}", file=sys.stderr)
    return 1 if missed else 0


def _cost(options: argparse.Namespace, serve: Command) -> int:
    options.out.mkdir(parents=True, exist_ok=True)
    image = small_images(*read_test_set(dataset_folder(os.environ), 1))[0]
    body = single(image) if options.columns is None else with_columns(image, options.columns)
    try:
        with running(serve, log=options.out / "server.log") as server:
            rounds = f"{options.rounds} rounds of " if options.rounds > 1 else ""
            print(
                f"{options.connections} connections, {rounds}{options.seconds} s, on {machine.describe()}", flush=True
            )
            cost = _median_costs(options, server, body)
    except (ServerError, CostError) as error:
        print(error, file=sys.stderr)
        return 1
    if options.max_cpu_ms is not None and cost.cpu_ms_per_request > options.max_cpu_ms:
        print(f"objective missed: {cost.cpu_ms_per_request:.3f} ms is over {options.max_cpu_ms:g} ms", file=sys.stderr)
        return 1
    return 0


def _median_costs(options: argparse.Namespace, server: Server, body: Body) -> Cost:
    """Measure the queries in turns, print the median round of each, and return that of the first."""
    found: dict[str, list[Cost]] = {query: [] for query in options.query}
    for _ in range(options.rounds):
        for query, costs in found.items():
            load = {"connections": options.connections, "seconds": options.seconds}
            costs.append(measure(server.url, server.pid, body, options.out, query=query, **load))
    medians = {
        query: sorted(costs, key=lambda each: each.cpu_ms_per_request)[len(costs) // 2]
        for query, costs in found.items()
    }
    first, *_ = medians.values()
    for query, cost in medians.items():
        beside = (
            f", {cost.cpu_ms_per_request / first.cpu_ms_per_request:.2f} times the first one's CPU"
            if len(medians) > 1
            else ""
        )
        print(f"{'?' + query + ': ' if query else ''}{cost.describe()}{beside}")
    return first


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m loadtests``."""
    program = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    commands = program.add_subparsers(dest="command", required=True)
    _add_run(commands.add_parser("run", help="send load, print a table, check objectives"))
    cost = commands.add_parser("cost", help="start the service and measure what one small image costs it, with wrk")
    cost.add_argument("--connections", metavar="N", type=_count, default=CONNECTIONS, help="default: %(default)s")
    cost.add_argument("--seconds", metavar="S", type=_count, default=10, help="default: %(default)s")
    cost.add_argument(
        "--query",
        metavar="Q",
        nargs="+",
        default=[""],
        help="options of the request, such as heads=a,b; several are measured in turns, '' being none",
    )
    cost.add_argument("--columns", metavar="JSON", type=json.loads, help="columns beside the image")
    cost.add_argument("--rounds", metavar="N", type=_count, default=1, help="default: %(default)s")
    cost.add_argument("--max-cpu-ms", metavar="X", type=float, help="exit status 1 where a request costs more")
    cost.add_argument("--out", metavar="DIR", type=Path, default=OUT, help="takes the log (%(default)s)")
    add_commands(commands, _count)
    add_tune(commands, _count)
    return program


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument("--host", metavar="URL", help="a running service; without it, one is started")
    run.add_argument(
        "--server-pid",
        metavar="PID",
        type=_count,
        help="the process of --host, to measure its CPU time",
    )
    run.add_argument(
        "--users",
        metavar="N",
        type=_count,
        default=50,
        help="users at the peak (%(default)s)",
    )
    run.add_argument("--seconds", metavar="S", type=_count, default=60, help="length of the load (%(default)s)")
    run.add_argument(
        "--shape",
        choices=["constant", *SHAPES],
        default="constant",
        help="how the number of users changes (%(default)s)",
    )
    run.add_argument("--traffic", choices=USERS, default="mixed", help="what is sent (%(default)s)")
    run.add_argument(
        "--images",
        metavar="N",
        type=_count,
        default=500,
        help="test images, each sent alone before the load (%(default)s)",
    )
    run.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=OUT,
        help="takes the results (%(default)s)",
    )
    objectives = run.add_argument_group("objectives", "the exit status is 1 when one is missed")
    for each in OBJECTIVES:
        flag, limit = f"--{each.option}", each.default
        objectives.add_argument(
            flag,
            dest=each.option,
            metavar="X",
            type=float,
            default=limit,
            help=each.meaning,
        )


@contextlib.contextmanager
def _target(options: argparse.Namespace, serve: Command) -> Iterator[tuple[str, int | None]]:
    """Give the URL and the process of the service named by the options, or of one started for the run."""
    if options.host is not None:
        yield options.host.rstrip("/"), options.server_pid
        return
    with running(serve, log=options.out / "server.log") as server:
        yield server.url, server.pid


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return count


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)  # as an exception, so that the service that was started is stopped


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _leave)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
