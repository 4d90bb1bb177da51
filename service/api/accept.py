"""`Accept` header ──▶ which of two media types a caller would rather have (RFC 9110, 12.5.1)."""

from __future__ import annotations


def prefers(accept: str, wanted: str, default: str) -> bool:
    """Whether a caller names `wanted` and likes it no less than `default`.

    Args:
        accept: the header's value; empty where there is none.
        wanted: a media type that must be named: a wildcard does not ask for it.
        default: a media type, by name or by wildcard.
    """
    qualities = dict(_quality(item) for item in accept.split(",") if item.strip())
    kind = f"{default.partition('/')[0]}/*"
    other = next((qualities[name] for name in (default, kind, "*/*") if name in qualities), 0.0)
    return qualities.get(wanted, 0.0) > 0 and qualities[wanted] >= other


def _quality(item: str) -> tuple[str, float]:
    """A media type in lower case and its weight, 0 to 1; what cannot be read as a weight is 1."""
    name, *parameters = (part.strip() for part in item.lower().split(";"))
    weight = next((text[2:] for text in (p.replace(" ", "") for p in parameters) if text.startswith("q=")), "1")
    try:
        return name, min(max(float(weight), 0.0), 1.0)
    except ValueError:
        return name, 1.0
