"""``POST /v1/predict`` ──FastAPI, uvicorn──▶ prediction: each process computes one image at a time, unbatched.

The work is done in the event loop: a thread pool costs more than the work of a small image, and it makes a large one no
faster where there are as many processes as cores.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

from loadtests.peers.peer_inference import Settings, Work


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the bundle, once in each process."""
    app.state.work = Work.open(Settings.from_environment().bundle)
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/predict")
async def predict(request: Request) -> Response:
    """Predict one body, an encoded image."""
    [prediction] = request.app.state.work.predict([await request.body()])
    return Response(orjson.dumps(prediction), media_type="application/json")


def main() -> None:
    """Serve with uvloop and httptools, without an access log."""
    settings = Settings.from_environment()
    uvicorn.run(
        "loadtests.peers.peer_fastapi:app",
        host="127.0.0.1",
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
