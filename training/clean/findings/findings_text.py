"""`Findings` ──▶ sentences that say how much was found of each kind, and how much of it to believe."""

from __future__ import annotations

from training.clean.findings.finding_kinds import LABEL_ISSUES
from training.clean.findings.findings import Findings
from training.clean.label_errors import FOLDS, MIN_ROWS, LabelReview
from training.data.split_parts import PARTS

FIRST = 20
"""Label issues to look at, where most of them are false alarms."""
_FEW = 10
_OFTEN_WRONG = 0.5  # of the estimated precision


def sentences(findings: Findings) -> list[str]:
    """How much was found of each kind; label issues first."""
    repeated = findings.repeated()
    contradicting = sum(1 for group in findings.groups if findings.contradicts(group))
    return [
        *_about_labels(findings),
        *_about_leakage(findings),
        f"{_count(len(repeated), 'image')} {_is(len(repeated))} more than once in one part.",
        f"{_count(contradicting, 'image')} {'has' if contradicting == 1 else 'have'} copies with contradicting labels.",
        f"{_count(len(findings.outliers), 'image')} {_is(len(findings.outliers))} unlike all others.",
        f"{_count(len(findings.unreadable), 'file')} could not be used.",
    ]


def _about_labels(findings: Findings) -> list[str]:
    review = findings.review
    if review is None:
        return ["The labels are numbers, which are not checked."]
    if not review.checked:
        return [f"No label could be checked: that takes two classes with at least {FOLDS} images each."]
    found = [_about_issues(review, believed=findings.believed)]
    stay = len(review.issues) - len(set(findings.positions([LABEL_ISSUES]).tolist()))
    if stay:
        found.append(f"--drop {LABEL_ISSUES} would leave {stay:,} of them in, so that no class loses more than half.")
    if review.recall is not None:
        found.append(f"Of labels made wrong on purpose in a copy, {review.recall:.0%} are listed.".replace("%", " %"))
    return found


def _about_issues(review: LabelReview, *, believed: bool) -> str:
    count = len(review.issues)
    seem = f"{_count(count, 'label')} of {review.checked:,} in training and validation {_seems(count)} wrong"
    if not count:
        return f"None of {review.checked:,} labels in training and validation seems wrong."
    if review.precision is None:
        why = f"with fewer than {MIN_ROWS} images" if review.checked < MIN_ROWS else "as the network was fitted on them"
        return f"{seem}; {why} nobody can tell how many of these are: {_look_at(count)}."
    are = _of_these(review.precision, count)
    if believed:
        return f"{seem}; {are}."
    why = "the model is often wrong here, and " if review.precision < _OFTEN_WRONG else ""
    return f"{seem}, but that cannot be believed: {why}{are}; {_look_at(count)}."


def _about_leakage(findings: Findings) -> list[str]:
    found = []
    for part in PARTS[:0:-1]:
        leaked, size = len(findings.leaked(part)), int((findings.part == PARTS.index(part)).sum())
        if leaked or part == "test":
            what = "a copy" if all(leak.copies for leak in findings.leaks) else "a copy, or an image of their group,"
            earlier = " or ".join(_sources(findings, part))
            found.append(
                f"{leaked:,} of {size:,} {part} images {'has' if leaked == 1 else 'have'} {what} in {earlier}."
            )
    return found


def _sources(findings: Findings, part: str) -> list[str]:
    """Parts from which something leaks into a later one; training, if nothing does."""
    leaked = set(findings.leaked(part))
    positions = {row for leak in findings.leaks if leaked.intersection(leak.positions) for row in leak.positions}
    seen = {int(findings.part[position]) for position in positions}
    found = [index for index in sorted(seen) if index < PARTS.index(part)] or [0]
    return ["training" if index == 0 else PARTS[index] for index in found]


def _of_these(precision: float, count: int) -> str:
    """How many of the listed labels are wrong: in tens, or as a number of a few."""
    if count < _FEW:
        wrong = round(precision * count)
        verb = "is a wrong label" if wrong == 1 else "are wrong labels"
        return f"about {wrong} of {count} {verb}" if wrong else "hardly any of these is a wrong label"
    tens = round(10 * precision)
    if tens == 0:
        return "hardly any of these is a wrong label"
    return "nearly all of these are wrong labels" if tens == 10 else f"about {tens} of 10 of these are wrong labels"


def _look_at(count: int) -> str:
    return f"look at the first {FIRST}" if count > FIRST else "look at each"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _seems(count: int) -> str:
    return "seems" if count == 1 else "seem"
