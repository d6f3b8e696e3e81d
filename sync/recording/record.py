"""`run --record FILE`: write every response, without the key, to a file that can be replayed.

An error of the file does not affect the run.
"""

from __future__ import annotations

import os
import random
import re
import secrets
import tempfile
import time
from base64 import b64encode
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from sync import __version__
from sync.client.response import BODY_LIMIT, decompress
from sync.config.load_settings import require_key
from sync.config.redaction import Redactor
from sync.config.settings import replaceable_file
from sync.errors import UsageError
from sync.recording.replay import FORMAT, HEADERS, MOST_BYTES, SETTINGS, VERSION, RecordedResponse, RecordedRun
from sync.text import count_of, iso, json_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sync.client.api_client import Params
    from sync.client.http import Response
    from sync.client.network import TransportFailure
    from sync.config.settings import Settings

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


class Recording:
    """A recording in progress; the file is replaced atomically when the context ends. Safe from any thread.

    Attributes:
        responses: number of recorded responses.
        left_out: number of responses that exceeded MOST_BYTES.
        failure: why the file could not be written, one phrase; empty if it could.
        random: the random numbers of the run. With the recorded seed, a replay chooses the same controls of look-ups.
    """

    def __init__(self, file: str, key: str, run: RecordedRun, *, most: int = MOST_BYTES) -> None:
        """Create a temporary file that only its owner can read, or raise a UsageError."""
        self.responses = self.left_out = 0
        self.failure = ""
        self.random = random.Random(run.seed).random  # noqa: S311 - the seed is new for each run
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
        self.responses = 0  # the header is not a response

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Replace the target; without any response, leave it unchanged."""
        with self._turn:
            if self._file is not None and self.responses:
                try:
                    self._file.flush()
                    os.fsync(self._file.fileno())
                    Path(self._name).replace(self._target)
                except OSError as error:
                    self.failure = error.strerror or str(error)
            self._give_up(self.failure)

    def summary(self) -> str:
        """Describe the result in one line, when the context has ended."""
        file = self._target
        if self.failure:
            return f"warning: The recording could not be written: {self.failure}. {file} is unchanged."
        if not self.responses:
            return f"note: no request was made, so nothing is recorded; {file} is unchanged."
        more = f"; {count_of(self.left_out, 'response')} more exceeded the size limit" if self.left_out else ""
        return f"note: {count_of(self.responses, 'response')} recorded in {file}, without the API key{more}."

    def add(self, params: Params, began: float, response: Response | None, failure: TransportFailure | None) -> None:
        """Record one request.

        Args:
            params: the query parameters of the request.
            began: start of the request on the monotonic clock.
            response: the response; None if there was none.
            failure: why the response is incomplete; None if it is complete.
        """
        now = time.monotonic()
        found: dict[str, Any] = {"trouble": str(failure or "")}
        if response is not None:
            headers = {name: response.headers[name] for name in HEADERS if name in response.headers}
            # Decompressed as far as possible, because the key cannot be found in compressed bytes.
            body, damage = decompress(headers.get("content-encoding", ""), response.body)
            if damage is not None and damage.code == "gzip":
                found["trouble"] = found["trouble"] or "its compression was damaged or broke off"
            elif damage is not None and damage.code == "encoding" and body is not response.body:
                found["trouble"] = found["trouble"] or "something follows its compressed end"
            found |= {"status": response.status, "headers": headers, "body": bytes(body[: BODY_LIMIT + 1])}
        query = {name: str(value) for name, value in params.items()}
        line = line_of(RecordedResponse(query, began - self._began, now - began, **found), self._redact)
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
            self.responses += 1

    def _give_up(self, failure: str) -> None:
        self.failure = failure
        file, self._file = self._file, None
        with suppress(OSError):
            Path(self._name).unlink()  # it is missing if it has replaced the target
        if file is not None:
            with suppress(OSError):  # the file is deleted
                file.close()


def start_recording(file: str, settings: Settings, now: datetime) -> Recording:
    """Create a recording of a run. It is created first, so that an invalid path fails before any request.

    Raises:
        UsageError: the file cannot be written.
    """
    recorded = {name: format(Decimal(getattr(settings, name)), "f") for name in SETTINGS}
    run = RecordedRun(__version__, iso(now.replace(microsecond=0)), recorded, secrets.randbits(64))
    return Recording(file, require_key(settings), run)


def first_line(run: RecordedRun) -> str:
    """Return the header line of the file."""
    data = {"program": run.program, "started_at": run.started_at, "settings": run.settings, "seed": run.seed}
    return json_text({"format": FORMAT, "version": VERSION, **data})


def line_of(response: RecordedResponse, redact: Callable[[str], str]) -> str:
    """Return a response as one line, with secrets removed from every string, because a server may echo the key."""
    data = {
        "question": {redact(name): redact(value) for name, value in response.params.items()},
        "at": round(response.at, 4),
        "took": round(response.took, 4),
        "status": response.status,
        "headers": {name: redact(value) for name, value in response.headers.items()},
        **_body(response.body, redact),
    }
    return json_text(data | ({"trouble": response.trouble} if response.trouble else {}))


def _body(body: bytes, redact: Callable[[str], str]) -> dict[str, Any]:
    """Return a body for the line; of a binary one (compressed twice, UTF-16) the size, as a key in it would not be found."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        if not _CONTROL.search(body):
            masked = redact(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
            return {"body_base64": b64encode(masked).decode()}
    else:
        if "\0" not in text:
            return {"body": redact(text)}
    return {"body": "", "left_out": len(body)}
