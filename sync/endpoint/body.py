"""Read an answer's body within bounds, whatever it claims: 264 bytes of gzip in gzip can hold a gigabyte."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from sync.errors import BadAnswer, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

BODY_LIMIT = 16 * 2**20
"""Bytes of one body, as sent and after decompression. 50 documented records take 50 kB; 50 of the largest allowed, 13 MB."""
_CHUNK = 65536


def read_body(headers: Mapping[str, str], chunks: Iterable[bytes], received: Callable[[int], None]) -> bytes:
    """Put a body together and decompress it.

    Args:
        headers: of the answer, by lower-case name.
        chunks: the body as it comes over the wire.
        received: called with the size of each chunk, in bytes.

    Raises:
        BadAnswer: it is larger than BODY_LIMIT, or compressed in another way than gzip, once.
        Unreachable: its compression is damaged, or breaks off.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"gzip", "identity", ""}:
        raise BadAnswer("The answer is compressed in a way that was not asked for.", code="encoding")
    unzip = zlib.decompressobj(31) if encoding == "gzip" else None
    body = bytearray()
    wire = 0
    for chunk in chunks:
        wire += len(chunk)
        received(len(chunk))
        if unzip and unzip.eof:
            raise BadAnswer("Something follows the end of the compressed answer.", code="encoding")
        pending = chunk
        while pending:
            try:
                body += unzip.decompress(pending, _CHUNK) if unzip else pending
            except zlib.error:
                raise Unreachable("The answer's compression was damaged on the way.", code="gzip") from None
            pending = unzip.unconsumed_tail if unzip else b""
            if unzip and unzip.unused_data:
                raise BadAnswer("Something follows the end of the compressed answer.", code="encoding")
            if wire > BODY_LIMIT or len(body) > BODY_LIMIT:
                raise BadAnswer(f"The answer is larger than {BODY_LIMIT // 2**20} MiB.", code="too-large")
    if unzip and not unzip.eof:
        raise Unreachable("The answer broke off in the middle.", code="gzip")
    return bytes(body)
