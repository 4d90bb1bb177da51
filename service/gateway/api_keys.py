"""`Authorization` header ──▶ the caller's name: API keys, kept as hashes in a file that is read anew when it changes.

One key a line, `name sha256:<64 hex digits>`; `#` begins a comment. `python -m service.gateway.api_keys new NAME --file
FILE` makes
a key, shows it once and adds its line. The hash is SHA-256 without salt or stretching: those slow down guessing, and
there is nothing to guess in a key of 256 random bits. Never give a key that a person made up.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from models.errors import TandemError, Unauthorized

logger = logging.getLogger(__name__)

MAX_KEYS = 1024  # each adds about 0.05 µs to a check, which costs 0.7 µs with one
MAX_KEY_BYTES = 256  # of a presented key; ours have 50
MAX_FILE_BYTES = 1024 * 1024
LOOK_EVERY_S = 1.0

_NAME = r"[A-Za-z0-9._-]{1,40}"  # shorter than a key, so that no key passes for a name and is shown as one
_LINE = re.compile(rf"({_NAME})[ \t]+sha256:([0-9a-f]{{64}})[ \t]*(?:#.*)?", re.ASCII)

Entries = tuple[tuple[str, bytes], ...]
Signature = tuple[int, int, int, int, int]


class KeysError(TandemError):
    """A keys file is refused; the message names file, line and what is wrong, and shows nothing that stands there."""


class ApiKeys:
    """The keys of one file; `check` is for one thread, the event loop's.

    Args:
        path: the file.
        entries: name and SHA-256 digest of each key.
        signature: of the file when it was read, so that a change is seen.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        path: Path,
        *,
        entries: Entries,
        signature: Signature | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._entries = entries
        self._signature = signature
        self._clock = clock
        self._next_look_s = clock() + LOOK_EVERY_S

    def __repr__(self) -> str:
        return f"ApiKeys({str(self.path)!r}, {len(self._entries)} keys)"

    @classmethod
    def open(cls, path: Path, *, clock: Callable[[], float] = time.monotonic) -> ApiKeys:
        """Reads a keys file; one without keys refuses everybody.

        Raises:
            KeysError: the file cannot be read or a line is not a key's.
        """
        signature, entries = _read(path)
        return cls(path, entries=entries, signature=signature, clock=clock)

    @property
    def names(self) -> list[str]:
        """Whose keys are accepted, in the file's order."""
        return [name for name, _ in self._entries]

    def check(self, authorization: bytes | None) -> str:
        """The name of the key in an `Authorization` header's value.

        Every digest is compared, each in constant time: neither a match nor its place shows in the time taken.

        Raises:
            Unauthorized: no header, not of the form `Bearer KEY`, or a key that is not in the file.
        """
        if self._clock() >= self._next_look_s:
            self._look()
        if authorization is None:
            raise Unauthorized("an API key is needed; send it as 'Authorization: Bearer KEY'")
        scheme, _, key = authorization.partition(b" ")
        key = key.strip(b" ")
        if scheme.lower() != b"bearer" or not 0 < len(key) <= MAX_KEY_BYTES:
            raise Unauthorized("the Authorization header is not of the form 'Bearer KEY'")
        digest = hashlib.sha256(key).digest()
        found = None
        for name, known in self._entries:
            if hmac.compare_digest(digest, known):
                found = name
        if found is None:
            raise Unauthorized("the API key is not known here")
        return found

    def _look(self) -> None:
        """Reads the file if it is another than before; one that is refused or gone leaves the keys as they are."""
        self._next_look_s = self._clock() + LOOK_EVERY_S
        signature = None
        try:
            signature = _signature(self.path.stat())
            if signature != self._signature:
                signature, self._entries = _read(self.path)
                logger.info("API keys read anew from %s: %d", self.path, len(self._entries))
        except (KeysError, OSError) as error:
            if signature != self._signature:  # once for each state of the file
                reason = error if isinstance(error, KeysError) else f"{self.path}: {error.strerror}"
                logger.error("API keys stay as they were: %s", reason)
        self._signature = signature


