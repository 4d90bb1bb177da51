"""text of `--drop` ──▶ kinds of findings, by the names that people give them."""

from __future__ import annotations

import argparse

LABEL_ISSUES, DUPLICATES, LEAKAGE, OUTLIERS = KINDS = ("label-issues", "duplicates", "leakage", "odd")
MIN_PRECISION = 0.7
"""Label issues are dropped without `--force` only if at least this share is estimated to be wrong labels."""


def add_drop(command: argparse.ArgumentParser) -> None:
    """Gives a command the options `--drop` and `--force`; nothing is dropped without the first."""
    command.add_argument(
        "--drop", type=drop_kinds, default=(), metavar="KINDS",
        help=f"leave out training and validation images with {', '.join(KINDS)}; several with commas between them",
    )  # fmt: skip
    command.add_argument(
        "--force", action="store_true",
        help=f"drop {LABEL_ISSUES} even if less than {MIN_PRECISION} of them are estimated to be wrong labels",
    )  # fmt: skip


def drop_kinds(text: str) -> tuple[str, ...]:
    """Parses kinds such as `label-issues,odd`; each is returned once.

    Raises:
        ArgumentTypeError: one is unknown, or there are none.
    """
    kinds = dict.fromkeys(kind.strip() for kind in text.split(",") if kind.strip())
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} cannot be dropped; name some of {', '.join(KINDS)}")
    if not kinds:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing to drop; name some of {', '.join(KINDS)}")
    return tuple(kinds)
