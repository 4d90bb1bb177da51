"""`python -m models`: list, check, promote, shadow, sign, push and pull bundles from the shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.bundle.golden import verify
from models.bundle.loading import Bundle
from models.bundle.model_card import CARD, model_card
from models.bundle.signature import sign
from models.bundle.store import DEFAULT_ROOT, Store, resolve
from models.errors import EvidenceError, StoreError, TandemError
from models.promotion import promotion_commands
from models.remote.bundle_transfer import champion_at, pull, push

NO_EVIDENCE = 3
_MODEL = "NAME[@V] or PATH"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, or after printing the reason to stderr in one line 1, or 3 for lack of evidence."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], str] = arguments.run
    try:
        print(command(arguments))
    except EvidenceError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return NO_EVIDENCE
    except (TandemError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models", description="List, inspect, check, promote, sign and move bundles."
    )
    parser.add_argument("--store", type=Path, default=DEFAULT_ROOT, help="root of the store (default: %(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "list", help="all models with their versions; * marks the one that serves, ~ its shadow"
    )
    command.set_defaults(run=_list)
    command = commands.add_parser("show", help="a bundle's manifest")
    command.add_argument("model", metavar="NAME[@V]")
    command.set_defaults(run=_show)
    command = commands.add_parser("card", help="a bundle's model card")
    command.add_argument("model", metavar=_MODEL)
    command.set_defaults(run=_card)
    command = commands.add_parser("verify", help="audit a bundle and run its golden check")
    command.add_argument("model", metavar=_MODEL)
    command.add_argument(
        "--key", type=Path, metavar="PUBLIC.pem", help="refuse it if this key's owner has not signed it"
    )
    command.set_defaults(run=_verify)
    promotion_commands.add_parsers(commands)
    _add_artefacts(commands)
    return parser


def _add_artefacts(commands: Any) -> None:
    """Adds the commands on bundles that leave this machine or come to it."""
    command = commands.add_parser("sign", help="sign a bundle, so that servers with the public key take it")
    command.add_argument("model", metavar=_MODEL)
    command.add_argument(
        "--key", type=Path, required=True, metavar="PRIVATE.pem", help="elliptic-curve key, P-256 to P-521"
    )
    command.set_defaults(run=_sign)
    command = commands.add_parser("push", help="upload a bundle; the first version at a URL becomes champion there")
    command.add_argument("model", metavar=_MODEL)
    command.add_argument("url", metavar="URL", help="of the store entry: s3://bucket/NAME, gs://…, a folder")
    command.add_argument(
        "--promote", action="store_true", help="make it the champion at the URL, after its golden check"
    )
    promotion_commands.add_evidence(command)
    command.set_defaults(run=_push)
    command = commands.add_parser("pull", help="download a bundle into the store")
    command.add_argument("url", metavar="URL", help="of a store entry, whose champion is taken, or of one version")
    command.set_defaults(run=_pull)


def _list(arguments: argparse.Namespace) -> str:
    store = Store(arguments.store)
    lines = []
    for name in store.names():
        marks = {_shadow(store, name): "~", _champion(store, name): "*"}
        versions = " ".join(f"{v}{marks.get(v, '')}" for v in store.versions(name))
        lines.append(f"{name}: {versions}")
    return "\n".join(lines) or f"no bundles in {store.root}"


def _champion(store: Store, name: str) -> int | None:
    try:
        return store.champion(name)
    except StoreError:  # list the versions anyway
        return None


def _shadow(store: Store, name: str) -> int | None:
    try:
        shadow = store.shadow(name)
    except StoreError:  # as above
        return None
    return None if shadow is None else shadow.version


def _show(arguments: argparse.Namespace) -> str:
    return Bundle.open(_path(arguments)).manifest.to_bytes().decode().rstrip()


def _card(arguments: argparse.Namespace) -> str:
    bundle = Bundle.open(_path(arguments))
    written = bundle.files.get(CARD)
    return (model_card(bundle.manifest) if written is None else written.decode()).rstrip()


def _verify(arguments: argparse.Namespace) -> str:
    bundle = Bundle.open(_path(arguments), arguments.key)
    verify(bundle)
    size_mb = sum(entry.size_bytes for entry in bundle.manifest.files.values()) / 1e6
    signed = f", signed with the key of {arguments.key}" if arguments.key else ""
    return f"{bundle.manifest.model}: ok, {len(bundle.files)} files, {size_mb:.1f} MB, golden check passed{signed}"


def _sign(arguments: argparse.Namespace) -> str:
    bundle = Bundle.open(_path(arguments))
    return f"{bundle.manifest.model}: signed, {sign(bundle.path, arguments.key)}"


def _push(arguments: argparse.Namespace) -> str:
    bundle = Bundle.open(_path(arguments))
    said = ""
    if arguments.promote:
        verify(bundle)
        found = promotion_commands.evidence(bundle.manifest, lambda: champion_at(arguments.url), arguments)
        said = f", and serves there; {found}"
    url = push(bundle, arguments.url, promote=arguments.promote)
    return f"{bundle.manifest.model}: is at {url}{said}"


def _pull(arguments: argparse.Namespace) -> str:
    path = pull(arguments.url, Store(arguments.store))
    name, version = path.parent.name, path.name
    served = _champion(Store(arguments.store), name)
    hint = "" if served == int(version) else f"; `promote {name} {version}` makes it serve instead of {served}"
    return f"{name}@{version}: is in {path}{hint}"


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
