"""A TCP proxy between a client and a server that loses what a test wants lost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Link:
    """One connection through a proxy; each side can be cut without the other's noticing."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        self.notes: set[str] = set()

    def to_server(self, data: bytes) -> None:
        """Pass bytes on."""
        self._server.sendall(data)

    def to_client(self, data: bytes) -> None:
        """Pass an answer on."""
        self._client.sendall(data)

    def cut_client(self) -> None:
        """Let the client lose the connection; the server still waits for it."""
        _close(self._client)

    def cut(self) -> None:
        """Let both sides lose the connection."""
        _close(self._client)
        _close(self._server)

    def pump_requests(self, handle: Callable[[Link, bytes], None]) -> None:
        """Hand over what the client sends, until it is gone."""
        with suppress(OSError):
            while data := self._client.recv(65536):
                handle(self, data)
        if "held" not in self.notes:
            _close(self._server)

    def pump_answers(self, handle: Callable[[Link, bytes], None]) -> None:
        """Hand over what the server sends, until it is gone."""
        with suppress(OSError):
            while data := self._server.recv(65536):
                handle(self, data)
        _close(self._client)


class Proxy:
    """Listens on a port of its own. The handlers may be changed at any time."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.on_request: Callable[[Link, bytes], None] = Link.to_server
        self.on_answer: Callable[[Link, bytes], None] = Link.to_client
        self._links: list[Link] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._start(self._accept)

    def _start(self, task: Callable[[], None]) -> None:
        thread = threading.Thread(target=task, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                link = Link(client, server)
                self._links.append(link)
                self._start(lambda link=link: link.pump_requests(self._request))  # type: ignore[misc]
                self._start(lambda link=link: link.pump_answers(self._answer))  # type: ignore[misc]

    def _request(self, link: Link, data: bytes) -> None:
        self.on_request(link, data)

    def _answer(self, link: Link, data: bytes) -> None:
        self.on_answer(link, data)

    def refuse(self) -> None:
        """Be gone: nobody can connect any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        """Cut everything."""
        self.refuse()
        for link in self._links:
            link.cut()
        for thread in self._threads:
            thread.join(10)


@contextmanager
def proxy(host: str, port: int) -> Iterator[Proxy]:
    """Stand between clients and a server."""
    between = Proxy(host, port)
    try:
        yield between
    finally:
        between.close()


def _close(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
