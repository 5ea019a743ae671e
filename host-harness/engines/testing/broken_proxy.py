"""A proxy that breaks connections, and counts and records what passes."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

Answer = Callable[[int], bytes | int | None]


class BrokenProxy:
    """Forwards connections to a server.

    `answer` is asked for each connection, counted from 0. It returns bytes to answer with instead
    of the server, a number of bytes of the server's response after which the connection is reset,
    or `None` to forward everything.
    """

    def __init__(self, url: str, answer: Answer = lambda _: None) -> None:
        parts = urlsplit(url)
        self._upstream = (parts.hostname or "", parts.port or 0)
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self.streams: list[bytearray] = []

    @property
    def traffic(self) -> bytes:
        """All that has passed, one direction of a connection after the other."""
        return b"\0".join(self.streams)

    def __enter__(self) -> "BrokenProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                answer = self._answer(self.connections)
                self.connections += 1
                serve = threading.Thread(target=self._serve, args=(accepted, answer), daemon=True)
                serve.start()

    def _serve(self, client: socket.socket, answer: bytes | int | None) -> None:
        with client, suppress(OSError):
            if isinstance(answer, bytes):
                client.recv(1 << 20)
                client.sendall(answer)
                return
            with socket.create_connection(self._upstream) as server:
                threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                self._forward(server, client, answer)

    def _forward(
        self, source: socket.socket, sink: socket.socket, limit: int | None = None
    ) -> None:
        stream = bytearray()
        self.streams.append(stream)
        with suppress(OSError):
            while part := source.recv(1 << 16):
                stream += part
                if limit is not None and len(part) >= limit:
                    sink.sendall(part[:limit])
                    # A reset, not an orderly end.
                    sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    # Another thread reads it, so closing alone would do nothing.
                    sink.shutdown(socket.SHUT_RDWR)
                    sink.close()
                    return
                if limit is not None:
                    limit -= len(part)
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)
