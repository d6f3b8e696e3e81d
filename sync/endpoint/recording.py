"""`run --record FILE`: every answer as it came, in a file that a maintainer can play again. The key is not in it.

Whatever happens to the file, the run goes on and ends as it would without it.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
import zlib
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

import httpx

from sync.endpoint.body import BODY_LIMIT
from sync.endpoint.transport_failure import in_plain_words
from sync.errors import UsageError
from sync.options import replaceable_file
from sync.recorded_answer import HEADERS, MOST_BYTES, RecordedAnswer, first_line, line_of
from sync.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sync.recorded_answer import RecordedRun


class Recording:
    """A file of answers: it takes its place whole when the context ends, or not at all. Safe from any thread.

    Attributes:
        answers: how many are in it.
        left_out: how many did not fit into MOST_BYTES.
        failure: why it could not be kept, one phrase; empty if it could.
        random: the run's dice. Rolled again with the recorded seed, they choose the same look-ups as controls.
    """

    def __init__(self, file: str, key: str, run: RecordedRun, *, most: int = MOST_BYTES) -> None:
        """Open it, or raise a UsageError; only its owner may read it."""
        self.answers = self.left_out = 0
        self.failure = ""
        self.random = random.Random(run.seed).random  # noqa: S311 - the seed is fresh for each run: nobody can prepare
        self._began = time.monotonic()
        self._target = Path(file)
        self._redact = Redactor([key])
        self._left = most
        self._turn = Lock()
        try:
            replaceable_file(file)
            descriptor, self._name = tempfile.mkstemp(prefix=f".{self._target.name}.", dir=self._target.parent)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or f"it is not {error}"
            raise UsageError(f"{file} cannot be written: {reason}.", hint="Name another file for the recording.") from None
        self._file: Any = os.fdopen(descriptor, "wb")
        self._write(first_line(run))
        self.answers = 0  # that line is none

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Put it in its place; one without an answer is of no use, and leaves alone what lies there."""
        with self._turn:
            if self._file is not None and self.answers:
                try:
                    self._file.flush()
                    os.fsync(self._file.fileno())
                    Path(self._name).replace(self._target)
                except OSError as error:
                    self.failure = error.strerror or str(error)
            self._give_up(self.failure)

    def add(self, question: dict[str, str], began: float, **came: Any) -> None:
        """Keep an answer that came to its end now; `began` is the monotonic moment of its question."""
        now = time.monotonic()
        line = line_of(RecordedAnswer(question, began - self._began, now - began, **came), self._redact)
        with self._turn:
            self._write(line)

    def _write(self, line: str) -> None:
        written = line.encode() + b"\n"
        if self._file is None:
            return
        if len(written) > self._left:
            self.left_out += 1
            return
        try:
            self._file.write(written)
        except OSError as error:
            self._give_up(error.strerror or str(error))
        else:
            self._left -= len(written)
            self.answers += 1

    def _give_up(self, failure: str) -> None:
        self.failure = failure
        file, self._file = self._file, None
        with suppress(OSError):
            Path(self._name).unlink(missing_ok=True)
        if file is not None:
            with suppress(OSError):  # what is left to be written does not matter any more
                file.close()


class Recorded(httpx.BaseTransport):
    """A transport whose every answer is recorded.

    Args:
        transport: what really asks.
        recording: where to.
        given_up: tells whether we hung up ourselves, which says nothing of the server.
    """

    def __init__(self, transport: httpx.BaseTransport, recording: Recording, given_up: Callable[[], bool]) -> None:
        self._transport, self._recording, self._given_up = transport, recording, given_up

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on; that nothing came is recorded, too."""
        began = time.monotonic()
        query = request.extensions["target"].partition(b"?")[2].decode("ascii")
        question = dict(parse_qsl(query, keep_blank_values=True))

        def tell(**came: Any) -> None:
            if not self._given_up():
                self._recording.add(question, began, **came)

        try:
            response = self._transport.handle_request(request)
        except (httpx.TransportError, OSError, UnicodeError) as failure:
            tell(trouble=in_plain_words(failure))
            raise
        response.stream = _Heard(response, tell)
        return response

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


class _Heard(httpx.SyncByteStream):
    """A body that is told of when it is closed."""

    def __init__(self, response: httpx.Response, tell: Callable[..., None]) -> None:
        self._response, self._stream, self._tell = response, response.stream, tell
        self._wire = bytearray()
        self._trouble = ""

    def __iter__(self) -> Iterator[bytes]:
        assert isinstance(self._stream, httpx.SyncByteStream)  # noqa: S101 - of a transport that is not asynchronous
        try:
            for chunk in self._stream:
                self._wire += chunk
                yield chunk
        except (httpx.TransportError, OSError) as failure:
            self._trouble = in_plain_words(failure)
            raise

    def close(self) -> None:
        assert isinstance(self._stream, httpx.SyncByteStream)  # noqa: S101 - likewise
        self._stream.close()
        sent = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in self._response.headers.raw]
        headers = {name: ", ".join(value for each, value in sent if each == name) for name in HEADERS if name in dict(sent)}
        body, damage = _unpacked(headers.get("content-encoding", ""), bytes(self._wire))
        self._tell(
            status=self._response.status_code, headers=headers, body=body[: BODY_LIMIT + 1], trouble=self._trouble or damage
        )


def _unpacked(encoding: str, wire: bytes) -> tuple[bytes, str]:
    """Decompress a body as far as it goes: in compressed bytes the key could not be found. One past the limit stays past it."""
    if encoding.strip().lower() != "gzip":
        return wire, ""
    unzip = zlib.decompressobj(31)
    body = b""
    try:
        # In small pieces: what was good before the damage is what a maintainer wants to see.
        for place in range(0, len(wire), 512):
            body += unzip.decompress(wire[place : place + 512], BODY_LIMIT + 1 - len(body))
            if len(body) > BODY_LIMIT:
                return body, ""
    except zlib.error:
        return body, "its compression was damaged"
    if unzip.unused_data:
        return body, "something follows its compressed end"
    return body, "" if unzip.eof else "it broke off in the middle"
