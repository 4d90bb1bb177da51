"""What a request asks of the pipeline."""

from __future__ import annotations

from typing import Any, NamedTuple

from models.errors import ClientError

Columns = dict[str, Any]
"""Names and values of the columns beside an image, as the request has them."""


class Item(NamedTuple):
    """One image of a request: its encoded bytes, or the reason why there are none."""

    image: bytes | ClientError
    columns: Columns
