"""words of a command line ──▶ `HeadPlan`: the options on the head and its policy."""

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
from training.policy.policies import PolicyTargets
from training.policy.target_transform import TransformOption
from training.stages.head_plan import KEEP_ROWS_MIB, Balance, HeadPlan

_MOST_EXAMPLES = 100_000
_MOST_MIB = 4096


def add_head(command: argparse.ArgumentParser) -> None:
    """Adds the options on a head, its policy, its explanations and the images that it is fitted on."""
    _add_selection(command)
    _add_policy(command)
    command.add_argument(
        "--examples", type=_examples, default=COUNT, metavar="N",
        help="training images that explanations may show, at most; 0 for none (default: as many as fit in 2 MB)",
    )  # fmt: skip
    command.add_argument("--thumbnails", action="store_true", help="with small pictures of them")
    add_keep_rows(command)
    add_drop(command)


def add_keep_rows(command: argparse.ArgumentParser) -> None:
    """Adds the option on the labelled embeddings that a bundle keeps."""
    command.add_argument(
        "--keep-rows", type=_mebibytes, default=KEEP_ROWS_MIB, metavar="MIB",
        help="labelled embeddings to keep in the bundle for `relearn`, at most, of more rows a sample; 0 for "
        "none (default: %(default)s)",
    )  # fmt: skip


def _add_selection(command: argparse.ArgumentParser) -> None:
    """Adds the options on which head is fitted, and how."""
    command.add_argument(
        "--head", choices=[AUTO, *REGISTRY, BEST], default=AUTO,
        help="what decides; auto: gradient boosting on a linear margin, or, for numbers, the best of a linear and "
        "three boosted ones; best: of all, the cheapest that is as good as the best, or a blend that clearly beats "
        "them (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--balance", choices=get_args(Balance), default="none",
        help="weights: each class has the same weight in the fit and in model selection (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--target-transform", choices=get_args(TransformOption), default="auto",
        help="log: fit the head to the logarithms of numbers; auto: if that is better (default: %(default)s)",
    )  # fmt: skip


def _add_policy(command: argparse.ArgumentParser) -> None:
    """Adds the options on which answers are accepted."""
    command.add_argument(
        "--target-precision", type=share, default=PolicyTargets.target_precision, metavar="SHARE",
        help="accept answers so that at least this share of them is right, review the others (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--confidence", type=_confidence, default=PolicyTargets.confidence, metavar="SHARE",
        help="probability that the target is kept on unseen images (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--max-missed", type=_missed, action="append", default=[], metavar="CLASS=SHARE",
        help="at most this share of a class's images may be accepted as another class; may be given several times",
    )  # fmt: skip
    command.add_argument(
        "--costs", type=Path, metavar="FILE.json",
        help='costs of reviews and mistakes, instead of --target-precision: {"review": 1, "error": 20}',
    )  # fmt: skip
    command.add_argument(
        "--false-alarms", type=share, default=PolicyTargets.false_alarms, metavar="SHARE",
        help="share of ordinary images that may be called unfamiliar (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--extrapolate", action="store_true",
        help="accept answers for numbers and dates outside the range of training; by default they are reviewed",
    )  # fmt: skip


def head_plan(arguments: argparse.Namespace, dataset: Dataset, name: str | None = None) -> HeadPlan:
    """Makes the plan of a head from the options.

    Raises:
        DataError: the costs cannot be read, or the head cannot be fitted to the data set.
    """
    targets = PolicyTargets(
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
        targets=targets,
        examples=arguments.examples,
        thumbnails=arguments.thumbnails,
        drop=arguments.drop,
        force=arguments.force,
        balance=arguments.balance,
        target_transform=arguments.target_transform,
        keep_rows_mib=arguments.keep_rows,
        seed=arguments.seed,
    )
    plan.check(dataset)
    return plan


def number(text: str) -> float:
    """Parses a number; NaN, which is in no range, if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def share(text: str) -> float:
    """Parses a share in (0, 1]."""
    value = number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and at most 1")
    return value


def _confidence(text: str) -> float:
    value = share(text)
    if value == 1:
        raise argparse.ArgumentTypeError(f"{text!r} is certainty, which no number of images gives; take 0.95 or 0.99")
    return value


def _mebibytes(text: str) -> float:
    value = number(text)
    if not 0 <= value <= _MOST_MIB:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {_MOST_MIB}")
    return value


def _missed(text: str) -> tuple[str, float]:
    name, equals, limit = text.rpartition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not CLASS=SHARE, such as scratch=0.05")
    return name, share(limit)


def _examples(text: str) -> int:
    return within(integer(text), 0, _MOST_EXAMPLES)
