"""A server that records its decisions, and decisions of it that wait for people."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect
from sqlalchemy import delete, select

from feedback.database.database import Database
from feedback.database.tables import decision, feedback, measurement
from tests.chaos.rig.servers import Answer, Server, serving, until
from tests.tiny_bundle import solid_image

RECORDED_WITHIN_S = 10.0


@dataclass(frozen=True)
class Recording:
    """A server and the database that it records in."""

    server: Server
    database: Database
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.server.url

    def get(self, path: str, **query: object) -> Answer:
        search = f"?{urlencode(query)}" if query else ""
        return self.server.request(path + search, headers=self.headers)

    def reviews(self, **query: object) -> list[dict[str, Any]]:
        """What waits, leased to the reviewer that the query names."""
        found: list[dict[str, Any]] = self.get("/v1/reviews", **query).document["reviews"]
        return found

    def decide(
        self, count: int, query: str = "", columns: dict[str, object] | None = None, brightest: int = 230
    ) -> list[str]:
        """Sends different images, from dark to bright; returns the ids of the requests, once all decisions wait."""
        found = []
        before = self.waiting()
        for index in range(count):
            image = solid_image(20 + (brightest - 20) * index // max(1, count - 1), size=(64, 48))
            body, kind = (image, "image/png") if columns is None else _form(image, columns)
            answer = self.server.request(f"/v1/predict{query}", body, {"Content-Type": kind, **self.headers})
            assert answer.status == 200, answer.body
            found.append(answer.headers["x-request-id"])
        until(lambda: self.waiting() >= before + count, RECORDED_WITHIN_S, "the decisions are recorded")
        return found

    def answer(self, review: dict[str, Any], **said: object) -> Answer:
        place = {name: review[name] for name in ("request_id", "index", "head")}
        body = json.dumps(place | said).encode()
        return self.server.request("/v1/feedback", body, {"Content-Type": "application/json", **self.headers})

    def answers(self) -> list[dict[str, Any]]:
        """Every answer in the database, with the request it is about."""
        query = select(feedback, decision.c.request_id).join(decision).order_by(feedback.c.id)
        with self.database.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def forget(self) -> None:
        """Empties the database."""
        with self.database.writing() as connection:
            for table in (decision, measurement):
                connection.execute(delete(table))

    def waiting(self) -> int:
        count: int = self.get("/v1/reviews", lease=0, limit=1).document["waiting"]
        return count


@contextlib.contextmanager
def recording(
    folder: Path, bundle: Path, headers: dict[str, str] | None = None, **settings: object
) -> Iterator[Recording]:
    """A server of which every decision waits for people: those that are accepted, as audits."""
    url = f"sqlite:///{folder / 'record.sqlite'}"
    with serving(folder, bundle, workers=1, feedback_url=url, feedback_audit=1.0, **settings) as server:
        database = Database(url)
        database.migrate()
        try:
            yield Recording(server, database, headers or {})
        finally:
            database.close()


def buttons(page: Page) -> Locator:
    """Of the classes."""
    return page.locator("#class-list button")


def progress(page: Page, text: str) -> None:
    """Waits until the page tells this progress."""
    expect(page.locator("#progress")).to_have_text(text)


def request_shown(page: Page) -> str:
    """Id of the request of the item on screen."""
    expect(buttons(page).first).to_be_visible()
    return page.locator("#thought .about").inner_text().rpartition(" request ")[2]


def _form(image: bytes, columns: dict[str, object]) -> tuple[bytes, str]:
    parts = (
        ('name="image"; filename="a.png"\r\nContent-Type: image/png', image),
        ('name="columns"', json.dumps(columns).encode()),
    )
    form = b"--cut\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n"
    body = b"".join(form % (head.encode(), data) for head, data in parts)
    return body + b"--cut--\r\n", "multipart/form-data; boundary=cut"
