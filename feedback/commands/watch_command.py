"""`python -m feedback watch`: measures live precision and drift again and again, for metrics and pages."""

from __future__ import annotations

import argparse
import logging
import threading
from contextlib import closing
from typing import Any, NoReturn

from sqlalchemy import Connection

from feedback.commands.command_options import (
    Commands,
    add_bundle,
    add_feedback,
    open_database,
    targets_in,
)
from feedback.commands.drift_command import add_drift, options_of
from feedback.commands.models_alike import ModelsAlike, models_alike
from feedback.database.database import Database, DatabaseError
from feedback.measures.drift_measure import DriftWindow, drift_windows, main_head
from feedback.measures.measurements import DRIFT, PRECISION, add_measurements, newest_measurements
from feedback.measures.precision_measure import measure_precision

logger = logging.getLogger(__name__)

Found = dict[tuple[str, str | None], dict[str, Any]]


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    command = commands.add_parser("watch", help="measure live precision and drift, for the server's metrics and pages")
    add_feedback(command)
    add_bundle(command)
    add_drift(command)
    command.add_argument(
        "--every", type=float, default=60.0, metavar="SECONDS", help="between two measurements (default: %(default)g)"
    )
    command.add_argument("--once", action="store_true", help="measure once and end")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> str:
    """Measures until it is stopped; a database that cannot be reached is tried again.

    Raises:
        DatabaseError: the database cannot be reached at all, or with `--once`.
    """
    with closing(open_database(arguments)) as database:
        if not arguments.once:
            _go_on(database, arguments)
        _say(measure(database, arguments))
        return "measured"


def _go_on(database: Database, arguments: argparse.Namespace) -> NoReturn:
    pause, said = threading.Event(), ""
    while True:
        try:
            sentence = measure(database, arguments)
            if sentence != said:
                _say(sentence)
            said = sentence
        except DatabaseError as error:
            logger.warning("%s", error)
        pause.wait(arguments.every)


def _say(sentence: str) -> None:
    if sentence:
        logger.warning("drift: %s", sentence)


def measure(database: Database, arguments: argparse.Namespace) -> str:
    """Measures once, and writes it; says which models drift leaves out or could not check."""
    with database.reading() as connection:
        models = models_alike(connection, arguments.bundle)
        model = models.newest
        if model is None:
            return ""
        targets = targets_in(arguments.bundle, model)
        found: Found = {
            (PRECISION, head): measured.as_document(targets.get(head))
            for head, measured in measure_precision(connection, model).items()
        }
        window = _new_window(connection, model.partition("@")[0], arguments, models)
    if window is not None:
        found[DRIFT, None] = window.as_document()
    with database.writing() as connection:
        add_measurements(connection, model.partition("@")[0], found)
    return models.sentence


def _new_window(
    connection: Connection, bundle: str, arguments: argparse.Namespace, models: ModelsAlike
) -> DriftWindow | None:
    """The newest whole window that was not looked at before."""
    seen = [found.document["last_id"] for found in newest_measurements(connection, bundle) if found.kind == DRIFT]
    head, options = main_head(connection, models.names), options_of(arguments)
    newest = None
    for window in drift_windows(connection, head, options, models=models.names, after=max(seen, default=0)):
        newest = window
        if window.verdict.alarm:
            logger.warning("drift: the images until %s differ from the reference", window.last.isoformat())
    return newest
