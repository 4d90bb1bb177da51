"""Bodies of every accepted kind, taken apart; and what is wrong with the others."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import BadImage, BadRequest, ClientError, TooLarge, UnsupportedType
from service.api.body.bodies import PACKED, read_instances, read_submission
from service.inference.items import Item

FORM = "multipart/form-data; boundary=XX"
JSON = "application/json"
LIMIT = 8

fuzz = settings(max_examples=60, deadline=None, derandomize=True, database=None)
LATIN = st.text(st.characters(max_codepoint=255), max_size=40)  # what a header can hold


def part(data: bytes, name: str = "image", *, extra: str = "") -> bytes:
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--XX--\r\n"


def packed(*images: bytes) -> bytes:
    return b"".join(len(image).to_bytes(4, "little") + image for image in images)


def read(content_type: str, body: bytes) -> list[Item]:
    return list(read_submission(content_type, body, LIMIT).items)


@pytest.mark.parametrize(
    "content_type",
    ["image/png", "image/jpeg", "image/anything; q=1", "Image/PNG", "application/octet-stream"],
)
def test_an_images_own_content_type_makes_the_body_the_image(content_type: str) -> None:
    submission = read_submission(content_type, b"bytes", LIMIT)
    assert submission.single
    assert submission.items == [Item(b"bytes", {})]


@pytest.mark.parametrize(
    "content_type", ["", ";", "text/plain", "application/x-www-form-urlencoded", "video/mp4", "json", "é", "multipart"]
)
def test_any_other_content_type_is_refused_by_name(content_type: str) -> None:
    with pytest.raises(UnsupportedType) as raised:
        read(content_type, b"bytes")
    assert f"content type {content_type!r} is not accepted; send image/*" in str(raised.value)


def test_a_form_gives_its_images_in_order() -> None:
    items = read(FORM, form(part(b"one"), part(b"two", extra='; filename="a;b.png"'), part(b"")))
    assert items == [Item(b"one", {}), Item(b"two", {}), Item(b"", {})]


def test_a_form_of_one_image_is_still_answered_as_a_list() -> None:
    assert not read_submission(FORM, form(part(b"one")), LIMIT).single


def test_an_image_may_hold_line_ends_and_what_looks_like_a_boundary() -> None:
    data = b"\r\n--X\r\n--\r\n\r\n--XY\r" * 50
    assert read(FORM, form(part(data)))[0].image == data


def test_one_object_of_columns_is_for_all_images() -> None:
    items = read(FORM, form(part(b"1"), part(b'{"a": 1}', "columns"), part(b"2")))
    assert [item.columns for item in items] == [{"a": 1}, {"a": 1}]


def test_a_list_of_columns_is_one_object_for_each_image() -> None:
    items = read(FORM, form(part(b'[{"a": 1}, null, {}]', "columns"), part(b"1"), part(b"2"), part(b"3")))
    assert [item.columns for item in items] == [{"a": 1}, {}, {}]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        pytest.param(b"{", "the part 'columns' is not JSON", id="not JSON"),
        pytest.param(b"", "the part 'columns' is not JSON", id="empty"),
        pytest.param(b"\xff", "the part 'columns' is not JSON", id="not UTF-8"),
        pytest.param(b"[{}]", "a list of 2, one for each image; got a list of 1", id="too short a list"),
        pytest.param(b"[{},{},{}]", "a list of 2, one for each image; got a list of 3", id="too long a list"),
        pytest.param(b'"a"', "must be one object or a list of 2, one for each image; got str 'a'", id="a string"),
        pytest.param(b"[{}, 5]", r"columns\[1\] must be an object; got int '5'", id="a number in the list"),
    ],
)
def test_columns_of_another_shape_are_a_bad_request(columns: bytes, text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        read(FORM, form(part(b"1"), part(b"2"), part(columns, "columns")))


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        pytest.param("multipart/form-data", form(part(b"1")), "has no boundary", id="no boundary"),
        pytest.param("multipart/form-data; boundary=", form(part(b"1")), "has no boundary", id="an empty boundary"),
        pytest.param("multipart/form-data; boundary=YY", form(part(b"1")), "malformed", id="another boundary"),
        pytest.param(f"multipart/form-data; boundary={'X' * 300}", b"", "malformed", id="too long a boundary"),
        pytest.param(FORM, b"", "closing boundary is missing", id="an empty body"),
        pytest.param(FORM, b"no form at all", "malformed", id="text"),
        pytest.param(FORM, part(b"1"), "closing boundary is missing", id="cut short after a part"),
        pytest.param(FORM, form(part(b"12345"))[:-12], "closing boundary is missing", id="cut short within a part"),
        pytest.param(FORM, b"--XX\r\nContent-Dispo", "closing boundary is missing", id="cut short within a header"),
        pytest.param(FORM, b"--XX\r\n: x\r\n\r\n--XX--", "malformed", id="a header without a name"),
        pytest.param(FORM, b"--XX\r\nA: " + b"a" * 9000, "malformed", id="an endless header"),
        pytest.param(FORM, b"--XX--\r\n", "no parts named 'image'", id="no parts"),
        pytest.param(FORM, form(part(b"{}", "columns")), "no parts named 'image'", id="columns alone"),
        pytest.param(FORM, form(part(b"1", "picture")), "unexpected part 'picture'", id="a misnamed part"),
        pytest.param(FORM, form(b"--XX\r\n\r\n1\r\n"), "unexpected part ''", id="a part without a name"),
        pytest.param(
            FORM,
            form(part(b"1"), part(b"{}", "columns"), part(b"{}", "columns")),
            "unexpected part 'columns'; send parts named 'image' or 'file' and at most one 'columns'",
            id="columns twice",
        ),
    ],
)
def test_a_malformed_form_is_a_bad_request(content_type: str, body: bytes, text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        read(content_type, body)


def test_a_form_may_hold_as_many_images_as_the_limit_and_not_one_more() -> None:
    assert len(read(FORM, form(*[part(b"1")] * LIMIT))) == LIMIT
    with pytest.raises(TooLarge, match="9 or more parts named 'image' or 'file'; the limit is 8"):
        read(FORM, form(*[part(b"1")] * (LIMIT + 1)))


def test_instances_give_decoded_images_and_their_columns() -> None:
    encoded = base64.b64encode(b"bytes").decode()
    body = json.dumps({"instances": [{"image": encoded, "columns": {"a": 1}}, {"image": encoded, "columns": None}]})
    assert read(JSON, body.encode()) == [Item(b"bytes", {"a": 1}), Item(b"bytes", {})]


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_known_by_its_content_type_whatever_follows(content_type: str) -> None:
    assert read(content_type, b'{"instances": [{"image": ""}]}') == [Item(b"", {})]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"", "the body is not JSON", id="nothing"),
        pytest.param(b"{", "the body is not JSON", id="half an object"),
        pytest.param(b"\xff\xfe", "the body is not JSON", id="bytes that are not UTF-8"),
        pytest.param(b"[" * 1000, "the body is not JSON", id="brackets without end"),
        pytest.param(b'{"instances": [1' + b"0" * 5000 + b"]}", "the body is not JSON", id="a number of 5000 digits"),
        pytest.param(b'"\\ud800"', "the body is not JSON", id="half a surrogate pair"),
        pytest.param(b"null", "got NoneType 'None'", id="null"),
        pytest.param(b"[]", "got a list of 0", id="a list"),
        pytest.param(b"{}", "got an object with keys none", id="an empty object"),
        pytest.param(b'{"images": []}', "got an object with keys 'images'", id="another key"),
        pytest.param(b'{"instances": [], "x": 1}', "with keys 'instances', 'x'", id="a key too many"),
        pytest.param(b'{"instances": {}}', "with keys 'instances'", id="instances as an object"),
        pytest.param(b'{"instances": []}', "the request has no instances", id="no instances"),
        pytest.param(b'{"instances": ["aGk="]}', r"instances\[0\] must be .*; got str 'aGk='", id="a bare string"),
        pytest.param(b'{"instances": [{}]}', r"instances\[0\] must be", id="an instance without an image"),
        pytest.param(b'{"instances": [{"image": "", "b": 1}]}', r"keys 'image', 'b'", id="an unknown key"),
        pytest.param(b'{"instances": [{"image": 5}]}', "must be a base64 string; got int '5'", id="a number as image"),
        pytest.param(b'{"instances": [{"image": null}]}', "must be a base64 string", id="null as image"),
        pytest.param(
            b'{"instances": [{"image": "", "columns": [1]}]}',
            r"instances\[0\].columns must be an object; got a list of 1",
            id="columns as a list",
        ),
    ],
)
def test_json_of_another_shape_is_a_bad_request(body: bytes, text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        read(JSON, body)


@pytest.mark.parametrize("encoded", ["!", "aGkaG", "aGk=aGk=", "é", "data:image/png,aGk=", "https://example.com/a.png"])
def test_wrong_base64_is_that_items_error_alone(encoded: str) -> None:
    good, bad = read_instances([{"image": "aGk="}, {"image": encoded}], LIMIT)
    assert good == Item(b"hi", {})
    assert isinstance(bad.image, BadImage)
    assert str(bad.image).startswith("instances[1].image is not base64: ")


def test_there_may_be_as_many_instances_as_the_limit_and_not_one_more() -> None:
    assert len(read_instances([{"image": ""}] * LIMIT, LIMIT)) == LIMIT
    with pytest.raises(TooLarge, match="9 or more instances; the limit is 8"):
        read_instances([{"image": ""}] * (LIMIT + 1), LIMIT)


def test_error_texts_stay_short_whatever_was_sent() -> None:
    for body in (json.dumps("x" * 10_000), json.dumps({f"{key:0100}": 1 for key in range(1000)})):
        with pytest.raises(BadRequest) as raised:
            read(JSON, body.encode())
        assert len(str(raised.value)) < 400


@fuzz
@given(LATIN, st.binary())
def test_no_content_type_makes_it_fail_otherwise_than_by_a_client_error(content_type: str, body: bytes) -> None:
    read_or_refuse(content_type, body)
    read_or_refuse(f"multipart/form-data; {content_type}", body)


@fuzz
@given(st.binary(), st.binary(), st.sampled_from(["image", "columns"]))
def test_no_form_makes_it_fail_otherwise_than_by_a_client_error(head: bytes, data: bytes, name: str) -> None:
    read_or_refuse(FORM, form(part(b"x"), part(data, name)))
    read_or_refuse(FORM, b"--XX\r\nContent-Disposition: " + head + b"\r\n\r\n" + data + b"\r\n--XX--")


@fuzz
@given(st.binary() | st.recursive(st.none() | st.floats() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_no_json_makes_it_fail_otherwise_than_by_a_client_error(body: bytes | str) -> None:
    document = body if isinstance(body, bytes) else body.encode()
    read_or_refuse(JSON, document)
    read_or_refuse(JSON, b'{"instances":[{"image":' + document + b"}]}")


def read_or_refuse(content_type: str, body: bytes) -> None:
    with contextlib.suppress(ClientError):
        read(content_type, body)


# ---------------------------------------------------------------- packed images


def test_packed_images_come_in_order_and_an_empty_one_is_one() -> None:
    submission = read_submission(PACKED, packed(b"one", b"", b"three"), LIMIT)
    assert submission.items == [Item(b"one", {}), Item(b"", {}), Item(b"three", {})]
    assert not submission.single


def test_one_packed_image_is_a_list_of_one() -> None:
    submission = read_submission(f"{PACKED}; v=1", packed(b"one"), LIMIT)
    assert (submission.items, submission.single) == ([Item(b"one", {})], False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (packed(b"one") + b"\x01", "image 1 is to end at byte 12, and the body has 8"),
        (packed(b"one", b"four")[:-1], "image 1 is to end at byte 15, and the body has 14"),
        (b"\xff\xff\xff\xff", "image 0 is to end at byte 4294967299, and the body has 4"),
    ],
    ids=["in a size", "in an image", "of an impossible size"],
)
def test_packed_images_that_are_cut_short_are_refused(body: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match="the packed images are cut short") as raised:
        read(PACKED, body)
    assert said in str(raised.value)


def test_no_packed_image_is_none() -> None:
    with pytest.raises(BadRequest, match="the request has no packed images"):
        read(PACKED, b"")


def test_packed_images_over_the_limit_are_refused_at_the_first_too_many() -> None:
    assert len(read(PACKED, packed(*[b""] * LIMIT))) == LIMIT
    with pytest.raises(TooLarge, match=f"{LIMIT + 1} or more packed images; the limit is {LIMIT}"):
        read(PACKED, packed(*[b""] * 1000))


@fuzz
@given(st.lists(st.binary(max_size=20), min_size=1, max_size=LIMIT))
def test_what_was_packed_comes_out(images: list[bytes]) -> None:
    assert [item.image for item in read(PACKED, packed(*images))] == images


@fuzz
@given(st.binary(max_size=200))
def test_any_packed_body_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(ClientError):
        read(PACKED, body)
