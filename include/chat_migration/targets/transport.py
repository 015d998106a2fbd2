"""The only sockets: one request, one reply or one reason why there is none.

``requests`` puts the URL, and with it the signature, into its exceptions; none of them leaves this module.

A call has one deadline for everything: connecting, sending, and every byte of the reply. The timeouts of the HTTP
library begin anew with each byte that arrives, so a reply that drips would outlive them; the connections here read
against the deadline. Nothing is ever sent after it. Resolving a host name is the one thing that cannot be cut short;
a name that is resolved too late is not connected to.
"""

from __future__ import annotations

import http.client
import io
import logging
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import requests
import urllib3.connection
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import Timeout

from chat_migration.redaction import redact

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _Redacting(logging.Filter):
    """Cuts secrets from what the HTTP library logs at its finest level: it writes whole URLs there."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_Redacting())

MAX_REPLY_BYTES = 8 * 1024 * 1024
"""Largest reply that is read, bytes; the vendors answer with 1 MB at most."""
CONNECT_SECONDS = 5.0
"""How long one address may take to accept a connection."""
TOO_MANY_REQUESTS = 429
"""The HTTP status of a gateway that asks for fewer calls."""


class Reply(msgspec.Struct, frozen=True):
    """An HTTP reply: status and body."""

    status: int
    body: bytes


class NoReply(msgspec.Struct, frozen=True):
    """No usable reply. ``sent`` tells whether the request may have reached the server."""

    reason: str
    sent: bool


class Transport(Protocol):
    """Makes one request to one URL."""

    def post(self, url: str, body: bytes, timeout_seconds: float) -> Reply | NoReply:
        """Post JSON and return what came back, within ``timeout_seconds`` altogether."""

    def get(self, url: str, timeout_seconds: float) -> Reply | NoReply:
        """Ask with everything in the URL; return what came back, likewise."""

    def close(self) -> None:
        """Close the connections."""


class HttpTransport:
    """One pool of kept-alive connections, shared by all threads of a worker."""

    def __init__(self, *, base_url: str, connections: int) -> None:
        # The environment is asked once here, not for every single call.
        self._proxies = requests.utils.get_environ_proxies(base_url)
        self._verify: bool | str = True
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        # Made once and copied: a request of ours differs in URL and body alone, and to prepare one takes longer
        # than to send it.
        headers = {**requests.utils.default_headers(), "Content-Type": "application/json"}
        self._request = requests.Request("POST", base_url, headers=headers).prepare()

    def post(self, url: str, body: bytes, timeout_seconds: float) -> Reply | NoReply:
        """Post JSON; redirects are not followed, nothing is retried."""
        return self._exchange(self._prepared(url, body), timeout_seconds)

    def get(self, url: str, timeout_seconds: float) -> Reply | NoReply:
        """Ask by GET; redirects are not followed, nothing is retried."""
        request = self._prepared(url, None)
        request.method = "GET"
        return self._exchange(request, timeout_seconds)

    def _exchange(
        self, request: requests.PreparedRequest, timeout_seconds: float
    ) -> Reply | NoReply:
        _this_call.ends_at = time.monotonic() + timeout_seconds
        connect_seconds = min(CONNECT_SECONDS, timeout_seconds)
        try:
            with self._adapter.send(
                request,
                timeout=Timeout(connect=connect_seconds, read=timeout_seconds),  # type: ignore[arg-type]
                proxies=self._proxies,
                verify=self._verify,
                stream=True,
            ) as response:
                content = response.raw.read(MAX_REPLY_BYTES + 1, decode_content=True)
                declared = response.headers.get("Content-Length")
                if declared and declared.isdigit() and response.raw.tell() < int(declared):
                    return NoReply("the reply was cut short", sent=True)
                return Reply(response.status_code, content)
        except requests.exceptions.ConnectTimeout:
            return NoReply(f"no connection within {connect_seconds:g} s", sent=False)
        except requests.exceptions.ConnectionError as error:
            return _no_connection(error)
        except (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError):
            return NoReply(f"no whole answer within {timeout_seconds:g} s", sent=True)
        except Exception as error:
            return NoReply(f"the reply could not be read ({type(error).__name__})", sent=True)

    def _prepared(self, url: str, body: bytes | None) -> requests.PreparedRequest:
        request = self._request.copy()
        request.url, request.body = url, body
        request.headers["Content-Length"] = str(len(body or b""))
        return request

    def close(self) -> None:
        """Close the pooled connections."""
        self._adapter.close()


def _no_connection(error: requests.exceptions.ConnectionError) -> NoReply:
    """Tell a connection that was never made from one that broke after the request may have been sent."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(cause, urllib3.exceptions.NameResolutionError):
        return NoReply("the host name cannot be resolved", sent=False)
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return NoReply("the connection was refused", sent=False)
    if isinstance(error, requests.exceptions.SSLError):
        # Only a certificate that is refused is certain to be of the handshake, before anything was sent.
        refused = "CERTIFICATE_VERIFY_FAILED" in str(error)
        return NoReply("the TLS connection failed", sent=not refused)
    return NoReply("the connection broke", sent=True)


# --- one deadline for all of a call -------------------------------------------------------------


class _ThisCall(threading.local):
    """When the call that this thread makes must have ended, by the monotonic clock."""

    ends_at: float = 0.0

    def seconds_left(self) -> float:
        """Return what is left of it.

        Raises:
            TimeoutError: nothing.
        """
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the call's time is over")
        return left


_this_call = _ThisCall()


class _TimedReader(io.RawIOBase):
    """Reads a socket until the call must have ended, however the bytes come."""

    def __init__(self, connection: socket.socket, reader: io.RawIOBase) -> None:
        self._connection, self._reader = connection, reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._connection.settimeout(_this_call.seconds_left())
        return self._reader.readinto(buffer)

    def close(self) -> None:
        self._reader.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(sock, self.fp.detach()))


class _TimedConnection(urllib3.connection.HTTPConnection):
    """Connects, sends and reads within the time of the call."""

    response_class = _TimedResponse

    def connect(self) -> None:
        super().connect()
        _refuse_late(self)

    def send(self, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(_this_call.seconds_left())
        super().send(data)


class _TimedTlsConnection(_TimedConnection, urllib3.connection.HTTPSConnection):
    """The same over TLS."""


def _refuse_late(connection: urllib3.connection.HTTPConnection) -> None:
    """Give a connection up that came too late for anything to be sent over it."""
    try:
        _this_call.seconds_left()
    except TimeoutError as error:
        connection.close()
        raise urllib3.exceptions.ConnectTimeoutError(connection, "connected too late") from error


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TimedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTlsConnection


_POOLS = {"http": _TimedPool, "https": _TimedTlsPool}


class _Adapter(HTTPAdapter):
    """Uses the timed connections, straight to the host and through a proxy."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
