"""settings ──▶ `Recorder`: the record of decisions, where there is to be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.settings import PREFIX, Settings, SettingsError

if TYPE_CHECKING:
    from feedback.recording.decision_recorder import Recorder


def open_recorder(settings: Settings) -> Recorder | None:
    """The recorder of this process; it connects to nothing yet.

    Raises:
        SettingsError: SQLAlchemy is not installed.
        StoreError: the image store's URL has a protocol that is unknown, or whose package is not installed.
        DatabaseError: the URL is not that of such a database, or its driver is not installed.
    """
    if settings.feedback_url is None:
        return None
    try:
        from feedback.database.database import Database  # noqa: PLC0415 (SQLAlchemy comes with an extra)
        from feedback.recording.decision_recorder import Recorder, Shares  # noqa: PLC0415
        from feedback.recording.image_store import ImageStore  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            f"{PREFIX}FEEDBACK_URL needs the package {error.name}: pip install 'tandem[feedback]'"
        ) from error
    return Recorder(
        Database(settings.feedback_url),
        Shares(settings.feedback_sample, settings.feedback_audit),
        images=ImageStore(settings.feedback_images) if settings.feedback_images else None,
        keep_days=settings.feedback_keep_days,
    )
