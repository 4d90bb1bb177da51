"""words of a command line ──▶ `HeadPlan`: the options on what decides, and when it is sure enough."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import get_args

from training.clean.findings.finding_kinds import add_drop
from training.cli.data_options import integer, within
from training.data.dataset import Dataset
from training.export.example_selection import COUNT
from training.heads.registry import AUTO, BEST, REGISTRY
from training.policy.costs import Costs
from training.policy.policies import Aims
from training.policy.target_transform import Asked
from training.workflows.model_selection import Balance, HeadPlan

_MOST_EXAMPLES = 100_000


def add_head(command: argparse.ArgumentParser) -> None:
    """What decides, and when it is sure enough."""
    command.add_argument(
        "--head", choices=[AUTO, *REGISTRY, BEST], default=AUTO,
        help="what decides; auto: gradient boosting on a linear margin, or, for numbers, the best of a linear and "
        "three boosted ones; best: of all, the cheapest that is as good as the best, or a blend that clearly beats "
        "them (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--balance", choices=get_args(Balance), default="none",
        help="weights: each class counts the same in the fit and in the choice of the head (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--target-precision", type=share, default=Aims.target_precision, metavar="SHARE",
        help="accept only so confidently that at least this share is right, else review (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--confidence", type=_confidence, default=Aims.confidence, metavar="SHARE",
        help="how sure it has to be that the target is kept on images not seen (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--max-missed", type=_missed, action="append", default=[], metavar="CLASS=SHARE",
        help="of a class's images at most this share may be accepted as another class; may be given several times",
    )  # fmt: skip
    command.add_argument(
        "--costs", type=Path, metavar="FILE.json",
        help='instead of --target-precision, what reviews and mistakes cost: {"review": 1, "error": 20}',
    )  # fmt: skip
    command.add_argument(
        "--false-alarms", type=share, default=Aims.false_alarms, metavar="SHARE",
        help="share of images like those of training that may be called unfamiliar (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--extrapolate", action="store_true",
        help="accept answers for numbers and dates beyond those of training, too; else a person is asked",
    )  # fmt: skip
    command.add_argument(
        "--target-transform", choices=get_args(Asked), default="auto",
        help="log: numbers are told through their logarithms; auto: where that is better (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--examples", type=_examples, default=COUNT, metavar="N",
        help="training images that explanations may show, at most; 0 for none (default: as many as fit in 2 MB)",
    )  # fmt: skip
    command.add_argument("--thumbnails", action="store_true", help="with small pictures of them")
    add_drop(command)


def head_plan(arguments: argparse.Namespace, dataset: Dataset, name: str | None = None) -> HeadPlan:
    """The head that was asked for.

    Raises:
        DataError: the costs cannot be read; the head cannot be fitted to the data set.
    """
    aims = Aims(
        target_precision=arguments.target_precision,
        confidence=arguments.confidence,
        costs=Costs.read(arguments.costs) if arguments.costs is not None else None,
        false_alarms=arguments.false_alarms,
        max_missed=dict(arguments.max_missed),
        extrapolate=arguments.extrapolate,
    )
    plan = HeadPlan(
        kind=arguments.head,
        name=name or HeadPlan.name,
        aims=aims,
        examples=arguments.examples,
        thumbnails=arguments.thumbnails,
        drop=arguments.drop,
        force=arguments.force,
        balance=arguments.balance,
        target_transform=arguments.target_transform,
        seed=arguments.seed,
    )
    plan.check(dataset)
    return plan


def share(text: str) -> float:
    """A share above 0."""
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and at most 1")
    return share


def _confidence(text: str) -> float:
    found = share(text)
    if found == 1:
        raise argparse.ArgumentTypeError(f"{text!r} is certainty, which no number of images gives; take 0.95 or 0.99")
    return found


def _missed(text: str) -> tuple[str, float]:
    name, equals, limit = text.rpartition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not CLASS=SHARE, such as scratch=0.05")
    return name, share(limit)


def _examples(text: str) -> int:
    return within(integer(text), 0, _MOST_EXAMPLES)
