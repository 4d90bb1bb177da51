"""`TablePlan`: what is read of a table of images."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.tables.dialect import Dialect


@dataclass(frozen=True)
class TablePlan:
    """What is read of a table.

    Attributes:
        image: the column with paths or bytes of images.
        columns: those that heads are given; None for all that the heads take and the table has.
        keep: those that the output has as well.
        images_root: the folder or URL that paths are relative to; None for that of the table.
        dialect: how the table is written.
    """

    image: str = "image"
    columns: tuple[str, ...] | None = None
    keep: tuple[str, ...] = ()
    images_root: str | None = None
    dialect: Dialect = field(default_factory=Dialect)
