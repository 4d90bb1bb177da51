"""HTTP body ──▶ `Submission`: the images and columns of a request, in order.

A body that is not what its content type says fails as a whole; an image that cannot be read out of a good
body is that item's error alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pydantic_core
from python_multipart.multipart import parse_options_header

from models.errors import BadImage, BadRequest, TooLarge, UnsupportedType
from service.api.body.base64_text import decode_base64
from service.api.body.multipart import IMAGE_PARTS, Form, read_multipart
from service.inference.items import Columns, Item

JSON_VALUES = 256
"""Values that a JSON document may hold for each image that it may hold."""

PACKED = "application/x-tandem-images"
"""Images one after the other, each behind its size in bytes, a little-endian uint32: no text to look through for where
one ends, and no base64."""

_ACCEPTED = f"image/*, application/octet-stream, multipart/form-data, {PACKED} or application/json"
_SIZE_BYTES = 4


class Submission(NamedTuple):
    """The items of a request."""

    items: Sequence[Item]
    single: bool = False
    """Whether the body is the image itself and the answer is bare."""
    grouped: bool = False
    """Whether it says which images are photos of one instance, even if each has one."""


def is_image(content_type: str) -> bool:
    """Whether a body of this type is an image itself."""
    return content_type.lower().startswith(("image/", "application/octet-stream"))


def read_submission(content_type: str, body: bytes, max_images: int) -> Submission:
    """Takes a body apart.

    Raises:
        BadRequest: malformed multipart, JSON or packed images, or of another shape.
        TooLarge: more than `max_images` images.
        UnsupportedType: a content type that is not accepted.
    """
    if is_image(content_type):
        return Submission([Item(body, {})], single=True)
    kind, options = parse_options_header(content_type)
    if kind == PACKED.encode():
        return Submission(_read_packed(body, max_images))
    if kind == b"application/json":
        return _read_json(body, max_images)
    if kind == b"multipart/form-data":
        return _read_form(body, options.get(b"boundary", b""), max_images)
    raise UnsupportedType(f"content type {content_type!r} is not accepted; send {_ACCEPTED}")


def _read_json(body: bytes, max_images: int) -> Submission:
    document = parse_json(body, "the body", max_images)
    if not isinstance(document, dict) or set(document) != {"instances"} or not isinstance(document["instances"], list):
        raise BadRequest(f'the body must be {{"instances": [...]}}; got {shape_of(document)}')
    instances = document["instances"]
    items = read_instances(instances, max_images)
    return Submission(items, grouped=any("images" in instance for instance in instances))


def read_instances(instances: Sequence[Any], max_images: int) -> list[Item]:
    """Items of a JSON list `[{"image": "<base64>", "columns": {...}}, ...]`, or with `"images": [...]`."""
    _check_count(len(instances), max_images, "instances")
    checked = [_check_instance(instance, f"instances[{index}]") for index, instance in enumerate(instances)]
    _check_count(sum(len(each.encoded) for each in checked), max_images, "images")
    return [each.decode() for each in checked]


class _Instance(NamedTuple):
    """An instance of a JSON body, whose images are still texts."""

    encoded: Sequence[str]
    columns: Columns
    names: Sequence[str]
    """What errors call each of the images."""

    def decode(self) -> Item:
        first, *others = map(_decode_image, self.encoded, self.names)
        return Item(first, self.columns, tuple(others))


def _check_instance(instance: object, where: str) -> _Instance:
    if not isinstance(instance, dict) or not _has_right_keys(instance):
        raise BadRequest(
            f'{where} must be {{"image": "<base64>", "columns": {{...}}}}, or have "images": ["<base64>", ...] in the '
            f"place of the image; got {shape_of(instance)}"
        )
    columns = _check_columns(instance.get("columns"), f"{where}.columns")
    if "image" in instance:
        return _Instance([_check_text(instance["image"], f"{where}.image")], columns, [f"{where}.image"])
    encoded = _check_texts(instance["images"], f"{where}.images")
    # Where there are several, the error of an instance says which image it is about
    names = [f"{where}.images[0]"] if len(encoded) == 1 else ["the text"] * len(encoded)
    return _Instance(encoded, columns, names)


def _has_right_keys(instance: dict[str, Any]) -> bool:
    return set(instance) - {"columns"} in ({"image"}, {"images"})


def _check_texts(encoded: object, where: str) -> list[str]:
    if not isinstance(encoded, list) or not encoded:
        raise BadRequest(f"{where} must be a list of one base64 string or more; got {shape_of(encoded)}")
    return [_check_text(each, f"{where}[{index}]") for index, each in enumerate(encoded)]


def _check_text(encoded: object, where: str) -> str:
    if not isinstance(encoded, str):
        raise BadRequest(f"{where} must be a base64 string; got {shape_of(encoded)}")
    return encoded


def _decode_image(encoded: str, name: str) -> bytes | BadImage:
    try:
        return decode_base64(encoded)
    except BadImage as error:
        return BadImage(f"{name} is not base64: {error}")


def _read_packed(body: bytes, max_images: int) -> list[Item]:
    items: list[Item] = []
    at = 0
    while at < len(body):
        start = at + _SIZE_BYTES
        end = start + int.from_bytes(body[at:start], "little")
        if end > len(body) or start > len(body):
            raise BadRequest(
                f"the packed images are cut short: image {len(items)} is to end at byte {max(start, end)}, "
                f"and the body has {len(body)}"
            )
        items.append(Item(body[start:end], {}))
        _check_count(len(items), max_images, "packed images")
        at = end
    _check_count(len(items), max_images, "packed images")
    return items


def _read_form(body: bytes, boundary: bytes, max_images: int) -> Submission:
    form = read_multipart(body, boundary, max_images)
    _check_count(len(form.images), max_images, IMAGE_PARTS)
    if form.instances is not None:
        return Submission(_grouped(form, form.instances), grouped=True)
    columns = _spread_columns(form.columns, len(form.images), "image")
    return Submission([Item(image, row) for image, row in zip(form.images, columns, strict=True)])


def _grouped(form: Form, instances: Sequence[int]) -> list[Item]:
    """An item for each instance, with its photos in their order."""
    photos: list[list[bytes]] = [[] for _ in range(max(instances) + 1)]
    for instance, image in zip(instances, form.images, strict=True):
        photos[instance].append(image)
    columns = _spread_columns(form.columns, len(photos), "instance")
    return [Item(first, row, tuple(others)) for (first, *others), row in zip(photos, columns, strict=True)]


def _spread_columns(data: bytes | None, count: int, what: str) -> list[Columns]:
    """One object for all of `count` images or instances, or a list of one object for each."""
    if data is None:
        return [{}] * count
    document = parse_json(data, "the part 'columns'", count)
    if isinstance(document, dict):
        return [document] * count
    if not isinstance(document, list) or len(document) != count:
        raise BadRequest(
            f"the part 'columns' must be one object or a list of {count}, one for each {what}; got {shape_of(document)}"
        )
    return [_check_columns(row, f"columns[{index}]") for index, row in enumerate(document)]


def _check_columns(columns: object, where: str) -> Columns:
    if columns is None:
        return {}
    if not isinstance(columns, dict):
        raise BadRequest(f"{where} must be an object; got {shape_of(columns)}")
    return columns


def _check_count(count: int, max_images: int, what: str) -> None:
    if count == 0:
        raise BadRequest(f"the request has no {what}")
    if count > max_images:
        raise TooLarge(f"the request has {count} or more {what}; the limit is {max_images}")


def parse_json(data: bytes, what: str, max_images: int) -> Any:
    """A JSON document of a body.

    Raises:
        BadRequest: it is none.
        TooLarge: it has more values than the limit for so many images.
    """
    # Counted before anything is built: 10 MiB of `{},` would become 400 MiB of objects. Base64 has no commas.
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    limit = JSON_VALUES * max_images
    if values > limit:
        raise TooLarge(f"{what} has about {values} JSON values; the limit for {max_images} images is {limit}")
    try:
        # NaN and infinity are let through here, to be refused by name where they stand in a column
        return pydantic_core.from_json(data, allow_inf_nan=True)
    except ValueError as error:
        raise BadRequest(f"{what} is not JSON: {error}") from error


def shape_of(document: object) -> str:
    """What a JSON value is, short enough for an error text."""
    if isinstance(document, dict):
        keys = ", ".join(repr(str(key)[:40]) for key in list(document)[:5])
        return f"an object with keys {keys or 'none'}"
    if isinstance(document, list):
        return f"a list of {len(document)}"
    return f"{type(document).__name__} {str(document)[:40]!r}"
