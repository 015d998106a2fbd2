"""The only sockets: one request, one reply or one reason why there is none.

``requests`` puts the URL, and with it the signature, into its exceptions; none of them leaves this module.
"""

from __future__ import annotations

import logging
from typing import Protocol

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util import Timeout

from chat_migration.redaction import redact


class _Redacting(logging.Filter):
    """Cuts secrets from what the HTTP library logs at its finest level: it writes whole URLs there."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_Redacting())

MAX_REPLY_BYTES = 8 * 1024 * 1024
"""Largest reply that is read, bytes; the vendors answer with 1 MB at most."""


class Reply(msgspec.Struct, frozen=True):
    """An HTTP reply: status and body."""

    status: int
    body: bytes


class NoReply(msgspec.Struct, frozen=True):
    """No usable reply. ``sent`` tells whether the request may have reached the server."""

    reason: str
    sent: bool


class Transport(Protocol):
    """Posts one body to one URL."""

    def post(self, url: str, body: bytes, timeout_seconds: float) -> Reply | NoReply:
        """Post JSON and return what came back."""

    def close(self) -> None:
        """Close the connections."""


class HttpTransport:
    """One pooled session with kept-alive connections, shared by all threads of a worker."""

    def __init__(self, *, base_url: str, connections: int) -> None:
        self._session = requests.Session()
        # Asked once here: with trust_env the library asks the environment anew for every single call.
        self._session.trust_env = False
        self._session.proxies.update(requests.utils.get_environ_proxies(base_url))
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)
        self._session.headers["Content-Type"] = "application/json"

    def post(self, url: str, body: bytes, timeout_seconds: float) -> Reply | NoReply:
        """Post JSON; redirects are not followed, nothing is retried."""
        try:
            with self._session.post(
                url,
                data=body,
                timeout=Timeout(connect=5.0, read=timeout_seconds),  # type: ignore[arg-type]
                allow_redirects=False,
                stream=True,
            ) as response:
                content = response.raw.read(MAX_REPLY_BYTES + 1, decode_content=True)
                declared = response.headers.get("Content-Length")
                if declared and declared.isdigit() and response.raw.tell() < int(declared):
                    return NoReply("the reply was cut short", sent=True)
                return Reply(response.status_code, content)
        except requests.exceptions.ConnectTimeout:
            return NoReply("no connection within 5 s", sent=False)
        except requests.exceptions.ConnectionError as error:
            return _no_connection(error)
        except requests.exceptions.Timeout:
            return NoReply(f"no answer within {timeout_seconds:g} s", sent=True)
        except (requests.exceptions.RequestException, OSError) as error:
            return NoReply(f"the reply could not be read ({type(error).__name__})", sent=True)
        except Exception as error:
            return NoReply(f"the reply could not be read ({type(error).__name__})", sent=True)

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()


def _no_connection(error: requests.exceptions.ConnectionError) -> NoReply:
    """Tell a connection that was never made from one that broke after the request may have been sent."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(cause, NameResolutionError):
        return NoReply("the host name cannot be resolved", sent=False)
    if isinstance(cause, NewConnectionError):
        return NoReply("the connection was refused", sent=False)
    if isinstance(error, requests.exceptions.SSLError):
        # Only a certificate that is refused is certain to be of the handshake, before anything was sent.
        refused = "CERTIFICATE_VERIFY_FAILED" in str(error)
        return NoReply("the TLS connection failed", sent=not refused)
    return NoReply("the connection broke", sent=True)
