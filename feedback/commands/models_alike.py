"""recorded models and a store entry ──▶ `ModelsAlike`: those whose embeddings can be compared with the newest one's."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from feedback.commands.command_options import bundle_name, manifest_of
from feedback.database.tables import decision
from feedback.measures.precision_measure import newest_model


class ModelsAlike(NamedTuple):
    """Models of one bundle name, `name@version`.

    Attributes:
        newest: that decided last; None if none has decided.
        names: whose embeddings are comparable with the newest one's, itself among them.
        left_out: the others in the database.
        unchecked: of `names`, those of which only the width of the embeddings is known, since the store lacks them.
    """

    newest: str | None
    names: list[str]
    left_out: list[str]
    unchecked: list[str]

    @property
    def sentence(self) -> str:
        """Which models are left out or could not be checked, in one line; empty if there are none."""
        parts = []
        if self.left_out:
            parts.append(f"left out, since their embeddings are not those of {self.newest}: {', '.join(self.left_out)}")
        if self.unchecked:
            parts.append(
                f"not checked, since the store entry lacks a manifest of them or of {self.newest}, but counted, since "
                f"their embeddings have the same width: {', '.join(self.unchecked)}"
            )
        return "; ".join(parts)


def models_alike(connection: Connection, entry: Path) -> ModelsAlike:
    """Compares the recorded models with the newest one of a store entry's bundle."""
    newest = newest_model(connection, bundle_name(entry))
    width = func.max(func.length(decision.c.embedding)).label("width")
    recorded = select(decision.c.model, width).group_by(decision.c.model)
    widths = {row.model: row.width for row in connection.execute(recorded)}
    if newest is None:
        return ModelsAlike(None, [], [], [])
    own, name = manifest_of(entry, newest), newest.partition("@")[0]
    alike, unchecked = [newest], []
    for model in widths.keys() - {newest}:
        other = manifest_of(entry, model)
        if model.partition("@")[0] != name:
            continue
        if own is not None and other is not None:
            alike += [model] if own.has_embedder_of(other, "fp32") else []
        elif widths[model] == widths.get(newest):
            unchecked.append(model)
    names = sorted([*alike, *unchecked])
    return ModelsAlike(newest, names, sorted(widths.keys() - set(names)), sorted(unchecked))
