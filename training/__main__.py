"""`python -m training COMMAND`: from images to a bundle, and what there is to know about them before."""

from __future__ import annotations

import argparse
import io
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from models.errors import EvidenceError, TandemError
from training.inspection import dry_run

REFUSED = 3  # `relearn` has written a head that is not as good as the champion's
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one training; returns 0, 1 or 3 after a line on stderr that says why not, or 130 if interrupted."""
    words = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of classes and files are any text
    try:
        arguments = _parser(words).parse_args(words)
    except KeyboardInterrupt:  # while libraries were loaded
        print("\ninterrupted; nothing was written: start again", file=sys.stderr)
        return INTERRUPTED
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill leaves by the same door as Ctrl-C
    run: Callable[[argparse.Namespace], Path | None] = arguments.run
    try:
        path = run(arguments)
    except EvidenceError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except (TandemError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        print(f"\ninterrupted; {str(error) or arguments.way_on(arguments)}", file=sys.stderr)
        return INTERRUPTED
    return 0 if path is None else _tell(path, arguments)


def _tell(path: Path, arguments: argparse.Namespace) -> int:
    """Tells what was written; returns 1 after one line on stderr if it cannot be logged."""
    try:
        arguments.tell(path, arguments)
    except TandemError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train a bundle from images.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    dry_run.add_parser(commands)
    if words[:1] == ["inspect"]:
        parser.set_defaults(way_on=lambda _: "nothing was written: start again")
        return parser
    from training.cli.commands import add_commands, tell_result, way_on  # noqa: PLC0415 (scikit-learn and more, which take seconds)

    parser.set_defaults(tell=tell_result, way_on=way_on)
    add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
