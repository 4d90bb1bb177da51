"""Reference answers ──▶ locust users that send the images in every form that ``POST /v1/predict`` takes."""

import http.client
import random
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from locust import FastHttpUser, between

from loadtests.inputs import request_bodies
from loadtests.scenarios.answer_check import WrongAnswerError, read_several, read_single
from loadtests.scenarios.reference_answers import Reference


class ApiUser(FastHttpUser):
    """A user who waits for a moment between requests.

    Attributes:
        small: Images of the network's input size.
        photos: Images of a camera's size.
        mixed: Both.
    """

    abstract = True
    wait_time = between(0.1, 0.5)
    connection_timeout = 10.0
    network_timeout = 10.0
    small: ClassVar[Reference]
    photos: ClassVar[Reference]
    mixed: ClassVar[Reference]

    def on_start(self) -> None:
        """Wait before the first request, so that users do not all send at the same time."""
        self.wait()  # type: ignore[no-untyped-call]

    def post(self, name: str, body: request_bodies.Body, check: Callable[[bytes], None]) -> None:
        """Send one request, counted under ``name``.

        It fails unless its status is 200 and ``check`` raises no ``WrongAnswerError``.
        """
        headers = {"Content-Type": body.content_type}
        data: Any = body.content  # locust's types say str; it sends bytes as they are
        with self.client.post(
            request_bodies.PREDICT, data=data, headers=headers, name=name, catch_response=True
        ) as response:
            if response.status_code == http.client.OK:
                try:
                    check(response.content)
                except WrongAnswerError as error:
                    response.failure(f"wrong answer: {error}")
            elif response.status_code:  # 0 where nothing came back: locust reports the connection's error
                response.failure(f"status {response.status_code}: {response.content[:200]!r}")

    def post_one(self, name: str, reference: Reference) -> None:
        """Send one image as it is."""
        picked = random.randrange(len(reference.images))
        body = request_bodies.single(reference.images[picked])
        self.post(name, body, lambda content: reference.check([picked], [read_single(content)]))

    def post_several(
        self, name: str, reference: Reference, count: int, encode: Callable[..., request_bodies.Body]
    ) -> None:
        """Send ``count`` images in one body."""
        picked = random.choices(range(len(reference.images)), k=count)
        body = encode([reference.images[index] for index in picked])
        read = partial(read_several, count=count)
        self.post(name, body, lambda content: reference.check(picked, read(content)))


class SingleImageUser(ApiUser):
    """Sends one small PNG at a time."""

    weight = 6
    tasks = [lambda user: user.post_one("one PNG", user.small)]  # noqa: RUF012


class BatchUser(ApiUser):
    """Sends 2 to 16 images, photos among them, as parts of one form."""

    weight = 2
    tasks = [  # noqa: RUF012
        lambda user: user.post_several("form of 2-16", user.mixed, random.randint(2, 16), request_bodies.multipart)
    ]


class JsonUser(ApiUser):
    """Sends 1 to 4 images, photos among them, in base64."""

    weight = 1
    tasks = [  # noqa: RUF012
        lambda user: user.post_several("JSON of 1-4", user.mixed, random.randint(1, 4), request_bodies.instances)
    ]


class PhotoUser(ApiUser):
    """Sends one JPEG of 640 by 480 at a time."""

    weight = 1
    tasks = [lambda user: user.post_one("one photo", user.photos)]  # noqa: RUF012
