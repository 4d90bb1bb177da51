"""bytes of any other format than JPEG, PNG and WebP ──▶ a sentence: what they are, and what to do about it.

It is looked at only where an image is refused, and at no more than the first bytes.
"""

from __future__ import annotations

import re
import struct

from models.imaging import foreign
from models.imaging.foreign import Kind

_LOOKED_AT = 8 * 1024  # bytes at the start: comments of drawing programs come before the first element of an SVG
_SHOWN = 12  # of them in the message
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"})
_HEIF = frozenset({b"mif1", b"msf1"})  # of any codec; HEIC where no other brand says which
_MAX_BRANDS_BYTES = 512  # of an ISO base media file that are looked at
_BEFORE_ELEMENT = {"<?": "?>", "<!--": "-->", "<!": ">"}  # what may come before an XML document's first element
_SPACE = re.compile(r"\s*")
_ELEMENT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{36,}={0,2}")  # a line of it
_FILE_NAME = re.compile(r"@?[^\n\0<>{}]{1,250}\.(?:jpe?g|png|webp|gif|heic|avif|tiff?|bmp)\s*", re.IGNORECASE)
_FIELDS = re.compile(r"[\w.\[\]-]{1,40}=(?!=)\S")
_TEXTS = (
    (re.compile(r"data:[\w./+-]*[;,]", re.IGNORECASE), foreign.DATA_URI),
    (re.compile(r"[a-z][a-z0-9+.-]{1,9}://\S", re.IGNORECASE), foreign.URL),
    (re.compile(r"[\[{]\s*[\[{\]}\"]"), foreign.JSON),
    (re.compile(r"--.*content-disposition:", re.IGNORECASE | re.DOTALL), foreign.FORM),
)
_IMAGE = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]|\x89PNG\r\n\x1a\n|RIFF....WEBP", re.DOTALL)
_CAMERA_TAGS = frozenset({0x010F, 0x014A})  # maker and sub-images, TIFF/EP; DNG's version stands for both
_DNG_TAG = 0xC612
_MAX_TAGS = 200  # that are looked at


def describe(data: bytes) -> str:
    """What the bytes are and what to do about it, in one sentence."""
    kind = recognise(data)
    if kind is None:
        return f"not a JPEG, PNG or WebP image: the first bytes are {data[:_SHOWN]!r}"
    if kind.is_wrapped:
        return f"not a JPEG, PNG or WebP image but {kind.name}: {kind.advice}"
    return f"{kind.name}; the service takes JPEG, PNG and WebP: {kind.advice}"


def recognise(data: bytes) -> Kind | None:
    """The kind of file that the bytes are, if it is one of those in `foreign`."""
    if data[4:8] == b"ftyp":
        return _of_media(data)
    if data[:4] in (b"II*\0", b"MM\0*") and _is_of_camera(data):
        return foreign.RAW
    start = data[:_LOOKED_AT]
    return foreign.by_first_bytes(start) or _of_places(data, start) or _of_text(start) or _of_image_behind(start)


def _of_media(data: bytes) -> Kind:
    """The kind of an ISO base media file, by its brands; ISO/IEC 14496-12, section 4.3."""
    end = min(int.from_bytes(data[:4], "big"), _MAX_BRANDS_BYTES)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]
    for brand in brands:
        if brand in _AVIF:
            return foreign.AVIF
        if brand in _HEIC:
            return foreign.HEIC
    if brands[0] == b"crx ":
        return foreign.RAW
    if _HEIF.intersection(brands):
        return foreign.HEIC
    return foreign.AUDIO if brands[0].startswith(b"M4A") else foreign.VIDEO


def _is_of_camera(data: bytes) -> bool:
    """Whether a TIFF file's first directory is that of a camera raw image."""
    order = "<" if data[:1] == b"I" else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        first = start + 2
        entries = data[first : first + 12 * min(count, _MAX_TAGS)]
        tags = {tag for tag, _ in struct.iter_unpack(f"{order}H10s", entries)}
    except struct.error:  # cut short
        return False
    return _DNG_TAG in tags or tags >= _CAMERA_TAGS


def _of_places(data: bytes, start: bytes) -> Kind | None:
    """What is known by bytes that are not the first."""
    if data[:4] in (b"II*\0", b"MM\0*"):
        return foreign.TIFF
    if b"%PDF-" in start[:1024]:
        return foreign.PDF
    return foreign.TGA if data[-18:-2] == b"TRUEVISION-XFILE" else None


def _of_text(start: bytes) -> Kind | None:
    encoding, mark = next(
        ((name, mark) for mark, name in _BYTE_ORDER_MARKS.items() if start.startswith(mark)), ("", b"")
    )
    text = start[len(mark) :].decode(encoding or "latin-1", errors="ignore").lstrip()
    if text.startswith("<"):
        return _of_element(text)
    for pattern, kind in _TEXTS:
        if pattern.match(text):
            return kind
    if _BASE64.fullmatch(text.partition("\n")[0].rstrip()):
        return foreign.BASE64
    if len(text) < 300 and _FILE_NAME.fullmatch(text):
        return foreign.FILE_NAME
    return foreign.FORM if _FIELDS.match(text) else None


def _of_element(text: str) -> Kind | None:
    """The kind of document, by its first element."""
    at = 0
    while opening := next((each for each in _BEFORE_ELEMENT if text.startswith(each, at)), None):
        if text[at : at + 14].lower() == "<!doctype html":
            return foreign.HTML
        closing = _BEFORE_ELEMENT[opening]
        if opening == "<!" and "[" in text[at : text.find(">", at)]:
            closing = "]>"
        end = text.find(closing, at)
        if end < 0:
            return foreign.XML
        space = _SPACE.match(text, end + len(closing))
        at = space.end() if space else end
    found = _ELEMENT.match(text, at)
    if found is None:
        return None
    name = found[1].lower()
    return foreign.SVG if name == "svg" else foreign.HTML if name in ("html", "head", "body") else foreign.XML


def _of_image_behind(start: bytes) -> Kind | None:
    found = _IMAGE.search(start)
    if found is None:
        return None
    return Kind(f"{found.start()} bytes before one", "send the image alone", True)
