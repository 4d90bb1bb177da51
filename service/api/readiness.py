"""Whether a process takes work, as probes of every protocol ask."""

from __future__ import annotations

from models.errors import NotReady
from service.inference.pipeline import Pipeline


def check_ready(pipeline: Pipeline, *, is_draining: bool) -> None:
    """Checks that work is taken.

    Raises:
        NotReady: with the reason.
    """
    if is_draining or not pipeline.ready:
        raise NotReady("the server is draining" if is_draining else "the server is starting")


def is_ready(pipeline: Pipeline, *, is_draining: bool) -> bool:
    """Whether `check_ready` raises nothing."""
    return pipeline.ready and not is_draining
