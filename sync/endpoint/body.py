"""Decompress an answer's body within bounds, whatever it claims: 264 bytes of gzip in gzip can hold a gigabyte."""

from __future__ import annotations

import zlib

from sync.errors import BadAnswer, SyncError, Unreachable

BODY_LIMIT = 16 * 2**20
"""Bytes of one body, as sent and after decompression. 50 documented records take 50 kB; 50 of the largest allowed, 13 MB."""
_GZIP = {"gzip", "x-gzip"}
_MAGIC = b"\x1f\x8b"
_MOST_MEMBERS = 1000  # 16 MiB from pigz have 130
_PIECE = 4096  # bytes: small, so that what precedes damage is read


def decompress(encoding: str, wire: bytes) -> tuple[bytes | bytearray, SyncError | None]:
    """Decompress a body as far as that goes.

    Args:
        encoding: Content-Encoding; empty if the answer has none.
        wire: the body as it was sent.

    Returns:
        What could be read, and an error if that is not the whole: BadAnswer if it is larger than BODY_LIMIT or compressed
        in another way than gzip, once; Unreachable if its compression is damaged or breaks off.
    """
    coding = encoding.strip().lower()
    if coding not in {"identity", ""} | _GZIP:
        return wire, BadAnswer("The response has a content encoding that was not requested.", code="encoding")
    if len(wire) > BODY_LIMIT:
        return wire, _too_large()
    if coding not in _GZIP:
        return wire, None
    body = bytearray()
    try:
        _gunzip(wire, body)
    except SyncError as error:
        return body, error  # not copied: it may be as large as the limit
    return bytes(body), None


def _gunzip(wire: bytes, body: bytearray) -> None:
    """Decompress gzip members, one after another, as RFC 1952 permits them."""
    place = 0
    for _ in range(_MOST_MEMBERS):
        unzip = zlib.decompressobj(31)
        while not unzip.eof:
            if place >= len(wire):
                raise Unreachable("The response was incomplete.", code="gzip")
            piece = wire[place : place + _PIECE]
            try:
                body += unzip.decompress(piece, BODY_LIMIT + 1 - len(body))
            except zlib.error:
                raise Unreachable("The compressed response is corrupt.", code="gzip") from None
            if len(body) > BODY_LIMIT:
                raise _too_large()
            place += len(piece) - len(unzip.unused_data)
        if place >= len(wire):
            return
        if not wire.startswith(_MAGIC, place):
            raise BadAnswer("The compressed response has trailing data.", code="encoding")
    raise _too_large()


def _too_large() -> BadAnswer:
    return BadAnswer(f"The response is larger than {BODY_LIMIT // 2**20} MiB.", code="too-large")
