"""``python -m loadtests tune``: the settings of the service that give most requests/s within a limit of latency."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from loadtests.bench.systems import cores
from loadtests.bench.tuning import Trial, TuneError, Tuning, configurations, results_table
from loadtests.cli.argument_types import Commands, integers, positive
from loadtests.inputs.payloads import PAYLOADS, PayloadError, read_images
from loadtests.inputs.request_bodies import single
from loadtests.load import machine
from loadtests.load.closed_loop import CostError
from loadtests.load.server_process import ServerError


def add_command(commands: Commands) -> None:
    """Add ``tune`` to the commands."""
    command = commands.add_parser("tune", help="find the settings with most requests/s within a limit of latency")
    command.set_defaults(run=run)
    add = command.add_argument
    add("--bundle", metavar="DIR", type=Path, help="what is served (the service's default)")
    add("--payload", choices=PAYLOADS, default="small", help="image to send (%(default)s)")
    add("--image", metavar="FILE", type=Path, help="send this image instead")
    add("--max-p99-ms", metavar="X", type=float, default=50.0, help="limit of the 99th percentile (%(default)s)")
    for name, default, shown in (
        ("workers", [], "what fits the cores"),
        ("threads", [], "what fits the cores"),
        ("max-batch", [1, 8, 32], "1,8,32"),
    ):
        add(f"--{name}", metavar="N,M", type=integers, default=default, help=f"{name} to try ({shown})")
    add("--seconds", metavar="S", type=positive, default=3, help="of one measurement (%(default)s)")
    add("--json", metavar="FILE", type=Path, help="takes every trial")
    add("--out", metavar="DIR", type=Path, default=Path("build/tune"), help="takes the log (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Try the configurations and print the trials; 1 where none keeps the limit or the service does not start."""
    options.out.mkdir(parents=True, exist_ok=True)
    environ = {"TANDEM_BUNDLE": str(options.bundle.resolve())} if options.bundle else {}
    try:
        body = single(read_images(options.payload, options.image, 1)[0])
        tuning = Tuning(body, options.max_p99_ms, options.seconds, options.serve, environ, options.out)
        print(f"p99 at most {options.max_p99_ms:g} ms, on {machine.describe()}", flush=True)
        trials: list[Trial] = []
        for each in configurations(cores(), options.workers, options.threads, options.max_batch):
            trials.append(tuning.attempt(each))
            connections, rate, *_ = trials[-1].cells()[3:]
            print(f"{each.describe()}: {connections} connections, {rate} requests/s", flush=True)
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps([asdict(trial) for trial in trials], indent=1) + "\n")
        print("\n" + results_table(trials, options.max_p99_ms))
    except (ServerError, CostError, PayloadError, TuneError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
