"""cases ──▶ a server, several at once ──▶ what it did wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from tests.chaos.inputs.fuzz_corpus import REFUSED, Case
from tests.chaos.rig.target import Target
from tests.chaos.rig.wire import Exchange, wrongs

SENDERS = 8
GOOD_EVERY = 50
_SHOWN = 30
_SHOWN_BYTES = 300


@dataclass
class Findings:
    """What a campaign saw."""

    inputs: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[Case, str]] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    seconds: float = 0.0

    def add(self, case: Case, found: Exchange) -> None:
        """Judges one exchange."""
        self.inputs += 1
        self.states[found.reading.state] += 1
        self.statuses.update(response.status for response in found.responses)
        self.slowest = max(self.slowest, (found.seconds, case.name))
        self.wrong += [(case, text) for text in [*wrongs(found), *_unexpected(case, found)]]

    def __str__(self) -> str:
        """The findings by kind, each with one input to repeat it."""
        kinds = Counter(text for _, text in self.wrong)
        lines = [f"{len(self.wrong)} findings in {self.inputs} inputs"]
        for text, count in kinds.most_common(_SHOWN):
            case = min((case for case, of in self.wrong if of == text), key=lambda case: len(case.data))
            lines.append(f"{count} x {text}\n    {case.name}: {case.data[:_SHOWN_BYTES]!r} ({len(case.data)} bytes)")
        return "\n".join(lines)


def _unexpected(case: Case, found: Exchange) -> list[str]:
    """Where the case knows better than the contract at large what the first answer may be."""
    if case.statuses is None or not found.responses:
        return []
    allowed = case.statuses | (REFUSED if found.reading.state == "broken" else set())
    status = found.responses[0].status
    return [] if status in allowed else [f"{case.name}: {status} instead of {sorted(allowed)}"]


def attack(target: Target, cases: Iterable[Case]) -> Findings:
    """Sends all cases, and a known good request after every 50."""
    findings = Findings()
    started = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as senders:
        remaining = iter(cases)
        while block := list(islice(remaining, GOOD_EVERY)):
            for case, found in zip(block, senders.map(target.play, block), strict=True):
                findings.add(case, found)
            _check_good(target, findings, block)
    findings.seconds = time.monotonic() - started
    return findings


def _check_good(target: Target, findings: Findings, block: Sequence[Case]) -> None:
    if text := target.tells_right():
        findings.wrong.append((block[-1], f"within 50 inputs: {text}"))
