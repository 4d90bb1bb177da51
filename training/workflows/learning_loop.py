"""answers, hour by hour ──▶ new versions: a head is fitted again when enough is new, and promoted where that is asked.

Each round is a line of JSON in a log: what it did, and why it did no more.
"""

from __future__ import annotations

import fcntl
import json
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feedback.database.existing_database import open_existing
from feedback.reviews.answered import answered_decisions
from models.bundle.golden import verify
from models.bundle.loading import MANIFEST, Bundle
from models.bundle.manifest import Manifest
from models.bundle.store import Store
from models.errors import EvidenceError, StoreError, TandemError
from models.promotion.evidence import evidence_of
from training.workflows.relearn import LEARNT, RelearnPlan, relearn
from training.workflows.row_version import head_named

LOCK, LOG = ".learning.lock", "learning.jsonl"
"""Files of a store entry."""
_FORESEEN = TandemError, OSError  # whose words are enough


@dataclass(frozen=True)
class LoopPlan:
    """What is done on a schedule.

    Attributes:
        feedback: URL of the database.
        relearn: which head learns, and how; its store is that of the entry.
        fewest: new answers from which on the head is fitted again.
        promotes: whether a version with evidence becomes champion.
        log: file of the log.
    """

    feedback: str
    relearn: RelearnPlan
    fewest: int
    promotes: bool
    log: Path


def run_loop(entry: Path, plan: LoopPlan, *, every_s: float | None) -> None:
    """Runs a round, and further ones; an error of a round is logged, and the next round tries again.

    Args:
        entry: the store entry, `path/to/<name>`.
        plan: what is done.
        every_s: seconds between the begins of two rounds; None for one round alone.

    Raises:
        StoreError: another loop has the entry.
        Exception: the one round fails.
    """
    with _locked(entry):
        while True:
            began = time.monotonic()
            try:
                _log(plan, **_round(entry, plan))
            except Exception as error:  # whatever answers do to a round, the next ones may have others
                _log(plan, did="failed", why=_reason(error))
                if every_s is None:
                    raise
                if not isinstance(error, _FORESEEN):
                    traceback.print_exception(error)
            if every_s is None:
                return
            time.sleep(max(0.0, began + every_s - time.monotonic()))


def _round(entry: Path, plan: LoopPlan) -> dict[str, Any]:
    """One round; returns what it did, and why."""
    store, name = Store(entry.parent), entry.name
    bundle = Bundle.open(store.path(name))
    head = head_named(bundle, plan.relearn.head).name
    promoted = _promote_shadow(store, bundle, plan)
    if promoted is not None:
        return promoted
    database = open_existing(plan.feedback)
    try:
        decisions = answered_decisions(database, bundle.manifest.name, head)
    finally:
        database.close()
    until = _learnt_until(store, bundle, head)
    fresh = sum(until is None or each.answered > until for each in decisions)
    if fresh < plan.fewest:
        return {"did": "nothing", "why": f"{fresh:,} new answers to head {head!r}, of at least {plan.fewest:,}"}
    found = relearn(bundle, decisions, plan.relearn)
    did = "relearnt" if found.judgement.passed else "refused"
    told = {"did": did, "version": int(found.path.name), "why": "; ".join(found.judgement.sentences)}
    return _promote_shadow(store, bundle, plan) or told


def _promote_shadow(store: Store, champion: Bundle, plan: LoopPlan) -> dict[str, Any] | None:
    """Promotes the shadow if that is asked and there is evidence; returns None if not."""
    name, shadow = champion.manifest.name, store.shadow(champion.manifest.name)
    if not plan.promotes or shadow is None:
        return None
    bundle = Bundle.open(store.path(name, shadow.version))
    try:
        evidence = evidence_of(bundle.manifest, champion.manifest, plan.feedback)
    except EvidenceError:
        return None
    verify(bundle)
    store.promote(name, shadow.version)
    return {"did": "promoted", "version": shadow.version, "why": evidence}


def _learnt_until(store: Store, champion: Bundle, head: str) -> datetime | None:
    """When the newest answer was given that the champion, or a version after it, has learnt from; None if none has.

    Answers that a refused version has learnt from are not tried again before there are new ones.
    """
    name, serving = champion.manifest.name, champion.manifest.version
    found = []
    for version in store.versions(name):
        manifest = Manifest.from_bytes((store.path(name, version) / MANIFEST).read_bytes())
        entries = [manifest.training_of(head) for spec in manifest.heads if spec.name == head]
        found += [entry[LEARNT]["until"] for entry in entries if version >= serving and LEARNT in entry]
    return max(map(datetime.fromisoformat, found), default=None)


def _reason(error: Exception) -> str:
    """Why a round failed, in one line; an error that was not foreseen says its kind, too."""
    said = " ".join(str(error).split())
    return said if isinstance(error, _FORESEEN) else f"{type(error).__name__}: {said}"


@contextmanager
def _locked(entry: Path) -> Iterator[None]:
    """Keeps a second loop from the entry; the lock ends with the process, however that ends.

    Raises:
        StoreError: another loop has it.
    """
    with (entry / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(f"{entry}: another loop learns for this store entry; stop it first") from error
        yield


def _log(plan: LoopPlan, **event: Any) -> None:
    line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **event}, ensure_ascii=False)
    print(f"{event['did']}: {event['why']}", file=sys.stderr)
    with plan.log.open("a") as file:
        file.write(line + "\n")
