"""`python -m feedback report`: live precision, drift and the shadow, on the console, as JSON and as a page."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from feedback.commands.command_options import (
    Commands,
    add_bundle,
    add_feedback,
    add_images,
    bundle_name,
    image_store,
    open_database,
    targets_in,
)
from feedback.measures.number_words import number_words
from feedback.measures.precision_measure import newest_model
from feedback.measures.report_document import report_document
from feedback.measures.report_html import report_html


def add_parser(commands: Commands) -> None:
    """Adds the command."""
    command = commands.add_parser("report", help="how often accepted decisions are right, drift, and the shadow")
    add_feedback(command)
    add_bundle(command)
    command.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    command.add_argument("--html", type=Path, metavar="FILE", help="write a page with pictures there")
    add_images(command)
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> str:
    """Measures; says it in words.

    Raises:
        DatabaseError: the database cannot be reached.
        StoreError: the kept images cannot be read.
        OSError: a file cannot be written.
    """
    with closing(open_database(arguments)) as database, database.reading() as connection:
        model = newest_model(connection, bundle_name(arguments.bundle))
        targets = {} if model is None else targets_in(arguments.bundle, model)
        document = report_document(connection, targets, model)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if arguments.html is not None:
        images = image_store(arguments)
        arguments.html.write_text(report_html(document, images.open if images else lambda _: None))
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    if document["model"] is None:
        yield "no decision has been recorded yet"
        return
    yield f"{document['model']}:"
    for name, head in document["heads"].items():
        said = number_words(head) if head["is_number"] else _precision(head["precision"])
        newest = "" if head["of_newest"] is None else f" of the newest {head['of_newest']:,}"
        yield f"  {name}: {head['decisions']:,}{newest} decisions, {head['accepted']:.1%} accepted; {said}"
        yield f"  {name}: {head['waiting']:,} wait for a person, {head['answered']:,} are answered"
    drift, shadow = document["drift"], document["shadow"]
    if drift is not None:
        verdict = "drift" if drift["alarm"] else "no drift"
        yield f"  {verdict} until {drift['to']}: {drift['statistic']:.2f}, threshold {drift['threshold']:.2f}"
    for name, head in shadow["heads"].items() if shadow is not None else ():
        yield f"  {shadow['model']} in shadow, {name}: agrees on {head['agreement']:.1%}; {head['sentence']}"


def _precision(precision: Mapping[str, Any]) -> str:
    asked = f"{precision['answered']:,} of {precision['audits']:,} audits answered"
    if precision["estimate"] is None:
        return f"{asked}, so that nothing can be said of their precision"
    target = "" if precision["target"] is None else f", promised {precision['target']:.1%}"
    return (
        f"{precision['estimate']:.1%} of the accepted are right ({precision['lower']:.1%} to "
        f"{precision['upper']:.1%}{target}; {asked})"
    )
