"""candidate and champion ──▶ a sentence: what shows that the candidate may serve in the champion's place.

A changed head has evidence if the replay gate of `python -m training relearn` has passed against this very champion, or
if answers to decisions in shadow show that it is better. What decides exactly as the champion does needs none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from models.bundle.head_spec import HeadSpec
from models.bundle.manifest import Manifest, Precision
from models.errors import EvidenceError

GATE = "replay gate"
"""Entry of a head's training in the manifest."""


def evidence_of(candidate: Manifest, champion: Manifest, feedback: str | None = None) -> str:
    """Says what the evidence is.

    Args:
        candidate: the version that is to serve.
        champion: the version that serves.
        feedback: URL of the database with decisions in shadow and their answers; None to go without.

    Raises:
        EvidenceError: there is none, or answers show that the candidate is worse; one sentence.
        DatabaseError: the database is not there, or cannot be reached.
    """
    shown = _shown_in_shadow(feedback, candidate.model, champion.model) if feedback else {}
    for name, (verdict, sentence) in shown.items():
        if verdict == "worse":
            raise EvidenceError(f"{candidate.model} is no better than {champion.model}: head {name!r}: {sentence}")
    changed = list(_changed(candidate, champion))
    found = [_evidence_of_head(name, candidate, champion, shown) for name in changed]
    if missing := [name for name, sentence in zip(changed, found, strict=True) if sentence is None]:
        raise EvidenceError(_nothing(missing, candidate, champion, shown))
    decides = f"{candidate.model} decides as {champion.model} does, by the same network and the same heads"
    return "; ".join(sentence for sentence in found if sentence) or decides


def _changed(candidate: Manifest, champion: Manifest) -> Iterator[str]:
    """Names of the champion's heads that do not decide as they did; all of them if the network is another one."""
    is_same_network = all(candidate.has_embedder_of(champion, precision) for precision in get_args(Precision))
    heads = {head.name: head for head in candidate.heads}
    for head in champion.heads:
        if not is_same_network or head.name not in heads or not _is_same(heads[head.name], head, candidate, champion):
            yield head.name


def _is_same(ours: HeadSpec, theirs: HeadSpec, candidate: Manifest, champion: Manifest) -> bool:
    files = {each for each in (ours.file, ours.outlier_file, theirs.outlier_file) if each}
    is_same_graph = all(candidate.files.get(file) == champion.files.get(file) for file in files)
    fields = ("kind", "classes", "columns", "policy", "interval_coverage")
    return is_same_graph and all(getattr(ours, name) == getattr(theirs, name) for name in fields)


def _evidence_of_head(
    name: str, candidate: Manifest, champion: Manifest, shown: Mapping[str, tuple[str, str]]
) -> str | None:
    """What speaks for a changed head; None if nothing does."""
    if (verdict := shown.get(name)) is not None and verdict[0] == "better":
        return f"head {name!r} in shadow: {verdict[1]}"
    gate = _gate(candidate, name)
    if gate.get("passed") is True and gate.get("against") == champion.model:
        return f"head {name!r} at the replay gate against {champion.model}: {gate.get('sentence', '')}"
    return None


def _gate(manifest: Manifest, name: str) -> Mapping[str, Any]:
    found = manifest.training_of(name).get(GATE)
    return found if isinstance(found, Mapping) else {}


def _nothing(missing: list[str], candidate: Manifest, champion: Manifest, shown: Mapping[str, tuple[str, str]]) -> str:
    """Says what was looked for and not found."""
    name = missing[0]
    gate = _gate(candidate, name)
    reasons = "no replay gate was passed"
    if gate.get("passed") is False:
        reasons = f"the replay gate was not passed: {gate.get('sentence', '')}"
    elif gate and gate.get("against") != champion.model:
        reasons = f"the replay gate was passed against {gate.get('against')}"
    if name in shown:
        reasons += f", and in shadow {shown[name][1]}"
    return (
        f"nothing shows that head {name!r} of {candidate.model} is as good as that of {champion.model}, which serves: "
        f"{reasons}; `python -m training relearn` has a gate, --feedback counts answers to decisions in shadow, "
        "--force goes without evidence"
    )


def _shown_in_shadow(url: str, candidate: str, champion: str) -> dict[str, tuple[str, str]]:
    """Verdict and sentence on each head, by what people answered to decisions that both have made."""
    # the one place where `models` needs the record of decisions, whose packages servers without one lack
    from feedback.database.existing_database import open_existing  # noqa: PLC0415
    from feedback.measures.shadow_measure import measure_shadow  # noqa: PLC0415

    database = open_existing(url)
    try:
        with database.reading() as connection:
            measured = measure_shadow(connection, candidate, champion)
    finally:
        database.close()
    return {each.head: (each.comparison.verdict, each.comparison.sentence) for each in measured}
