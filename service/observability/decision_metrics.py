"""answered images ──▶ decisions by head, label, decision and reason; confidence and distance by head."""

from __future__ import annotations

from collections.abc import Sequence

from models.runtime.head_answers import Answered, Classified
from service.observability.metric_families import CONFIDENCE, DISTANCE
from service.observability.shared_memory import Counter, Histogram, Tally

MOST_SERIES, MOST_HEADS = 400, 16
"""Of one process; further labels, and further heads, are `other`. The classes of a large bundle would fill the file."""
LABEL_CHARACTERS = 64
"""Longer labels are `other`, too."""
OTHER, NONE = "other", "none"

_Key = tuple[str, str, str, str]


class DecisionMetrics:
    """Counts decisions; to be called by one thread. 0.9 µs for an image and a head.

    Args:
        tally: the numbers of this process.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._counters: dict[_Key, Counter] = {}
        self._histograms: dict[str, tuple[Histogram, Histogram]] = {}

    def observe(self, decided: Sequence[Answered]) -> None:
        """Counts the decisions on some images."""
        for answered in decided:
            for head in answered.heads:
                name, answer = head.name, answered.answers[head.name]
                confidences, distances = self._histograms.get(name) or self._new_histograms(name)
                label = ""
                if isinstance(answer, Classified):
                    label = answer.label
                    confidences.observe(answer.confidence)
                distance, limit = answered.result.decisions[name].distance, head.policy.max_distance
                if distance is not None and limit:
                    distances.observe(distance / limit)
                key = (name, label, answer.decision, answer.reasons[0] if answer.reasons else NONE)
                (self._counters.get(key) or self._new_counter(key)).inc()

    def _new_counter(self, key: _Key) -> Counter:
        head, label, decision, reason = key
        if head not in self._histograms:
            head = OTHER
        if len(self._counters) >= MOST_SERIES or len(label) > LABEL_CHARACTERS:
            label = OTHER
        key = (head, label, decision, reason)
        if key not in self._counters:
            self._counters[key] = self._tally.counter("tandem_decisions", key)
        return self._counters[key]

    def _new_histograms(self, head: str) -> tuple[Histogram, Histogram]:
        if len(self._histograms) >= MOST_HEADS:
            head = OTHER
        if head not in self._histograms:
            self._histograms[head] = (
                self._tally.histogram("tandem_decision_confidence", (head,), CONFIDENCE),
                self._tally.histogram("tandem_decision_distance", (head,), DISTANCE),
            )
        return self._histograms[head]
