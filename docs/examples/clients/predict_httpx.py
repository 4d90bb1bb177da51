"""Ask Tandem for decisions: `python predict_httpx.py IMAGE ...`, with SERVER_URL and API_KEY in the environment.

One pool of connections, a deadline for each image, and retries of what is safe to send again.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

DEADLINE_S = 10.0  # for one image, retries included
ATTEMPTS = 4
REFUSED = (429, 503)  # the server has done nothing, and says when to come back
BROKEN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
# A prediction changes nothing, so one whose connection broke may be sent again. One that took too long is not sent
# again: that would add to the load that made it late.


class TandemError(Exception):
    """The server refused a request; the text has its reason, and `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class Tandem:
    """A client of one server; threads may share it."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(DEADLINE_S, connect=2.0),
            limits=httpx.Limits(max_connections=16),
        )

    def __enter__(self) -> Tandem:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def predict(self, image: bytes, columns: dict[str, Any] | None = None, **query: str | int) -> dict[str, Any]:
        """Returns the answer for one image, whose columns stand beside it."""
        if columns is None:
            body: dict[str, Any] = {"content": image, "headers": {"Content-Type": "application/octet-stream"}}
        else:
            body = {"files": {"image": image}, "data": {"columns": json.dumps(columns)}, "headers": {}}
        response = self._send("/v1/predict", body | {"params": query})
        answer = response.json()
        return answer["predictions"][0] if "predictions" in answer else answer

    def _send(self, path: str, request: dict[str, Any]) -> httpx.Response:
        end = time.monotonic() + DEADLINE_S
        request["headers"]["X-Request-Id"] = uuid.uuid4().hex  # the same for each attempt, so that the log shows it
        for attempt in range(1, ATTEMPTS + 1):
            left_s = end - time.monotonic()
            request["headers"]["X-Request-Timeout-Ms"] = str(max(1, int(left_s * 1000)))
            wait_s = random.uniform(0, 0.1 * 2**attempt)
            try:
                response = self._client.post(path, timeout=httpx.Timeout(left_s, connect=2.0), **request)
            except BROKEN:
                if attempt == ATTEMPTS or wait_s > end - time.monotonic():
                    raise
            else:
                wait_s += _seconds(response.headers.get("Retry-After", "0"))
                if response.status_code not in REFUSED or attempt == ATTEMPTS or wait_s > end - time.monotonic():
                    break
            time.sleep(wait_s)
        if response.is_error:
            is_problem = response.headers.get("Content-Type") == "application/problem+json"  # else it is a proxy's
            problem = response.json() if is_problem else {"code": "http", "detail": f"status {response.status_code}"}
            raise TandemError(problem["code"], problem["detail"])
        return response


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdecimal() else 0.0  # Tandem sends seconds, a proxy perhaps a date


if __name__ == "__main__":
    with Tandem(os.environ.get("SERVER_URL", "http://127.0.0.1:3000"), os.environ.get("API_KEY")) as tandem:
        for name in sys.argv[1:]:
            try:
                print(name, json.dumps(tandem.predict(Path(name).read_bytes(), top_k=1)))
            except TandemError as error:
                print(name, error, file=sys.stderr)
