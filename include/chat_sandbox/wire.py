"""Answering on a socket, well or badly. The one module that knows uvicorn's connections."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

TRANSPORT = "chat_sandbox.transport"
JSON_TYPE = b"application/json"
HTML_TYPE = b"text/html"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class TransportProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's HTTP protocol, which also hands its transport to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Put the transport into the scope of every request of this connection."""
        super().connection_made(transport)
        app: Application = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = transport
            await app(scope, receive, send)

        self.app: Application = with_transport


class Wire:
    """One request's way back to its client."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._transport: asyncio.Transport = scope[TRANSPORT]
        self._receive = receive
        self._send = send

    async def read(self, max_bytes: int) -> bytes | None:
        """Return the request's body, or None if it is larger than ``max_bytes``."""
        body = b""
        while True:
            message = await self._receive()
            part: bytes = message.get("body", b"")
            body += part
            if len(body) > max_bytes:
                return None
            if not message.get("more_body"):
                return body

    async def reply(self, status: int, body: bytes, content_type: bytes = JSON_TYPE) -> None:
        """Send a whole response; the connection stays open."""
        await self._start(status, len(body), content_type)
        await self._send({"type": "http.response.body", "body": body})

    async def drip(self, body: bytes, seconds: float) -> None:
        """Announce a body and send it byte by byte, with pauses, until the client is gone."""
        await self._start(200, len(body), JSON_TYPE)
        for place in range(len(body)):
            if self._transport.is_closing():
                return
            more = place + 1 < len(body)
            byte = body[place : place + 1]
            await self._send({"type": "http.response.body", "body": byte, "more_body": more})
            await asyncio.sleep(seconds)

    async def truncate(self, body: bytes) -> None:
        """Announce a body, send half of it, end the connection."""
        await self._start(200, len(body), JSON_TYPE)
        half = body[: len(body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        await self.close()

    async def close(self) -> None:
        """End the connection in order (FIN), after what was sent already."""
        self._transport.close()
        await self._until_closed()

    async def drop(self) -> None:
        """Cut the connection (RST): the client gets no byte more."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()
        await self._until_closed()

    async def _start(self, status: int, length: int, content_type: bytes) -> None:
        headers = [(b"content-type", content_type), (b"content-length", b"%d" % length)]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _until_closed(self) -> None:
        # uvicorn reports an application that returns unanswered, unless the client is gone.
        while (await self._receive())["type"] != "http.disconnect":
            pass
