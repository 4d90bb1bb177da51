"""a request or an image ──▶ gone from the tables, the image store, the write-ahead log and free pages."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Text, cast, delete, or_, select, update

from feedback.database.database import Database
from feedback.database.tables import decision, image, measurement
from feedback.erasure.compaction import compact
from feedback.recording.image_store import ImageStore
from models.errors import TandemError


class ErasureError(TandemError):
    """Something cannot be erased."""


class Forgotten(NamedTuple):
    """What was erased.

    Attributes:
        decisions: rows; with each, what was said of it and what a shadow decided.
        images: kept images that were deleted.
        shared: kept images that are still there, since other requests sent them, too.
    """

    decisions: int
    images: int
    shared: int


def forget_request(database: Database, request_id: str, images: ImageStore | None) -> Forgotten:
    """Erases the decisions on a request, and those of its images that no other request sent.

    Args:
        database: that has them.
        request_id: the request's.
        images: where images are kept; None if they are not.

    Raises:
        DatabaseError, StoreError: database or image store cannot be reached or written.
        ErasureError: an image is kept, and `images` does not say where.
    """
    return _forget(database, decision.c.request_id == request_id, [request_id], images)


def forget_image(database: Database, sha256: str, images: ImageStore | None) -> Forgotten:
    """Erases an image and the decisions on it, whoever sent it; raises as `forget_request`."""
    return _forget(database, decision.c.image_sha256 == sha256, [sha256], images, also=sha256)


def _forget(
    database: Database,
    which: ColumnElement[bool],
    named: Sequence[str],
    images: ImageStore | None,
    also: str | None = None,
) -> Forgotten:
    with database.writing() as connection:
        sha256 = select(decision.c.image_sha256).distinct()
        sent = set(connection.execute(sha256.where(which)).scalars())
        of_others = sha256.where(~which, decision.c.image_sha256.in_(sha256.where(which).scalar_subquery()))
        shared = set(connection.execute(of_others).scalars())
        deleted = connection.execute(delete(decision).where(which)).rowcount
        gone = sent - shared | ({also} if also else set())
        _forget_measurements(connection, [*named, *gone])
        files = _delete_images(connection, gone, images)
        kept = connection.execute(select(image.c.sha256).where(image.c.sha256.in_(shared))).scalars().all()
    # Also where nothing was found: a run before may have been ended between the rows and this
    compact(database)
    return Forgotten(deleted, files, len(kept))


def _forget_measurements(connection: Connection, names: Sequence[str]) -> None:
    """Takes requests or images out of what was measured, where they are examples of what is new."""
    document = cast(measurement.c.document, Text)
    quoted = [document.contains(json.dumps(name), autoescape=True) for name in names]
    for found in connection.execute(select(measurement.c.id, measurement.c.document).where(or_(*quoted))).all():
        kept = _without(found.document, set(names))
        connection.execute(update(measurement).where(measurement.c.id == found.id).values(document=kept))


def _without(document: Any, names: Set[str]) -> Any:
    """A document less the items of its lists that name one of some requests or images."""
    if isinstance(document, dict):
        return {key: _without(value, names) for key, value in document.items()}
    if isinstance(document, list):
        return [_without(item, names) for item in document if not _is_about(item, names)]
    return document


def _is_about(item: Any, names: Set[str]) -> bool:
    return isinstance(item, dict) and not names.isdisjoint((item.get("request_id"), item.get("image_sha256")))


def _delete_images(connection: Connection, gone: set[str], images: ImageStore | None) -> int:
    """Deletes images and their rows; how many there were."""
    listed = set(connection.execute(select(image.c.sha256).where(image.c.sha256.in_(gone))).scalars())
    if images is None:
        if listed:
            raise ErasureError(f"image {min(listed)} is kept in a file; --images says in which folder or object store")
        return 0
    connection.execute(delete(image).where(image.c.sha256.in_(gone)))
    return sum([images.delete(sha256) for sha256 in sorted(gone)])
