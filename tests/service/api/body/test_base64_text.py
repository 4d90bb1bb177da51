"""`service.api.body.base64_text`: base64 as programs write it, and what is none."""

from __future__ import annotations

import base64
import contextlib
import json
import time
import urllib.parse

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadImage
from service.api.body.base64_text import decode_base64
from service.api.body.bodies import read_instances, read_submission

DATA = bytes(range(256)) + b"\xfb\xef\xbe\xff\xff\0\0"  # every digit of both alphabets, and padding
PLAIN = base64.b64encode(DATA).decode()
URL_SAFE = base64.urlsafe_b64encode(DATA).decode()
IN_LINES = base64.encodebytes(DATA).decode()
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PLAIN, id="of the standard"),
        pytest.param(PLAIN.rstrip("="), id="without padding"),
        pytest.param(PLAIN + "=", id="with more padding than it needs"),
        pytest.param(URL_SAFE, id="for URLs"),
        pytest.param(URL_SAFE.rstrip("="), id="for URLs without padding"),
        pytest.param(PLAIN[:100] + URL_SAFE[100:], id="of both alphabets"),
        pytest.param(IN_LINES, id="in lines"),
        pytest.param(IN_LINES.replace("\n", "\r\n"), id="in lines of MIME"),
        pytest.param(f"  {PLAIN}\n", id="between spaces"),
        pytest.param(" \t".join(PLAIN), id="of spaced letters"),
        pytest.param(f"data:image/png;base64,{PLAIN}", id="in a data URI"),
        pytest.param(f"DATA:image/PNG;Base64,{PLAIN}", id="in a data URI in capitals"),
        pytest.param(f"data:;base64,{PLAIN}", id="in a data URI without a type"),
        pytest.param(f"data:base64,{PLAIN}", id="in a data URI of nothing but base64"),
        pytest.param(f"data:image/png;name=a.png;charset=utf-8;base64,{PLAIN}", id="in a data URI with parameters"),
        pytest.param(f"data:image/png;base64;name=a.png,{PLAIN}", id="in a data URI with parameters behind"),
        pytest.param(f"\n data:image/svg+xml; base64 , {URL_SAFE}", id="in a data URI with spaces"),
        pytest.param(f"data:image/png;base64,{urllib.parse.quote(PLAIN, safe='')}", id="in a data URI with escapes"),
        pytest.param(f"data:image/png;base64,{IN_LINES.rstrip()[:-1]}", id="in lines of a data URI without padding"),
    ],
)
def test_base64_is_read(text: str) -> None:
    assert decode_base64(text) == DATA


@pytest.mark.parametrize("padding", ["%3DAA", "%3D%3D%3D"], ids=["before the end", "too much of it"])
def test_escaped_padding_that_is_wrong_is_an_error(padding: str) -> None:
    with pytest.raises(BadImage, match="padding, written as %3D"):
        decode_base64(f"data:image/png;base64,AA{padding}")


@given(st.text() | st.text("Aa1+/-_=%3D,;:\n"), st.sampled_from(["", "data:image/png;base64,"]))
def test_any_text_gives_bytes_or_a_client_error(text: str, start: str) -> None:
    with contextlib.suppress(BadImage):
        assert isinstance(decode_base64(start + text), bytes)


@pytest.mark.parametrize("text", ["", " \n", "data:image/png;base64,"], ids=["nothing", "spaces", "an empty data URI"])
def test_no_base64_is_no_bytes(text: str) -> None:
    assert decode_base64(text) == b""


