"""`Findings` ──▶ what a page shows of them: some of each kind with small pictures, and how many others there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.clean.copies.duplicates import Group
from training.clean.findings.finding_kinds import DUPLICATES, LABEL_ISSUES, LEAKAGE, OUTLIERS
from training.clean.findings.findings import Findings, Leak
from training.clean.findings.findings_csv import describe, describe_leak
from training.clean.findings.findings_text import FIRST, sentences
from training.clean.label_errors import LabelIssue
from training.clean.outliers import Outlier
from training.data.dataset import Dataset
from training.data.split_parts import PARTS
from training.reports import html_page

PAGE = "findings-page.html.jinja"
CARDS_SHOWN = 24
"""Of each kind."""
PICTURES_SHOWN = 4
"""Of each group of copies."""
UNREADABLE_SHOWN = 50
_TITLES = {
    LABEL_ISSUES: (
        "Labels that seem wrong",
        "The label that the model says in bold, with its doubt in the given one. Test images are not checked.",
    ),
    LEAKAGE: (
        "Images in more than one part",
        "What a model is tested on should not have been seen in training. The image in the training data gives way.",
    ),
    DUPLICATES: (
        "Images that are there more than once",
        "Copies within one part count several times. Where their labels contradict each other, none of them stays.",
    ),
    OUTLIERS: ("Images unlike all others", "Of one colour, very dark or bright, or far from everything else."),
}

T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """An image uint8 `[H, W, C]`, and what is written below it."""

    image: NDArray[np.uint8]
    title: str
    note: str
    file: str
    aspect: float = 1.0
    """Width over height that it had."""

    @property
    def alt(self) -> str:
        """For who does not see it."""
        return ", ".join(part for part in (self.title, self.note, self.file) if part)


@dataclass(frozen=True)
class Card:
    """Pictures that belong together; `more` of them are not shown."""

    pictures: tuple[Picture, ...]
    note: str = ""
    more: int = 0


@dataclass(frozen=True)
class Shelf:
    """One kind of findings: cards, of which `more` are not shown.

    Attributes:
        kind: of `KINDS`.
        title: for a person.
        text: what these are.
        option: that leaves them out of a training.
        found: how many findings there are.
        total: how many images that is for a person: those that leak, else as many as findings.
        cards: of the first findings.
    """

    kind: str
    title: str
    text: str
    option: str
    found: int
    total: int
    cards: tuple[Card, ...]

    @property
    def more(self) -> int:
        """How many findings are not shown."""
        return self.found - len(self.cards)


@dataclass(frozen=True)
class Section:
    """What the page shows: sentences, a shelf for each kind of which there is anything, files that were left out."""

    sentences: Sequence[str]
    shelves: tuple[Shelf, ...]
    unreadable: tuple[str, ...]
    unreadable_count: int


def show(dataset: Dataset, findings: Findings) -> Section:
    """Decodes what is shown, some hundred images at most.

    Raises:
        ClientError, OSError: an image changed since it was first read.
    """
    painter = _Painter(dataset, findings)
    issues = _shelf(LABEL_ISSUES, findings.issues, painter.issue)
    if not findings.believed:
        issues = replace(issues, cards=issues.cards[:FIRST], option=f"{issues.option} --force")
    leaks = _shelf(LEAKAGE, findings.leaks, painter.leak)
    shelves = (
        issues,
        replace(leaks, total=sum(len(findings.leaked(part)) for part in PARTS)),
        _shelf(DUPLICATES, findings.repeated(), painter.group),
        _shelf(OUTLIERS, findings.outliers, painter.outlier),
    )
    return Section(
        sentences=sentences(findings),
        shelves=tuple(shelf for shelf in shelves if shelf.total),
        unreadable=findings.unreadable[:UNREADABLE_SHOWN],
        unreadable_count=len(findings.unreadable),
    )


def render(name: str, section: Section, *, created: datetime) -> bytes:
    """A page of its own, in UTF-8: no script, and nothing is fetched from anywhere."""
    return html_page.fill(PAGE, {"name": name, "clean": section, "created": created.astimezone(UTC)}).encode()


def _shelf(kind: str, found: Sequence[T], paint: Callable[[T], Card]) -> Shelf:
    cards = tuple(paint(finding) for finding in found[:CARDS_SHOWN])
    return Shelf(kind, *_TITLES[kind], f"--drop {kind}", len(found), len(found), cards)


@dataclass(frozen=True)
class _Painter:
    """Makes a card of one finding."""

    dataset: Dataset
    findings: Findings

    def issue(self, issue: LabelIssue) -> Card:
        suggested = self.dataset.classes[issue.suggested]
        note = f"is labelled {self.dataset.classes[issue.given]}"
        return Card((self._picture(issue.position, f"{suggested} {issue.doubt:.3f}", note),))

    def outlier(self, outlier: Outlier) -> Card:
        return Card((self._picture(outlier.position, self._label(outlier.position), outlier.reason),))

    def group(self, group: Group) -> Card:
        return self._together(group.positions, describe(self.findings, group))

    def leak(self, leak: Leak) -> Card:
        return self._together(leak.positions, describe_leak(self.findings, leak))

    def _together(self, together: tuple[int, ...], note: str) -> Card:
        # one of each part and label before the others, so that what is wrong is among the pictures
        kinds = [(int(self.findings.part[p]), float(self.findings.labels[p])) for p in together]
        firsts = sorted({kinds.index(kind) for kind in kinds})
        order = [*firsts, *(i for i in range(len(kinds)) if i not in firsts)][:PICTURES_SHOWN]
        positions = [together[i] for i in order]
        pictures = [self._picture(p, self._label(p), PARTS[self.findings.part[p]]) for p in positions]
        return Card(tuple(pictures), note, len(kinds) - len(pictures))

    def _label(self, position: int) -> str:
        return self.dataset.named(self.findings.labels[position])

    def _picture(self, position: int, title: str, note: str) -> Picture:
        file = self.dataset.files[position] if self.dataset.files else f"image {position}"
        at = np.array([position])
        return Picture(self.dataset.images[at][0], title, note, file, self.dataset.aspects_at(at)[0])
