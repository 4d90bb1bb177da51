"""`models.imaging.unsupported`: what is sent in place of an image is named, with what to do about it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import time
import zipfile

import numpy as np
import pytest

from models.errors import UnsupportedType
from models.imaging.decode import read_header
from models.imaging.unsupported import describe
from tests.models import encoded

PNG = encoded.encode(encoded.picture(), "PNG")
JPEG = encoded.encode(encoded.picture(), "JPEG")
WEBP = encoded.encode(encoded.picture(), "WEBP")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
COMMENT = b"<!-- " + b"made by a drawing program " * 100 + b"-->\n"


def media(major: bytes, *compatible: bytes) -> bytes:
    """The start of an ISO base media file."""
    brands = major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", len(brands) + 8) + b"ftyp" + brands + bytes(99)


def tiff(order: str, *tags: int) -> bytes:
    """A TIFF whose first directory has the tags."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = b"".join(struct.pack(f"{order}HHII", tag, 3, 1, 0) for tag in tags)
    return mark + struct.pack(f"{order}IH", 8, len(tags)) + entries + bytes(4)


def archive(name: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as file:
        file.writestr(name, "x")
    return body.getvalue()


def array() -> bytes:
    body = io.BytesIO()
    np.save(body, np.zeros(3))
    return body.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "advice"),
    [
        pytest.param(media(b"heic", b"mif1", b"heic"), "HEIC image", "Most Compatible", id="HEIC"),
        pytest.param(media(b"mif1", b"mif1", b"heic"), "HEIC image", "heif-convert", id="HEIF that is HEIC"),
        pytest.param(media(b"mif1", b"miaf"), "HEIC image", "magick", id="HEIF alone"),
        pytest.param(media(b"msf1", b"hevc"), "HEIC image", "magick", id="a HEIF sequence"),
        pytest.param(encoded.encode(encoded.picture(), "AVIF"), "AVIF image", "magick", id="AVIF"),
        pytest.param(media(b"mif1", b"avif", b"miaf"), "AVIF image", "magick", id="HEIF that is AVIF"),
        pytest.param(media(b"crx "), "camera raw image", "JPEG", id="CR3"),
        pytest.param(media(b"isom", b"mp42"), "video", "ffmpeg", id="MP4"),
        pytest.param(media(b"qt  "), "video", "ffmpeg", id="QuickTime"),
        pytest.param(b"\0\0\0\x08wide" + bytes(90), "video", "ffmpeg", id="old QuickTime"),
        pytest.param(media(b"M4A "), "audio file", "picture", id="M4A"),
        pytest.param(encoded.encode(encoded.picture(), "TIFF"), "TIFF image", "magick", id="little-endian TIFF"),
        pytest.param(tiff(">", 0x0100), "TIFF image", "magick", id="big-endian TIFF"),
        pytest.param(b"II*\0\xff\xff\xff\xff", "TIFF image", "magick", id="a TIFF cut short"),
        pytest.param(b"II+\0\x08\0\0\0", "BigTIFF image", "magick", id="BigTIFF"),
        pytest.param(tiff("<", 0x0100, 0x010F, 0x014A), "camera raw image", "JPEG", id="NEF or ARW"),
        pytest.param(tiff(">", 0xC612), "camera raw image", "JPEG", id="DNG"),
        pytest.param(b"II*\0\x10\0\0\0CR\2\0", "camera raw image", "JPEG", id="CR2"),
        pytest.param(b"FUJIFILMCCD-RAW 0201", "camera raw image", "JPEG", id="RAF"),
        pytest.param(encoded.encode(encoded.picture(), "BMP"), "BMP image", "magick", id="BMP"),
        pytest.param(encoded.encode(encoded.picture(), "GIF"), "GIF image", "magick", id="GIF"),
        pytest.param(encoded.animated("GIF"), "GIF image", "magick", id="an animated GIF"),
        pytest.param(encoded.encode(encoded.picture(), "ICO"), "Windows icon", "magick", id="ICO"),
        pytest.param(encoded.encode(encoded.picture(), "PPM"), "Netpbm image", "magick", id="PPM"),
        pytest.param(b"P7\nWIDTH 3\n", "Netpbm image", "magick", id="PAM"),
        pytest.param(encoded.encode(encoded.picture(), "TGA"), "Targa image", "magick", id="TGA"),
        pytest.param(encoded.encode(encoded.picture(), "JPEG2000"), "JPEG 2000 image", "magick", id="JPEG 2000"),
        pytest.param(b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000 image", "magick", id="a JPEG 2000 codestream"),
        pytest.param(b"\xff\x0a\xfa\x1f", "JPEG XL image", "magick", id="a JPEG XL codestream"),
        pytest.param(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "JPEG XL image", "magick", id="JPEG XL"),
        pytest.param(b"8BPS\0\1" + bytes(20), "Photoshop document", "magick", id="PSD"),
        pytest.param(b"\x76\x2f\x31\x01\2\0\0\0", "OpenEXR image", "magick", id="OpenEXR"),
        pytest.param(b"qoif\0\0\0\1\0\0\0\1\3\0", "QOI image", "magick", id="QOI"),
        pytest.param(bytes(128) + b"DICM" + bytes(9), "DICOM image", "dcmj2pnm", id="DICOM"),
        pytest.param(b"%PDF-1.7\n", "PDF document", "pdftoppm", id="PDF"),
        pytest.param(b"\n\n%PDF-1.7\n", "PDF document", "pdftoppm", id="PDF behind empty lines"),
        pytest.param(b"%!PS-Adobe-3.0\n", "PostScript document", "render", id="PostScript"),
        pytest.param(b"\x1a\x45\xdf\xa3" + bytes(9), "video", "ffmpeg", id="WebM"),
        pytest.param(b"RIFF\x24\0\0\0AVI LIST", "video", "ffmpeg", id="AVI"),
        pytest.param(b"RIFF\x24\0\0\0WAVEfmt ", "audio file", "picture", id="WAV"),
        pytest.param(archive("a.png"), "ZIP archive", "multipart/form-data", id="ZIP"),
        pytest.param(gzip.compress(SVG), "gzip-compressed file", "uncompressed", id="gzip"),
        pytest.param(array(), "array", "PNG", id="a NumPy array"),
        pytest.param(b"\0\5\x16\7\0\2\0\0Mac OS X", "side file of macOS", "beside it", id="AppleDouble"),
        pytest.param(SVG, "SVG drawing", "rsvg-convert", id="SVG"),
        pytest.param(b'<?xml version="1.0"?>\n' + SVG, "SVG drawing", "rsvg", id="SVG behind a prolog"),
        pytest.param(b"\xef\xbb\xbf \n" + COMMENT * 3 + SVG, "SVG drawing", "rsvg", id="SVG behind comments"),
        pytest.param(b"\xff\xfe" + SVG.decode().encode("utf-16-le"), "SVG drawing", "rsvg", id="SVG in UTF-16"),
        pytest.param(b"<?xml?><!DOCTYPE svg [<!ENTITY a 'b>'>]>" + SVG, "SVG drawing", "rsvg", id="SVG with a DTD"),
        pytest.param(b"<s:svg xmlns:s='x'/>", "SVG drawing", "rsvg", id="SVG with a prefix"),
        pytest.param(b"<?xml version='1.0'?><note><svg/></note>", "XML document", "picture", id="another XML"),
        pytest.param(b"<!-- never ended", "XML document", "picture", id="a comment without end"),
        pytest.param(b"<!DOCTYPE html><html>", "HTML page", "failed download", id="HTML"),
        pytest.param(b"\r\n<HTML><body>", "HTML page", "failed download", id="HTML in capitals"),
        pytest.param(b'{"instances": []}', "JSON", "Content-Type: application/json", id="JSON"),
        pytest.param(json.dumps([{"a": 1}], indent=1).encode(), "JSON", "application/json", id="a JSON list"),
        pytest.param(base64.b64encode(PNG), "base64", '{"instances"', id="base64"),
        pytest.param(base64.encodebytes(JPEG), "base64", '{"instances"', id="base64 in lines"),
        pytest.param(base64.urlsafe_b64encode(WEBP).rstrip(b"="), "base64", '{"instances"', id="URL-safe base64"),
        pytest.param(b"data:image/png;base64," + base64.b64encode(PNG), "data URI", "bytes", id="a data URI"),
        pytest.param(b"https://example.com/a.png", "URL", "fetches nothing", id="a URL"),
        pytest.param(b"@photo.jpg", "name of a file", "--data-binary", id="a file's name"),
        pytest.param(b"C:\\My Pictures\\a b.PNG\r\n", "name of a file", "--data-binary", id="a path"),
        pytest.param(b"image=@photo", "form", "curl -F", id="a form's field"),
        pytest.param(
            b'--XX\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + PNG, "form", "curl -F", id="a form"
        ),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\noid", "pointer of Git LFS", "pull", id="Git LFS"),
        pytest.param(PNG.replace(b"\r\n", b"\n"), "PNG with a damaged signature", "line ends", id="PNG of LF"),
        pytest.param(PNG.replace(b"\n", b"\r\n"), "PNG with a damaged signature", "line ends", id="PNG of CR LF"),
        pytest.param(
            PNG.replace(b"\n", b"").replace(b"\r", b""), "PNG with a damaged", "--data-binary", id="PNG by curl -d"
        ),
        pytest.param(bytes(b & 127 for b in PNG), "PNG with a damaged signature", "highest bit", id="PNG of 7 bits"),
        pytest.param(PNG.decode("latin-1").encode(), "PNG with a damaged", "as text", id="PNG taken for Latin-1"),
        pytest.param(PNG.decode(errors="replace").encode(), "PNG with a damaged", "as text", id="PNG taken for UTF-8"),
        pytest.param(
            PNG.decode("ascii", "replace").encode("ascii", "replace"), "PNG with a", "text", id="PNG as ASCII"
        ),
        pytest.param(JPEG.decode("latin-1").encode(), "JPEG with a damaged", "as text", id="JPEG taken for Latin-1"),
        pytest.param(JPEG.decode(errors="replace").encode(), "JPEG with a damaged", "as text", id="JPEG as UTF-8"),
        pytest.param(b"RIFF\xef\xbf\xbd\x01\0\0WEBPVP8 ", "WebP with a damaged", "as text", id="WebP taken for UTF-8"),
        pytest.param(b"\r\n" + PNG, "2 bytes before one", "alone", id="an empty line and PNG"),
        pytest.param(bytes(50) + JPEG, "50 bytes before one", "alone", id="bytes and JPEG"),
    ],
)
def test_what_is_no_image_is_named_with_what_to_do(data: bytes, name: str, advice: str) -> None:
    with pytest.raises(UnsupportedType) as raised:
        read_header(data)
    said = str(raised.value)
    before, _, after = said.removeprefix("not a JPEG, PNG or WebP image but ").partition(": ")
    assert name in before
    assert advice in after
    assert said.startswith("not a") or before.endswith("; the service takes JPEG, PNG and WebP")
    assert len(said) < 200


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"hello, this is no image", id="text"),
        pytest.param(b"BM is how this text begins", id="text that starts like a BMP"),
        pytest.param(b"abcdefgh" * 4, id="a long word"),
        pytest.param(b"RIFF", id="half a WebP signature"),
        pytest.param(bytes(3000), id="zeros"),
        pytest.param(b"\x93\xa0\xf1" * 9, id="bytes of no kind"),
        pytest.param(b"x", id="one letter"),
    ],
)
def test_of_other_bytes_the_first_are_shown(data: bytes) -> None:
    assert describe(data) == f"not a JPEG, PNG or WebP image: the first bytes are {data[:12]!r}"


def test_any_bytes_are_described() -> None:
    dice = np.random.default_rng(0)
    starts = [b"", b"II*\0", b"MM\0*", b"\0\0\0\x18ftyp", b"<!", b"<?xml", b"\xff\xfe", b"data:", b"--", b"{"]
    for _ in range(2000):
        assert describe(starts[dice.integers(len(starts))] + dice.bytes(int(dice.integers(60))))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"<!---->" * 100_000, id="comments"),
        pytest.param(b"<??>" * 100_000, id="prologs"),
        pytest.param(b"<![" * 100_000, id="declarations"),
        pytest.param(b"A" * 400_000 + b"!", id="what is nearly base64"),
        pytest.param(b"--" * 200_000, id="dashes"),
        pytest.param(b" " * 400_000, id="spaces"),
        pytest.param(b"RIFF" * 100_000, id="signatures"),
        pytest.param(b"II*\0\x08\0\0\0\xff\xff" + bytes(800_000), id="tags"),
        pytest.param(b"\xff\xd8" * 200_000, id="halves of signatures"),
    ],
)
def test_hostile_bytes_are_described_at_once(data: bytes) -> None:
    started = time.thread_time()
    describe(data)
    assert time.thread_time() - started < 0.05
