"""Load tests and benchmarks of the service, over HTTP."""

import argparse
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from loadtests.cli import bench_commands, cost_command, run_command, tune_command
from loadtests.load.server_process import Command, bentoml_command


def main(arguments: Sequence[str], *, serve: Command = bentoml_command) -> int:
    """Run one command.

    Args:
        arguments: Command line without the program's name.
        serve: Port → the command that starts the service.

    Returns:
        Exit status: 1 when an objective was missed, or the run failed.
    """
    options = parser().parse_args(arguments, argparse.Namespace(serve=serve))
    return int(options.run(options))


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m loadtests``."""
    program = argparse.ArgumentParser(prog="python -m loadtests", description=__doc__)
    commands = program.add_subparsers(required=True)
    for module in (run_command, cost_command, bench_commands, tune_command):
        module.add_command(commands)
    return program


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)  # as an exception, so that the server that was started is stopped


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _exit)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
