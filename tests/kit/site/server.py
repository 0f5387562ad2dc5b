"""A web server for tests, standard library only: streams, echoes, and misbehaves on request.

It is the process of the image `bluegreen-test/server`. Paths:

    /                         static files of WEB_ROOT, with their types
    /slow?bytes=N&seconds=S   N bytes, evenly over S seconds
    /events?seconds=S         server-sent events, one each 100 ms, then `event: end`
    /ws                       a websocket that echoes
    /echo                     POST: answers with the body

and environment:

    PORT, BIND, WEB_ROOT      80, 0.0.0.0, /srv/www
    VERSION                   sent as X-Kit-Version with every answer
    BEHAVIOUR                 serve (default)
                              error         answers 500
                              redirect      answers 301 to https://PUBLIC_HOST
                              mute          runs and never listens
                              hog           takes memory until it is killed
                              preview-only  answers 500 to whom an edge says to be elsewhere
                                            than on its own host
    CRASH_AFTER               exit with code 3 after so many seconds

SIGTERM stops it gracefully: it accepts no more, finishes what is in flight, says 1001 to
websockets, and exits 0.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email.utils
import hashlib
import json
import mimetypes
import os
import signal
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

EVENT_INTERVAL = 0.1  # seconds
SLICE_INTERVAL = 0.05  # seconds between two slices of a slow download
MAX_BODY = 32 * 1024 * 1024  # bytes
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_REASONS = {200: "OK", 301: "Moved Permanently", 304: "Not Modified", 400: "Bad Request"}
_REASONS |= {404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error"}


class Request:
    """One request, its body read."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.url = urlsplit(target)
        self.path = unquote(self.url.path)
        self.headers = headers
        self.body = body

    def number(self, name: str, default: float) -> float:
        return float(parse_qs(self.url.query).get(name, [str(default)])[0])


