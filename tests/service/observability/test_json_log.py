"""Log lines: what callers cannot forge, and what no reader can hold up."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pydantic
import pytest
from bentoml.exceptions import BentoMLException, InvalidArgument

from service.observability.json_log import (
    BUFFER_BYTES,
    LINE_BYTES,
    Access,
    AccessLog,
    JsonHandler,
    LineWriter,
    configure_logging,
    json_line,
)
from tests.cpu_cost import relative_cost

ROOT = Path(__file__).parents[3]
PATIENCE_S = 10.0


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def lines_of(*accesses: Access) -> list[bytes]:
    """What a log of these requests is, line by line."""
    with pipe() as (reader, descriptor):
        writer = LineWriter(descriptor)
        log = AccessLog(writer)
        for access in accesses:
            log.write(access)
        writer.close()
        return os.read(reader, 1_000_000).splitlines(keepends=True)


def access(**changes: Any) -> Access:
    fields = {"request_id": "a-1", "method": "POST", "route": "/v1/predict", "path": "/v1/predict", "status": 200}
    return Access(**{**fields, "ms": 1.5, **changes})


def test_a_request_is_one_line_with_all_fields() -> None:
    (line,) = lines_of(
        access(client="10.0.0.7", key="team-a", code=None, received_bytes=784, sent_bytes=190, images=1, model="tiny@1")
    )
    document = json.loads(line)
    moment = datetime.strptime(document.pop("time"), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - moment).total_seconds()) < PATIENCE_S
    assert document == {
        "level": "info",
        "logger": "tandem.access",
        "request_id": "a-1",
        "client": "10.0.0.7",
        "key": "team-a",
        "method": "POST",
        "route": "/v1/predict",
        "path": "/v1/predict",
        "status": 200,
        "code": None,
        "ms": 1.5,
        "received_bytes": 784,
        "sent_bytes": 190,
        "images": 1,
        "model": "tiny@1",
    }


def test_a_defect_is_an_error_an_overload_a_warning_and_a_callers_fault_neither() -> None:
    found = [json.loads(line)["level"] for line in lines_of(*(access(status=s) for s in (200, 429, 499, 500, 503)))]
    assert found == ["info", "info", "info", "error", "warning"]


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param('/a\n{"level":"error","status":500}', id="a line of its own"),
        pytest.param("/a\r\nb\x00\x1b[31m\x7f\x85\u2028", id="control characters"),
        pytest.param('/a","status":200,"x":"', id="a quote"),
        pytest.param("/a\\", id="a backslash"),
        pytest.param("/b\u00e9\u4e2d\U0001f600", id="non-ASCII"),
        pytest.param(b"/\xff\xfe\x80".decode("utf-8", "surrogateescape"), id="not UTF-8"),
    ],
)
@pytest.mark.parametrize("field", ["path", "request_id", "client", "key", "method", "route", "code", "model"])
def test_no_field_can_be_used_to_forge_a_line(field: str, hostile: str) -> None:
    (line,) = lines_of(access(**{field: hostile}))
    assert line.isascii()
    assert line.endswith(b"}\n")
    assert all(byte >= 0x20 for byte in line[:-1])
    assert b"\x7f" not in line
    document = json.loads(line, object_pairs_hook=lambda pairs: pairs)
    assert len(document) == len(dict(document)) == 16
    assert dict(document)[field] == hostile


def test_the_longest_line_fits_into_what_a_pipe_takes_at_once() -> None:
    wide = "\U0001f600" * 10_000
    (line,) = lines_of(access(path=wide, key=wide, request_id="a" * 200, model="m" * 300, method="M" * 99))
    assert len(line) <= LINE_BYTES
    assert json.loads(line)["path"] == wide[:200]


def test_lines_of_several_processes_that_share_a_pipe_are_not_torn() -> None:
    code = (
        "from service.observability.json_log import *\n"
        "writer = LineWriter(1)\n"
        "log = AccessLog(writer)\n"
        "for n in range(3000):\n"
        "    log.write(Access(str(n), 'GET', 'other', '/' + 'x' * (n % 199), 404, 1.0))\n"
        "writer.close(60)\n"
    )
    with pipe() as (reader, descriptor):
        workers = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=descriptor) for _ in range(3)]
        text = bytearray()
        drain = threading.Thread(target=lambda: text.extend(_read_until_marker(reader)))
        drain.start()
        assert [worker.wait(60) for worker in workers] == [0, 0, 0]
        os.write(descriptor, b"END\n")
        drain.join(PATIENCE_S)
    ids = [json.loads(line)["request_id"] for line in bytes(text).splitlines()[:-1]]
    assert sorted(ids, key=int) == sorted([str(n) for n in range(3000)] * 3, key=int)


def _read_until_marker(reader: int) -> bytes:
    text = b""
    while not text.endswith(b"END\n"):
        text += os.read(reader, 65536)
    return text


def test_a_reader_that_stalls_costs_lines_and_no_time() -> None:
    with pipe() as (reader, descriptor):
        writer = LineWriter(descriptor, buffer_bytes=100_000)
        log = AccessLog(writer)
        slowest = 0.0
        for number in range(2000):
            started = time.thread_time()
            log.write(access(request_id=str(number)))
            slowest = max(slowest, time.thread_time() - started)
        assert slowest < 0.1
        assert 0 < writer.dropped < 2000
        writer.close(0.1)  # gives up
        lost = writer.dropped
        log.write(access())  # after the end
        assert writer.dropped == lost + 1
        kept = _read_some(reader, 2000 - lost)
        ids = [int(json.loads(line)["request_id"]) for line in kept]
        assert ids == sorted(ids)
        assert ids[0] == 0


def _read_some(reader: int, count: int) -> list[bytes]:
    text = b""
    while text.count(b"\n") < count:
        text += os.read(reader, 65536)
    return text.splitlines()


def test_lines_that_nobody_reads_any_more_are_counted() -> None:
    reader, descriptor = os.pipe()
    os.close(reader)
    writer = LineWriter(descriptor)
    AccessLog(writer).write(access())
    writer.close()
    os.close(descriptor)
    assert writer.dropped == 1


def test_a_descriptor_that_does_not_block_is_waited_for() -> None:
    with pipe() as (reader, descriptor):
        os.set_blocking(descriptor, False)
        writer = LineWriter(descriptor)
        log = AccessLog(writer)
        for number in range(1000):
            log.write(access(request_id=str(number)))
        assert len(_read_some(reader, 1000)) == 1000
        writer.close()
        assert writer.dropped == 0


def test_a_line_is_written_without_another_one_after_it() -> None:
    with pipe() as (reader, descriptor):
        writer = LineWriter(descriptor)
        AccessLog(writer).write(access())
        assert len(_read_some(reader, 1)) == 1
        writer.close()


def test_what_comes_after_the_end_is_written_at_once() -> None:
    with pipe() as (reader, descriptor):
        writer = LineWriter(descriptor)
        writer.close()
        AccessLog(writer).write(access(request_id="late"))
        assert b'"late"' in os.read(reader, 10_000)
        assert writer.dropped == 0


@pytest.mark.alone
@pytest.mark.no_cover  # which costs more than it
def test_a_line_costs_less_than_three_small_json() -> None:
    with Path(os.devnull).open("wb") as sink:
        writer = LineWriter(sink.fileno(), buffer_bytes=64 * 1024 * 1024)  # all of them, were its thread to starve
        log = AccessLog(writer)

        def write() -> None:
            for _ in range(1000):
                log.write(access_of_a_request())

        cost = relative_cost(write, 1000, rounds=20)
        writer.close()
    assert writer.dropped == 0
    print(f"logging a request: {cost:.2f} small JSON")
    assert cost < 3


def access_of_a_request() -> Access:
    return Access(
        "0123456789abcdef", "POST", "/v1/predict", "/v1/predict", 200, 3.1, "10.0.0.7", None, None, 784, 190, 1, "a@1"
    )


def test_the_buffer_is_bounded_far_above_what_a_flush_takes() -> None:
    assert BUFFER_BYTES >= 1024 * 1024


# ---------------------------------------------------------------- other records


def record(message: str, *args: object, **extra: Any) -> logging.LogRecord:
    return logging.LogRecord(
        "service.gateway.gateway", logging.ERROR, __file__, 1, message, args, extra.get("exc_info")
    )


def test_a_traceback_is_a_string_in_its_line() -> None:
    try:
        raise ValueError('bad\n"quote"')
    except ValueError:
        line = json_line(record("%s failed", "x\ny", exc_info=sys.exc_info()))
    document = json.loads(line)
    assert line.count(b"\n") == 1
    assert (document["message"], document["level"], document["logger"]) == (
        "x\ny failed",
        "error",
        "service.gateway.gateway",
    )
    assert document["exception"].startswith("Traceback (most recent call last)")
    assert document["exception"].endswith('ValueError: bad\n"quote"')
    assert document["pid"] == os.getpid()


def test_a_line_that_is_too_long_is_cut_in_the_middle() -> None:
    line = json_line(record("begin " + "\x00" * 10_000 + " end"))
    assert len(line) <= LINE_BYTES
    message = json.loads(line)["message"]
    assert message.startswith("begin")
    assert message.endswith("end")
    assert " ... cut ... " in message


def test_a_message_that_cannot_be_formatted_does_not_reach_the_caller(capsys: pytest.CaptureFixture[str]) -> None:
    with pipe() as (_, descriptor):
        writer = LineWriter(descriptor)
        JsonHandler(writer).handle(record("%d", "no number"))
        writer.close()
    assert "no number" in capsys.readouterr().err


# What a worker's log is: BentoML's configuration, then ours.
WORKER = """
import logging, sys, warnings
from bentoml._internal.log import configure_server_logging
configure_server_logging()
logging.getLogger("bentoml.serve").info("before")
from service.observability.json_log import LineWriter, configure_logging
configure_logging(LineWriter())
logging.getLogger("bentoml.serve").info("ours\\nnow")
logging.getLogger("uvicorn.error").warning("once")
logging.getLogger("service.models").info("model changed")
logging.getLogger("some.library").info("not shown")
warnings.warn("old")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("asyncio").exception("broken")
"""


def test_every_record_of_a_worker_is_one_json_line_and_none_comes_twice() -> None:
    done = subprocess.run([sys.executable, "-c", WORKER], cwd=ROOT, capture_output=True, text=True, check=True)
    before, *lines = done.stdout.splitlines()
    assert before.endswith("before")
    documents = [json.loads(line) for line in lines]
    assert [(d["logger"], d["level"], d["message"].split(": ")[-1]) for d in documents] == [
        ("bentoml.serve", "info", "ours\nnow"),
        ("uvicorn.error", "warning", "once"),
        ("service.models", "info", "model changed"),
        ("py.warnings", "warning", documents[3]["message"].split(": ")[-1]),
        ("asyncio", "error", "broken"),
    ]
    assert "UserWarning: old" in documents[3]["message"]
    assert "ZeroDivisionError" in documents[4]["exception"]
    assert done.stderr == ""


@pytest.fixture
def configured() -> Iterator[tuple[int, LineWriter]]:
    """This process's logging as a worker's; put back afterwards."""
    root = logging.root
    kept = {
        name: (logger.handlers[:], logger.propagate, logger.filters[:], logger.level)
        for name, logger in root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }
    handlers = root.handlers[:]
    with pipe() as (reader, descriptor):
        writer = LineWriter(descriptor)
        configure_logging(writer)
        yield reader, writer
        writer.close()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    for name, logger in root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            logger.handlers, logger.propagate, logger.filters, level = kept.get(name, ([], True, [], 0))
            logger.setLevel(level)


def test_a_callers_wrong_body_leaves_no_traceback_and_a_defect_does(configured: tuple[int, LineWriter]) -> None:
    reader, writer = configured
    logger = logging.getLogger("bentoml._internal.server.http_app")  # where BentoML's native route logs
    failures: list[Exception] = [InvalidArgument("bad"), BentoMLException("ours"), RuntimeError("a defect")]
    with pytest.raises(pydantic.ValidationError) as caught:
        pydantic.TypeAdapter(int).validate_python("x")
    for failure in [caught.value, *failures]:
        try:
            raise failure
        except Exception:
            logger.error("Exception on %s [%s]", "/predict", "POST", exc_info=True)
    writer.close()
    found = [json.loads(line)["exception"].splitlines()[-1] for line in os.read(reader, 100_000).splitlines()]
    assert InvalidArgument.error_code == HTTPStatus.BAD_REQUEST
    assert found == ["bentoml.exceptions.BentoMLException: ours", "RuntimeError: a defect"]


def test_warnings_go_to_the_log(configured: tuple[int, LineWriter]) -> None:
    reader, writer = configured
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", stacklevel=1)
    writer.close()
    assert b"UserWarning: old" in os.read(reader, 100_000)
