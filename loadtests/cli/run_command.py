"""``python -m loadtests run``: locust users against a service, a table, and the objectives that were missed."""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

from loadtests.cli.argument_types import Commands, positive
from loadtests.load import machine
from loadtests.load.server_process import ServerError, running
from loadtests.scenarios.load_shapes import SHAPES
from loadtests.scenarios.locust_run import SUMMARY_FILE, USERS, LocustError, Plan, run_locust
from loadtests.scenarios.objectives import OBJECTIVES, missed_objectives
from loadtests.scenarios.run_summary import table, write_summary


def add_command(commands: Commands) -> None:
    """Add ``run`` to the commands."""
    command = commands.add_parser("run", help="send load with locust, print a table, check objectives")
    command.set_defaults(run=run)
    add = command.add_argument
    add("--host", metavar="URL", help="a running service; without it, one is started")
    add("--server-pid", metavar="PID", type=positive, help="process of --host, to measure its CPU time")
    add("--users", metavar="N", type=positive, default=50, help="users at the peak (%(default)s)")
    add("--seconds", metavar="S", type=positive, default=60, help="length of the load (%(default)s)")
    shapes = ["constant", *SHAPES]
    add("--shape", choices=shapes, default="constant", help="how the number of users changes (%(default)s)")
    add("--traffic", choices=USERS, default="mixed", help="what is sent (%(default)s)")
    add("--images", metavar="N", type=positive, default=500, help="number of test images to send (%(default)s)")
    add("--out", metavar="DIR", type=Path, default=Path("build/loadtest"), help="takes the results (%(default)s)")
    objectives = command.add_argument_group("objectives", "the exit status is 1 when one is missed")
    for each in OBJECTIVES:
        objectives.add_argument(
            f"--{each.option}", dest=each.option, metavar="X", type=float, default=each.default, help=each.meaning
        )


def run(options: argparse.Namespace) -> int:
    """Run a load test; 1 where an objective was missed or the run failed."""
    plan = Plan(options.users, options.seconds, options.shape, options.traffic, options.images)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        with _target(options) as (url, server_pid):
            conditions = f"{plan.describe()}, against {url} on {machine.describe()}"
            print(conditions, flush=True)
            measured = run_locust(plan, url, options.out, server_pid)
    except (ServerError, LocustError) as error:
        print(error, file=sys.stderr)
        return 1
    summary = dataclasses.replace(measured, conditions=conditions)
    write_summary(summary, options.out / SUMMARY_FILE)
    print(table(summary))
    print(f"locust's report and figures: {options.out}")
    missed = missed_objectives(summary, vars(options))
    for line in missed:
        print(f"objective missed: {line}", file=sys.stderr)
    return 1 if missed else 0


@contextlib.contextmanager
def _target(options: argparse.Namespace) -> Iterator[tuple[str, int | None]]:
    """Yield the URL and process id of the service at ``--host``, or of one that is started for the run."""
    if options.host is not None:
        yield options.host.rstrip("/"), options.server_pid
        return
    with running(options.serve, log=options.out / "server.log") as server:
        yield server.url, server.pid
