"""An HTTP/2 load over TLS that never sends a request twice.

Ready-made clients quietly send again what a GOAWAY left unprocessed; here that is a loss.
A GOAWAY between two requests costs nothing: the next one opens a new connection.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error

from kit.load.clients import PATIENCE, Answer, Ask, Client
from kit.site.projects import version_of


class Http2Client(Client):
    """One connection a thread, one request at a time on it."""

    def __init__(self, url: str, *, context: ssl.SSLContext | None = None, **rest: Any) -> None:
        context = context or ssl.create_default_context()
        # Before any thread has it: a handshake that runs meanwhile would break.
        context.set_alpn_protocols(["h2"])
        super().__init__(url, context=context, **rest)

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        connection: _Connection | None = None

        def ask(path: str) -> Answer:
            nonlocal connection
            if connection is None or connection.said_goodbye():
                if connection is not None:
                    connection.close()
                assert self.context is not None
                connection = _Connection(self.url, self.host, self.context)
            try:
                return connection.ask(path)
            except (OSError, H2Error) as error:
                connection.close()
                connection = None
                raise OSError(f"{type(error).__name__}: {error}") from error

        yield ask
        if connection:
            connection.close()


class _Connection:
    def __init__(self, url: SplitResult, host: str, context: ssl.SSLContext) -> None:
        self.host = host or url.hostname or ""
        plain = socket.create_connection((url.hostname, url.port or 443), PATIENCE)
        self._socket = context.wrap_socket(plain, server_hostname=self.host)
        if self._socket.selected_alpn_protocol() != "h2":
            self._socket.close()
            raise ConnectionError("the server does not speak HTTP/2")
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._goodbye = False
        self._h2.initiate_connection()
        self._flush()

    def close(self) -> None:
        self._socket.close()

    def said_goodbye(self) -> bool:
        """Whether the server has said that it takes no more requests here."""
        while not self._goodbye and self._something_came():
            self._receive()
        return self._goodbye

    def ask(self, path: str) -> Answer:
        stream = self._h2.get_next_available_stream_id()
        names = [(":method", "GET"), (":scheme", "https"), (":authority", self.host)]
        self._h2.send_headers(stream, [*names, (":path", path)], end_stream=True)
        self._flush()
        headers: dict[str, str] = {}
        body = bytearray()
        while True:
            for event in self._receive():
                match event:
                    case ResponseReceived():
                        headers = {str(name): str(value) for name, value in event.headers}
                    case DataReceived():
                        body += event.data
                    case StreamReset():
                        raise ConnectionError(f"stream reset with {event.error_code}")
                    case StreamEnded():
                        version = headers.get("x-kit-version") or version_of(bytes(body))
                        return Answer(int(headers[":status"]), bytes(body), version)
            if self._goodbye:
                raise ConnectionError("GOAWAY before the answer was whole")

    def _something_came(self) -> bool:
        return bool(self._socket.pending() or select.select([self._socket], [], [], 0)[0])

    def _receive(self) -> list[Event]:
        data = self._socket.recv(65536)
        if not data:
            self._goodbye = True
            return []
        received: list[Event] = list(self._h2.receive_data(data))
        for event in received:
            if isinstance(event, ConnectionTerminated):
                self._goodbye = True
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if not self._goodbye:
            self._flush()
        return received

    def _flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())
