"""case and seed ──▶ a mutant: the same seed gives the same bytes."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable, Sequence
from functools import cache

from tests.chaos.inputs.fuzz_corpus import Case, corpus, post
from tests.chaos.inputs.hostile_bodies import FORM, JSON, form, instances, part
from tests.chaos.inputs.pictures import pictures

MAX_PARENT_BYTES = 64 * 1024  # larger cases are sent as they are: their mutants would take the time of many
NUMBERS = ("0", "-1", "1", "255", "256", "65535", "65536", "2147483648", "4294967295", "18446744073709551616", "1e309")
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b"\xff", b" ", b"\t", b":", b";", b",", b"=", b'"', b"\\", b"%00", b"%0d%0a",
    b"../", b"\r\n\r\n", b"0\r\n\r\n", b"--", b"--xyzzy", b"--xyzzy--\r\n", b"{", b"[", b"}", b"]", b"null", b"NaN",
    b"\xef\xbb\xbf", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Connection: close\r\n",
    b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n", b"HTTP/1.0",
    b"IHDR", b"IDAT", b"IEND", b"\xff\xd8", b"\xff\xda", b"Exif\0\0",
)  # fmt: skip
_ROUTES = ("/v1/predict", "/v1/predict?top_k=2&timing=1", "/v1/embed", "/predict")
_LENGTH = re.compile(rb"(?i)(content-length: *)\d+")


def mutant(seed: int) -> Case:
    """One input, its name telling the parent and what was done."""
    rng = random.Random(seed)
    made = rng.choices((_of_request, _of_body, _of_picture), (4, 3, 3))[0](rng)
    how, pieces, leaves = _delivery(rng, made.data)
    return Case(f"mutant {seed}: {made.name}{how}", made.data, piece_bytes=pieces, leaves=leaves)


def _delivery(rng: random.Random, data: bytes) -> tuple[str, int, bool]:
    """How it is sent: one in ten in small pieces, one in twenty by a caller who is gone at once."""
    dice = rng.random()
    if dice < 0.1:
        pieces = max(len(data) // rng.choice((2, 3, 20, 100)), 1)
        return f", in pieces of {pieces} bytes", pieces, False
    return (", and the caller is gone", 65536, True) if dice < 0.15 else ("", 65536, False)


def _of_request(rng: random.Random) -> Case:
    """Anything anywhere, framing included."""
    parent = rng.choice(_small())
    name, data = _mutate(rng, parent.data)
    return Case(f"{name} of '{parent.name}'", data)


def _of_body(rng: random.Random) -> Case:
    """The body alone, under a length that is true, so that what reads bodies gets it."""
    parent = rng.choice(_framed())
    head, _, body = parent.data.partition(b"\r\n\r\n")
    name, body = _mutate(rng, body)
    head = _LENGTH.sub(lambda found: found[1] + str(len(body)).encode(), head)
    return Case(f"{name} of the body of '{parent.name}'", head + b"\r\n\r\n" + body)


def _of_picture(rng: random.Random) -> Case:
    """An image, as a body, in a form or in JSON."""
    parent, data, _ = rng.choice(pictures())
    name, data = _mutate(rng, data)
    wraps: tuple[Callable[[bytes], tuple[bytes, str]], ...] = (
        lambda image: (image, "image/png"),
        lambda image: (form(part("image", image)), FORM),
        lambda image: (instances({"image": base64.b64encode(image).decode()}), JSON),
    )
    wrap = rng.randrange(3)
    body, kind = wraps[wrap](data)
    route = rng.choice(_ROUTES if wrap == 2 else _ROUTES[:-1])
    return Case(f"{name} of the image '{parent}' to {route}", post(body, kind, route))


@cache
def _small() -> Sequence[Case]:
    return [case for case in corpus() if len(case.data) <= MAX_PARENT_BYTES]


@cache
def _framed() -> Sequence[Case]:
    """Cases with one body under its true length."""
    return [case for case in _small() if case.name.startswith(("body", "image", "query", "accept"))]


def mutated(rng: random.Random, data: bytes) -> bytes:
    """One to three changes of any bytes."""
    return _mutate(rng, data)[1]


def _mutate(rng: random.Random, data: bytes) -> tuple[str, bytes]:
    """One to three changes."""
    names = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        change = rng.choice(_CHANGES)
        data = change(rng, data)
        names.append(change.__name__.strip("_"))
    return "+".join(names), data


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + int(rng.expovariate(1 / 20)) + 1)


def _flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8)) if data else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _delete(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _duplicate(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:end] * rng.choice((1, 2, 50)) + data[end:]


def _overwrite(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + rng.randbytes(end - start) + data[end:]


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(TOKENS) + data[at:]


def _splice(rng: random.Random, data: bytes) -> bytes:
    other = rng.choice(_small()).data
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _renumber(rng: random.Random, data: bytes) -> bytes:
    numbers = list(re.finditer(rb"\d+", data[:2000]))
    if not numbers:
        return data
    found = rng.choice(numbers)
    return data[: found.start()] + rng.choice(NUMBERS).encode() + data[found.end() :]


_CHANGES = (_flip, _truncate, _delete, _duplicate, _overwrite, _insert, _splice, _renumber)
