"""`python -m feedback`: what was recorded is measured, reported and erased from the shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from feedback.commands import drift_command, forget_command, report_command, watch_command
from feedback.simulation import simulate_command
from models.errors import NotFound, TandemError

_COMMANDS = (report_command, drift_command, watch_command, forget_command, simulate_command)
_NOTHING, _FAILED = 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, or after a line on stderr 1 if what it is about does not exist, 2 if it fails."""
    arguments = parser().parse_args(argv)
    command: Callable[[argparse.Namespace], str] = arguments.run
    try:
        print(command(arguments))
    except (TandemError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return _NOTHING if isinstance(error, NotFound) else _FAILED
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    program = argparse.ArgumentParser(prog="python -m feedback", description=__doc__)
    commands = program.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add_parser(commands)
    return program


if __name__ == "__main__":
    sys.exit(main())
