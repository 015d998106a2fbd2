"""The HTTP server: uvicorn with one ASGI application, in any thread.

uvicorn, not a framework: a call must cost little, and faults must reach the socket (see ``wire``).
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec
import uvicorn

from chat_sandbox.admin import PREFIX, Admin
from chat_sandbox.config import MAX_REQUEST_BYTES, SandboxConfig
from chat_sandbox.sandbox import Sandbox
from chat_sandbox.vendor import Request
from chat_sandbox.wire import HTML_TYPE, Receive, Scope, Send, TransportProtocol, Wire

log = logging.getLogger(__name__)

BACKLOG = 512
TOO_LARGE = b"<html><body>413 Request Entity Too Large</body></html>"
UNKNOWN_PATH = b'{"error": "no such path"}'
BROKEN = b'{"error": "the sandbox itself failed; its log says why"}'


class Application:
    """The ASGI application of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._admin = Admin(sandbox)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; an error of the sandbox itself is logged and answers 500."""
        wire = Wire(scope, receive, send)
        try:
            await self._answer(scope, wire)
        except Exception:
            log.exception("The sandbox failed: path=%s", scope["path"])
            await wire.reply(500, BROKEN)

    async def _answer(self, scope: Scope, wire: Wire) -> None:
        body = await wire.read(MAX_REQUEST_BYTES)
        if body is None:
            await wire.reply(413, TOO_LARGE, HTML_TYPE)
            await wire.close()
            return
        path: str = scope["path"]
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if path.startswith(PREFIX):
            await self._administer(scope, wire, query, body)
            return
        vendor = self._sandbox.vendor_of(path)
        if vendor is None:
            await wire.reply(404, UNKNOWN_PATH)
            return
        request = Request(method=scope["method"], path=path, query=query, body=body)
        await self._sandbox.exchange.carry(vendor, request, wire)

    async def _administer(
        self, scope: Scope, wire: Wire, query: dict[str, str], body: bytes
    ) -> None:
        if not self._admin.permits(scope["client"][0], scope["headers"]):
            answer = {"error": "the admin routes answer loopback only, or whoever has the token"}
            await wire.reply(403, msgspec.json.encode(answer))
            return
        status, json = self._admin.answer(scope["method"], scope["path"], query, body)
        await wire.reply(status, msgspec.json.encode(json))


class SandboxServer(uvicorn.Server):
    """A uvicorn server on a socket that is bound before it starts."""

    def __init__(self, config: SandboxConfig, on_ready: Callable[[str], None]) -> None:
        self._sandbox = Sandbox(config)
        try:
            self._socket = _bound(config.host, config.port)
        except OSError:
            self._sandbox.close()
            raise
        self._on_ready = on_ready
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        super().__init__(
            uvicorn.Config(
                Application(self._sandbox),
                http=TransportProtocol,
                loop="auto",
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                date_header=False,
                server_header=False,
                timeout_keep_alive=300,
                timeout_graceful_shutdown=1,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then tell that the sandbox is ready."""
        await super().startup(sockets)
        self._on_ready(self.url)

    def serve_until_stopped(self) -> None:
        """Run in this thread until a signal or ``stop``; leaves the state on disk in order."""
        try:
            self.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self._sandbox.close()

    def stop(self) -> None:
        """End the server soon. May be called from any thread."""
        self.should_exit = True


class BackgroundServer:
    """A sandbox in a thread of this process."""

    def __init__(self, config: SandboxConfig) -> None:
        self._ready = threading.Event()
        self._server = SandboxServer(config, on_ready=lambda _url: self._ready.set())
        self._thread = threading.Thread(target=self._serve, name="chat-sandbox", daemon=True)
        self._thread.start()
        self._ready.wait()
        self.url = self._server.url

    def stop(self) -> None:
        """End the server and wait for its thread."""
        self._server.stop()
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._server.serve_until_stopped()
        finally:
            self._ready.set()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, for asyncio switches Nagle's delays off only where the protocol is known to be TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    bound.listen(BACKLOG)
    return bound
