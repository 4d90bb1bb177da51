"""words of `python -m training` ──▶ what a bundle keeps of its data, and what it learns from answers."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from models.bundle.loading import Bundle
from models.bundle.store import CHAMPION, resolve
from models.errors import BundleError, EvidenceError
from models.runtime.embedding_files import DEFAULT_ROOT as EMBEDDINGS
from models.runtime.embedding_files import EmbeddingCache
from training.cli import data_options, head_options
from training.cli.overview import tell
from training.tables import tabular
from training.tables.table import read
from training.workflows.row_version import RowPlan, add_rows, head_named

if TYPE_CHECKING:
    from training.workflows.relearn import RelearnPlan

_FEEDBACK = "TANDEM_FEEDBACK_URL"
_MOST_POINTS = 100
_MOST_HOURS = 24 * 365
_MOST_ANSWERS = 10**9
_BUNDLE = "its directory, or a store entry, whose champion is taken"


def add_parsers(commands: data_options.Commands) -> None:
    """Adds the commands."""
    _add_rows(commands)
    _add_relearn(commands)
    _add_loop(commands)


def _add_rows(commands: data_options.Commands) -> None:
    command = commands.add_parser("rows", help="the rows of a head, as a bundle's next version; nothing is fitted")
    command.add_argument("bundle", type=Path, help=_BUNDLE)
    command.add_argument("--table", required=True, type=Path, metavar="FILE", help="what the head was fitted on")
    data_options.add_table(command)
    command.add_argument("--name", dest="head_name", required=True, type=data_options.name_of, metavar="HEAD")
    head_options.add_keep_rows(command)
    command.add_argument("--out", type=Path, metavar="STORE", help="default: the store that the bundle is in")
    command.set_defaults(run=_rows, mlflow=None)


def _add_relearn(commands: data_options.Commands) -> None:
    command = commands.add_parser("relearn", help="a bundle's head, fitted again to its rows and to answers: seconds")
    command.add_argument("bundle", type=Path, help=_BUNDLE)
    _add_learning_options(command)
    command.add_argument("--out", type=Path, metavar="STORE", help="default: the store that the bundle is in")
    command.set_defaults(run=_relearn, mlflow=None)


def _add_loop(commands: data_options.Commands) -> None:
    command = commands.add_parser("loop", help="`relearn` on a schedule, when there are enough new answers")
    command.add_argument("bundle", type=Path, metavar="ENTRY", help="a store entry, whose champion learns")
    _add_learning_options(command)
    when = command.add_mutually_exclusive_group(required=True)
    when.add_argument("--every", type=_hours, metavar="HOURS", help="hours between two rounds")
    when.add_argument("--once", action="store_true", help="one round, for a scheduler outside")
    command.add_argument(
        "--fewest", type=_count, default=100, metavar="N", help="new answers to learn from (default: %(default)s)"
    )
    command.add_argument(
        "--promote", action="store_true", help="make a version with evidence the champion; else a person does"
    )
    command.add_argument(
        "--log", type=Path, metavar="FILE", help="JSON, a line a round (default: ENTRY/learning.jsonl)"
    )
    command.set_defaults(run=_loop, mlflow=None)


def _add_learning_options(command: argparse.ArgumentParser) -> None:
    """Adds the options on what is learnt from, and on the replay gate."""
    feedback = os.environ.get(_FEEDBACK)
    command.add_argument(
        "--feedback", required=not feedback, default=feedback, metavar="URL",
        help=f"of the database that decisions are in (default: {_FEEDBACK}, as for the server)",
    )  # fmt: skip
    command.add_argument(
        "--head", dest="head_name", type=data_options.name_of, metavar="HEAD", help="default: the bundle's default head"
    )
    command.add_argument(
        "--margin", type=_points, metavar="POINTS",
        help="of accuracy that must not be lost; of numbers, percent of the mean error (default: 0.3, or 5)",
    )  # fmt: skip
    command.add_argument(
        "--share",
        type=head_options.share,
        default=1.0,
        help="of the traffic that the next version decides on in shadow",
    )
    command.add_argument(
        "--images", metavar="URL", help="where recording keeps images, for pictures of answers in explanations"
    )
    head_options.add_keep_rows(command)


# SQLAlchemy is imported where it is needed: trainings do without it.


def _relearn(arguments: argparse.Namespace) -> Path:
    from feedback.database.existing_database import open_existing  # noqa: PLC0415
    from feedback.reviews.answered import answered_decisions  # noqa: PLC0415
    from training.workflows.relearn import relearn  # noqa: PLC0415

    bundle = Bundle.open(resolve(arguments.bundle))
    arguments.head_name = head_named(bundle, arguments.head_name).name
    database = open_existing(arguments.feedback)
    try:
        decisions = answered_decisions(database, bundle.manifest.name, arguments.head_name)
    finally:
        database.close()
    relearnt = relearn(bundle, decisions, _plan(arguments, bundle, arguments.out or bundle.path.parent.parent))
    if not relearnt.judgement.passed:
        said = "; ".join(relearnt.judgement.sentences)
        raise EvidenceError(f"{said}; {relearnt.path} was written, with its report, and decides nowhere")
    if relearnt.is_shadow:
        print(f"{bundle.manifest.name}: version {relearnt.path.name} decides in shadow now")
    return relearnt.path


def _loop(arguments: argparse.Namespace) -> None:
    from training.workflows.learning_loop import LOG, LoopPlan, run_loop  # noqa: PLC0415

    entry: Path = arguments.bundle.resolve()
    champion = Bundle.open(resolve(entry))  # a mistake is said before the first round
    if not (entry / CHAMPION).is_file():
        raise BundleError(f"{entry}: one version, which never changes; name the store entry that it is in")
    plan = LoopPlan(
        feedback=arguments.feedback,
        relearn=_plan(arguments, champion, entry.parent),
        fewest=arguments.fewest,
        promotes=arguments.promote,
        log=arguments.log or entry / LOG,
    )
    run_loop(entry, plan, every_s=None if arguments.once else 3600 * arguments.every)


def _plan(arguments: argparse.Namespace, bundle: Bundle, store: Path) -> RelearnPlan:
    from feedback.recording.image_store import ImageStore  # noqa: PLC0415
    from training.relearn.kept_thumbnails import kept_thumbnails  # noqa: PLC0415
    from training.workflows.relearn import RelearnPlan  # noqa: PLC0415

    shown = {}
    if arguments.images is not None:
        shown["thumbnails"] = kept_thumbnails(ImageStore(arguments.images), bundle.manifest.input)
    return RelearnPlan(
        head=arguments.head_name,
        store=store,
        margin=arguments.margin,
        keep_rows_mib=arguments.keep_rows,
        share=arguments.share,
        **shown,
    )


def _hours(text: str) -> float:
    value = head_options.number(text)
    if not 0 < value <= _MOST_HOURS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and at most {_MOST_HOURS}")
    return value


def _count(text: str) -> int:
    return data_options.within(data_options.integer(text), 1, _MOST_ANSWERS)


def _points(text: str) -> float:
    """Parses points, of 100, as a share."""
    value = head_options.number(text)
    if not 0 <= value < _MOST_POINTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to below {_MOST_POINTS}")
    return value / 100


def _rows(arguments: argparse.Namespace) -> Path:
    bundle = Bundle.open(resolve(arguments.bundle))
    known = EmbeddingCache(EMBEDDINGS, bundle.embedder("fp32"), bundle.manifest.input)
    table = read(arguments.table, data_options.ask(arguments))
    dataset = tell(tabular.stream(table, name=bundle.manifest.name, spec=bundle.manifest.input, known=known))
    store = arguments.out or bundle.path.parent.parent
    return add_rows(bundle, dataset, RowPlan(arguments.head_name, int(arguments.keep_rows * 1024 * 1024), store))
