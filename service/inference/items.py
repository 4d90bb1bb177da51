"""What a request asks of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from models.errors import ClientError

Columns = dict[str, Any]
"""Names and values of the columns beside an image, as the request has them."""


class Item(NamedTuple):
    """One thing to decide on: its encoded image, or the reason why there is none, and further ones, if it has any."""

    image: bytes | ClientError
    columns: Columns
    others: Sequence[bytes | ClientError] = ()
    """Further images of the same thing, in their order."""

    @property
    def images(self) -> Sequence[bytes | ClientError]:
        """All images of the thing, in their order."""
        return self.image, *self.others
