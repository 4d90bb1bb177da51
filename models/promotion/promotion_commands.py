"""words of `python -m models` ──▶ another champion, or another shadow, of a store entry."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from models.bundle.golden import verify
from models.bundle.loading import MANIFEST, Bundle
from models.bundle.manifest import Manifest
from models.bundle.store import CHAMPION, Store
from models.errors import BundleError, EvidenceError, StoreError
from models.promotion.evidence import evidence_of


def add_parsers(commands: Any) -> None:
    """Adds the commands."""
    command = commands.add_parser("promote", help="make a version the champion, which serves")
    command.add_argument("name", metavar="NAME")
    command.add_argument("version", metavar="V", type=int)
    add_evidence(command)
    command.set_defaults(run=_promote)
    command = commands.add_parser("rollback", help="make the previous champion serve again")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=_rollback)
    command = commands.add_parser("shadow", help="let a version decide beside the champion, unseen")
    command.add_argument("name", metavar="NAME")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("version", metavar="V", type=int, nargs="?")
    what.add_argument("--off", action="store_true", help="no version does any more")
    command.add_argument("--share", type=_share, default=1.0, help="of the traffic (default: all of it)")
    command.set_defaults(run=_shadow)


def _promote(arguments: argparse.Namespace) -> str:
    store, name = Store(arguments.store), arguments.name
    bundle = Bundle.open(store.path(name, arguments.version))
    verify(bundle)
    said = evidence(bundle.manifest, lambda: champion_manifest(store, name), arguments)
    store.promote(name, arguments.version)
    return f"{name}: version {arguments.version} serves; {said}"


def evidence(candidate: Manifest, find: Callable[[], Manifest | None], arguments: argparse.Namespace) -> str:
    """What speaks for a candidate, or that nothing does where `--force` is given.

    Args:
        candidate: the version that is to serve.
        find: gives the champion, None if there is none, or raises `EvidenceError` if it cannot be read.
        arguments: with those of `add_evidence`.

    Raises:
        EvidenceError: nothing does, and `--force` is not given.
        DatabaseError: the database cannot be reached.
    """
    try:
        champion = find()
        if champion is None:
            return "there was no champion to compare it with"
        return f"evidence: {evidence_of(candidate, champion, arguments.feedback)}"
    except EvidenceError as error:
        if not arguments.force:
            raise
        return f"forced: {error}"


def champion_manifest(store: Store, name: str) -> Manifest | None:
    """The manifest of the version that serves; None if none does.

    Raises:
        EvidenceError: it cannot be read.
    """
    if not (store.root / name / CHAMPION).is_file():
        return None
    try:
        path = store.path(name)
        return Manifest.from_bytes((path / MANIFEST).read_bytes())
    except (OSError, BundleError, StoreError) as error:
        raise EvidenceError(f"the champion cannot be read, so nothing can be compared with it: {error}") from error


def add_evidence(command: argparse.ArgumentParser) -> None:
    """Adds the options on what a new champion is better by."""
    command.add_argument("--feedback", metavar="URL", help="of the database with answers to decisions in shadow")
    command.add_argument("--force", action="store_true", help="even if nothing shows that it is as good")


def _rollback(arguments: argparse.Namespace) -> str:
    version = Store(arguments.store).rollback(arguments.name)
    return f"{arguments.name}: version {version} serves again"


def _shadow(arguments: argparse.Namespace) -> str:
    store, name = Store(arguments.store), arguments.name
    if arguments.off:
        store.path(name)
        ended = store.clear_shadow(name)
        return f"{name}: " + ("had no shadow" if ended is None else f"version {ended} decides in shadow no more")
    verify(Bundle.open(store.path(name, arguments.version)))
    store.set_shadow(name, arguments.version, arguments.share)
    return (
        f"{name}: version {arguments.version} decides in shadow on {100 * arguments.share:g} % of the traffic, beside "
        f"version {store.champion(name)}, which serves"
    )


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0 and at most 1")
    return value
