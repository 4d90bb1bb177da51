"""Named inputs, byte by byte as they go to the socket: odd HTTP, odd bodies, odd images.

A case allows certain statuses for its first answer; None allows whatever the contract knows. An input that no HTTP
parser takes for a request may be answered with 400 or, as a head too long, with 431.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cache

from tests.chaos.inputs.hostile_bodies import BASE64, FORM, JSON, bodies, form, instances, part
from tests.chaos.inputs.pictures import SNEAKER, pictures

ROUTES = (
    "/v1/predict",
    "/v1/embed",
    "/v1/models",
    "/predict",
    "/livez",
    "/readyz",
    "/healthz",
    "/metrics",
    "/docs.json",
)
METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "POST", "PROPFIND", "SEARCH", "BREW", "get")
REFUSED = frozenset({400, 431})
LIMIT_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Case:
    """One input of the corpus."""

    name: str
    data: bytes
    statuses: Set[int] | None = None
    """That may answer first."""
    piece_bytes: int = 65536
    """It is sent in pieces of so many bytes."""
    leaves: bool = False
    """The caller resets the connection once all is sent."""


@cache
def corpus() -> tuple[Case, ...]:
    """All cases; names are unique."""
    groups = (_request_lines(), _targets(), _methods(), _headers(), _framing(), _chunks(), _upgrades(), _pipelines())
    found = [case for group in (*groups, _queries(), _accepts(), _bodies(), _pictures()) for case in group]
    assert len({case.name for case in found}) == len(found)
    return tuple(found)


def head(method: str = "POST", target: str = "/v1/predict", *lines: str, version: str = "HTTP/1.1") -> bytes:
    """Request line and headers, with a Host unless one is given."""
    host = () if any(line.lower().startswith("host") for line in lines) else ("Host: x",)
    return "\r\n".join([f"{method} {target} {version}", *host, *lines, "", ""]).encode("latin-1")


def post(body: bytes, kind: str = "image/png", target: str = "/v1/predict", *lines: str) -> bytes:
    """A whole request with a body."""
    return head("POST", target, f"Content-Type: {kind}", f"Content-Length: {len(body)}", *lines) + body


def chunked(*chunks: bytes, lines: tuple[str, ...] = (), end: bytes = b"0\r\n\r\n") -> bytes:
    """A whole request whose body comes in chunks, these being given with their size lines."""
    return head("POST", "/v1/predict", "Content-Type: image/png", "Transfer-Encoding: chunked", *lines) + (
        b"".join(chunks) + end
    )


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _request_lines() -> Iterator[Case]:
    for name, data in (
        ("an empty line alone", b"\r\n"),
        ("nothing but line ends", b"\r\n" * 5000),
        ("HTTP/0.9", b"GET /livez\r\n"),
        ("a NUL in the request line", b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("a tab in the request line", b"GET\t/livez\tHTTP/1.1\r\nHost: x\r\n\r\n"),
        ("two spaces in the request line", b"GET  /livez  HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("a space before the method", b" GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("no target", b"GET HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("no version", b"GET /livez\r\nHost: x\r\n\r\n"),
        ("version 1.9", head("GET", "/livez", version="HTTP/1.9")),
        ("version 11", head("GET", "/livez", version="HTTP/11")),
        ("another protocol", head("GET", "/livez", version="RTSP/1.0")),
        ("lower-case protocol", head("GET", "/livez", version="http/1.1")),
        ("bare line feeds", b"GET /livez HTTP/1.1\nHost: x\n\n"),
        ("bare carriage returns", b"GET /livez HTTP/1.1\rHost: x\r\r"),
        ("half a request line", b"POST /v1/pre"),
        ("half a header", b"POST /v1/predict HTTP/1.1\r\nHos"),
        ("a method of 100,000 bytes", head("M" * 100_000, "/livez")),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)),
        ("a TLS hello", bytes.fromhex("160301020001000001fc0303") + bytes(range(256)) * 2),
        ("an SSH banner", b"SSH-2.0-OpenSSH_9.6\r\n"),
        ("a PROXY line", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + head("GET", "/livez")),
        ("an SMTP dialogue", b"EHLO x\r\nMAIL FROM:<a@b>\r\n"),
        ("bytes of all values", bytes(range(256))),
        ("zeros", bytes(5000)),
        ("bytes that are all 255", b"\xff" * 5000),
        ("a log line forged", b"GET /%0aERROR%20forged HTTP/1.1\r\nHost: x\r\n\r\n"),
    ):
        yield Case(f"request line: {name}", data)
    yield Case("request line: version 2.0", head("GET", "/livez", version="HTTP/2.0"), {400, 505})
    yield Case("request line: version 1.0", head("GET", "/livez", version="HTTP/1.0"), {200})


def _targets() -> Iterator[Case]:
    for name, target, statuses in (
        ("absolute", "http://x/livez", None),
        ("absolute, elsewhere", "http://169.254.169.254/latest/meta-data/", {400, 404}),
        ("absolute, of a file", "file:///etc/passwd", {400, 404}),
        ("absolute, with a user", "http://a:b@x/livez", None),
        ("an authority", "x:80", {400, 404}),
        ("an asterisk", "*", {400, 404, 405}),
        ("two slashes", "//livez", {404}),
        ("two slashes and a host", "//example.org/%2e%2e", {404}),
        ("a slash at the end", "/v1/predict/", {404}),
        ("a fragment", "/livez#x", None),
        ("100,000 bytes", "/" + "a" * 100_000, {431}),
        ("a query of 100,000 bytes", "/v1/models?" + "a" * 100_000, {431}),
        ("20,000 bytes", "/" + "a" * 20_000, {404, 431}),
        ("climbing", "/../../../../etc/passwd", {400, 404}),
        ("climbing, encoded", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", {400, 404}),
        ("climbing, encoded twice", "/%252e%252e/etc/passwd", {400, 404}),
        ("climbing, over-long UTF-8", "/%c0%ae%c0%ae/etc/passwd", {400, 404}),
        ("climbing with backslashes", "/..\\..\\windows\\win.ini", {400, 404}),
        ("climbing out of the page's files", "/static_content/../../../../etc/passwd", {400, 404}),
        ("climbing out of the page's files, encoded", "/static_content/%2e%2e/%2e%2e/service/app.py", {400, 404}),
        ("an absolute path in the page's files", "/static_content//etc/passwd", {400, 404}),
        ("a NUL in the page's files", "/static_content/%00", {400, 404}),
        ("a long name in the page's files", "/static_content/" + "a" * 5000, {400, 404}),
        ("an encoded NUL", "/%00", {400, 404}),
        ("encoded line ends", "/%0d%0aX-Injected:%20yes", {400, 404}),
        ("half an encoding", "/%", {400, 404}),
        ("no encoding", "/%zz%1", {400, 404}),
        ("bytes beyond ASCII", "/\xff\xfe", {400, 404}),
        ("encoded bytes that are not UTF-8", "/%ff%fe", {400, 404}),
        ("an encoded slash", "/v1%2fpredict", {400, 404, 405}),
        ("encoded letters", "/%6civez", {200, 404}),
        ("a semicolon", "/livez;x=1", {404}),
        ("capitals", "/LIVEZ", {404}),
        ("of BentoML's own", "/schema.json", {200, 404}),
        ("of the start page", "/", {200, 404}),
        ("a secret", "/.env", {404}),
    ):
        yield Case(f"target: {name}", head("GET", target), statuses)


def _methods() -> Iterator[Case]:
    for route in ROUTES:
        for method in METHODS:
            if method != "POST":  # bodies are below
                yield Case(f"method: {method} {route}", head(method, route))
    yield Case("method: CONNECT", head("CONNECT", "127.0.0.1:22"), {400, 404, 405})
    yield Case("method: CONNECT of a route", head("CONNECT", "/v1/predict"), {400, 404, 405})
    yield Case("method: TRACE with a secret", head("TRACE", "/", "Authorization: secret"), {400, 404, 405, 501})
    yield Case("method: OPTIONS of everything", head("OPTIONS", "*"))
    yield Case(
        "method: a preflight",
        head("OPTIONS", "/v1/predict", "Origin: http://a", "Access-Control-Request-Method: POST"),
        {403},
    )
    for route in ROUTES:
        yield Case(f"method: POST {route} without a length", head("POST", route))
        yield Case(f"method: GET {route} with a body", head("GET", route, "Content-Length: 4") + b"body")


def _headers() -> Iterator[Case]:
    for name, lines, statuses in (
        ("10,000 of them", [f"X-{n}: {n}" for n in range(10_000)], REFUSED),
        ("101 of them", [f"X-{n}: {n}" for n in range(101)], {200, 431}),
        ("one of 31 KiB", ["X: " + "y" * 31_000], {200, 431}),
        ("one of 1 MB", ["X: " + "y" * 1_000_000], REFUSED),
        ("a name of 100,000 bytes", ["X" * 100_000 + ": y"], REFUSED),
        ("a name of no bytes", [": y"], {400}),
        ("a space in a name", ["X Y: z"], {400}),
        ("a space before the colon", ["X : z"], {400}),
        ("no colon", ["nonsense"], {400}),
        ("a folded line", ["X: y", " z"], {200, 400}),
        ("a folded length", ["Content-Length:", " 5"], None),
        ("a NUL in a value", ["X: \0"], {400}),
        ("a carriage return in a value", ["X: y\rZ: w"], {400}),
        ("a line feed in a value", ["X: y\nTransfer-Encoding: chunked"], None),
        ("a bell in a value", ["X: \a"], {200, 400}),
        ("a name beyond ASCII", ["\xff: y"], {400}),
        ("a value beyond ASCII", ["X: \xff\xfe"], {200, 400}),
        ("two hosts", ["Host: x", "Host: y"], {400}),
        ("a host of nonsense", ["Host: \xff/../@:99999"], {200, 400}),
        ("an empty host", ["Host:"], {200, 400}),
        ("a type beyond ASCII", ["Content-Type: image/\xff"], {200, 400}),
        ("a cookie of 20 KB", ["Cookie: " + "a=b; " * 4000], {200, 431}),
        ("ranges", ["Range: bytes=" + "0-," * 1000 + "1"], {200, 400}),
        (
            "a forwarding of nonsense",
            ["X-Forwarded-For: \xff, ;;", "X-Forwarded-Proto: gopher", "Forwarded: for="],
            {200},
        ),
        ("an authorisation of nonsense", ["Authorization: Bearer \xff\xfe" + "x" * 5000], {200, 400, 401}),
        ("two authorisations", ["Authorization: Bearer a", "Authorization: Basic b"], {400}),
        ("a trace of nonsense", ["traceparent: 00-zz-xx-99", "tracestate: " + "," * 999, "baggage: \xff"], {200}),
        ("a method override", ["X-HTTP-Method-Override: DELETE"], {200}),
        ("a connection that names headers", ["Connection: Host, Content-Length, close"], {200}),
        ("an encoding of the body", ["Content-Encoding: gzip"], {200, 400, 415}),
    ):
        yield Case(f"headers: {name}", head("GET", "/v1/models", *lines), statuses)
    yield Case("headers: no host", b"GET /livez HTTP/1.1\r\n\r\n", {400})
    yield Case("headers: no host in version 1.0", b"GET /livez HTTP/1.0\r\n\r\n", {200})
    for encoding, status in (("gzip", 400), ("deflate", 400), ("br", 415), ("gzip, gzip", 415), ("identity", 200)):
        case = post(SNEAKER, "image/png", "/v1/predict", f"Content-Encoding: {encoding}")
        yield Case(f"headers: an encoding of the body, {encoding}", case, {status})
    for origin, status in (("http://a", 403), ("null", 403), ("\xff", 403), ("", 403), ("http://x", 200)):
        case = post(SNEAKER, "image/png", "/v1/predict", f"Origin: {origin}")
        yield Case(f"headers: a page of {origin!r}", case, {status})
    for name, value, statuses in (
        ("good", "abc-1", {200}),
        ("too long", "x" * 5000, {200}),
        ("forged", "x y\x7f{}", {200, 400}),
        ("beyond ASCII", "\xff\xfe", {200, 400}),
        ("empty", "", {200}),
    ):
        yield Case(f"headers: a request id, {name}", head("GET", "/v1/models", f"X-Request-Id: {value}"), statuses)
    for value, statuses in (
        ("10000", {200}),
        ("1", {200, 429, 504}),
        ("0", {400}),
        ("-1", {400}),
        ("1.5", {400}),
        ("600001", {400}),
        ("9" * 5000, {400}),
        ("\xb2", {400}),
        ("", {400}),
        ("1e3", {400}),
        ("0x10", {400}),
        ("1_0", {400}),
        ("10, 20", {400}),
    ):
        case = post(SNEAKER, "image/png", "/v1/predict", f"X-Request-Timeout-Ms: {value}")
        yield Case(f"headers: a deadline of {value[:9]!r}", case, statuses)


def _framing() -> Iterator[Case]:
    body = SNEAKER
    size = len(body)
    for name, lines, statuses in (
        ("a length twice, the same", [f"Content-Length: {size}"] * 2, {200, 400}),
        ("a length twice, another", [f"Content-Length: {size}", "Content-Length: 5"], {400}),
        ("a list of lengths", [f"Content-Length: {size}, {size}"], {200, 400}),
        ("a negative length", ["Content-Length: -1"], {400}),
        ("a length with a plus", [f"Content-Length: +{size}"], {400}),
        ("a hexadecimal length", [f"Content-Length: {size:#x}"], {400}),
        ("a length with a point", [f"Content-Length: {size}.0"], {400}),
        ("a length of words", ["Content-Length: many"], {400}),
        ("an empty length", ["Content-Length:"], {400}),
        ("a length with zeros", [f"Content-Length: {size:020}"], {200, 400}),
        ("a length with an underscore", ["Content-Length: 1_0"], {400}),
        ("a length beyond ASCII", ["Content-Length: \xb2"], {400}),
        ("a length of 2^63", [f"Content-Length: {2**63}"], {400, 413}),
        ("a length of 2^64 and the body's", [f"Content-Length: {2**64 + size}"], {400, 413}),
        ("a length of 5,000 digits", ["Content-Length: " + "9" * 5000], {400, 413}),
        ("a length of 1 GB", [f"Content-Length: {10**9}"], {413}),
        ("a length over the limit by one", [f"Content-Length: {LIMIT_BYTES + 1}"], {413}),
        ("a length too short", [f"Content-Length: {size - 20}"], {400}),
        ("a length of nothing", ["Content-Length: 0"], {400}),
        ("chunks and a length", [f"Content-Length: {size}", "Transfer-Encoding: chunked"], {400}),
        ("a length and an unknown encoding", [f"Content-Length: {size}", "Transfer-Encoding: x"], {400}),
        ("chunks twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], {400}),
        ("chunks, then identity", ["Transfer-Encoding: chunked, identity"], {400, 501}),
        ("chunks with a space", ["Transfer-Encoding : chunked"], {400}),
        ("chunks with a tab", ["Transfer-Encoding:\tchunked"], {400}),
        ("chunks with a vertical tab", ["Transfer-Encoding: \x0bchunked"], {400}),
        ("chunks quoted", ['Transfer-Encoding: "chunked"'], {400, 501}),
        ("gzip, then chunks", ["Transfer-Encoding: gzip, chunked"], {501}),
    ):
        yield Case(f"framing: {name}", head("POST", "/v1/predict", "Content-Type: image/png", *lines) + body, statuses)
    yield Case("framing: a length too long", post(body)[:-20])
    smuggled = (
        head("POST", "/v1/predict", "Content-Length: 6", "Transfer-Encoding: chunked") + b"0\r\n\r\nGET /x HTTP/1.1\r\n"
    )
    yield Case("framing: a request smuggled past a length", smuggled, {400})
    hidden = (
        head("POST", "/v1/predict", "Content-Length: 4", "Transfer-Encoding: xchunked") + b"5c\r\nGPOST / HTTP/1.1\r\n"
    )
    yield Case("framing: a request smuggled past chunks", hidden, {400})
    yield Case("framing: chunks in version 1.0", chunked(chunk(body)).replace(b"HTTP/1.1", b"HTTP/1.0"), {200, 400})
    expecting = post(body, "image/png", "/v1/predict", "Expect: 100-continue")
    yield Case("framing: expects to be told to go on, and does not wait", expecting, {200})
    yield Case(
        "framing: expects something else", post(body, "image/png", "/v1/predict", "Expect: a miracle"), {200, 400, 417}
    )
    yield Case("framing: expects to be told to go on, and sends nothing", expecting[: -len(body)])
    announced = head("POST", "/v1/predict", f"Content-Length: {10**9}", "Expect: 100-continue")
    yield Case("framing: expects to be told to go on with 1 GB", announced, {413, 417})
    over = post(bytes(LIMIT_BYTES + 1))
    yield Case("framing: one byte over the limit", over, {413})
    yield Case("framing: the limit to the byte", post(bytes(LIMIT_BYTES)), {415})


def _chunks() -> Iterator[Case]:
    body = SNEAKER
    whole = chunk(body)
    for name, data, statuses in (
        ("of one byte each", chunked(*[chunk(body[n : n + 1]) for n in range(len(body))]), {200}),
        ("in capitals", chunked(b"%X\r\n%b\r\n" % (len(body), body)), {200}),
        ("with zeros before the size", chunked(b"000000%x\r\n%b\r\n" % (len(body), body)), {200, 400}),
        ("with an extension", chunked(b"%x;a=b\r\n%b\r\n" % (len(body), body)), {200, 400}),
        ("with a quoted extension", chunked(b'%x;a="b\\"\r\n"\r\n%b\r\n' % (len(body), body)), {200, 400}),
        ("with an extension of 100,000 bytes", chunked(b"%x;%b\r\n%b\r\n" % (len(body), b"a" * 10**5, body)), None),
        ("with an extension of a line feed", chunked(b"%x;\nX\r\n%b\r\n" % (len(body), body)), {200, 400}),
        ("of 2^32 bytes", chunked(b"100000000\r\n", end=b""), None),
        ("of 2^64 and a few", chunked(b"1%016x\r\n%b\r\n" % (len(body), body)), {400, 413}),
        ("of a size of 1,000 digits", chunked(b"f" * 1000 + b"\r\n"), {400, 413}),
        ("of a negative size", chunked(b"-5\r\nhello\r\n"), {400}),
        ("of a size with 0x", chunked(b"0x5\r\nhello\r\n"), {400}),
        ("of a size with a space", chunked(b"5 \r\nhello\r\n"), {400, 415}),
        ("of no size", chunked(b"\r\nhello\r\n"), {400}),
        ("of a size too short", chunked(b"3\r\nhello\r\n"), {400}),
        ("of a size too long", chunked(b"9\r\nhello\r\n"), None),
        ("with bare line feeds", chunked(whole).replace(b"\r\n", b"\n"), {200, 400}),
        ("without their end", chunked(whole, end=b""), None),
        ("with bytes for an end", chunked(whole, end=b"0\r\nxx"), None),
        ("with a trailer", chunked(whole, lines=("Trailer: X",), end=b"0\r\nX: y\r\n\r\n"), {200, 400}),
        ("with a length for a trailer", chunked(whole, end=b"0\r\nContent-Length: 9\r\n\r\n"), {200, 400}),
        ("with a trailer of nonsense", chunked(whole, end=b"0\r\n\0\xff\r\n\r\n"), {200, 400}),
        ("with 10,000 trailers", chunked(whole, end=b"0\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"), {200, 400, 431}),
        ("of nothing", chunked(), {400}),
        ("of 200,000 single bytes", chunked(b"1\r\nx\r\n" * 200_000), {415}),
        ("over the limit", chunked(chunk(bytes(1 << 20)) * 11), {413}),
    ):
        yield Case(f"chunks: {name}", data, statuses)


def _upgrades() -> Iterator[Case]:
    key = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
    socket = ("Upgrade: websocket", "Connection: Upgrade", *key)
    for route in ("/", "/v1/predict", "/nope", "/livez"):
        yield Case(f"upgrade: websocket of {route}", head("GET", route, *socket))
    yield Case("upgrade: websocket with frames", head("GET", "/", *socket) + b"\x81\xfe\xff\xff" + bytes(999))
    yield Case(
        "upgrade: websocket without a key", head("GET", "/v1/models", "Upgrade: websocket", "Connection: Upgrade")
    )
    yield Case("upgrade: websocket by POST", post(SNEAKER, "image/png", "/v1/predict", *socket))
    cleartext = ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
    yield Case("upgrade: HTTP/2 in clear", head("GET", "/v1/models", *cleartext))
    yield Case("upgrade: TLS", head("OPTIONS", "*", "Upgrade: TLS/1.0", "Connection: Upgrade"))
    yield Case("upgrade: of nonsense", head("GET", "/v1/models", "Upgrade: \xff,,", "Connection: upgrade"))
    yield Case("upgrade: without a connection", head("GET", "/v1/models", "Upgrade: h2c"), {200})


def _pipelines() -> Iterator[Case]:
    good, probe = post(SNEAKER), head("GET", "/livez")
    yield Case("pipeline: 5 good", good * 5, {200})
    yield Case("pipeline: 50 probes", probe * 50, {200})
    yield Case("pipeline: 200 of all kinds", (good + probe + head("GET", "/nope") + post(b"x")) * 50, {200})
    yield Case("pipeline: good after bad", post(b"x") + good, {415})
    yield Case(
        "pipeline: good after one over the limit", head("POST", "/v1/predict", f"Content-Length: {10**9}") + good, {413}
    )
    yield Case("pipeline: nonsense after good", good + b"\0\xff\0" * 9, {200, 400})
    yield Case("pipeline: line ends between", good + b"\r\n\r\n\r\n" + good, {200})
    yield Case("pipeline: after the last", head("GET", "/livez", "Connection: close") + probe, {200, 400})
    yield Case("pipeline: half a request after good", good + good[:-30], {200})
    yield Case("pipeline: heads alone", head("HEAD", "/livez") * 20)


def _queries() -> Iterator[Case]:
    for query, statuses in (
        ("top_k=3", {200}),
        ("top_k=3&timing=1", {200}),
        ("top_k=0", {400}),
        ("top_k=-1", {400}),
        ("top_k=11", {400}),
        ("top_k=", {400}),
        ("top_k", {400, 200}),
        ("top_k=3&top_k=x", {400}),
        ("top_k=1e1", {400}),
        ("top_k=%d9%a3", {400}),
        ("top_k=" + "9" * 5000, {400}),
        ("top_k=%00", {400}),
        ("top_k[]=1", {400}),
        ("timing=2", {400}),
        ("timing=true", {400}),
        ("x=1", {400}),
        ("%ff=%fe", {400}),
        ("\xff=\xfe", {400}),
        ("&&&===", {200, 400}),
        ("&".join(f"a{n}=1" for n in range(3000)), {400, 431}),
        ("&".join(["top_k=1"] * 2000), {200, 400}),
        ("top_k=1;timing=1", {400}),
        ("?top_k=1", {400}),
        ("x=%0d%0aSet-Cookie:%20a", {400}),
    ):
        yield Case(
            f"query: {query[:30]!r} of {len(query)} bytes", post(SNEAKER, target=f"/v1/predict?{query}"), statuses
        )
    yield Case("query: of a route that takes none", head("GET", "/v1/models?x=1"))
    yield Case("query: of a probe", head("GET", "/readyz?x=%ff"))
    yield Case("query: of BentoML's route", post(instances({"image": BASE64}), JSON, "/predict?x=%ff&instances=1"))


def _accepts() -> Iterator[Case]:
    for accept in (
        "application/octet-stream",
        "text/html",
        "*/*;q=0",
        "",
        ",;,;",
        "\xff\xfe",
        "a/b;q=" * 2000,
        "image/png",
    ):
        line = f"Accept: {accept}"
        yield Case(f"accept: {accept[:30]!r}", post(SNEAKER, "image/png", "/v1/embed", line), {200, 400, 406})
    several = form(part("image", SNEAKER), part("image", b"x"))
    yield Case(
        "accept: raw, one bad of two", post(several, FORM, "/v1/embed", "Accept: application/octet-stream"), {200}
    )
    for kind in (
        "",
        "image/",
        "image/png; charset=\xff",
        "IMAGE/PNG",
        "image/" + "x" * 5000,
        "application/octet-stream;",
    ):
        yield Case(f"type: {kind[:30]!r}", post(SNEAKER, kind), {200, 415} if kind else {415})
    for kind in ("text/plain", "\xff/\xfe", ";;;", "multipart/", "multipart/mixed; boundary=x", "application/jsonx"):
        yield Case(f"type: {kind[:30]!r}", post(SNEAKER, kind), {400, 415})
    twice = post(SNEAKER, "image/png", "/v1/predict", "Content-Type: application/json")
    yield Case("type: two", twice, {200, 400})
    for kind in ("", "text/plain", "multipart/form-data; boundary=x", "\xff", "application/json; charset=\xff"):
        yield Case(f"type of BentoML's route: {kind!r}", post(instances({"image": BASE64}), kind, "/predict"))


def _bodies() -> Iterator[Case]:
    for name, kind, body, statuses in bodies():
        yield Case(f"body: {name}", post(body, kind), statuses)
        if kind == JSON:
            yield Case(f"body for BentoML's route: {name}", post(body, kind, "/predict"), statuses)
        elif len(body) < 1000:
            yield Case(
                f"body to embed: {name}", post(body, kind, "/v1/embed"), statuses | {200}
            )  # columns are not read


def _pictures() -> Iterator[Case]:
    for name, data, statuses in pictures():
        yield Case(f"image: {name}", post(data, "image/jpeg"), statuses)