@pytest.mark.parametrize("size", range(1, 9))
def test_padding_may_be_missing_at_any_size(size: int) -> None:
    data = DATA[:size]
    for encoded in (base64.b64encode(data), base64.urlsafe_b64encode(data)):
        assert decode_base64(encoded.decode().rstrip("=")) == data
        assert decode_base64(encoded.decode().rstrip("=") + "\n") == data


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("aGk!", "character '!' at position 3", id="another character"),
        pytest.param("aG\u00e9k\u20ac", "character '\u00e9' at position 2", id="a letter beyond ASCII"),
        pytest.param("aGk\U0001f600!", "character '\U0001f600' at position 3", id="an emoji"),
        pytest.param("aGk?\u00e9", "character '?' at position 3", id="a question mark before a letter beyond ASCII"),
        pytest.param("aGk=aGk=", "character '=' at position 3", id="padding in between"),
        pytest.param("aG\n k=\0", "character '\\x00' at position 6", id="a NUL behind the padding"),
        pytest.param("aGk====", "character '=' at position 3", id="padding without end"),
        pytest.param("====", "character '=' at position 0", id="padding alone"),
        pytest.param("aGkaG", "cut short: 5 characters are one more than a multiple of 4", id="a letter too many"),
        pytest.param("data:image/png;base64,aG*k", "character '*' at position 24", id="in a data URI"),
        pytest.param("data:image/png;base64,aG%zz", "character '%' at position 24", id="a wrong escape"),
        pytest.param(
            "data:image/png,%89PNG", 'a data URI must say ";base64" before its comma', id="a data URI of text"
        ),
        pytest.param("https://example.com/a.png", "at position 5; it is a URL, and the service fetches", id="a URL"),
        pytest.param("s3://bucket/key", "it is a URL, and the service fetches nothing", id="a URL of S3"),
        pytest.param("photo.jpg", "character '.' at position 5; it is the name of a file", id="a file's name"),
        pytest.param("/data/My pictures/1.jpeg", "it is the name of a file; send its bytes", id="a path"),
        pytest.param("C:\\images\\a.png", "it is the name of a file; send its bytes", id="a path of Windows"),
        pytest.param("b'aGk='", "it is how Python prints bytes", id="what Python prints"),
        pytest.param("<img src='x'>", "character '<' at position 0", id="HTML"),
    ],
)
def test_what_is_no_base64_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(BadImage) as raised:
        decode_base64(text)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 200


def test_the_instance_is_named_too() -> None:
    good, bad = read_instances([{"image": "aGk"}, {"image": "aG.k", "columns": {"a": 1}}], 8)
    assert (good.image, bad.columns) == (b"hi", {"a": 1})
    assert str(bad.image) == "instances[1].image is not base64: character '.' at position 2"


def test_random_bytes_come_out_however_they_are_written() -> None:
    dice = np.random.default_rng(0)
    for _ in range(300):
        data = dice.bytes(int(dice.integers(0, 90)))
        text = (base64.b64encode(data), base64.urlsafe_b64encode(data), base64.encodebytes(data))[
            dice.integers(3)
        ].decode()
        text = text.rstrip("=") if dice.random() < 0.5 else text
        text = "\r\n".join(text[at : at + 19] for at in range(0, len(text), 19)) if dice.random() < 0.5 else text
        text = f"data:image/jpeg;base64,{text}" if dice.random() < 0.5 else text
        assert decode_base64(text) == data


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("!" * 10 * MEGABYTE, id="of another character"),
        pytest.param("A" * 10 * MEGABYTE + "!", id="of one at the end"),
        pytest.param(" " * 10 * MEGABYTE, id="of spaces"),
        pytest.param("=" * 10 * MEGABYTE, id="of padding"),
        pytest.param("\u00e9" * 5 * MEGABYTE, id="of letters beyond ASCII"),
        pytest.param("A!" * 5 * MEGABYTE, id="of every second character"),
        pytest.param("data:" * 2 * MEGABYTE, id="of the start of a data URI"),
        pytest.param("data:;base64," + "%" * 10 * MEGABYTE, id="of percent signs"),
        pytest.param("data:;base64," + "%2B" * 3 * MEGABYTE, id="of escapes"),
        pytest.param("A." * 5 * MEGABYTE, id="of dots"),
    ],
)
def test_10_mib_of_odd_base64_take_a_moment(text: str) -> None:
    body = json.dumps({"instances": [{"image": text}]}, ensure_ascii=False).encode()
    started = time.thread_time()
    read_submission("application/json", body, 8)
    assert time.thread_time() - started < 0.5
