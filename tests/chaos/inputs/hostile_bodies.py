"""Multipart and JSON bodies as attackers send them, each with the statuses that may answer it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import cache

from tests.chaos.inputs.pictures import SNEAKER

JSON = "application/json"
BOUNDARY = "xyzzy"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
BASE64 = base64.b64encode(SNEAKER).decode()
OK, BAD, LARGE, TYPE, COLUMNS = {200}, {400}, {413}, {415}, {422}

Body = tuple[str, str, bytes, set[int]]  # name, content type, body, allowed statuses


@cache
def bodies() -> tuple[Body, ...]:
    """Name, content type, body and allowed statuses."""
    return (*_multipart(), *_columns(), *_json(), *_instances())


def part(name: str, data: bytes, *headers: str, quote: str = '"') -> bytes:
    """One part and its boundary."""
    lines = [f"Content-Disposition: form-data; name={quote}{name}{quote}", *headers]
    return f"--{BOUNDARY}\r\n".encode() + "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    """The parts and the closing boundary."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def instances(*items: object) -> bytes:
    """A JSON request."""
    return json.dumps({"instances": items}).encode()


def _multipart() -> Iterator[Body]:
    image = part("image", SNEAKER)
    yield "form of one image", FORM, form(image), OK
    yield "form of 256 images", FORM, form(*[image] * 256), OK
    yield "form of 257 images", FORM, form(*[image] * 257), LARGE
    yield "form of 10,000 empty images", FORM, form(*[part("image", b"")] * 10_000), LARGE
    yield "form of 10,000 parts of other names", FORM, form(*[part("x", b"")] * 10_000), BAD | LARGE
    yield "form without a boundary parameter", "multipart/form-data", form(image), BAD
    yield "form of an empty boundary", "multipart/form-data; boundary=", form(image), BAD
    yield "form of an empty quoted boundary", 'multipart/form-data; boundary=""', form(image), BAD
    yield "form of another boundary", "multipart/form-data; boundary=other", form(image), BAD
    yield "form of a boundary of 10,000 bytes", f"multipart/form-data; boundary={'b' * 10_000}", form(image), BAD
    yield "form of a boundary with odd bytes", 'multipart/form-data; boundary="\xff\xfe \t;"', form(image), BAD
    yield "form of a boundary of CR and LF escaped", 'multipart/form-data; boundary="a\\r\\n"', form(image), BAD
    yield "form with two boundaries", f"{FORM}; boundary=other", form(image), OK | BAD
    yield "form with a quoted boundary", f'multipart/form-data; boundary="{BOUNDARY}"', form(image), OK
    yield "form, mixed case", f"Multipart/Form-Data; Boundary={BOUNDARY}", form(image), OK
    yield "form without its end", FORM, image, BAD
    yield "form with half its end", FORM, image + f"--{BOUNDARY}-".encode(), BAD
    yield "form of its end alone", FORM, form(), BAD
    yield "form of nothing", FORM, b"", BAD
    yield "form of bytes", FORM, bytes(range(256)), BAD
    yield "form with a preamble", FORM, b"hello\r\n" + form(image), OK | BAD
    yield "form with an epilogue", FORM, form(image) + b"x" * 5000, OK | BAD
    yield "form with two ends", FORM, form(image) + form(image), OK | BAD
    yield "form with bare line feeds", FORM, form(image).replace(b"\r\n", b"\n"), OK | BAD
    nested = b'--in\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n--in--\r\n'
    inner = part("image", nested, "Content-Type: multipart/mixed; boundary=in")
    yield "form in a form", FORM, form(inner), TYPE | BAD
    yield (
        "form with a part header of 100,000 bytes",
        FORM,
        form(part("image", SNEAKER, "X: " + "y" * 100_000)),
        (OK | BAD | LARGE),
    )
    yield "form with a name of 100,000 bytes", FORM, form(part("n" * 100_000, b"")), BAD | LARGE
    yield "form with 10,000 headers in a part", FORM, form(part("image", SNEAKER, *["X: y"] * 10_000)), OK | BAD | LARGE
    yield "form with a header without a colon", FORM, form(part("image", SNEAKER, "nonsense")), BAD
    yield "form with an empty header name", FORM, form(part("image", SNEAKER, ": x")), OK | BAD
    yield "form without headers", FORM, f"--{BOUNDARY}\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(), BAD
    yield "form with a quote in a name", FORM, form(part('ima\\"ge', SNEAKER)), BAD
    yield "form with a quote too few", FORM, form(part('"image', SNEAKER, quote="")), OK | BAD
    yield "form with a line break in a name", FORM, form(part("ima\r\nge", SNEAKER)), BAD
    yield "form with a NUL in a name", FORM, form(part("image\0", SNEAKER)), BAD
    yield "form with a name that is not UTF-8", FORM, form(part("\xff\xfe", SNEAKER)), BAD
    extended = part("", SNEAKER, quote="").replace(b"name=", b"name*=x''image")
    yield "form with names in another encoding", FORM, form(extended), OK | BAD
    yield "form with two names", FORM, form(part('image"; name="columns', SNEAKER)), OK | BAD
    yield "form with a file name that climbs", FORM, form(part('image"; filename="../../etc/passwd', SNEAKER)), OK
    encoding = "Content-Transfer-Encoding: base64"
    yield "form with a transfer encoding", FORM, form(part("image", BASE64.encode(), encoding)), TYPE | OK
    yield (
        "form with a boundary inside the image",
        FORM,
        form(part("image", SNEAKER + f"\r\n--{BOUNDARY}x".encode())),
        (OK | BAD),
    )
    yield "form with dashes for an image", FORM, form(part("image", f"--{BOUNDARY}".encode())), BAD | TYPE


