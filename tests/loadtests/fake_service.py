"""A stand-in for the service: any image gets a label drawn from its bytes, always the same one.

With a fault it misbehaves: ``shifted-form`` answers images in a form with another label than alone,
``unready`` never becomes ready, ``crashing`` ends before it listens.
"""

import argparse
import base64
import json
import sys
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LABELS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def prediction(body: bytes, shift: int = 0) -> dict[str, object]:
    """Answer one encoded image."""
    label = LABELS[(zlib.crc32(body) + shift) % len(LABELS)]
    probabilities = {each: 0.91 if each == label else 0.01 for each in LABELS}
    return {
        "label": label,
        "confidence": 0.91,
        "decision": "accept",
        "reasons": [],
        "probabilities": probabilities,
        "model": "fake@1",
        "head": "category",
    }


def form_parts(body: bytes, content_type: str) -> list[bytes]:
    """Cut a multipart body into the contents of its parts."""
    boundary = b"--" + content_type.partition("boundary=")[2].encode()
    return [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in body.split(boundary)[1:-1]]


class Handler(BaseHTTPRequestHandler):
    """Answers ``GET /readyz`` and ``POST /v1/predict``."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and body in one packet
    disable_nagle_algorithm = True
    fault = "none"

    def do_GET(self) -> None:
        """Answer readiness."""
        self._answer(503 if self.fault == "unready" else 200, {})

    def do_POST(self) -> None:
        """Answer predictions."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers["Content-Type"]
        if self.path != "/v1/predict":
            self._answer(404, {"code": "not_found"})
        elif kind.startswith("multipart/"):
            shift = 1 if self.fault == "shifted-form" else 0
            self._answer(200, {"predictions": [prediction(part, shift) for part in form_parts(body, kind)]})
        elif kind == "application/json":
            encoded = [instance["image"] for instance in json.loads(body)["instances"]]
            self._answer(200, {"predictions": [prediction(base64.b64decode(each)) for each in encoded]})
        else:
            self._answer(200, prediction(body))

    def log_message(self, *_: object) -> None:
        """Keep the log short."""

    def _answer(self, status: int, content: dict[str, object]) -> None:
        encoded = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--fault", default="none")
    options = parser.parse_args()
    if options.fault == "crashing":
        sys.exit("no bundle here")
    Handler.fault = options.fault
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", options.port), Handler).serve_forever()
