"""Kinds of files that people send instead of a JPEG, PNG or WebP: their first bytes, and what to do about them."""

from __future__ import annotations

import re
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of file."""

    name: str
    advice: str
    is_wrapped: bool = False
    """Whether it may contain a JPEG, PNG or WebP."""


def magick(source: str, target: str = "image.png") -> str:
    """Advice to convert an image with ImageMagick."""
    return f'convert it, for example with "magick {source} {target}"'


HEIC = Kind(
    "HEIC image",
    f'{magick("photo.heic", "photo.jpg")} or heif-convert, or set the camera to "Most Compatible"',
)
AVIF = Kind("AVIF image", f"{magick('image.avif')} or avifdec")
RAW = Kind("camera raw image", "export it as JPEG, or send the JPEG that the camera wrote beside it")
TIFF = Kind("TIFF image", magick("'image.tif[0]'"))
BMP = Kind("BMP image", magick("image.bmp"))
GIF = Kind("GIF image", magick("'image.gif[0]'"))
SVG = Kind("SVG drawing", 'render it, for example with "rsvg-convert -o image.png drawing.svg"')
VIDEO = Kind("video", 'send a single frame, for example from "ffmpeg -i video.mp4 -frames:v 1 frame.jpg"')
AUDIO = Kind("audio file", "send a picture")
JSON = Kind("JSON", 'send {"instances": [{"image": "<base64>"}]} with Content-Type: application/json', True)
BASE64 = Kind("what looks like base64", 'send bytes, or JSON with {"instances": [{"image": "<base64>"}]}', True)
DATA_URI = Kind("a data URI", 'send bytes, or JSON with {"instances": [{"image": "<base64>"}]}', True)
URL = Kind("a URL", "the service fetches nothing; send the bytes of the image", True)
FILE_NAME = Kind("the name of a file", 'send its bytes, for example with "curl --data-binary @photo.jpg"', True)
FORM = Kind("a form", 'send it as multipart/form-data, for example with "curl -F image=@photo.jpg"', True)
HTML = Kind("HTML page", "send the image itself; a page often stands for a failed download")
XML = Kind("XML document", "send a picture")
APPLE_DOUBLE = Kind("a side file of macOS (its name starts with ._)", "send the image beside it", True)
LFS = Kind("a pointer of Git LFS", 'fetch the image with "git lfs pull"', True)
_DOCUMENT = "render a page as PNG"
_ARCHIVE = "send the images in it, each on its own or all as multipart/form-data"
_COMPRESSED = "send the image as it is, uncompressed"
_TEXT_MODE = "its line ends were changed on the way; send the file as it is, in binary mode"
_AS_TEXT = "it was read as text on the way, which loses bytes; send the file as it is, in binary mode"

_DAMAGED_PNG, _DAMAGED_JPEG, _DAMAGED_WEBP = (f"a {name} with a damaged signature" for name in ("PNG", "JPEG", "WebP"))

# Patterns of the first bytes, tried in this order; "." is any byte.
_BY_FIRST_BYTES: tuple[tuple[bytes, Kind], ...] = (
    (rb"\x89PNG(\n\x1a\n|\r\r\n\x1a\r\n|\r\x1a\r)", Kind(_DAMAGED_PNG, _TEXT_MODE, True)),
    (
        rb"\x89PNG\x1a",
        Kind(_DAMAGED_PNG, 'it lost its line ends; send it with "curl --data-binary", -d removes them', True),
    ),
    (rb"\tPNG\r\n", Kind(_DAMAGED_PNG, "it lost the highest bit of each byte; send it as it is, in binary mode", True)),
    (rb"(\xc2\x89|\xef\xbf\xbd|\?)PNG", Kind(_DAMAGED_PNG, _AS_TEXT, True)),
    (rb"\x89?PNG", Kind(_DAMAGED_PNG, "send the file as it is", True)),
    (rb"(\xef\xbf\xbd){4}|\xc3\xbf\xc3\x98\xc3\xbf|\?{4}..(JFIF|Exif)", Kind(_DAMAGED_JPEG, _AS_TEXT, True)),
    (rb"RIFF.{0,20}WEBP", Kind(_DAMAGED_WEBP, _AS_TEXT, True)),
    (rb"RIFF....AVI |RIFX", VIDEO),
    (rb"RIFF....WAVE|ID3|OggS|fLaC|\xff[\xfb\xf3\xf2]|FORM....AIF", AUDIO),
    (rb"\x8aMNG\r\n\x1a\n|\x8bJNG\r\n\x1a\n", Kind("MNG or JNG image", magick("image.mng"))),
    (rb"II\*\x00....CR|II(RO|RS)|MMOR|IIU\x00|FUJIFILMCCD-RAW|FOVb|\x00MRM|II\x1a\x00\x00\x00HEAPCCDR", RAW),
    (rb"II\+\x00|MM\x00\+", Kind("BigTIFF image", magick("'image.tif[0]'"))),
    (rb"II\xbc", Kind("JPEG XR image", "convert it to JPEG or PNG")),
    (rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", BMP),
    (rb"GIF8[79]a", GIF),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n\x87\n", Kind("JPEG XL image", magick("image.jxl"))),
    (rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", Kind("JPEG 2000 image", magick("image.jp2"))),
    (rb"8BPS", Kind("Photoshop document (PSD)", magick("'image.psd[0]'"))),
    (rb"gimp xcf", Kind("GIMP image (XCF)", "export it as PNG")),
    (rb"\x00\x00[\x01\x02]\x00[\x01-\x40]\x00", Kind("Windows icon or cursor (ICO)", magick("'icon.ico[0]'"))),
    (rb"icns", Kind("macOS icon (ICNS)", "export it as PNG")),
    (rb"\x76\x2f\x31\x01", Kind("OpenEXR image", magick("image.exr"))),
    (rb"#\?(RADIANCE|RGBE)", Kind("Radiance HDR image", magick("image.hdr"))),
    (rb"P[1-6]\s+[#\d]|P7\n|P[fF]\n", Kind("Netpbm image (PBM, PGM, PPM, PAM or PFM)", magick("image.ppm"))),
    (rb"qoif", Kind("QOI image", magick("image.qoi"))),
    (rb"DDS |\xabKTX", Kind("texture (DDS or KTX)", magick("image.dds"))),
    (rb"farbfeld|FLIF|BPG\xfb", Kind("farbfeld, FLIF or BPG image", "convert it to PNG")),
    (
        rb"\x59\xa6\x6a\x95|\x01\xda[\x00\x01][\x01\x02]|\x0a[\x00-\x05]\x01[\x01\x02\x04\x08]",
        Kind("Sun, SGI or PCX image", magick("image")),
    ),
    (rb"SIMPLE  =", Kind("FITS image", "scale its levels and save it as PNG")),
    (rb"\xd7\xcd\xc6\x9a|\x01\x00\x00\x00.{36} EMF", Kind("Windows metafile", "render it as PNG")),
    (rb"%!PS|\xc5\xd0\xd3\xc6", Kind("PostScript document", _DOCUMENT)),
    (rb"AT&TFORM", Kind("DjVu document", _DOCUMENT)),
    (rb"\x1a\x45\xdf\xa3|FLV\x01|\x00\x00\x01[\xba\xb3]|(G.{187}){2}G|.{4}(moov|mdat|wide|pnot)", VIDEO),
    (rb"PK(\x03\x04|\x05\x06|\x07\x08)", Kind("ZIP archive (office documents are such, too)", _ARCHIVE)),
    (rb"7z\xbc\xaf\x27\x1c|Rar!\x1a\x07|.{257}ustar", Kind("archive", _ARCHIVE)),
    (rb"\x1f\x8b", Kind("gzip-compressed file", _COMPRESSED)),
    (rb"BZh[1-9]1AY|\xfd7zXZ\x00|\x28\xb5\x2f\xfd", Kind("compressed file (bzip2, xz or Zstandard)", _COMPRESSED)),
    (rb"\x93NUMPY|\x80[\x02-\x05][\x95}\]cK(]|\x89HDF\r\n", Kind("array (NumPy, pickle or HDF5)", "save it as PNG")),
    (rb"\x00\x05\x16\x07", APPLE_DOUBLE),
    (rb"version https://git-lfs", LFS),
    (rb".{128}DICM", Kind("DICOM image", 'convert it, for example with "dcmj2pnm +on image.dcm image.png"')),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), kind) for pattern, kind in _BY_FIRST_BYTES)
PDF = Kind("PDF document", 'render a page, for example with "pdftoppm -r 150 -png file.pdf page"')
TGA = Kind("Targa image (TGA)", magick("image.tga"))


def by_first_bytes(data: bytes) -> Kind | None:
    """The first kind of file above whose pattern matches."""
    return next((kind for pattern, kind in _PATTERNS if pattern.match(data)), None)
