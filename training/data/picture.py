"""an image file ──▶ `Picture`: what is kept of a decoded file, and sentences on unusual files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.bundle.input_spec import InputSpec
from models.imaging.decode import decode, read_checked_header
from models.imaging.types import Pixels
from training.data.file_reading import check_file
from training.data.images import read_image


@dataclass(frozen=True)
class Picture:
    """What is known of an image file.

    Attributes:
        path: of the file.
        key: identifies the file, see `training.data.images.key_of`.
        format: its type, such as `jpeg` or `tiff`; empty if it was known and not decoded.
        is_served: whether the service takes this type as well.
        width: in pixels, upright; 0 if it was not decoded.
        height: the same.
        pixels: decoded, if they are kept.
        faults: kinds of damage that was repaired when it was decoded.
    """

    path: Path
    key: bytes
    format: str
    is_served: bool
    width: int
    height: int
    pixels: Pixels | None = None
    faults: tuple[str, ...] = ()

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height


def read_picture(path: Path, spec: InputSpec, *, keep: bool = False, known: Container[bytes] = ()) -> Picture:
    """Reads and decodes an image file.

    Args:
        path: of the file.
        spec: how it is decoded.
        keep: whether its pixels are kept.
        known: keys of files that were decoded before and are not decoded again.

    Raises:
        OSError: it cannot be read.
        ClientError: it is damaged, too large or of an unknown type.
    """
    check_file(path)
    data, key, converted_from = read_image(path)
    if key in known:
        return Picture(path, key, converted_from, not converted_from, 0, 0)
    faults: list[str] = []
    header = read_checked_header(data)
    pixels = decode(data, spec, header, warn=faults.append)
    return Picture(
        path,
        key,
        converted_from or header.type,
        not converted_from,
        *header.upright_size,
        pixels=pixels if keep else None,
        faults=tuple(dict.fromkeys(faults)),
    )


def notes_of(pictures: Sequence[Picture]) -> Iterator[str]:
    """Sentences on converted and repaired files."""
    converted = Counter(picture.format for picture in pictures if not picture.is_served)
    for format_, count in converted.most_common():
        yield (
            f"{count:,} {format_.upper()} {_images(count)} read, of several pages or frames the first; the service "
            "takes JPEG, PNG and WebP only, so convert what you send it"
        )
    faults = Counter(fault for picture in pictures for fault in picture.faults)
    if faults:
        faulty = sum(bool(picture.faults) for picture in pictures)
        listed = ", ".join(f"{fault} ({count:,})" for fault, count in faults.most_common())
        yield f"{faulty:,} {_images(faulty)} with harmless faults, which were mended: {listed}"


def _images(count: int) -> str:
    return "image" if count == 1 else "images"
