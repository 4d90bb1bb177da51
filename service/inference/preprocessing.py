"""encoded images ──check──▶ ──decode──▶ works for the engine, each image on its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from models.bundle.head_spec import HeadSpec
from models.errors import ClientError, DeadlineExceeded, TooLarge
from models.imaging.decode import read_checked_header
from models.runtime.engine_types import EngineInput
from service.gateway.admission import Admission
from service.inference.cache import EmbeddingCache, key_of
from service.inference.inference_types import PIXEL_S, Admitted
from service.inference.items import Item
from service.inference.loaded_model import LoadedModel

DECODE_THREADS = 2
"""Images that a process decodes at once: so many times `DECODE_MIB` of `models.imaging.decode` is what all its requests
together may hold for decoding, beside their bodies, which `Settings.max_buffered_bytes` bounds."""


Checked = Admitted | EngineInput | ClientError
"""An image to decode; one that was embedded before; or what was wrong with it."""


class CheckedImages(NamedTuple):
    """A request's images, checked, and what those will cost that are to be embedded."""

    items: list[Checked]
    images: int
    """Those that can be answered."""
    new: int
    """Those of them that are to be embedded."""
    work_pixels: int
    size_bytes: int

    def is_small_for(self, model: LoadedModel) -> bool:
        """Whether it is decoded in place."""
        return max(self.work_pixels, self.size_bytes) <= model.small_pixels


class Preprocessor:
    """What a process reads images with.

    Args:
        max_pixels: of all images of a request, those that are dear to decode counted for more.
        admission: where decoded work is noted.
        cache: embeddings of images that may come again, if they are kept.
    """

    def __init__(self, max_pixels: int, admission: Admission, cache: EmbeddingCache | None = None) -> None:
        self._max_pixels = max_pixels
        self._admission = admission
        self._cache = cache
        self._decoders = ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="decode")

    def close(self) -> None:
        """Finishes what is being decoded."""
        self._decoders.shutdown()

    def check(self, model: LoadedModel, items: Sequence[Item], heads: Sequence[HeadSpec]) -> CheckedImages:
        """Reads headers and columns; the images of a request share the limit of pixels, and so of work."""
        checked: list[Checked] = []
        images = new = work_pixels = size_bytes = 0
        for item in items:
            one = self._check_one(model, item, heads)
            if isinstance(one, Admitted):
                left = self._max_pixels - work_pixels
                if one.work_pixels <= left:
                    new += 1
                    work_pixels += one.work_pixels
                    size_bytes += len(one.image)
                else:
                    one = TooLarge(
                        f"the image is the work of {one.work_pixels} pixels, and those before it leave {left} "
                        f"of the request's {self._max_pixels}; send it in a request of its own"
                    )
            images += not isinstance(one, ClientError)
            checked.append(one)
        return CheckedImages(checked, images, new, work_pixels, size_bytes)

    def _check_one(self, model: LoadedModel, item: Item, heads: Sequence[HeadSpec]) -> Checked:
        if isinstance(item.image, ClientError):
            return item.image
        key = b"" if self._cache is None else key_of(model.cache_seed, item.image)
        embedding = None if self._cache is None else self._cache.get(key)
        try:
            header = read_checked_header(item.image, self._max_pixels) if embedding is None else None
            asked = model.engine.manifest.check_columns(heads, item.columns) if heads else {}
        except ClientError as error:
            return error.as_value()
        if header is None:
            return EngineInput(None, asked, embedding)
        return Admitted(item.image, header, header.work_pixels, asked, key)

    async def decode(
        self, model: LoadedModel, reading: CheckedImages, deadline: float
    ) -> Sequence[EngineInput | Admitted | ClientError]:
        """Decodes in place what is small, in a thread what is not.

        Where the model computes on the event loop, what is small is left to its batch: of small PNGs that
        took 8 us of CPU off a request of 180 (16 connections, interleaved runs).
        """
        if reading.is_small_for(model):
            return reading.items if model.is_inline else self._decode_in_place(model, reading)
        loop = asyncio.get_running_loop()
        done: list[int] = []
        decoding = self._decoders.submit(_decode_in_time, model, reading.items, deadline, done)
        decoding.add_done_callback(lambda _: loop.call_soon_threadsafe(self._note_decoded, done))
        return await asyncio.wrap_future(decoding)

    def _decode_in_place(self, model: LoadedModel, reading: CheckedImages) -> list[EngineInput | ClientError]:
        self._admission.did(PIXEL_S * reading.work_pixels)
        return [_decode(model, one) for one in reading.items]

    def _note_decoded(self, done: list[int]) -> None:
        """Counts what a thread has done, though its request may have been given up meanwhile."""
        self._admission.did(PIXEL_S * sum(done))


def _decode_in_time(
    model: LoadedModel, checked: Sequence[Checked], deadline: float, done: list[int]
) -> list[EngineInput | ClientError]:
    """Decodes, notes the work of each image that is done, and gives up between two once the deadline has passed."""
    found = []
    for one in checked:
        if time.monotonic() > deadline:
            raise DeadlineExceeded("the deadline passed before the image was decoded")
        found.append(_decode(model, one))
        done.append(one.work_pixels if isinstance(one, Admitted) else 0)
    return found


def _decode(model: LoadedModel, one: Checked) -> EngineInput | ClientError:
    return model.decode(one) if isinstance(one, Admitted) else one
