"""the record of decisions ──▶ its routes, by path and method."""

from __future__ import annotations

from feedback.recording.image_store import ImageStore
from service.api.feedback.database_calls import DatabaseCalls
from service.api.feedback.feedback_route import FeedbackRoute
from service.api.feedback.monitor_route import MonitorRoute
from service.api.feedback.reviews_route import IMAGES, ReviewsRoute
from service.gateway.router import Routes
from service.inference.pipeline import Pipeline
from service.settings import Settings


def feedback_routes(pipeline: Pipeline, settings: Settings, images: ImageStore | None, calls: DatabaseCalls) -> Routes:
    """The routes of one process.

    Args:
        pipeline: whose decisions are recorded.
        settings: limits of a body, and the usual length of a lease.
        images: where the images are kept; None if they are not.
        calls: to the database with the decisions, and to the images.
    """
    feedback = FeedbackRoute(pipeline, settings, calls)
    reviews = ReviewsRoute(pipeline, settings, images, calls)
    monitor = MonitorRoute(pipeline, calls, keeps_images=images is not None)
    return {
        "/v1/feedback": {"POST": feedback.post},
        "/v1/feedback/{id}": {"DELETE": feedback.delete},
        "/v1/reviews": {"GET": reviews.get},
        "/v1/reviews/{id}/explanation": {"GET": reviews.explanation},
        IMAGES + "{sha256}": {"GET": reviews.image},
        "/v1/monitor": {"GET": monitor.get},
    }
