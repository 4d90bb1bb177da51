"""columns of a bundle's heads ──▶ JSON Schema of what a request may send beside an image."""

from __future__ import annotations

from typing import Any

from models.bundle.head_spec import HeadSpec
from models.bundle.manifest import Manifest
from models.columns import Column
from models.dates import days_text

_TYPES = {"number": "number", "boolean": "boolean", "category": "string", "date": "string"}
_EXAMPLES = 5


def describe_columns(manifest: Manifest) -> dict[str, Any]:
    """An object of the columns of all heads; each head takes its own, so which are required depends on the heads."""
    properties: dict[str, dict[str, Any]] = {}
    for head in manifest.heads:
        for column in head.columns:
            told = _told(column, head)
            if column.name in properties:  # refit gives a name one type in all heads
                properties[column.name]["description"] += f"; {told['description']}"
            else:
                properties[column.name] = told
    return {
        "type": "object",
        "description": "Structured facts beside the image; each head that is asked takes its own",
        "additionalProperties": False,
        "properties": properties,
    }


def _told(column: Column, head: HeadSpec) -> dict[str, Any]:
    need = "required by" if column.required else "optional for"
    schema: dict[str, Any] = {
        "type": [_TYPES[column.type], "null"],
        "description": f"{need} head {head.name}; {_values(column, head)}",
    }
    if column.type == "date":
        schema["examples"] = [days_text(column.high or 0.0)]
    if column.categories:
        schema["examples"] = list(column.categories[:_EXAMPLES])
    return schema


def _values(column: Column, head: HeadSpec) -> str:
    """What the values of a column are, and which were seen in training."""
    if column.type == "boolean":
        return "true or false"
    if column.type == "category":
        folded = ", whatever their case, spaces and Unicode form" if column.cleaning == "folded" else ""
        return f"a text; training saw {len(column.categories)}{folded}, and any other counts as none of them"
    what = "a number" if column.type == "number" else "a date or a date with a time, ISO 8601, of UTC without an offset"
    if column.low is None or column.high is None:
        return what
    shown = [days_text(end) if column.type == "date" else f"{end:.15g}" for end in (column.low, column.high)]
    reviewed = ", and answers beyond are reviewed" if column.name in head.policy.range_columns else ""
    return f"{what}; from {shown[0]} to {shown[1]} in training{reviewed}"
