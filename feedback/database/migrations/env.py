"""A connection ──▶ the newest schema; run by Alembic, for `Database.migrate` alone."""

from __future__ import annotations

from alembic import context

from feedback.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
