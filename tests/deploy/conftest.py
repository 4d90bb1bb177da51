"""A real server with some traffic behind it, and what it exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from feedback.database.database import Database
from feedback.measures.measurements import DRIFT, PRECISION, add_measurements
from tests.chaos.rig.servers import serving, until
from tests.tiny_bundle import GREYS, solid_image

PNG = {"content-type": "image/png"}


@dataclass(frozen=True)
class Exported:
    """A running server and its exposition after traffic of every kind."""

    url: str
    text: str


def _measure(url: str) -> None:
    """Writes what `python -m feedback watch` would."""
    precision = {"precision": {"estimate": 0.99, "lower": 0.97, "upper": 0.998, "target": 0.99}}
    drift = {"statistic": 1.5, "threshold": 4.0, "alarm": False}
    database = Database(url)
    database.migrate()
    with database.writing() as connection:
        add_measurements(connection, "tiny", {(PRECISION, "shade"): precision, (DRIFT, None): drift})
    database.close()


@pytest.fixture(scope="session")
def exported(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """A server of two workers that has answered good and bad requests, and whose decisions are watched."""
    image, folder = solid_image(GREYS["mid"]), tmp_path_factory.mktemp("deploy")
    url = f"sqlite:///{folder / 'feedback.db'}"
    _measure(url)
    with (
        serving(folder, tiny_path, workers=2, feedback_url=url) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        for path in ("/v1/predict", "/v1/embed"):
            assert client.post(path, content=image, headers=PNG).status_code == 200
            assert client.post(path, content=b"no image", headers=PNG).status_code == 415
        assert client.post("/predict", json={}).status_code == 400
        assert client.get("/nowhere").status_code == 404
        until(lambda: "tandem_drift_alarm" in client.get("/metrics").text, 20.0, "what was measured is shown")
        yield Exported(server.url, client.get("/metrics").text)
