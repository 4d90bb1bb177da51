"""`Authorization` header ──▶ `ApiKey`: who asks, and what for; hashes in a file that is read anew when it changes.

One key a line: `name sha256:<64 hex digits>`, and behind it the scopes: `predict`, `review` or `predict,review`. A
line without scopes has `predict`. `#` begins a comment. `python -m service keys new NAME --file FILE` makes a key,
shows it once and adds its line. The hash is SHA-256 without salt or stretching: those slow down guessing, and there is
nothing to guess in a key of 256 random bits. Never give a key that a person made up.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from models.errors import TandemError, Unauthorized

logger = logging.getLogger(__name__)

MAX_KEYS = 1024  # each adds about 0.05 µs to a check, which costs 0.7 µs with one
MAX_KEY_BYTES = 256  # of a presented key; ours have 50
MAX_FILE_BYTES = 1024 * 1024
LOOK_EVERY_S = 1.0

NAME = r"[A-Za-z0-9._-]{1,40}"  # shorter than a key, so that no key passes for a name and is shown as one
_LINE = re.compile(rf"({NAME})[ \t]+sha256:([0-9a-f]{{64}})(?:[ \t]+([a-z,]+))?[ \t]*(?:#.*)?", re.ASCII)

Scope = Literal["predict", "review"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""`predict`: routes that take images; `review`: what was recorded, and answers to it. Other routes take any key."""


class ApiKey(NamedTuple):
    """One key of the file."""

    name: str
    digest: bytes
    """SHA-256 of the key."""
    scopes: frozenset[str]


Entries = tuple[ApiKey, ...]
Signature = tuple[int, int, int, int, int]


class KeysError(TandemError):
    """A keys file is refused; the message names file, line and what is wrong, and shows nothing that stands there."""


class ApiKeys:
    """The keys of one file; `check` is for one thread, the event loop's.

    Args:
        path: the file.
        entries: each key.
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
    def entries(self) -> Entries:
        """The keys that are accepted, in the file's order."""
        return self._entries

    def check(self, authorization: bytes | None) -> ApiKey:
        """The key in an `Authorization` header's value.

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
        for entry in self._entries:
            if hmac.compare_digest(digest, entry.digest):
                found = entry
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


def _signature(status: os.stat_result) -> Signature:
    # the time of change besides that of modification: it moves with the mode, too, and no tool sets it back
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read(path: Path) -> tuple[Signature, Entries]:
    signature, text = load(path)
    return signature, parse(text, path)


def load(path: Path) -> tuple[Signature, str]:
    """The text of a keys file, and by what a change of it is seen.

    Raises:
        KeysError: it cannot be read, is no regular file, too large or not UTF-8.
    """
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


def parse(text: str, path: Path) -> Entries:
    """Each key in a text.

    Raises:
        KeysError: a line is not a key's, comes twice, names an unknown scope, or there are too many.
    """
    entries: dict[str, ApiKey] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        match = _LINE.fullmatch(content)
        if match is None:
            raise KeysError(f"{path}, line {number}: not of the form `name sha256:<64 lowercase hex digits> [scopes]`")
        entry = ApiKey(match[1], bytes.fromhex(match[2]), frozenset((match[3] or "predict").split(",")))
        if unknown := entry.scopes - set(SCOPES):
            raise KeysError(
                f"{path}, line {number}: no scope is called {min(unknown)!r}; there are {', '.join(SCOPES)}"
            )
        if entry.name in entries or any(entry.digest == other.digest for other in entries.values()):
            raise KeysError(f"{path}, line {number}: the same name or key as on an earlier line")
        entries[entry.name] = entry
    if len(entries) > MAX_KEYS:
        raise KeysError(f"{path} has {len(entries)} keys; the limit is {MAX_KEYS}")
    return tuple(entries.values())
