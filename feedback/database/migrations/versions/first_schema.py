"""An empty database ──▶ the tables of decisions, images, feedback, shadow decisions, leases, writers, measurements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Makes all tables."""
    _make_decisions()
    _make_what_refers_to_decisions()
    op.create_table(
        "writer",
        sa.Column("token", _ID, primary_key=True, autoincrement=False),
        sa.Column("batch", sa.BigInteger, nullable=False),
        sa.Column("time", _TIME, nullable=False),
    )
    op.create_table(
        "measurement",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("bundle", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("head", sa.String(64)),
        sa.Column("document", sa.JSON, nullable=False),
    )
    op.create_index("ix_measurement_kind", "measurement", ["bundle", "kind", "head", "id"])
    op.create_table(
        "image",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("time", _TIME, nullable=False, index=True),
    )


def downgrade() -> None:
    """Drops all tables."""
    for table in ("image", "measurement", "writer", "lease", "shadow", "feedback", "decision"):
        op.drop_table(table)


def _make_decisions() -> None:
    op.create_table(
        "decision",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("value", sa.Float),
        sa.Column("confidence", sa.Float),
        sa.Column("distance", sa.Float),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("reasons", sa.JSON, nullable=False),
        sa.Column("columns", sa.JSON, nullable=False),
        sa.Column("image_sha256", sa.String(64), nullable=False),
        sa.Column("embedding", sa.LargeBinary),
        sa.Column("probability", sa.Float, nullable=False),
        sa.Column("audit", sa.Boolean, nullable=False),
    )
    op.create_index("ix_decision_request", "decision", ["request_id", "index", "head"])
    op.create_index("ix_decision_time", "decision", ["time"])
    for_people = sa.text("audit OR decision = 'review'")
    op.create_index(
        "ix_decision_for_people",
        "decision",
        ["head", "id", "model"],
        sqlite_where=for_people,
        postgresql_where=for_people,
    )


def _make_what_refers_to_decisions() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        _decision_id(index=True),
        sa.Column("label", sa.Text),
        sa.Column("value", sa.Float),
        sa.Column("by", sa.String(128)),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("cannot_tell", sa.Boolean, nullable=False),
    )
    op.create_table(
        "shadow",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        _decision_id(index=True),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("value", sa.Float),
        sa.Column("confidence", sa.Float),
        sa.Column("decision", sa.String(16), nullable=False),
    )
    op.create_table(
        "lease",
        _decision_id(primary_key=True),
        sa.Column("reviewer", sa.String(128), nullable=False),
        sa.Column("until", _TIME, nullable=False),
    )


def _decision_id(*, index: bool = False, primary_key: bool = False) -> sa.Column[int]:
    owner = sa.ForeignKey("decision.id", ondelete="CASCADE")
    return sa.Column(
        "decision_id", _ID, owner, nullable=False, index=index, primary_key=primary_key, autoincrement=False
    )