class Connection:
    """One client connection: requests in turn, until either side has had enough."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.busy = False

    async def run(self) -> None:
        try:
            while request := await self._read():
                self.busy = True
                keep = await self._answer(request)
                self.busy = False
                if not keep or self.server.stopping:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away; nobody is left to tell
        finally:
            self.writer.close()

    async def _read(self) -> Request | None:
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None  # closed between two requests: the normal end
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return Request(method, target, headers, await self._body(headers))

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int((await self.reader.readline()).split(b";")[0], 16):
                body += await self.reader.readexactly(size)
                await self.reader.readline()
            while (await self.reader.readline()).strip():
                pass  # trailers
            return body
        return await self.reader.readexactly(min(int(headers.get("content-length", 0)), MAX_BODY))

    async def _answer(self, request: Request) -> bool:
        """Whether the connection can take another request."""
        server = self.server
        if server.behaviour == "error":
            return await self._send(request, 500, b"broken on purpose\n")
        peer = request.headers.get("x-forwarded-for", "127.0.0.1")
        if server.behaviour == "preview-only" and peer != "127.0.0.1":
            return await self._send(request, 500, b"broken in public, on purpose\n")
        if server.behaviour == "redirect":
            where = f"https://{os.environ.get('PUBLIC_HOST', 'www.example.test')}{request.path}"
            return await self._send(request, 301, b"", {"Location": where})
        if request.path == "/ws":
            return await self._websocket(request)
        if request.path == "/echo":
            if request.method != "POST":
                return await self._send(request, 405, b"POST only\n")
            return await self._send(
                request, 200, request.body, {"Content-Type": "application/octet-stream"}
            )
        if request.path == "/slow":
            size = int(request.number("bytes", 20 * 1024 * 1024))
            return await self._stream(
                slices(size, request.number("seconds", 10)), "application/octet-stream", size
            )
        if request.path == "/events":
            return await self._stream(
                events(request.number("seconds", 10), server.version), "text/event-stream"
            )
        return await self._static(request)

    async def _static(self, request: Request) -> bool:
        if request.method not in ("GET", "HEAD"):
            return await self._send(request, 405, b"GET only\n")
        file = self.server.find(request.path)
        if file is None:
            return await self._send(request, 404, b"not found\n")
        modified = email.utils.formatdate(file.stat().st_mtime, usegmt=True)
        immutable = request.path.startswith("/assets/")
        headers = {
            "Content-Type": media_type(file),
            "Last-Modified": modified,
            "Cache-Control": "max-age=31536000, immutable" if immutable else "no-cache",
        }
        if request.headers.get("if-modified-since") == modified:
            return await self._send(request, 304, b"", headers)
        return await self._send(request, 200, file.read_bytes(), headers)

    async def _send(
        self, request: Request, status: int, body: bytes, headers: dict[str, str] | None = None
    ) -> bool:
        keep = not self.server.stopping and request.headers.get("connection", "") != "close"
        fields = {"Content-Type": "text/plain; charset=utf-8", **(headers or {})}
        if status != 304:
            fields["Content-Length"] = str(len(body))
        self._head(status, fields, keep=keep)
        if request.method != "HEAD":
            self.writer.write(body)
        await self.writer.drain()
        return keep

    async def _stream(
        self, pieces: AsyncIterator[bytes], content_type: str, size: int | None = None
    ) -> bool:
        """Pieces as they come; chunked where the size is not known. Closes afterwards."""
        chunked = size is None
        length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(size)}
        fields = {"Content-Type": content_type, "Cache-Control": "no-store", **length}
        self._head(200, fields, keep=False)
        async for piece in pieces:
            self.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await self.writer.drain()
        if chunked:
            self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        return False

    def _head(self, status: int, fields: dict[str, str], *, keep: bool) -> None:
        fields = {"X-Kit-Version": self.server.version, **fields}
        if not keep:
            fields["Connection"] = "close"
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Answer')}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def _websocket(self, request: Request) -> bool:
        key = request.headers.get("sec-websocket-key", "")
        if not key:
            return await self._send(request, 400, b"not a websocket handshake\n")
        accept = base64.b64encode(hashlib.sha1(key.encode() + _WEBSOCKET_GUID).digest())
        self.writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        echo = asyncio.ensure_future(self._echo_frames())
        stop = asyncio.ensure_future(self.server.stopped.wait())
        await asyncio.wait({echo, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not echo.done():
            self._frame(0x80 | _CLOSE, struct.pack("!H", 1001))
            await self.writer.drain()
        for task in (echo, stop):
            task.cancel()
        await asyncio.gather(echo, stop, return_exceptions=True)
        return False

    async def _echo_frames(self) -> None:
        while True:
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            mask = await self.reader.readexactly(4)  # a client's frames are always masked
            data = await self.reader.readexactly(size)
            payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
            opcode = first & 0x0F
            if opcode == _PONG:
                continue
            self._frame((first & 0xF0) | (_PONG if opcode == _PING else opcode), payload)
            await self.writer.drain()
            if opcode == _CLOSE:
                return

    def _frame(self, first: int, payload: bytes) -> None:
        if len(payload) < 126:
            size = struct.pack("!B", len(payload))
        elif len(payload) < 1 << 16:
            size = struct.pack("!BH", 126, len(payload))
        else:
            size = struct.pack("!BQ", 127, len(payload))
        self.writer.write(bytes([first]) + size + payload)


class Server:
    def __init__(self) -> None:
        self.version = os.environ.get("VERSION", "")
        self.behaviour = os.environ.get("BEHAVIOUR", "serve")
        self.root = Path(os.environ.get("WEB_ROOT", "/srv/www"))
        self.stopped = asyncio.Event()
        self._connections: dict[asyncio.Task[None], Connection] = {}

    @property
    def stopping(self) -> bool:
        return self.stopped.is_set()

    def find(self, path: str) -> Path | None:
        """The file that a request path names; never one outside the web root."""
        wanted = (self.root / path.lstrip("/")).resolve()
        if wanted.is_dir():
            wanted /= "index.html"
        inside = wanted.is_relative_to(self.root.resolve())
        return wanted if inside and wanted.is_file() else None

    async def run(self, bind: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopped.set)
        listener = await asyncio.start_server(self._accept, bind, port, backlog=1024)
        print(f"listening on {bind}:{port}, version {self.version or '-'}", flush=True)
        await self.stopped.wait()
        listener.close()
        for connection in self._connections.values():
            if not connection.busy:
                connection.writer.close()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = connection = Connection(self, reader, writer)
        try:
            await connection.run()
        finally:
            del self._connections[task]


async def slices(size: int, seconds: float) -> AsyncIterator[bytes]:
    """`size` bytes, evenly over `seconds`."""
    began, sent = time.monotonic(), 0
    while sent < size:
        share = min(1.0, (time.monotonic() - began + SLICE_INTERVAL) / max(seconds, 0.001))
        piece = b"\xa5" * (int(size * share) - sent)
        sent += len(piece)
        yield piece
        await asyncio.sleep(SLICE_INTERVAL)


async def events(seconds: float, version: str) -> AsyncIterator[bytes]:
    for number in range(max(1, round(seconds / EVENT_INTERVAL))):
        data = json.dumps({"number": number, "version": version})
        yield f"id: {number}\ndata: {data}\n\n".encode()
        await asyncio.sleep(EVENT_INTERVAL)
    yield b"event: end\ndata: {}\n\n"


def media_type(file: Path) -> str:
    guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


def hog() -> None:
    """Take memory, page by page, until the kernel ends it."""
    print("taking memory", flush=True)
    held = []
    while True:
        held.append(os.urandom(1024 * 1024))


def mute() -> None:
    print("running, not listening", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


def _from_preview(request: Request) -> bool:
    return request.headers.get("x-forwarded-for") == "127.0.0.1"


def main() -> None:
    behaviour = os.environ.get("BEHAVIOUR", "serve")
    if behaviour == "hog":
        hog()
    if behaviour == "mute":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        mute()
        return
    if after := float(os.environ.get("CRASH_AFTER", "0")):
        signal.signal(signal.SIGALRM, lambda *_: os._exit(3))
        signal.setitimer(signal.ITIMER_REAL, after)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            Server().run(os.environ.get("BIND", "0.0.0.0"), int(os.environ.get("PORT", 80)))
        )


if __name__ == "__main__":
    main()
