"""seed ──▶ the corpus: some 3,200 files, or so many in a hundred of each kind."""

from __future__ import annotations

import functools
import zlib

from tests.imaging_corpus import png_files, webp_files
from tests.imaging_corpus.files import Dice, File, Maker
from tests.imaging_corpus.jpeg_corpus import jpeg_broken, jpeg_files

SEED = 12
_MAKERS: dict[Maker, int] = {**jpeg_files.MAKERS, **jpeg_broken.MAKERS, **png_files.MAKERS, **webp_files.MAKERS}


@functools.cache
def corpus_files(share: float = 1.0) -> tuple[File, ...]:
    """The files; of each maker the first so many, each from a seed of its own."""
    return tuple(
        make_file(maker, number)
        for maker, count in _MAKERS.items()
        for number in range(max(round(count * share), min(count, 3)))
    )


def make_file(maker: Maker, number: int) -> File:
    """One of them; other makers change nothing of it."""
    seed = zlib.crc32(f"{SEED} {maker.__module__} {maker.__qualname__} {number}".encode())
    return maker(Dice(seed), number)
