"""`python -m feedback drift`: every window of the record beside its first decisions."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from pathlib import Path

from feedback.commands.command_options import (
    Commands,
    add_bundle,
    add_feedback,
    open_database,
)
from feedback.commands.models_alike import models_alike
from feedback.measures.drift_measure import ALARM_DAYS, WINDOW, DriftOptions, DriftWindow, drift_windows, main_head
from feedback.statistics.drift import REFERENCE
from models.errors import DataError

_LEAST = 20  # decisions of which a difference can be told


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    command = commands.add_parser("drift", help="whether the images are still those of before, window by window")
    add_feedback(command)
    add_bundle(command)
    add_drift(command)
    command.add_argument("--head", help="whose decisions (default: the head with the most)")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the windows there")
    command.set_defaults(run=run)


def add_drift(command: argparse.ArgumentParser) -> None:
    """Adds what says how drift is looked for."""
    command.add_argument(
        "--window", type=_count, default=WINDOW, metavar="N", help="decisions in a window (default: %(default)s)"
    )
    command.add_argument(
        "--reference", type=_count, default=REFERENCE, metavar="N",
        help="the first recorded decisions, with which windows are compared (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--alarm-days", type=_days, default=ALARM_DAYS, metavar="DAYS",
        help="time with at most one false alarm (default: %(default)g)",
    )  # fmt: skip


def options_of(arguments: argparse.Namespace) -> DriftOptions:
    """What the words say."""
    return DriftOptions(arguments.window, arguments.reference, arguments.alarm_days)


def run(arguments: argparse.Namespace) -> str:
    """Compares all windows; says which differ.

    Raises:
        DatabaseError: the database cannot be reached.
        DataError: there are fewer decisions than a reference and a window.
    """
    options = options_of(arguments)
    with closing(open_database(arguments)) as database, database.reading() as connection:
        models = models_alike(connection, arguments.bundle)
        head = arguments.head or main_head(connection, models.names)
        windows = list(drift_windows(connection, head, options, models=models.names))
    if not windows:
        needed = options.reference + options.window
        raise DataError(
            f"head {head!r} of {models.newest} has fewer than {needed} decisions, a reference of {options.reference} "
            f"and a window of {options.window}; --reference and --window take fewer"
            + (f" ({models.sentence})" if models.sentence else "")
        )
    if arguments.json is not None:
        document = {"head": head, "windows": [window.as_document() for window in windows]}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    alarms = sum(window.verdict.alarm for window in windows)
    said = [f"{alarms} of {len(windows)} windows differ from the reference"]
    return "\n".join([*map(_line, windows), *said, *([models.sentence] if models.sentence else [])])


def _line(window: DriftWindow) -> str:
    verdict = window.verdict
    most = next(iter(verdict.parts), "")
    said = f"drift, most of all in {most}" if verdict.alarm else "no drift"
    times = f"{window.first:%Y-%m-%d %H:%M:%S} to {window.last:%Y-%m-%d %H:%M:%S}"
    return (
        f"{times}: {said} ({verdict.statistic:.2f}, threshold {verdict.threshold:.2f} at a rate of {verdict.rate:.2g})"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < _LEAST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {_LEAST}")
    return int(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days above 0")
    return days
