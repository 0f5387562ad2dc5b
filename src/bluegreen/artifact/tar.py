"""A tar stream, entry by entry, in bounded memory and time.

tarfile reads the headers; what it leaves open is closed here: it keeps every entry, takes a
header of any length into memory, and calls an archive that breaks off between two entries
a whole one.
"""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Self, cast

_PIECE = 1 << 20
#: Bytes of one extended header: a path and a link's target have at most 4096 each (PATH_MAX),
#: and tarfile's time for one grows faster than its length.
_LONGEST_HEADER = 16 << 10
#: Bytes of all headers of one entry.
_HEADERS_OF_ONE = 256 << 10
_MOST_GLOBALS = 64
_END = bytes(tarfile.BLOCKSIZE)


class Broken(Exception):
    """It is no tar, it breaks off, or it is made to do harm. The text says which."""


def remembering(chunks: Iterator[bytes], kept: list[bytes], most: int) -> Iterator[bytes]:
    """The chunks; `kept` has them too at the end, unless they are more than `most` bytes."""
    size = 0
    try:
        for chunk in chunks:
            size += len(chunk)
            if size <= most:
                kept.append(chunk)
            else:
                kept.clear()
            yield chunk
    finally:
        _close(chunks)


def _close(chunks: Iterator[bytes]) -> None:
    """What generators and streams of an engine have, and plain iterators have not."""
    if close := getattr(chunks, "close", None):
        close()


class TarStream:
    """Iterate over it; read an entry's `data` before the next entry, or leave it."""

    def __init__(self, chunks: Iterator[bytes], timeout: float) -> None:
        """`timeout`: seconds for the whole stream; a chunk that hangs is its source's matter."""
        self._source = _Source(chunks, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        """Raises Broken."""
        source = self._source
        try:
            source.in_headers()
            tar = tarfile.open(fileobj=cast(IO[bytes], source), mode="r:")  # noqa: SIM115
            # Where no first entry was found, `next` would look for one behind what is there.
            is_any = tar.firstmember is not None  # type: ignore[attr-defined]
            while is_any and (entry := self._next(tar)) is not None:
                if entry.size < 0 or entry.issparse():
                    raise Broken(f"{entry.name!a} has a size that no engine writes")
                yield entry
        except (tarfile.TarError, EOFError, ValueError, RecursionError, OverflowError) as error:
            raise Broken(str(error) or type(error).__name__) from error
        if source.last != _END:
            raise Broken("it breaks off, or is no tar from there on")

    def data(self, entry: tarfile.TarInfo) -> Iterator[bytes]:
        """The entry's content, in pieces of at most some 1 MB. Raises Broken."""
        self._source.seek(entry.offset_data)
        left = entry.size
        while left:
            piece = self._source.read_some(min(left, _PIECE))
            if not piece:
                raise Broken(f"it breaks off in {entry.name!a}")
            left -= len(piece)
            yield piece

    def _next(self, tar: tarfile.TarFile) -> tarfile.TarInfo | None:
        self._source.in_headers()
        entry = tar.next()
        tar.members.clear()  # type: ignore[attr-defined]  # it would keep every entry
        if len(tar.pax_headers) > _MOST_GLOBALS:
            raise Broken("it has more global headers than any engine writes")
        return entry


class _Source:
    """An iterator of chunks as the file that tarfile wants: it can be read and skipped forward."""

    def __init__(self, chunks: Iterator[bytes], timeout: float) -> None:
        self._chunks = chunks
        self._timeout = timeout
        self._end = time.monotonic() + timeout
        self._rest = memoryview(b"")
        self._at = 0
        self._headers = 0
        self.last = b""  # what was read last: the end of a whole archive

    def in_headers(self) -> None:
        """The next reads are headers of one entry."""
        self._headers = 0

    def read(self, size: int) -> bytes:
        self._headers += size
        if size > _LONGEST_HEADER or self._headers > _HEADERS_OF_ONE:
            raise Broken("it has a header that is longer than any engine writes")
        parts: list[bytes] = []
        while size and (piece := self.read_some(size)):
            parts.append(piece)
            size -= len(piece)
        self.last = b"".join(parts)
        return self.last

    def read_some(self, size: int) -> bytes:
        if not self._rest and not self._fill():
            return b""
        piece = bytes(self._rest[:size])
        self._rest = self._rest[size:]
        self._at += len(piece)
        return piece

    def tell(self) -> int:
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        if whence or position < self._at:
            raise Broken("it has a size that no engine writes")
        while self._at < position and (self._rest or self._fill()):
            step = min(position - self._at, len(self._rest))
            self._rest = self._rest[step:]
            self._at += step
        return self._at

    def close(self) -> None:
        _close(self._chunks)

    def _fill(self) -> bool:
        while not self._rest:
            if time.monotonic() > self._end:
                raise Broken(f"it did not end within {self._timeout:g} s")
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._rest = memoryview(chunk)
        return True
