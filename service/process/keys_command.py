"""`python -m service keys new|list|remove`: looks after a file of API keys."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import secrets
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from service.gateway.api_keys import NAME, SCOPES, ApiKeys, KeysError, load, parse


def new_key() -> str:
    """`tandem_` and 256 random bits in base64url."""
    return f"tandem_{secrets.token_urlsafe(32)}"


def line_of(name: str, key: str, scopes: str = "predict") -> str:
    """The line that a key has in the file; `scopes` has commas between them.

    Raises:
        KeysError: a name that a line cannot have.
    """
    if not re.fullmatch(NAME, name):
        raise KeysError(f"the name of a key is 1 to 40 letters, digits, '.', '_' or '-'; this one has {len(name)}")
    return f"{name} sha256:{hashlib.sha256(key.encode()).hexdigest()} {scopes}"


def add(path: Path, name: str, scopes: str = "predict") -> str:
    """Makes a key and appends its line, in place: a file that a container has mounted must stay the same file.

    Raises:
        KeysError: the file is refused, is full or has the name already.
        OSError: the file cannot be written.
    """
    key = new_key()
    line = line_of(name, key, scopes)
    text = load(path)[1] if path.exists() else ""
    addition = f"{line}\n" if not text or text.endswith("\n") else f"\n{line}\n"
    parse(text + addition, path)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(addition)
    return key


def remove(path: Path, name: str) -> None:
    """Takes a key's line out; the file is replaced in one rename and keeps its owner and mode.

    Raises:
        KeysError: the file is refused or has no such name.
        OSError: the file cannot be written.
    """
    _, text = load(path)
    if name not in {key.name for key in parse(text, path)}:
        raise KeysError(f"{path} has no key of that name; `python -m service keys list` shows the names")
    target = path.resolve()
    old = target.stat()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".keys-") as folder:
        changed = Path(folder) / target.name
        changed.touch(mode=0o600)
        changed.write_text("".join(line for line in text.splitlines(keepends=True) if line.split()[:1] != [name]))
        os.chown(changed, old.st_uid, old.st_gid)
        changed.chmod(stat.S_IMODE(old.st_mode))
        changed.replace(target)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service keys", description="Looks after a file of API keys.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, text in (
        ("new", "make a key, show it once, and add its line to FILE"),
        ("list", "show the names and scopes in FILE"),
        ("remove", "take the key of NAME out of FILE"),
    ):
        subparser = commands.add_parser(command, help=text)
        if command != "list":
            subparser.add_argument("name", metavar="NAME")
        # without a file, `new` shows the line, to be put where secrets are kept
        subparser.add_argument("--file", type=Path, metavar="FILE", required=command != "new")
        if command == "new":
            subparser.add_argument(
                "--scope", type=_scopes, default="predict", metavar="SCOPES",
                help="what the key is for: predict, review, or predict,review (default: %(default)s)",
            )  # fmt: skip
    return parser


def _scopes(text: str) -> str:
    """Scopes with commas between them, each once."""
    if unknown := set(text.split(",")) - set(SCOPES):
        raise argparse.ArgumentTypeError(f"no scope is called {min(unknown)!r}; there are {', '.join(SCOPES)}")
    return ",".join(scope for scope in SCOPES if scope in text.split(","))


def _run(options: argparse.Namespace) -> list[str]:
    if options.command == "list":
        return [f"{key.name} {','.join(sorted(key.scopes))}" for key in ApiKeys.open(options.file).entries]
    if options.command == "remove":
        remove(options.file, options.name)
        return []
    if options.file is not None:
        return [add(options.file, options.name, options.scope)]
    key = new_key()
    return [key, line_of(options.name, key, options.scope)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0, or 1 after the reason on stderr."""
    try:
        lines = _run(_arguments().parse_args(arguments))
    except (KeysError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print("".join(f"{line}\n" for line in lines), end="")
    return 0
