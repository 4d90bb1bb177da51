"""bytes that are not JPEG, PNG or WebP ──▶ a sentence that says what they are and what to do.

Only a refused image gets here, and only its first bytes are read.
"""

from __future__ import annotations

import re
import struct

from models.imaging import foreign
from models.imaging.foreign import Kind

_READ_BYTES = 8 * 1024  # at the start; in an SVG, comments of drawing programs precede the first element
_SHOWN_BYTES = 12  # in the message
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_AVIF = frozenset({b"avif", b"avis"})
_HEIC = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"})
_HEIF = frozenset({b"mif1", b"msf1"})  # any codec; taken for HEIC unless another brand names the codec
_MAX_BRANDS_BYTES = 512  # of an ISO base media file that are read
_BEFORE_ELEMENT = {"<?": "?>", "<!--": "-->", "<!": ">"}  # may precede an XML document's first element
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
_MAX_TAGS = 200  # that are read


def describe(data: bytes) -> str:
    """Says in one sentence what the bytes are and what to do."""
    kind = recognise(data)
    if kind is None:
        return f"not a JPEG, PNG or WebP image: the first bytes are {data[:_SHOWN_BYTES]!r}"
    if kind.is_wrapped:
        return f"not a JPEG, PNG or WebP image but {kind.name}: {kind.advice}"
    return f"{kind.name}; the service takes JPEG, PNG and WebP: {kind.advice}"


def recognise(data: bytes) -> Kind | None:
    """The kind of file in `foreign` that the bytes are; None if it is none of them."""
    if data[4:8] == b"ftyp":
        return _by_brands(data)
    if data[:4] in (b"II*\0", b"MM\0*") and _is_of_camera(data):
        return foreign.RAW
    start = data[:_READ_BYTES]
    return foreign.by_first_bytes(start) or _by_other_bytes(data, start) or _by_text(start) or _by_later_image(start)


def _by_brands(data: bytes) -> Kind:
    """Kind of an ISO base media file by its brands, ISO/IEC 14496-12 section 4.3."""
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
    """Whether a TIFF file is a camera raw image, by the tags of its first directory."""
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


def _by_other_bytes(data: bytes, start: bytes) -> Kind | None:
    """Recognises kinds by bytes elsewhere in the file."""
    if data[:4] in (b"II*\0", b"MM\0*"):
        return foreign.TIFF
    if b"%PDF-" in start[:1024]:
        return foreign.PDF
    return foreign.TGA if data[-18:-2] == b"TRUEVISION-XFILE" else None


def _by_text(start: bytes) -> Kind | None:
    encoding, mark = next(
        ((name, mark) for mark, name in _BYTE_ORDER_MARKS.items() if start.startswith(mark)), ("", b"")
    )
    text = start[len(mark) :].decode(encoding or "latin-1", errors="ignore").lstrip()
    if text.startswith("<"):
        return _by_element(text)
    for pattern, kind in _TEXTS:
        if pattern.match(text):
            return kind
    if _BASE64.fullmatch(text.partition("\n")[0].rstrip()):
        return foreign.BASE64
    if len(text) < 300 and _FILE_NAME.fullmatch(text):
        return foreign.FILE_NAME
    return foreign.FORM if _FIELDS.match(text) else None


def _by_element(text: str) -> Kind | None:
    """Kind of an XML document by its first element."""
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


def _by_later_image(start: bytes) -> Kind | None:
    found = _IMAGE.search(start)
    if found is None:
        return None
    return Kind(f"{found.start()} bytes before one", "send the image alone", True)
