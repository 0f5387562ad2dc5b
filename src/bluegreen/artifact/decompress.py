"""Compressed content, opened a little at a time: what a browser would see of it.

Every piece is small whatever the input claims: a few bytes of any of these formats can stand
for gigabytes, so whoever reads decides after each piece whether to go on.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping

_PIECE = 1 << 16
#: Browsers refuse a larger window for `Content-Encoding: zstd` (RFC 9659, 3).
_ZSTD_WINDOW = 8 << 20

#: Suffix of a precompressed twin → its `Content-Encoding`.
CODINGS: Mapping[str, str] = {".gz": "gzip", ".br": "br", ".zst": "zstd"}


class Undecodable(Exception):
    """The input is not what it is said to be, or it breaks off."""


def decoded(coding: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of `chunks`, in pieces of at most some 64 KB. Raises Undecodable.

    `coding` as in Content-Encoding: gzip (x-gzip), br, zstd; "" and identity are plain.
    """
    opener = _OPENERS.get(coding.strip().lower())
    if opener is None:
        raise Undecodable(f"no browser asked for the coding {coding!r}")
    return opener(iter(chunks))


def _plain(chunks: Iterator[bytes]) -> Iterator[bytes]:
    return chunks


def _gzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    unpack, begun = _inflater(), False
    for chunk in chunks:
        data = chunk
        while data:
            if unpack.eof:  # another member: gzip files may be joined end to end
                unpack = _inflater()
            begun = True
            try:
                piece = unpack.decompress(data, _PIECE)
            except zlib.error as error:
                raise Undecodable(f"it is not gzip: {error}") from error
            data = unpack.unconsumed_tail or unpack.unused_data
            yield piece
    while begun and not unpack.eof:
        piece = unpack.decompress(unpack.unconsumed_tail, _PIECE)
        if not piece:
            break
        yield piece
    if not unpack.eof:
        raise Undecodable("it breaks off")


def _inflater() -> zlib._Decompress:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def _brotli(chunks: Iterator[bytes]) -> Iterator[bytes]:
    import brotli  # like zstandard: for the sites alone that have such files

    unpack = brotli.Decompressor()
    try:
        for chunk in chunks:
            if unpack.is_finished():
                raise Undecodable("something follows its end")
            yield unpack.process(chunk, output_buffer_limit=_PIECE)
            while not unpack.can_accept_more_data():
                yield unpack.process(b"", output_buffer_limit=_PIECE)
    except brotli.error as error:
        raise Undecodable("it is not brotli") from error
    if not unpack.is_finished():
        raise Undecodable("it breaks off")


def _zstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    import zstandard

    unpack = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    source = io.BufferedReader(_Pulled(chunks), _PIECE)
    try:
        with unpack.stream_reader(source, read_across_frames=True) as reader:
            while piece := reader.read(_PIECE):
                yield piece
    except zstandard.ZstdError as error:
        raise Undecodable(f"it is not zstd for browsers: {error}") from error


class _Pulled(io.RawIOBase):
    """An iterator of chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


_OPENERS: Mapping[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "": _plain,
    "identity": _plain,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "br": _brotli,
    "zstd": _zstd,
}
