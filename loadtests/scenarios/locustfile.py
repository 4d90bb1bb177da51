"""Locust's command line ──▶ users, a shape and a summary.

``python -m loadtests run`` starts this file. To use locust directly, from the repository's root:
``locust -f loadtests/scenarios/locustfile.py --host http://127.0.0.1:3000 --shape steps -u 50 -t 60``.

Before the load, every image is sent once alone. Later it must get the same label in every request: an answer that
breaks the contract or changes a label is a failure, like a status other than 200.
"""

import http.client
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from locust import LoadTestShape, events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.event import EventHook
from locust.stats import CSV_STATS_INTERVAL_SEC

from loadtests.inputs import fashion_images
from loadtests.load.processes import cpu_seconds
from loadtests.scenarios.answer_check import WrongAnswerError
from loadtests.scenarios.load_shapes import SHAPES, users_at
from loadtests.scenarios.recorder import Recorder
from loadtests.scenarios.reference_answers import ask_one_by_one
from loadtests.scenarios.run_summary import write_summary
from loadtests.scenarios.users import ApiUser, BatchUser, JsonUser, PhotoUser, SingleImageUser

__all__ = ["BatchUser", "JsonUser", "PhotoUser", "SingleImageUser"]  # locust runs every user it finds here

PHOTOS = 4
CSV_SETTLE_S = CSV_STATS_INTERVAL_SEC + 0.5  # locust writes the last requests one interval later
BROKEN_RUN = 3  # exit status
LOGGER = logging.getLogger(__name__)


class ScheduledLoad(LoadTestShape):
    """A shape as locust runs it. It is abstract, so that locust runs one only where ``--shape`` asks for it."""

    abstract = True

    def __init__(self, shape: str, peak_users: int, duration_s: float) -> None:
        """Follow one of ``load_shapes.SHAPES``."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._users_at = partial(users_at, shape=SHAPES[shape], peak_users=peak_users, duration_s=duration_s)
        self._peak_users = peak_users

    def tick(self) -> tuple[int, float] | None:
        """Return the number of users for now and how many may start in a second; None at the end."""
        users = self._users_at(self.get_run_time())  # type: ignore[no-untyped-call]
        return None if users is None else (users, float(self._peak_users))


def add_options(parser: LocustArgumentParser) -> None:
    """Add the options of this file to locust's own."""
    parser.add_argument("--shape", choices=["constant", *SHAPES], default="constant")
    parser.add_argument("--images", type=int, default=500, help="number of different images to send")
    parser.add_argument("--server-pid", type=int, help="the service's process, to read its CPU time")
    parser.add_argument("--summary-file", type=Path, help="takes the summary of the run, as JSON")


def prepare(environment: Environment, **_: object) -> None:
    """Ask for the reference answers, choose the shape, and start recording."""
    options = environment.parsed_options
    if options is None or not environment.host:
        raise SystemExit("--host is missing: the base URL of the service, e.g. http://127.0.0.1:3000")
    try:
        pixels, labels = fashion_images.read_test_set(fashion_images.dataset_folder(os.environ), options.images)
    except (OSError, ValueError) as error:
        raise SystemExit(f"test images: {error}") from error
    try:
        ApiUser.small = ask_one_by_one(environment.host, fashion_images.small_images(pixels, labels))
        ApiUser.photos = ask_one_by_one(environment.host, fashion_images.photos(pixels[:PHOTOS], labels[:PHOTOS]))
    except (WrongAnswerError, OSError, http.client.HTTPException) as error:
        raise SystemExit(f"asking {environment.host} for the images one by one: {error}") from error
    ApiUser.mixed = ApiUser.small.joined(ApiUser.photos)
    if options.shape != "constant":
        if not options.num_users or not options.run_time:
            raise SystemExit(f"--shape {options.shape} needs --users and --run-time")
        environment.shape_class = ScheduledLoad(options.shape, options.num_users, options.run_time)
        environment.shape_class.runner = environment.runner
    watch(environment, options.server_pid, options.summary_file)


def watch(environment: Environment, server_pid: int | None, summary_file: Path | None) -> None:
    """Record every request of the run and write the summary when locust quits."""
    recorder = Recorder(cpu_seconds=None if server_pid is None else partial(cpu_seconds, server_pid))

    def record(name: str, response_time: float, exception: BaseException | None, **_: object) -> None:
        recorder.record(name, response_time, exception)

    def fail_run(exception: BaseException, **_: object) -> None:
        LOGGER.error("a user broke: %r", exception)
        environment.process_exit_code = BROKEN_RUN

    def finish(**_: object) -> None:
        time.sleep(CSV_SETTLE_S)
        summary = recorder.summary(ApiUser.small)
        if summary is None:
            LOGGER.error("no request ended")
            environment.process_exit_code = BROKEN_RUN
        elif summary_file is not None:
            write_summary(summary, summary_file)

    listen(environment.events.test_start, lambda **_: recorder.start())
    listen(environment.events.request, record)
    listen(environment.events.user_error, fail_run)
    listen(environment.events.test_stop, lambda **_: recorder.stop())
    listen(environment.events.quitting, finish)


def listen(hook: EventHook, handler: Callable[..., None]) -> None:
    """Have locust call ``handler`` at an event."""
    hook.add_listener(handler)  # type: ignore[no-untyped-call]


listen(events.init_command_line_parser, add_options)
listen(events.init, prepare)
