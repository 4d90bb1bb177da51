"""`python -m feedback simulate BUNDLE | --rows FILE.npz`: what asking the right items is worth on one's own data."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from feedback.commands.command_options import Commands, open_database
from feedback.measures.measurements import REVIEW_ORDER, add_measurements
from feedback.simulation.active_learning import SEEDS, simulate
from feedback.simulation.labelled_rows import of_bundle, of_file
from feedback.simulation.simulation_files import as_json, table, write_plot
from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT, resolve


def add_parser(commands: Commands) -> None:
    """Adds the command to those of `python -m feedback`."""
    command = commands.add_parser("simulate", help="whether the review queue's order beats random choice on your data")
    command.add_argument(
        "bundle", type=Path, nargs="?", default=DEFAULT_ROOT / "fashion-mnist",
        help="bundle whose kept rows are asked for (default: %(default)s)",
    )  # fmt: skip
    command.add_argument("--head", help="of the bundle (default: its default head)")
    command.add_argument(
        "--rows", type=Path, metavar="FILE.npz", help="instead of a bundle: arrays embedding [N, D] and label [N]"
    )
    command.add_argument("--seeds", type=_seeds, default=SEEDS, help="repetitions (default: %(default)s)")
    command.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    command.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves, as .png or .svg")
    command.add_argument(
        "--feedback",
        metavar="URL",
        help="keep the verdict in this database, so that its review queue goes by it",
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> str:
    """Simulates all strategies; says which to use.

    Raises:
        DataError, BundleError, StoreError: there are no rows, or too few.
        DatabaseError: the database cannot be written.
        OSError: a file cannot be written.
    """
    rows = of_bundle(arguments.bundle, arguments.head) if arguments.rows is None else of_file(arguments.rows)
    found = simulate(
        rows.embedding, rows.labels, unit=rows.unit, seeds=arguments.seeds,
        report=lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(as_json(found), indent=2) + "\n")
    if arguments.plot is not None:
        write_plot(found, arguments.plot)
    if arguments.feedback is not None:
        verdict = {"strategy": found.strategy, "sentence": found.sentence}
        name = Bundle.open(resolve(arguments.bundle)).manifest.name
        with open_database(arguments).writing() as connection:
            add_measurements(connection, name, {(REVIEW_ORDER, None): verdict})
    rows_of = f"{found.pool:,} rows to ask, {found.evaluated:,} to evaluate on, {arguments.seeds} seeds; accuracy in %"
    return f"{rows_of}\n{table(found)}\n{found.sentence}"


def _seeds(text: str) -> int:
    if not text.isdigit() or not 3 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 3 to 100")
    return int(text)