def new_key() -> str:
    """`tandem_` and 256 random bits in base64url."""
    return f"tandem_{secrets.token_urlsafe(32)}"


def line_of(name: str, key: str) -> str:
    """The line that a key has in the file.

    Raises:
        KeysError: a name that a line cannot have.
    """
    if not re.fullmatch(_NAME, name):
        raise KeysError(f"the name of a key is 1 to 40 letters, digits, '.', '_' or '-'; this one has {len(name)}")
    return f"{name} sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def add(path: Path, name: str) -> str:
    """Makes a key and appends its line, in place: a file that a container has mounted must stay the same file.

    Raises:
        KeysError: the file is refused, is full or has the name already.
        OSError: the file cannot be written.
    """
    key = new_key()
    line = line_of(name, key)
    text = _load(path)[1] if path.exists() else ""
    addition = f"{line}\n" if not text or text.endswith("\n") else f"\n{line}\n"
    _parse(text + addition, path)
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
    _, text = _load(path)
    if name not in dict(_parse(text, path)):
        raise KeysError(f"{path} has no key of that name; `python -m service.gateway.api_keys list` shows the names")
    target = path.resolve()
    old = target.stat()
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".keys-") as folder:
        changed = Path(folder) / target.name
        changed.touch(mode=0o600)
        changed.write_text("".join(line for line in text.splitlines(keepends=True) if line.split()[:1] != [name]))
        os.chown(changed, old.st_uid, old.st_gid)
        changed.chmod(stat.S_IMODE(old.st_mode))
        changed.replace(target)


def _signature(status: os.stat_result) -> Signature:
    # the time of change besides that of modification: it moves with the mode, too, and no tool sets it back
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read(path: Path) -> tuple[Signature, Entries]:
    signature, text = _load(path)
    return signature, _parse(text, path)


def _load(path: Path) -> tuple[Signature, str]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise KeysError(f"{path} is not a regular file")
        with path.open("rb") as file:
            signature = _signature(os.fstat(file.fileno()))
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeysError(f"{path}: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise KeysError(f"{path} has more than {MAX_FILE_BYTES} bytes")
    try:
        return signature, data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise KeysError(f"{path}, line {line}: not UTF-8") from None  # the cause holds the whole file


def _parse(text: str, path: Path) -> Entries:
    entries: dict[str, bytes] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        match = _LINE.fullmatch(content)
        if match is None:
            raise KeysError(f"{path}, line {number}: not of the form `name sha256:<64 lowercase hex digits>`")
        name, digest = match[1], bytes.fromhex(match[2])
        if name in entries or digest in entries.values():
            raise KeysError(f"{path}, line {number}: the same name or key as on an earlier line")
        entries[name] = digest
    if len(entries) > MAX_KEYS:
        raise KeysError(f"{path} has {len(entries)} keys; the limit is {MAX_KEYS}")
    return tuple(entries.items())


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service.gateway.api_keys", description="Looks after a file of API keys."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command, text in (
        ("new", "make a key, show it once, and add its line to FILE"),
        ("list", "show the names in FILE"),
        ("remove", "take the key of NAME out of FILE"),
    ):
        subparser = commands.add_parser(command, help=text)
        if command != "list":
            subparser.add_argument("name", metavar="NAME")
        # without a file, `new` shows the line, to be put where secrets are kept
        subparser.add_argument("--file", type=Path, metavar="FILE", required=command != "new")
    return parser


def _run(options: argparse.Namespace) -> list[str]:
    if options.command == "list":
        return ApiKeys.open(options.file).names
    if options.command == "remove":
        remove(options.file, options.name)
        return []
    if options.file is not None:
        return [add(options.file, options.name)]
    key = new_key()
    return [key, line_of(options.name, key)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0, or 1 after the reason on stderr."""
    try:
        lines = _run(_arguments().parse_args(arguments))
    except (KeysError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print("".join(f"{line}\n" for line in lines), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
