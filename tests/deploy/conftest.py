"""A real server with some traffic behind it, and what it exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.chaos.rig.servers import serving
from tests.tiny_bundle import GREYS, solid_image

PNG = {"content-type": "image/png"}


@dataclass(frozen=True)
class Exported:
    """A running server and its exposition after traffic of every kind."""

    url: str
    text: str


@pytest.fixture(scope="session")
def exported(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exported]:
    """A server of two workers that has answered good and bad requests."""
    image = solid_image(GREYS["mid"])
    with (
        serving(tmp_path_factory.mktemp("deploy"), tiny_path, workers=2) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        for path in ("/v1/predict", "/v1/embed"):
            assert client.post(path, content=image, headers=PNG).status_code == 200
            assert client.post(path, content=b"no image", headers=PNG).status_code == 415
        assert client.post("/predict", json={}).status_code == 400
        assert client.get("/nowhere").status_code == 404
        yield Exported(server.url, client.get("/metrics").text)
