"""`python -m models list | show | verify | promote | rollback`: manage the store from the shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from models.bundle.golden import verify
from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT, Store, resolve
from models.errors import StoreError, TandemError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, or 1 after printing the reason to stderr in one line."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], str] = arguments.run
    try:
        print(command(arguments))
    except (TandemError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="List, inspect, check and promote bundles.")
    parser.add_argument("--store", type=Path, default=DEFAULT_ROOT, help="root of the store (default: %(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="all models with their versions; * marks the one that serves")
    command.set_defaults(run=_list)
    command = commands.add_parser("show", help="a bundle's manifest")
    command.add_argument("model", metavar="NAME[@V]")
    command.set_defaults(run=_show)
    command = commands.add_parser("verify", help="audit a bundle and run its golden check")
    command.add_argument("model", metavar="NAME[@V] or PATH")
    command.set_defaults(run=_verify)
    command = commands.add_parser("promote", help="make a version the champion, which serves")
    command.add_argument("name", metavar="NAME")
    command.add_argument("version", metavar="V", type=int)
    command.set_defaults(run=_promote)
    command = commands.add_parser("rollback", help="make the previous champion serve again")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=_rollback)
    return parser


def _list(arguments: argparse.Namespace) -> str:
    store = Store(arguments.store)
    lines = []
    for name in store.names():
        champion = _champion(store, name)
        versions = " ".join(f"{v}*" if v == champion else str(v) for v in store.versions(name))
        lines.append(f"{name}: {versions}")
    return "\n".join(lines) or f"no bundles in {store.root}"


def _champion(store: Store, name: str) -> int | None:
    try:
        return store.champion(name)
    except StoreError:  # list the versions anyway
        return None


def _show(arguments: argparse.Namespace) -> str:
    return Bundle.open(_path(arguments)).manifest.to_bytes().decode().rstrip()


def _verify(arguments: argparse.Namespace) -> str:
    bundle = Bundle.open(_path(arguments))
    verify(bundle)
    size_mb = sum(entry.size_bytes for entry in bundle.manifest.files.values()) / 1e6
    return f"{bundle.manifest.model}: ok, {len(bundle.files)} files, {size_mb:.1f} MB, golden check passed"


def _promote(arguments: argparse.Namespace) -> str:
    store = Store(arguments.store)
    verify(Bundle.open(store.path(arguments.name, arguments.version)))
    store.promote(arguments.name, arguments.version)
    return f"{arguments.name}: version {arguments.version} serves"


def _rollback(arguments: argparse.Namespace) -> str:
    version = Store(arguments.store).rollback(arguments.name)
    return f"{arguments.name}: version {version} serves again"


def _path(arguments: argparse.Namespace) -> Path:
    """The directory of `NAME` or `NAME@V` in the store, or of a path, which has a slash or exists."""
    model: str = arguments.model
    store = Store(arguments.store)
    name, at, version = model.partition("@")
    if "/" not in model and store.versions(name):
        return store.path(name, _version(version) if at else None)
    if "/" in model or Path(model).exists():
        return resolve(Path(model))
    raise StoreError(f"{model!r} is neither in {store.root}, with {', '.join(store.names()) or 'nothing'}, nor a path")


def _version(text: str) -> int:
    if not text.isdecimal():
        raise StoreError(f"{text!r} is not a version number; write NAME@V with one of those that `list` shows")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
