"""How a client reaches the server: what both clients have in common."""

from __future__ import annotations

import os
import platform
import ssl
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass

import httpx

from ._protocol import Broken, Request, Response, Retry
from ._version import __version__

DEFAULT_URL = "http://127.0.0.1:7410"
USER_AGENT = f"workflow-node-python/{__version__} Python/{platform.python_version()}"


@dataclass(frozen=True)
class Connection:
    """A server, and how to reach it."""

    url: httpx.URL
    token: str
    verify: ssl.SSLContext | bool
    unix_socket: str | None
    retry: Retry
    timeout: httpx.Timeout

    def __repr__(self) -> str:
        """The server, without the token."""
        return f"Connection({str(self.url)!r})"

    @classmethod
    def of(
        cls,
        url: str | None,
        token: str | None,
        ca_file: str | os.PathLike[str] | None,
        unix_socket: str | os.PathLike[str] | None,
        retry: Retry | None,
        connect_timeout: float,
        idle_timeout: float,
    ) -> Connection:
        """A connection. Missing settings are read from the environment."""
        url = url or os.environ.get("WORKFLOW_NODE_URL") or DEFAULT_URL
        token = token or os.environ.get("WORKFLOW_NODE_TOKEN")
        if not token:
            raise ValueError(
                "The token is missing. Pass `token`, or set WORKFLOW_NODE_TOKEN. "
                "`harness token create` creates one"
            )
        token = token.strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("The token has characters that tokens do not have")
        parsed = httpx.URL(url)
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise ValueError(f"`{url}` is not the URL of a server, such as {DEFAULT_URL}")
        if parsed.userinfo or parsed.query or parsed.fragment:
            raise ValueError("The URL of the server must not have a user, a query, or a fragment")
        verify: ssl.SSLContext | bool = True
        if ca_file is not None:
            verify = ssl.create_default_context(cafile=os.fspath(ca_file))
        return cls(
            url=parsed,
            token=token,
            verify=verify,
            unix_socket=os.fspath(unix_socket) if unix_socket is not None else None,
            retry=retry or Retry(),
            timeout=httpx.Timeout(idle_timeout, connect=connect_timeout),
        )

    def request(
        self, request: Request, content: Iterable[bytes] | AsyncIterable[bytes] | None
    ) -> httpx.Request:
        """The request as the HTTP library sends it."""
        # Segments of paths are encoded, and must stay so.
        base = self.url.raw_path.rstrip(b"/")
        query = str(httpx.QueryParams(dict(request.query))).encode()
        raw_path = base + request.path.encode() + (b"?" + query if query else b"")
        headers = {
            "Accept": request.accept,
            "Authorization": f"Bearer {self.token}",
            "User-Agent": USER_AGENT,
        }
        if request.body is not None:
            headers["Content-Type"] = request.body.content_type
        return httpx.Request(
            request.method,
            self.url.copy_with(raw_path=raw_path),
            headers=headers,
            content=content,
            extensions={"timeout": self.timeout.as_dict()},
        )

    def broken(self, error: Exception) -> Broken:
        """A failed connection, as the protocol sees it."""
        reason = str(error) or type(error).__name__
        broken = Broken(f"The connection to {self.url} failed: {reason}")
        broken.__cause__ = error
        return broken


def response(received: httpx.Response, body: bytes) -> Response:
    """The parts of a response that the protocol needs."""
    headers = {name.lower(): value for name, value in received.headers.items()}
    return Response(received.status_code, headers, body)
