"""text as people write it ──▶ text as it is compared: one rule for categories and labels in training and serving."""

from __future__ import annotations

import unicodedata

_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))  # byte order mark, zero-width spaces and joiners


def clean(text: str) -> str:
    """Normalizes a text to Unicode's form NFC, strips spaces at its ends and joins several spaces into one."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_INVISIBLE))
    return " ".join(text.split())


def key(text: str) -> str:
    """Returns a key that is equal for texts that differ only in case, spaces or Unicode form."""
    return unicodedata.normalize("NFC", clean(text).casefold())
