"""`Findings` ──▶ one entry a row and finding, as CSV for a spreadsheet and as JSON for a program, and sentences."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

from training.clean.duplicates import Group
from training.clean.findings import PARTS, Findings
from training.clean.kinds import DUPLICATES, KINDS, LABEL_ISSUES, LEAKAGE, ODD
from training.dataset import Dataset

UNREADABLE = "unreadable"
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
        doubt: probability that the given label is wrong, in [0, 1]; of label issues alone.
        group: number of the group of copies, from 1; of duplicates and leakage alone.
        dropped: whether `--drop` of this kind drops it.
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
    dropped = {kind: set(findings.positions([kind]).tolist()) for kind in KINDS}

    def entry(kind: str, position: int, reason: str, **more: str | float) -> Entry:
        return Entry(
            kind=kind,
            position=position,
            file=dataset.files[position] if dataset.files else "",
            part=PARTS[findings.part[position]],
            label=dataset.named(findings.labels[position]),
            reason=reason,
            dropped=position in dropped[kind],
            **more,  # type: ignore[arg-type]  # names and types of Entry
        )

    def found() -> Iterator[Entry]:
        for issue in findings.issues:
            suggested = dataset.classes[issue.suggested]
            doubt = round(issue.doubt, 4)
            yield entry(LABEL_ISSUES, issue.position, "probably mislabelled", suggested=suggested, doubt=doubt)
        numbers = {group: number for number, group in enumerate(findings.groups, 1)}
        for kind, groups in ((LEAKAGE, findings.leaking()), (DUPLICATES, findings.repeated())):
            for group in groups:
                for position in group.positions:
                    yield entry(kind, position, describe(findings, group), group=numbers[group])
        for odd in findings.odd:
            yield entry(ODD, odd.position, odd.reason)

    return list(found())


def describe(findings: Findings, group: Group) -> str:
    """What a group of copies is, for a person."""
    same = "the same pixels" if group.exact else "all but the same pixels"
    return f"{same}, contradicting labels" if findings.contradicts(group) else same


def to_csv(dataset: Dataset, findings: Findings) -> str:
    """A header and one line an entry; unreadable files come last, with their reasons.

    An apostrophe is put before text that a spreadsheet would take for a formula; the JSON has the names as they are.
    """
    buffer = io.StringIO(newline="")
    names = [field.name for field in fields(Entry)]
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    for entry in entries(dataset, findings):
        writer.writerow({name: _cell(value) for name, value in asdict(entry).items()})
    writer.writerows({"kind": UNREADABLE, "reason": _cell(reason)} for reason in findings.unreadable)
    return buffer.getvalue()


def to_json(dataset: Dataset, findings: Findings) -> str:
    """The same with sentences that say how much there is of it."""
    found = [
        {name: value for name, value in asdict(entry).items() if value not in ("", None)}
        for entry in entries(dataset, findings)
    ]
    content = {
        "name": dataset.name,
        "images": len(dataset.labels),
        "summary": sentences(findings),
        "findings": found,
        UNREADABLE: findings.unreadable,
    }
    return json.dumps(content, indent=1) + "\n"


def sentences(findings: Findings) -> list[str]:
    """How much was found of each kind."""
    judged = int(((findings.part >= 0) & (findings.part != PARTS.index("test"))).sum())
    leaking, repeated = findings.leaking(), findings.repeated()
    in_test = sum(1 for group in leaking if PARTS.index("test") in findings.part[list(group.positions)])
    contradicting = sum(1 for group in findings.groups if findings.contradicts(group))
    issues = len(findings.issues)
    return [
        f"{_count(issues, 'label')} of {judged:,} in training and validation {_is(issues)} probably wrong.",
        f"{_count(len(leaking), 'image')} {_is(len(leaking))} in more than one part, {in_test:,} of them in the test.",
        f"{_count(len(repeated), 'image')} {_is(len(repeated))} more than once in one part.",
        f"{_count(contradicting, 'image')} {_has(contradicting)} copies with contradicting labels.",
        f"{_count(len(findings.odd), 'image')} {_is(len(findings.odd))} unlike all others.",
        f"{_count(len(findings.unreadable), 'file')} could not be used.",
    ]


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"
