"""report document ──▶ one HTML file for a person: bars, intervals and pictures, nothing to be loaded."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from feedback.measures.number_words import number_words
from models.imaging.decode import read_header

_STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid #8884; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { vertical-align: middle; }
figure { display: inline-block; margin: .5rem; text-align: center; }
figure img { height: 8rem; max-width: 12rem; object-fit: contain; image-rendering: auto; background: #8882; }
.bad { font-weight: bold; }
"""
_BAR = 240  # pixels

Open = Callable[[str], bytes | None]
"""The image of a SHA-256; None if it is not kept."""


def report_html(document: Mapping[str, Any], open_image: Open) -> str:
    """The page.

    Args:
        document: of `report_document`.
        open_image: gives the pictures of what is new.
    """
    parts = [_heads(document["heads"]), _drift(document["drift"], open_image), _shadow(document["shadow"])]
    model = escape(document["model"] or "no decision yet")
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Live report of {model}</title>'
        f"<style>{_STYLE}</style>\n<h1>Live report of {model}</h1>\n" + "\n".join(parts) + "\n</html>\n"
    )


def _heads(heads: Mapping[str, Any]) -> str:
    if not heads:
        return "<p>No decision has been recorded yet.</p>"
    rows = []
    for name, head in heads.items():
        precision = head["precision"]
        newest = "" if head["of_newest"] is None else f" of the newest {head['of_newest']:,} decisions"
        cells = [
            f"<td>{escape(name)}</td>",
            _number(f"{head['decisions']:,}{newest}"),
            _number(_percent(head["accepted"])),
            "<td></td>" if head["is_number"] else f"<td>{_interval(precision)}</td>",
            f"<td>{number_words(head) if head['is_number'] else _precision_words(precision)}</td>",
            _number(f"{head['waiting']:,}"),
            _number(f"{head['answered']:,}"),
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    names = ("head", "decisions", "accepted", "right among accepted", "", "waiting", "answered")
    return f"<h2>Precision among accepted decisions</h2>\n{_table(names, rows)}" + "".join(
        _classes(name, head["precision"]["classes"]) for name, head in heads.items()
    )


def _classes(head: str, classes: Mapping[str, Any]) -> str:
    if not classes:
        return ""
    rows = [
        f"<tr><td>{escape(name)}</td><td>{_interval(found)}</td><td>{_bounds(found)}</td>"
        f"{_number(str(found['answered']))}</tr>"
        for name, found in classes.items()
    ]
    return f"<h3>Classes of {escape(head)}</h3>\n{_table(('class', 'right', '', 'answered audits'), rows)}"


def _drift(drift: Mapping[str, Any] | None, open_image: Open) -> str:
    if drift is None:
        return "<h2>Drift</h2>\n<p>Not measured yet: run <code>python -m feedback watch</code>.</p>"
    verdict = "The images differ from those of before" if drift["alarm"] else "No drift"
    said = (
        f"<p{' class=bad' if drift['alarm'] else ''}>{verdict}, in the {drift['decisions']:,} decisions until "
        f"{escape(drift['to'])}: statistic {drift['statistic']:.2f}, threshold {drift['threshold']:.2f}.</p>"
    )
    pictures = "".join(_picture(new, open_image(new["image_sha256"])) for new in drift["new"][:12])
    return f"<h2>Drift</h2>\n{said}" + (f"<h3>What is new</h3>\n{pictures}" if pictures else "")


def _shadow(shadow: Mapping[str, Any] | None) -> str:
    if shadow is None:
        return ""
    rows = [
        f"<tr><td>{escape(name)}</td>{_number(format(head['decisions'], ','))}{_number(_percent(head['agreement']))}"
        f"{_number(_percent(head['accepted']))}{_number(_percent(head['champion_accepted']))}"
        f"<td>{escape(head['sentence'])}</td></tr>"
        for name, head in shadow["heads"].items()
    ]
    names = ("head", "decisions", "agrees", "accepts", "champion accepts", "who is right")
    return f"<h2>{escape(shadow['model'])} in shadow</h2>\n{_table(names, rows)}"


def _table(names: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _picture(new: Mapping[str, Any], image: bytes | None) -> str:
    caption = escape(str(new["label"] if new["label"] is not None else new["head"]))
    if image is None:
        return f"<figure>picture not kept<figcaption>{caption}</figcaption></figure>"
    source = f"data:image/{read_header(image).type};base64,{base64.b64encode(image).decode()}"
    return f'<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def _interval(precision: Mapping[str, Any]) -> str:
    """A bar from 0 to 1 with the interval, the estimate and the target."""
    low, high = precision["lower"] * _BAR, precision["upper"] * _BAR
    marks = [f'<rect x="0" y="9" width="{_BAR}" height="2" fill="#8886"/>']
    if precision["estimate"] is not None:
        marks.append(f'<rect x="{low:.1f}" y="5" width="{max(high - low, 1):.1f}" height="10" fill="#38c8"/>')
        marks.append(f'<circle cx="{precision["estimate"] * _BAR:.1f}" cy="10" r="4" fill="#38c"/>')
    if precision.get("target") is not None:
        marks.append(f'<rect x="{precision["target"] * _BAR - 1:.1f}" y="2" width="2" height="16" fill="#c33"/>')
    return f'<svg width="{_BAR}" height="20" role="img" aria-label="{_bounds(precision)}">{"".join(marks)}</svg>'


def _precision_words(precision: Mapping[str, Any]) -> str:
    target = "" if precision["target"] is None else f", promised {_percent(precision['target'])}"
    return f"{_bounds(precision)}{target}, by {precision['answered']:,} of {precision['audits']:,} audits"


def _bounds(precision: Mapping[str, Any]) -> str:
    if precision["estimate"] is None:
        return "nothing answered yet"
    return f"{_percent(precision['estimate'])} ({_percent(precision['lower'])} to {_percent(precision['upper'])})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _number(text: str) -> str:
    return f'<td class="number">{text}</td>'
