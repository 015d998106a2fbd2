"""One request, one reply or one reason, over real sockets; no reason tells the URL."""

from __future__ import annotations

import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chat_migration.targets.transport import MAX_REPLY_BYTES, HttpTransport, NoReply, Reply

SECRET = "eJ-the-signature"
OK = b'{"ErrorCode":0}'
Serve = Callable[[socket.socket, int], None]


def http(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def request(connection: socket.socket) -> bytes:
    """Return one whole request, or b"" when the client is gone."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65536)
        if not more:
            return b""
        got += more
    head, body = got.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


class Server(socketserver.ThreadingTCPServer):
    """Counts connections and keeps requests; ``serve`` does the talking with (socket, number)."""

    daemon_threads = True

    def __init__(self, serve: Serve) -> None:
        self.serve, self.connections, self.requests = serve, 0, []
        super().__init__(("127.0.0.1", 0), Talk)


class Talk(socketserver.BaseRequestHandler):
    """One connection."""

    server: Server

    def handle(self) -> None:
        """Serve requests until somebody closes."""
        self.server.connections += 1
        while got := request(self.request):
            self.server.requests.append(got)
            self.server.serve(self.request, len(self.server.requests))


def answering(*answers: bytes) -> Serve:
    """Return what gives these answers, the last one again and again."""
    return lambda connection, number: connection.sendall(answers[min(number, len(answers)) - 1])


def resetting(connection: socket.socket, _number: int) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hanging_up(answer: bytes) -> Serve:
    def serve(connection: socket.socket, _number: int) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    return serve


def silent(_connection: socket.socket, _number: int) -> None:
    """Say nothing and go on listening."""


@contextmanager
def serving(serve: Serve) -> Iterator[tuple[Server, Callable[..., Reply | NoReply]]]:
    """Give a server that runs, and what posts to it."""
    with Server(serve) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        transport = HttpTransport(base_url=base, connections=4)

        def post(body: bytes = b"{}", timeout_seconds: float = 5) -> Reply | NoReply:
            return transport.post(f"{base}/v4/x?usersig={SECRET}", body, timeout_seconds)

        try:
            yield server, post
        finally:
            transport.close()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(http(OK), Reply(200, OK), id="json"),
        pytest.param(http(b""), Reply(200, b""), id="empty"),
        pytest.param(
            http(b"<html>", status="502 Bad Gateway"), Reply(502, b"<html>"), id="gateway"
        ),
        pytest.param(
            http(b"", status="302 Found", headers="Location: /v4/y\r\n"), Reply(302, b""), id="redirect"
        ),
        pytest.param(http(b"slow", status="429 Slow"), Reply(429, b"slow"), id="throttled"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n" + OK + b"\r\n0\r\n\r\n",
            Reply(200, OK), id="chunked",
        ),
    ],
)  # fmt: skip
def test_a_reply_comes_back_whatever_its_status(answer: bytes, expected: Reply) -> None:
    with serving(answering(answer)) as (server, post):
        assert post() == expected
        assert len(server.requests) == 1


def test_the_body_arrives_as_it_was_given() -> None:
    with serving(answering(http(OK))) as (server, post):
        post('{"Text":"é"}'.encode())
    head, body = server.requests[0].split(b"\r\n\r\n")
    assert head.startswith(b"POST /v4/x?usersig=")
    assert b"\r\nContent-Type: application/json" in head
    assert body == '{"Text":"é"}'.encode()


NO_REPLIES = [
    pytest.param(resetting, "the connection broke", id="reset-before-the-reply"),
    pytest.param(hanging_up(b""), "the connection broke", id="closed-before-the-reply"),
    pytest.param(hanging_up(b"HTTP/1.1 20"), "", id="closed-within-the-head"),
    pytest.param(hanging_up(b"SSH-2.0-nothing\r\n"), "the connection broke", id="no-http"),
    pytest.param(
        hanging_up(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"ErrorCode":0}'), "", id="truncated"
    ),
    pytest.param(
        hanging_up(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + OK), "",
        id="truncated-chunk",
    ),
    pytest.param(
        hanging_up(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"), "",
        id="no-gzip",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("serve", "reason"), NO_REPLIES)
def test_a_request_without_a_whole_reply_may_have_been_applied(serve: Serve, reason: str) -> None:
    with serving(serve) as (server, post):
        answer = post()
        assert isinstance(answer, NoReply)
        assert answer.sent
        assert answer.reason == reason or (not reason and answer.reason)
        assert SECRET not in repr(answer)
        assert "127.0.0.1" not in repr(answer)
        assert len(server.requests) == 1, "nothing is sent twice"


def test_an_answer_that_does_not_come_in_time_may_have_been_applied() -> None:
    with serving(silent) as (_, post):
        assert post(timeout_seconds=0.05) == NoReply("no whole answer within 0.05 s", sent=True)


def test_a_body_that_stops_halfway_is_given_up_in_time() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"
    with serving(answering(half)) as (_, post):
        answer = post(timeout_seconds=0.05)
        assert isinstance(answer, NoReply)
        assert answer.sent


def dripping(answer: bytes) -> Serve:
    """Return what sends an answer byte by byte, each soon enough for a timeout that begins anew."""

    def serve(connection: socket.socket, _number: int) -> None:
        with suppress(OSError):
            for place in range(len(answer)):
                connection.sendall(answer[place : place + 1])
                time.sleep(0.02)

    return serve


MARGIN = 0.5
"""Seconds that a busy machine may take beside the call itself."""
BODY = b'{"ErrorCode":0,"pad":"' + b"x" * 500 + b'"}'


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Pad: " + b"x" * 500 + b"\r\n", id="head"),
        pytest.param(http(BODY), id="body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 200,
            id="chunks",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + BODY, id="body-without-a-length"),
    ],
)
def test_a_reply_that_drips_does_not_outlive_the_call(answer: bytes) -> None:
    with serving(dripping(answer)) as (_, post):
        began = time.monotonic()
        assert post(timeout_seconds=0.3) == NoReply("no whole answer within 0.3 s", sent=True)
        assert 0.3 <= time.monotonic() - began < 0.3 + MARGIN


def test_a_reply_that_drips_but_is_whole_in_time_is_a_reply() -> None:
    with serving(dripping(http(b"{}"))) as (_, post):
        assert post(timeout_seconds=20) == Reply(200, b"{}")


def test_a_server_that_reads_nothing_does_not_outlive_the_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        base = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        transport = HttpTransport(base_url=base, connections=1)
        began = time.monotonic()
        answer = transport.post(f"{base}/x?usersig={SECRET}", b"x" * 50_000_000, 0.3)
        assert time.monotonic() - began < 0.3 + MARGIN
        transport.close()
    assert isinstance(answer, NoReply)
    assert answer.sent


def test_nothing_is_sent_over_a_connection_that_came_too_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Resolving a name cannot be cut short; what comes of it too late is not used."""
    resolve = socket.getaddrinfo

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.1)
        return resolve(*args, **kwargs)

    with serving(answering(http(OK))) as (server, post):
        monkeypatch.setattr(socket, "getaddrinfo", slowly)
        answer = post(timeout_seconds=0.05)
        assert answer == NoReply("no connection within 0.05 s", sent=False)
        monkeypatch.undo()
        assert post() == Reply(200, OK)
        assert len(server.requests) == 1


