"""a second version of the model ──▶ what it decides on images that the champion has answered."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from models.bundle.golden import check_golden, check_heads
from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.columns import ColumnValue
from models.devices.placement import place
from models.errors import BundleError
from models.imaging.decode import decode, read_checked_header
from models.imaging.types import Pixels
from models.runtime.engine import Engine
from models.runtime.engine_types import Asked
from models.runtime.head_answers import Answered, Classified, Estimated, answer_head
from models.runtime.head_set import HeadSet
from models.runtime.sessions import Embedder, Embedding
from service.settings import Settings

_AT_ONCE = 32
_AT_ONCE_EMBEDDED = 4
"""Images between two rests, without and with an embedder of the shadow's own, so that requests wait for a millisecond
at most. A lower priority of the thread makes them wait longer, since it is then stopped while it holds the
interpreter."""


class ShadowModel:
    """Heads of a version that decides unseen, and its embedder if it is not the champion's.

    Args:
        bundle: audited.
        champion: the model that serves.
        head_set: the bundle's heads.
        heads: those that are compared with the champion's, by name.
        embedder: the bundle's; None where the champion's embeddings are its own.
        share: of the images that it decides on, in (0, 1].
        max_pixels: of an image, as the champion takes it.
    """

    def __init__(
        self,
        bundle: Bundle,
        champion: Engine,
        head_set: HeadSet,
        embedder: Embedder | None,
        *,
        heads: Mapping[str, HeadSpec],
        share: float,
        max_pixels: int,
    ) -> None:
        self.name = bundle.manifest.model
        self.champion = champion.manifest.model
        """The model whose answers it decides beside; both `name@version`."""
        self.embedder = embedder
        self._manifest = bundle.manifest
        self._head_set = head_set
        self._share = share
        self._max_pixels = max_pixels
        self._draw = random.Random().random  # noqa: S311 (seeded by the kernel; a sample is no secret)
        self._heads = heads

    @classmethod
    def open(cls, path: Path, share: float, champion: Engine, settings: Settings) -> ShadowModel:
        """Opens a version's directory beside the champion; golden results are checked.

        Raises:
            BundleError: it is damaged, not signed or computes something else, none of its heads can be compared, or it
                decides on one image where the champion takes several.
            DeviceError: its embedder cannot be opened on a CPU.
        """
        bundle = Bundle.open(path, settings.verify_key)
        _check_pooling(bundle, champion)
        heads = _comparable_heads(bundle, champion)
        head_set = HeadSet.open(bundle)
        opened = partial(cls, bundle, champion, head_set, heads=heads, share=share, max_pixels=settings.max_pixels)
        if bundle.manifest.has_embedder_of(champion.manifest, champion.precision):
            check_heads(bundle, head_set)
            return opened(None)
        placement = place(bundle, "cpu", threads=1)
        check_golden(bundle, placement.embedder, head_set, placement.precision)
        return opened(placement.embedder)

    def wants(self) -> bool:
        """Draws whether the next image is in its share."""
        return self._share >= 1 or self._draw() < self._share

    def decide(self, images: Sequence[Answered]) -> list[dict[str, Classified | Estimated]]:
        """Decides on images that the champion has answered, by those of its heads that were asked.

        A few images at once; then it rests for as long as they took, since answers to requests come first.

        Raises:
            ClientError: an image cannot be decoded, though the champion could.
            ArithmeticError: a head gave NaN or infinity.
        """
        at_once = _AT_ONCE if self.embedder is None else _AT_ONCE_EMBEDDED
        decided: list[dict[str, Classified | Estimated]] = []
        for start in range(0, len(images), at_once):
            began = time.thread_time()
            decided += self._decide(images[start : start + at_once])
            time.sleep(time.thread_time() - began)
        return decided

    def _decide(self, images: Sequence[Answered]) -> list[dict[str, Classified | Estimated]]:
        asked = [self._asked(image) for image in images]
        decided = self._head_set.decide(self._embed(images), asked)
        return [
            {name: answer_head(output, self._heads[name]) for name, output in outputs.items()} for outputs in decided
        ]

    def _asked(self, image: Answered) -> Asked:
        outputs = image.result.decisions
        return {
            head.name: _columns_for(self._heads[head.name], outputs[head.name].columns)
            for head in image.heads
            if head.name in self._heads
        }

    def _embed(self, images: Sequence[Answered]) -> Embedding:
        if self.embedder is None:
            return np.stack([image.result.row for image in images])
        photos = [photo for image in images for photo in (image.image, *image.others)]
        parts = [photos[start : start + _AT_ONCE_EMBEDDED] for start in range(0, len(photos), _AT_ONCE_EMBEDDED)]
        embeddings = [self.embedder(np.stack([self._decode(photo) for photo in part])) for part in parts]
        counts = [1 + len(image.others) for image in images]
        return self._head_set.pooling.each(np.concatenate(embeddings), counts)

    def _decode(self, image: bytes) -> Pixels:
        return decode(image, self._manifest.input, read_checked_header(image, self._max_pixels))


def _check_pooling(bundle: Bundle, champion: Engine) -> None:
    if champion.manifest.pooling and not bundle.manifest.pooling:
        raise BundleError(
            f"{bundle.manifest.model} decides on one image and {champion.manifest.model} on several of one thing; "
            "train it on several, too"
        )


def _comparable_heads(bundle: Bundle, champion: Engine) -> dict[str, HeadSpec]:
    """Those whose answers say something beside the champion's, by name; without one the shadow would record nothing."""
    served = {name: head.spec for name, head in champion.heads.items()}
    heads = {
        head.name: head
        for head in bundle.manifest.heads
        if head.name in served
        and set(head.classes) == set(served[head.name].classes)
        and _takes_columns_of(head, served[head.name])
    }
    if not heads:
        names = ", ".join(head.name for head in bundle.manifest.heads)
        raise BundleError(
            f"{bundle.manifest.model}: none of its heads ({names}) can be compared with those of "
            f"{champion.manifest.model} ({', '.join(served)}); one must have the same name, task and classes, and "
            "require no other columns"
        )
    return heads


def _takes_columns_of(head: HeadSpec, other: HeadSpec) -> bool:
    """Whether a head can be given what was checked for another one of its name."""
    types = {column.name: column.type for column in other.columns}
    return head.task == other.task and all(
        types.get(column.name, column.type) == column.type and (column.name in types or not column.required)
        for column in head.columns
    )


def _columns_for(head: HeadSpec, given: Mapping[str, ColumnValue]) -> dict[str, ColumnValue]:
    return {column.name: given.get(column.name) for column in head.columns}
