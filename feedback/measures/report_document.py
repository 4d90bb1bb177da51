"""The record ──▶ the document that report, monitor page and metrics share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from feedback.database.tables import of_bundle, shadow
from feedback.measures.measurements import DRIFT, newest_measurements
from feedback.measures.precision_measure import measure_precision
from feedback.measures.shadow_measure import measure_shadow
from models.bundle.manifest import Manifest


def report_document(connection: Connection, targets: Mapping[str, float], model: str | None) -> dict[str, Any]:
    """What the record says of a model.

    Args:
        connection: to the database.
        targets: precision that is promised among accepted decisions, by head.
        model: `name@version`; None if none has decided.
    """
    if model is None:
        return {"model": None, "heads": {}, "shadow": None, "drift": None}
    measured = newest_measurements(connection, model.partition("@")[0])
    drift = [found for found in measured if found.kind == DRIFT]
    heads = measure_precision(connection, model)
    return {
        "model": model,
        "heads": {name: found.as_document(targets.get(name)) for name, found in heads.items()},
        "shadow": _shadow(connection, model),
        "drift": drift[0].document | {"time": drift[0].time.isoformat()} if drift else None,
    }


def targets_of(manifest: Manifest) -> dict[str, float]:
    """The precision among accepted decisions that each head's policy was chosen for, by head."""
    found = {}
    for head in manifest.heads:
        promise = head.metrics.get("promise")
        if isinstance(promise, dict) and "target" in promise:
            found[head.name] = float(promise["target"])
    return found


def _shadow(connection: Connection, champion: str) -> dict[str, Any] | None:
    """The newest shadow model of the champion's bundle, beside the champion; None if there is none."""
    own = of_bundle(champion.partition("@")[0], shadow.c.model)
    model = connection.execute(select(shadow.c.model).where(own).order_by(shadow.c.id.desc()).limit(1)).scalar()
    if model is None:
        return None
    heads = measure_shadow(connection, model, champion)
    return {"model": model, "heads": {found.head: found.as_document() for found in heads}} if heads else None
