"""items of several images ──▶ images to embed, each once ──▶ `Instance`s for the heads, or what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from models.bundle.head_spec import HeadSpec
from models.bundle.manifest import Manifest
from models.errors import ClientError, TandemError
from models.runtime.engine_types import Asked, Instance, Result
from service.inference.items import Item


class PhotoGroups(NamedTuple):
    """The images of a request's items."""

    photos: list[Item]
    """The images to embed, without columns; equal ones are there once."""
    members: list[Sequence[int]]
    """Of each item, the positions of its images among them."""
    asked: list[Asked | ClientError]
    """Of each item, its checked columns, or what is wrong with them; then its images are not embedded."""

    @classmethod
    def of(cls, manifest: Manifest, items: Sequence[Item], heads: Sequence[HeadSpec]) -> PhotoGroups:
        """Checks columns, and collects the images."""
        groups, places = cls([], [], []), dict[bytes, int]()
        for item in items:
            asked = _check_columns(manifest, item, heads)
            groups.asked.append(asked)
            groups.members.append(
                [] if isinstance(asked, ClientError) else [groups._place(image, places) for image in item.images]
            )
        return groups

    def _place(self, image: bytes | ClientError, places: dict[bytes, int]) -> int:
        if isinstance(image, bytes) and image in places:
            return places[image]
        self.photos.append(Item(image, {}))
        if isinstance(image, bytes):
            places[image] = len(self.photos) - 1
        return len(self.photos) - 1

    def instances(self, embedded: Sequence[Result | TandemError]) -> list[Instance | TandemError]:
        """The items for the heads; the error of one image is its item's, and says which image it is about.

        Args:
            embedded: of each of `photos`, its result or what was wrong with it.
        """
        return [
            asked if isinstance(asked, ClientError) else _instance([embedded[place] for place in members], asked)
            for members, asked in zip(self.members, self.asked, strict=True)
        ]


def _check_columns(manifest: Manifest, item: Item, heads: Sequence[HeadSpec]) -> Asked | ClientError:
    try:
        return manifest.check_columns(heads, item.columns)
    except ClientError as error:
        return error.as_value()


def _instance(embedded: Sequence[Result | TandemError], asked: Asked) -> Instance | TandemError:
    for index, one in enumerate(embedded):
        if isinstance(one, TandemError):
            return one if len(embedded) == 1 else type(one)(f"images[{index}]: {one}")
    return Instance([one for one in embedded if isinstance(one, Result)], asked)
