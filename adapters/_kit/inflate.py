"""Undoing a content coding in bounded memory: whatever the bytes claim, no more comes out than was allowed.

gzip (RFC 1952, several members too) and deflate (RFC 9110, 8.4.1.2: zlib; many servers send it raw, so both
are read).
"""

import zlib
from collections.abc import Iterator
from typing import Final

GZIP: Final = 16 + zlib.MAX_WBITS
STEP: Final = 1 << 16


class Garbled(Exception):
    """The bytes are not what their content coding says, or end too early."""


class Inflation:
    """Decodes one body, piece by piece."""

    def __init__(self, coding: str) -> None:
        """`coding` is `gzip` or `deflate`; raises Garbled for any other, and for several on top of each
        other.
        """
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise Garbled
        self._gzip = coding != "deflate"
        self._inner: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes decode to, in pieces of at most 64 KiB. Stop iterating to stop decoding; raises
        Garbled.
        """
        more = bool(data)
        while more:
            inner = self._decoder(data)
            try:
                piece = inner.decompress(data, STEP)
            except zlib.error:
                raise Garbled from None
            data = inner.unused_data if inner.eof else inner.unconsumed_tail
            more = bool(data) or (len(piece) == STEP and not inner.eof)
            if piece:
                yield piece

    def finish(self) -> None:
        """Raises Garbled when the coded bytes have not reached their end."""
        if self._inner is not None and not self._inner.eof:
            raise Garbled

    def _decoder(self, data: bytes) -> "zlib._Decompress":
        if self._inner is None or (self._inner.eof and self._gzip):
            self._inner = zlib.decompressobj(self._window(data[0]))
        elif self._inner.eof:
            raise Garbled
        return self._inner

    def _window(self, first: int) -> int:
        if self._gzip:
            return GZIP
        return zlib.MAX_WBITS if first & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS
