"""`Findings` ──▶ one entry a row and finding, as CSV for a spreadsheet and as JSON for a program."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

from training.clean.copies.duplicates import Group
from training.clean.findings.finding_kinds import DUPLICATES, KINDS, LABEL_ISSUES, LEAKAGE, OUTLIERS
from training.clean.findings.findings import Findings, Leak
from training.clean.findings.findings_text import sentences
from training.data.dataset import Dataset
from training.data.split_parts import PARTS

UNREADABLE = "unreadable"
_ALWAYS = ("kind", "file", "part", "group")  # in every finding of the JSON
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of one


@dataclass(frozen=True)
class Entry:
    """One row of the data and one thing that is wrong with it.

    Attributes:
        kind: one of `KINDS`.
        position: of the row in the data, from 0.
        file: its name; empty where it has none.
        part: train, validation or test.
        label: as given.
        reason: for a person.
        suggested: label that it should rather have; of label issues alone.
        doubt: what the model's probability leaves to other labels, in [0, 1]; of label issues alone.
        group: number of the images that belong together, from 1; of duplicates and leakage alone.
        dropped: whether `--drop` of this kind drops it, without `--force`.
    """

    kind: str
    position: int
    file: str
    part: str
    label: str
    reason: str
    suggested: str = ""
    doubt: float | None = None
    group: int | None = None
    dropped: bool = False


def entries(dataset: Dataset, findings: Findings) -> list[Entry]:
    """All findings in rows; a row with several findings comes several times."""
    kinds = [kind for kind in KINDS if kind != LABEL_ISSUES or findings.believed]
    dropped = {kind: set(findings.positions([kind]).tolist()) for kind in kinds}

    def entry(kind: str, position: int, reason: str, **more: str | float) -> Entry:
        return Entry(
            kind=kind,
            position=position,
            file=dataset.files[position] if dataset.files else "",
            part=PARTS[findings.part[position]],
            label=dataset.named(findings.labels[position]),
            reason=reason,
            dropped=position in dropped.get(kind, ()),
            **more,  # type: ignore[arg-type]  # names and types of Entry
        )

    def found() -> Iterator[Entry]:
        for issue in findings.issues:
            suggested = dataset.classes[issue.suggested]
            doubt = round(issue.doubt, 4)
            yield entry(LABEL_ISSUES, issue.position, "seems mislabelled", suggested=suggested, doubt=doubt)
        repeated = findings.repeated()
        leaking = [leak.positions for leak in findings.leaks]
        together = dict.fromkeys([*leaking, *(group.positions for group in repeated)])
        numbers = {positions: number for number, positions in enumerate(together, 1)}
        for leak in findings.leaks:
            for position in leak.positions:
                yield entry(LEAKAGE, position, describe_leak(findings, leak), group=numbers[leak.positions])
        for group in repeated:
            for position in group.positions:
                yield entry(DUPLICATES, position, describe(findings, group), group=numbers[group.positions])
        for outlier in findings.outliers:
            yield entry(OUTLIERS, outlier.position, outlier.reason)

    return list(found())


def describe(findings: Findings, group: Group) -> str:
    """What a group of copies is, for a person."""
    same = "the same pixels" if group.exact else "near copies"
    return f"{same}, contradicting labels" if findings.contradicts(group) else same


def describe_leak(findings: Findings, leak: Leak) -> str:
    """What the images of a leak have in common, for a person."""
    return describe(findings, leak.copies) if leak.copies else "of one group"


def to_csv(dataset: Dataset, findings: Findings) -> str:
    """A header and one line an entry, label issues with the estimates; unreadable files come last, with their reasons.

    An apostrophe is put before text that a spreadsheet would take for a formula; the JSON has the names as they are.
    """
    buffer = io.StringIO(newline="")
    estimates = _estimates(findings)
    writer = csv.DictWriter(buffer, [*(field.name for field in fields(Entry)), *estimates], lineterminator="\n")
    writer.writeheader()
    for entry in entries(dataset, findings):
        more = estimates if entry.kind == LABEL_ISSUES else {}
        writer.writerow({name: _cell(value) for name, value in {**asdict(entry), **more}.items()})
    writer.writerows({"kind": UNREADABLE, "reason": _cell(reason)} for reason in findings.unreadable)
    return buffer.getvalue()


def to_json(dataset: Dataset, findings: Findings) -> str:
    """The same with sentences that say how much there is of it, and with how many images of each part leak."""
    found = [
        {name: value for name, value in asdict(entry).items() if name in _ALWAYS or value not in ("", None)}
        for entry in entries(dataset, findings)
    ]
    content = {
        "name": dataset.name,
        "images": len(dataset.labels),
        "summary": sentences(findings),
        **_estimates(findings),
        LEAKAGE: {part: {"images": _size(findings, part), "copied": len(findings.leaked(part))} for part in PARTS[1:]},
        "findings": found,
        UNREADABLE: findings.unreadable,
    }
    return json.dumps(content, indent=1) + "\n"


def _estimates(findings: Findings) -> dict[str, float | None]:
    review = findings.review
    values = (review.precision, review.recall) if review else (None, None)
    rounded = [None if value is None else round(value, 4) for value in values]
    return dict(zip(("estimated_precision", "estimated_recall"), rounded, strict=True))


def _size(findings: Findings, part: str) -> int:
    return int((findings.part == PARTS.index(part)).sum())


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
