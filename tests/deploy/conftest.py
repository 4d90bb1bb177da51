"""A real server with some traffic behind it, and what it exports."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from loadtests.server import bentoml_command, running
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
    log = tmp_path_factory.mktemp("deploy") / "server.log"
    with (
        environment(TANDEM_BUNDLE=str(tiny_path), TANDEM_WORKERS="2", TANDEM_DEVICE="cpu"),
        running(bentoml_command, log=log) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        for path in ("/v1/predict", "/v1/embed"):
            assert client.post(path, content=image, headers=PNG).status_code == 200
            assert client.post(path, content=b"no image", headers=PNG).status_code == 415
        assert client.post("/predict", json={}).status_code == 400
        assert client.get("/nowhere").status_code == 404
        yield Exported(server.url, client.get("/metrics").text)


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """The variables, for as long as servers are started; `TANDEM_*` of the shell are left out."""
    kept = dict(os.environ)
    for name in [name for name in os.environ if name.upper().startswith("TANDEM_")]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
