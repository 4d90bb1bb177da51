"""Decisions of a bundle on images, answered rightly, as the database gives them; and a database with them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import insert

from feedback.database.database import Database
from feedback.database.tables import decision, feedback
from feedback.reviews.answered import AnsweredDecision
from models.bundle.loading import Bundle
from models.pooling import pool_alone
from models.runtime.sessions import Embedder, cpu_session
from training.data.dataset import Dataset
from training.export.exported_head import ExportedHead, accepted

START = datetime(2026, 11, 30, 12, tzinfo=UTC)
AUDIT = 0.1


def answered(bundle: Bundle, dataset: Dataset, *, minute: int = 0) -> list[AnsweredDecision]:
    """The default head's decisions on all images of a data set; accepted ones were drawn with `AUDIT`."""
    head = ExportedHead.from_bundle(bundle, bundle.manifest.default_head)
    images = dataset.images[np.arange(len(dataset.labels))]
    embedding = pool_alone(Embedder(cpu_session(bundle.embedder("fp32")))(images), bundle.manifest.pooling)
    answers = head.head(embedding, dataset.rows)
    accepts = accepted(head.spec, answers, head.distances(embedding), dataset.rows)
    return [
        AnsweredDecision(
            model=bundle.manifest.model,
            label=dataset.classes[dataset.labels[row]] if dataset.classes else None,
            value=None if dataset.classes else float(dataset.labels[row]),
            answered=START + timedelta(minutes=minute, microseconds=row),
            accepted=bool(accepts[row]),
            audit=bool(accepts[row]),
            probability=AUDIT if accepts[row] else 1.0,
            columns=dict(dataset.rows[row]) if dataset.columns else {},
            image_sha256=hashlib.sha256(dataset.images[np.array([row])].tobytes()).hexdigest(),
            embedding=embedding[row].astype("<f2").tobytes(),
        )
        for row in range(len(dataset.labels))
    ]


def wrongly_labelled(dataset: Dataset) -> Dataset:
    """The same images, each with the label of the next class."""
    return replace(dataset, labels=(dataset.labels + 1) % len(dataset.classes))


def write_answers(file: Path, head: str, decisions: Sequence[AnsweredDecision]) -> str:
    """Adds the decisions and their answers to a SQLite database, and returns its URL."""
    url = f"sqlite:///{file}"
    database = Database(url)
    database.migrate()
    with database.writing() as connection:
        for number, each in enumerate(decisions):
            row = {name: getattr(each, name) for name in ("model", "audit", "probability", "columns")}
            row |= {"image_sha256": each.image_sha256, "embedding": each.embedding, "head": head, "reasons": []}
            row |= {"request_id": f"r{number}", "index": 0, "time": each.answered}
            row |= {"decision": "accept" if each.accepted else "review"}
            made = connection.execute(insert(decision).values(row)).inserted_primary_key
            assert made is not None
            said = {"decision_id": made[0], "label": each.label, "value": each.value, "time": each.answered}
            connection.execute(insert(feedback).values({**said, "source": "api", "cannot_tell": False}))
    database.close()
    return url
