"""`Manifest` ──▶ a model card: what the bundle is for, what it was made of, how good it is, and what it is not for.

The metadata above the text are those that model hubs read from a `README.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from models.bundle.head_spec import HeadSpec
from models.bundle.manifest import Manifest

CARD = "README.md"

_TASKS = {"classification": "image-classification", "regression": "tabular-regression"}
_MOST_CLASSES = 30
_USE = """\
- Intended: decisions on images like those that it was trained on, taken with the same kind of camera, by a server that
  sends uncertain answers (`review`) to a person.
- Not intended: images of another kind, decisions about people's rights, health or safety without a person, and evidence
  that something is absent."""
_LIMITS = """\
- The figures are of test images from the same source as the training images. Images from elsewhere, or from later, may
  give worse ones.
- Classes that are not listed are never answered; an image of one is called unfamiliar at best.
- Explanations show what influenced an answer, not why something is so in the world."""
_LICENCE = """\
Not stated. Whoever publishes this bundle states the licence of the weights and of the training images here and in
`license` above."""


def model_card(manifest: Manifest) -> str:
    """Markdown with a YAML header, made of the manifest alone."""
    sections = [
        _header(manifest),
        f"# {manifest.model}",
        _summary(manifest),
        "## Intended use",
        _USE,
        "## Heads and figures",
        *(_head(manifest, head) for head in manifest.heads),
        "## Training data",
        _training_data(manifest),
        "## Limits",
        _LIMITS,
        "## Licence",
        _LICENCE,
    ]
    return "\n\n".join(sections) + "\n"


def _header(manifest: Manifest) -> str:
    """The YAML header; each value is JSON, which is YAML too, so that no name can break it."""
    results = [
        {
            "task": {"type": _TASKS[head.task], "name": head.name},
            "dataset": {"type": manifest.name, "name": manifest.name, "split": "test"},
            "metrics": [{"type": name, "value": value} for name, value in _figures(head).items()],
        }
        for head in manifest.heads
        if _figures(head)
    ]
    fields: dict[str, Any] = {
        "license": "unknown",
        "library_name": "onnx",
        "pipeline_tag": _TASKS[manifest.task],
        "tags": ["onnx", "image-embedding", *sorted({head.kind for head in manifest.heads})],
    }
    if results:
        fields["model-index"] = [{"name": manifest.model, "results": results}]
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in fields.items()), "---"])


def _summary(manifest: Manifest) -> str:
    spec = manifest.input
    colour = "grey" if spec.channels == 1 else "RGB"
    heads = ", ".join(f"`{head.name}`" for head in manifest.heads)
    pooled = f"Several images of one thing are pooled by {' and '.join(manifest.pooling)}. " if manifest.pooling else ""
    return (
        f"A network turns an image ({spec.width} x {spec.height} pixels, {colour}) into {manifest.embedding_width} "
        f"numbers, and classical models decide on them. {pooled}Heads: {heads}. "
        f"Precisions: {', '.join(manifest.precisions)}. "
        f"Made {manifest.created:%Y-%m-%d}. `manifest.json` has every detail, `report.html` the pictures."
    )


def _head(manifest: Manifest, head: HeadSpec) -> str:
    lines = [f"### {_code(head.name)}", "", f"{head.task.capitalize()} by {_code(head.kind)}."]
    if head.classes:
        shown = ", ".join(_code(name) for name in head.classes[:_MOST_CLASSES])
        more = f" and {len(head.classes) - _MOST_CLASSES:,} more" if len(head.classes) > _MOST_CLASSES else ""
        lines.append(f"Classes: {shown}{more}.")
    if head.columns:
        lines.append(f"Columns beside the image: {', '.join(_code(column.name) for column in head.columns)}.")
    if figures := _figures(head):
        lines += [
            "",
            "| figure | value |",
            "|---|---|",
            *(f"| {name} | {value:g} |" for name, value in figures.items()),
        ]
    if notes := list(_notes(manifest.training_of(head.name))):
        lines += ["", *(f"- {note}" for note in notes)]
    return "\n".join(lines)


def _training_data(manifest: Manifest) -> str:
    counts = manifest.training_of(manifest.default_head.name).get("images")
    images = "Not recorded."
    if isinstance(counts, Mapping) and counts:
        listed = ", ".join(f"{name} {count:,}" for name, count in counts.items() if isinstance(count, int))
        images = f"Images: {listed}."
    return f"{images} SHA-256 of the data: `{manifest.data_fingerprint}`."


def _figures(head: HeadSpec) -> dict[str, float]:
    """Figures of the whole head, without those of single classes."""
    return {name: value for name, value in head.metrics.items() if isinstance(value, int | float)}


def _notes(entry: Mapping[str, Any]) -> Iterator[str]:
    """Sentences that training wrote; any text, so each stays on its line and can start nothing in Markdown."""
    for note in entry.get("notes", ()):
        yield " ".join(str(note).replace("<", "&lt;").split())


def _code(text: str) -> str:
    """A name, which may be any text, as code on one line."""
    plain = " ".join(text.split()).replace("|", "\\|")
    return f"`` {plain} ``" if "`" in plain else f"`{plain}`"
