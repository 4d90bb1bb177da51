"""Forms: what is plain is read as the library reads it."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.errors import BadRequest, ClientError, TooLarge
from service.api.body import multipart as module
from service.api.body.multipart import Form, read_multipart

MAX = 3


def form(*parts: bytes, boundary: bytes = b"XX", end: bytes = b"--\r\n") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + end


def part(content: bytes, disposition: str = 'form-data; name="image"', *headers: str) -> bytes:
    lines = [f"Content-Disposition: {disposition}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def by_library(body: bytes, boundary: bytes = b"XX") -> Form | str:
    try:
        return module._read_any(body, boundary, MAX)
    except ClientError as error:
        return str(error)


def by_either(body: bytes, boundary: bytes = b"XX") -> Form | str:
    try:
        return read_multipart(body, boundary, MAX)
    except ClientError as error:
        return str(error)


PLAIN = [
    pytest.param(form(part(b"1"), part(b"2", 'form-data; name="image"; filename="a b.png"')), id="images"),
    pytest.param(form(part(b"1", 'form-data; name="image"', "Content-Type: image/png")), id="a type"),
    pytest.param(form(part(b"{}", 'form-data; name="columns"'), part(b"1")), id="columns"),
    pytest.param(form(part(b"")), id="nothing in it"),
    pytest.param(form(part(b"\r\n\r\n--X\r\n--")), id="what looks like a delimiter"),
    pytest.param(form(part(b"1"), end=b"--"), id="no end of the last line"),
    pytest.param(form(part(b"1").replace(b"Content-D", b"content-d")), id="another case"),
    pytest.param(form(part(b"1", 'form-data; name="file"; filename="a.png"'), part(b"2")), id="an image named file"),
]
OTHERS = [
    pytest.param(b"preamble\r\n" + form(part(b"1")), id="a preamble"),
    pytest.param(form(part(b"1")) + b"epilogue", id="an epilogue"),
    pytest.param(form(part(b"1")).replace(b"--XX\r\n", b"--XX \t\r\n"), id="padding behind a delimiter"),
    pytest.param(form(part(b"1", 'form-data; name="image"; filename="a\\"b"')), id="a quote within a name"),
    pytest.param(form(part(b"1", "form-data; name=image")), id="a name without quotes"),
    pytest.param(form(part(b"1", 'form-data; filename="x"; name="image"')), id="another order"),
    pytest.param(form(part(b"1", 'form-data; name="image"', "Content-Length: 1")), id="another header"),
    pytest.param(form(part(b"1", 'form-data; name="IMAGE"')), id="an unknown part"),
    pytest.param(form(*[part(b"{}", 'form-data; name="columns"')] * 2), id="columns twice"),
    pytest.param(form(*[part(b"1")] * (MAX + 1)), id="too many images"),
    pytest.param(form(part(b"1"))[:-8], id="no end"),
    pytest.param(form(part(b"1\r\n--XXY")), id="a longer boundary within"),
    pytest.param(form(part(b"1"), boundary=b"X" * 71), id="a boundary over the limit"),
    pytest.param(b"", id="nothing"),
    pytest.param(b"--XX--\r\n", id="no part"),
]


@pytest.mark.parametrize("body", PLAIN)
def test_what_is_plain_is_cut_at_its_delimiters(body: bytes) -> None:
    assert module._read_plain(body, b"XX", MAX) == by_library(body)


@pytest.mark.parametrize("body", OTHERS)
def test_whatever_is_not_plain_is_the_librarys(body: bytes) -> None:
    assert module._read_plain(body, b"XX", MAX) is None
    assert by_either(body) == by_library(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"A preamble\r\n" + form(part(b"1"), part(b"2")), id="a preamble"),
        pytest.param(b"\r\n--X\r\n--XXY\r\n" + form(part(b"1"), part(b"2")), id="a preamble like a delimiter"),
        pytest.param(
            form(part(b"1"), part(b"2")).replace(b"--XX\r\n", b"--XX \t\r\n"), id="padding behind each delimiter"
        ),
        pytest.param(form(part(b"1"), part(b"2"), end=b"-- \r\n"), id="padding behind the last delimiter"),
        pytest.param(form(part(b"1"), part(b"2")) + form(part(b"3")), id="an epilogue like a form"),
        pytest.param(form(part(b"1", "form-data; name=file"), part(b"2")), id="an image named file, without quotes"),
    ],
)
def test_what_the_rfc_allows_around_the_parts_is_no_part_of_them(body: bytes) -> None:
    assert read_multipart(body, b"XX", MAX) == Form([b"1", b"2"], None)


def test_a_boundary_is_no_pattern() -> None:
    boundary = b"a+(b)?.*"
    body = form(part(b"1 a+(b)?.* 2"), boundary=boundary)
    assert read_multipart(b"preamble\r\n" + body, boundary, MAX) == Form([b"1 a+(b)?.* 2"], None)


LINES = [b"--XX", b"--XX--", b"--X", b"", b"x", b"{}", b"Content-Type: image/png"]
LINES += [
    part(b"", f'form-data; name="{name}"{rest}')[:-4] for name in ("image", "columns", "x") for rest in ("", "; a=b")
]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@example([b"--XX", LINES[-4], b"", b"1", b"--XX--"], b"\r\n")
@given(st.lists(st.sampled_from(LINES), max_size=14), st.sampled_from([b"\r\n", b"\n"]))
def test_both_ways_of_reading_agree(lines: list[bytes], ending: bytes) -> None:
    body = ending.join(lines)
    plain = module._read_plain(body, b"XX", MAX)
    if plain is not None:
        assert plain == by_library(body)


def photo(content: bytes, instance: int) -> bytes:
    return part(content, f'form-data; name="image[{instance}]"; filename="a.png"')


def test_photos_say_which_instance_they_are_of() -> None:
    body = form(photo(b"1", 1), photo(b"2", 0), part(b"{}", 'form-data; name="columns"'), photo(b"3", 1))
    assert read_multipart(body, b"XX", MAX) == Form([b"1", b"2", b"3"], b"{}", [1, 0, 1])


@pytest.mark.parametrize("parts", [(part(b"1"), photo(b"2", 0)), (photo(b"1", 0), part(b"2"))], ids=["before", "after"])
def test_photos_are_not_mixed_with_images(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(BadRequest, match="send one kind or the other"):
        read_multipart(form(*parts), b"XX", MAX)


def test_too_many_photos_are_refused() -> None:
    with pytest.raises(TooLarge, match=r"4 or more parts named 'image\[0\]', 'image\[1\]', ...; the limit is 3"):
        read_multipart(form(*[photo(b"1", 0)] * 4), b"XX", MAX)


def test_no_boundary_is_refused() -> None:
    with pytest.raises(BadRequest, match="no boundary"):
        read_multipart(form(part(b"1")), b"", MAX)


def test_too_many_images_are_counted_while_they_are_read() -> None:
    with pytest.raises(
        TooLarge, match=f"^the request has {MAX + 1} or more parts named 'image' or 'file'; the limit is {MAX}"
    ):
        read_multipart(form(*[part(b"1")] * 100), b"XX", MAX)
