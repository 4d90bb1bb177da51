"""text ──▶ the bytes that it stands for: base64 as programs write it."""

from __future__ import annotations

import binascii
import re
import string

from models.errors import BadImage

_DIGITS = (string.ascii_letters + string.digits + "+/").encode()
_STANDARD = bytes.maketrans(b"-_", b"+/")  # from the alphabet for URLs, RFC 4648, section 5
_SPACES = b" \t\r\n\v\f"
_ESCAPES = {b"%2B": b"+", b"%2b": b"+", b"%2F": b"/", b"%2f": b"/", b"%3D": b"=", b"%3d": b"="}  # in a data URI
_ESCAPED = 16  # one digit of 32 has to be escaped; where many more are, it is no base64, and dear to look through
_DATA_URI = re.compile(r"\s*data:([^,]*),", re.IGNORECASE)
_LOOKED_AT = 1024  # characters at the start in which anything but base64 is recognised
_PADDING = 2  # characters at the end, at most
_HINTS = (
    (re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE), "it is a URL, and the service fetches nothing; send bytes"),
    (re.compile(r"b['\"]"), "it is how Python prints bytes; send base64.b64encode(data).decode()"),
    (re.compile(r"(?:[\w.~-]|[A-Za-z]:)?[^\n<>{}\"]{0,250}\.\w{3,4}\s*\Z"), "it is the name of a file; send its bytes"),
)


def decode_base64(text: str) -> bytes:
    """Decodes base64, also a data URI, with spaces and line breaks, in the alphabet for URLs, without its padding.

    Raises:
        BadImage: it is none.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # not as the standard has it
        return _decode_loosely(text)


def _decode_loosely(text: str) -> bytes:
    start = _start(text)
    characters = text.encode("ascii", errors="replace")  # what is not ASCII is one question mark each
    data = characters[start:]
    if start and data.count(b"%") <= max(len(data) // _ESCAPED, _LOOKED_AT):
        for escape, character in _ESCAPES.items():
            data = data.replace(escape, character)
    data = data.translate(_STANDARD, delete=_SPACES)
    digits = data.rstrip(b"=")
    wrong = data.translate(None, delete=_DIGITS + b"=")[:1]
    if wrong or b"=" in digits or len(data) - len(digits) > _PADDING:
        position = characters.find(wrong or b"=", start)
        if position < 0:
            raise BadImage(
                f"padding, written as %3D, before the end of the text or more than {_PADDING} of it{_hint(text)}"
            )
        raise BadImage(f"character {text[position]!r} at position {position}{_hint(text)}")
    if len(digits) % 4 == 1:
        raise BadImage(f"cut short: {len(digits)} characters are one more than a multiple of 4{_hint(text)}")
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _start(text: str) -> int:
    """Where base64 begins: behind the comma of a data URI, RFC 2397.

    Raises:
        BadImage: a data URI of something else.
    """
    found = _DATA_URI.match(text[:_LOOKED_AT])
    if found is None:
        return 0
    if "base64" not in [parameter.strip().lower() for parameter in found[1].split(";")]:
        raise BadImage('a data URI must say ";base64" before its comma')
    return found.end()


def _hint(text: str) -> str:
    """What the text is instead, if that is to be seen."""
    hint = next((hint for pattern, hint in _HINTS if pattern.match(text[:_LOOKED_AT])), None)
    return "" if hint is None else f"; {hint}"