def test_a_call_has_its_own_time_however_long_the_connection_lives() -> None:
    with serving(answering(http(OK))) as (server, post):
        for _ in range(3):
            assert post(timeout_seconds=0.2) == Reply(200, OK)
            time.sleep(0.1)
        assert server.connections == 1


def test_a_refused_connection_was_never_sent() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{closed.getsockname()[1]}"
    transport = HttpTransport(base_url=base, connections=1)
    answer = transport.post(f"{base}/v4/x?usersig={SECRET}", b"{}", 5)
    transport.close()
    assert answer == NoReply("the connection was refused", sent=False)


def test_a_host_that_has_no_address_was_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    transport = HttpTransport(base_url="http://nowhere.invalid", connections=1)
    answer = transport.post(f"http://nowhere.invalid/x?usersig={SECRET}", b"{}", 5)
    transport.close()
    assert answer == NoReply("the host name cannot be resolved", sent=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tls") / "host.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def serving_tls(
    serve: Serve, certificate: Path, *, trusted: bool = True
) -> Iterator[Callable[..., Reply | NoReply]]:
    """Serve over TLS, and give what posts to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Server(serve) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        base = f"https://127.0.0.1:{server.server_address[1]}"
        transport = HttpTransport(base_url=base, connections=1)
        transport._verify = str(certificate) if trusted else True
        try:
            yield lambda timeout_seconds: transport.post(
                f"{base}/x?usersig={SECRET}", b"{}", timeout_seconds
            )
        finally:
            transport.close()
            server.shutdown()
            thread.join()


def test_over_tls_a_call_has_one_deadline_as_well(certificate: Path) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        (answering(http(OK)) if number < 3 else dripping(http(BODY)))(connection, number)

    with serving_tls(serve, certificate) as post:
        assert [post(20), post(20)] == [Reply(200, OK)] * 2
        began = time.monotonic()
        assert post(0.3) == NoReply("no whole answer within 0.3 s", sent=True)
        assert 0.3 <= time.monotonic() - began < 0.3 + MARGIN


def test_a_certificate_that_nobody_trusts_is_refused_before_anything_is_sent(
    certificate: Path,
) -> None:
    with serving_tls(answering(http(OK)), certificate, trusted=False) as post:
        assert post(20) == NoReply("the TLS connection failed", sent=False)


def test_a_broken_tls_connection_may_have_carried_the_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        thread = threading.Thread(target=_answer_plainly, args=(plain,))
        thread.start()
        base = f"https://127.0.0.1:{plain.getsockname()[1]}"
        transport = HttpTransport(base_url=base, connections=1)
        answer = transport.post(f"{base}/x?usersig={SECRET}", b"{}", 5)
        thread.join()
    transport.close()
    assert answer == NoReply("the TLS connection failed", sent=True)


def _answer_plainly(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_one_connection_serves_many_calls() -> None:
    with serving(answering(http(OK))) as (server, post):
        assert [post() for _ in range(20)] == [Reply(200, OK)] * 20
        assert server.connections == 1


def test_a_connection_that_broke_is_replaced_for_the_next_call() -> None:
    def serve(connection: socket.socket, number: int) -> None:
        (resetting if number == 1 else answering(http(OK)))(connection, number)

    with serving(serve) as (server, post):
        assert isinstance(post(), NoReply)
        assert post() == Reply(200, OK)
        assert server.connections == 2


def test_threads_share_the_pool() -> None:
    with serving(answering(http(OK))) as (server, post), ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: post(), range(80))) == [Reply(200, OK)] * 80
        assert server.connections <= 4


def test_a_reply_beyond_all_measure_is_not_read_to_its_end() -> None:
    with serving(answering(http(b"x" * (MAX_REPLY_BYTES + 100)))) as (_, post):
        answer = post(timeout_seconds=20)
        assert isinstance(answer, NoReply)
        assert answer.sent


def test_the_environment_is_asked_for_proxies_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    transport = HttpTransport(base_url="http://h.example", connections=1)
    monkeypatch.delenv("http_proxy")
    assert transport._proxies["http"] == "http://127.0.0.1:9"
    transport.close()


def every_kind(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(every_kind(below) for below in kind.__subclasses__()))


@pytest.mark.parametrize(
    "kind",
    [
        *sorted(every_kind(requests.RequestException), key=lambda kind: kind.__name__),
        OSError,
        ssl.SSLError,
        ValueError,
        RuntimeError,
    ],
    ids=lambda kind: kind.__name__,
)
def test_no_exception_of_the_http_library_gets_out(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def fail(*_: object, **__: object) -> None:
        text = f"https://h/v4?usersig={SECRET}"
        raise kind(text, "", 0) if issubclass(kind, requests.JSONDecodeError) else kind(text)

    transport = HttpTransport(base_url="https://h.example", connections=1)
    monkeypatch.setattr(transport._adapter, "send", fail)
    answer = transport.post(f"https://h.example/?usersig={SECRET}", b"{}", 5)
    transport.close()
    assert isinstance(answer, NoReply)
    assert SECRET not in repr(answer)