def _columns() -> Iterator[Body]:
    image = part("image", SNEAKER)
    for name, columns, statuses in (
        ("an empty object", b"{}", OK),
        ("an empty list", b"[]", BAD),
        ("a list of one", b"[{}]", OK),
        ("a list of nulls", b"[null]", OK),
        ("a list of two", b"[{},{}]", BAD),
        ("an unknown name", b'{"x": 1}', COLUMNS),
        ("NaN", b'{"x": NaN}', COLUMNS | BAD),
        ("infinity", b'[{"x": -Infinity}]', COLUMNS | BAD),
        ("1e400", b'{"x": 1e400}', COLUMNS | BAD),
        ("a number of 5,000 digits", b'{"x": ' + b"9" * 5000 + b"}", COLUMNS | BAD),
        ("a string", b'"x"', BAD),
        ("nothing", b"", BAD),
        ("half an object", b'{"x"', BAD),
        ("100,000 levels", b"[" * 100_000, BAD | LARGE),
        ("100,000 levels, closed", b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", BAD | LARGE | COLUMNS),
        ("1 MB of keys", json.dumps({f"k{n}": n for n in range(80_000)}).encode(), COLUMNS | LARGE),
        ("a key of 1 MB", b'{"' + b"k" * 1_000_000 + b'": 1}', COLUMNS | LARGE),
        ("a lone surrogate", b'{"\\ud800": "\\udfff"}', COLUMNS | BAD),
        ("bytes that are not UTF-8", b'{"\xff": 1}', BAD),
        ("an image", SNEAKER, BAD),
    ):
        yield f"columns of {name}", FORM, form(image, part("columns", columns)), statuses
    yield "columns before the image", FORM, form(part("columns", b"{}"), image), OK
    yield "columns twice", FORM, form(image, part("columns", b"{}"), part("columns", b"{}")), BAD
    yield "columns without an image", FORM, form(part("columns", b"{}")), BAD


def _json() -> Iterator[Body]:
    good = instances({"image": BASE64})
    for name, body, statuses in (
        ("of one image", good, OK),
        ("of nothing", b"", BAD),
        ("of white space", b" \t\r\n" * 1000, BAD),
        ("of a null", b"null", BAD),
        ("of 100,000 lists", b"[" * 100_000 + b"]" * 100_000, BAD | LARGE),
        ("of 100,000 lists, open", b"[" * 100_000, BAD | LARGE),
        ("of 100,000 objects", b'{"instances":' * 100_000 + b"1" + b"}" * 100_000, BAD | LARGE),
        ("with 100,000 lists in an instance", b'{"instances":[' + b"[" * 10**5 + b"]" * 10**5 + b"]}", BAD | LARGE),
        ("of a million zeros", b'{"instances":[' + b"0," * 1_000_000 + b"0]}", BAD | LARGE),
        ("with instances twice", b'{"instances":[],' + good[1:], OK | BAD),
        ("with another key", b'{"x":1,' + good[1:], BAD),
        ("with 100,000 other keys", json.dumps(dict.fromkeys(map(str, range(100_000)))).encode(), BAD | LARGE),
        ("with a byte order mark", b"\xef\xbb\xbf" + good, OK | BAD),
        ("in UTF-16", good.decode().encode("utf-16"), BAD),
        ("in UTF-32", good.decode().encode("utf-32"), BAD),
        ("in Latin-1", b'{"instances":[{"image":"\xe9"}]}', BAD),
        ("with a NUL", good + b"\0", BAD),
        ("with more behind it", good + good, BAD),
        ("with a comment", b"/* */" + good, BAD),
        ("with a comma too many", good[:-2] + b",]}", BAD),
        ("with single quotes", good.replace(b'"', b"'"), BAD),
        ("of a number of a million digits", b"1" * 1_000_000, BAD | LARGE),
        ("of 1e400", b'{"instances":1e400}', BAD),
        ("of 1e99999999999", b'{"instances":[1e99999999999]}', BAD),
        ("of a string of 9 MB", b'"' + b"a" * 9_000_000 + b'"', BAD | LARGE),
        ("of 200,000 empty instances", b'{"instances":[' + b"{}," * 199_999 + b"{}]}", BAD | LARGE),
        ("of 200,000 images", b'{"instances":[' + b'{"image":""},' * 199_999 + b'{"image":""}]}', LARGE),
        ("of 257 images", instances(*[{"image": ""}] * 257), LARGE),
        ("of 256 images", instances(*[{"image": BASE64}] * 256), OK),
        ("of 256 images that are none", instances(*[{"image": "!"}] * 256), OK),
        ("that is a pickle", b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x8c\x02os\x94.", BAD),
    ):
        yield f"JSON {name}", JSON, body, statuses
    yield "JSON, another charset", "application/json; charset=utf-16", good, OK | BAD | TYPE
    yield "JSON, suffixed", "application/vnd.api+json", good, TYPE
    yield "JSON lines", "application/x-ndjson", good, TYPE
    yield "form, urlencoded", "application/x-www-form-urlencoded", b"image=" + BASE64.encode(), TYPE
    yield "XML", "text/xml", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', TYPE
    yield "pickle, as BentoML's clients may", "application/vnd.bentoml+pickle", b"\x80\x04N.", TYPE


def _instances() -> Iterator[Body]:
    for name, item, statuses in (
        ("a null", None, BAD),
        ("a list", [], BAD),
        ("no image", {}, BAD),
        ("a null image", {"image": None}, BAD),
        ("a number for an image", {"image": 1e308}, BAD),
        ("a list of bytes for an image", {"image": [137, 80, 78]}, BAD),
        ("an object for an image", {"image": {"image": BASE64}}, BAD),
        ("an empty image", {"image": ""}, BAD),
        ("a URL for an image", {"image": "http://127.0.0.1:1/x.png"}, BAD),
        ("a data URL", {"image": f"data:image/png;base64,{BASE64}"}, OK),
        ("a data URL without base64", {"image": "data:image/png,%89PNG"}, BAD),
        ("base64 in lines", {"image": "\n".join([BASE64[:76], BASE64[76:]])}, OK),
        ("base64 without padding", {"image": BASE64.rstrip("=") + "A"}, OK | BAD),
        ("base64 padded too long", {"image": BASE64 + "===="}, OK | BAD),
        ("base64 for URLs", {"image": BASE64.replace("+", "-").replace("/", "_") + "-_-_"}, OK | BAD),
        ("base64 beyond ASCII", {"image": BASE64 + "é"}, BAD),
        ("base64 with a NUL", {"image": BASE64 + "\0"}, BAD),
        ("a lone surrogate", {"image": "\ud800"}, BAD),
        ("padding alone", {"image": "=" * 100}, BAD),
        ("a key too many", {"image": BASE64, "x": 1}, BAD),
        ("columns of null", {"image": BASE64, "columns": None}, OK),
        ("columns of a list", {"image": BASE64, "columns": []}, BAD),
        ("columns of a string", {"image": BASE64, "columns": "{}"}, BAD),
        ("columns unknown", {"image": BASE64, "columns": {"x": 1}}, COLUMNS),
        ("columns of nothing", {"image": BASE64, "columns": {}}, OK),
        ("columns of NaN", {"image": BASE64, "columns": {"x": float("nan")}}, COLUMNS | BAD),
        ("columns with a long key", {"image": BASE64, "columns": {"\u202e" * 100_000: 1}}, COLUMNS | LARGE),
    ):
        yield f"instance of {name}", JSON, instances(item), statuses
