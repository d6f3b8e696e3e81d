"""`--record FILE`: the file is opened before anything is done, and what became of it is told at the end."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from sync import __version__
from sync.commands.synchronising import now
from sync.config.settings import require_key
from sync.errors import UsageError
from sync.recording.format import SETTINGS, RecordedRun
from sync.recording.record import Recording
from sync.store.sqlite_file import sqlite_file
from sync.text import count_of, iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from sync.commands.edge import Context

_SIDE_FILES = ("", "-wal", "-shm", "-journal")


@contextmanager
def recorded(context: Context, engine: Engine, file: str) -> Iterator[Recording]:
    """Record what is asked meanwhile.

    Raises:
        UsageError: the file cannot be written, or is the database.
    """
    settings = context.settings
    _refuse_database(engine, file)
    asks = {name: format(Decimal(getattr(settings, name)), "f") for name in SETTINGS}
    run = RecordedRun(__version__, iso(now().replace(microsecond=0)), asks, secrets.randbits(64))
    recording = Recording(file, require_key(settings), run)
    try:
        with recording:
            yield recording
    finally:
        context.out.message(_told(recording, file))


def _told(recording: Recording, file: str) -> str:
    if recording.failure:
        return f"warning: The recording could not be written: {recording.failure}. {file} is unchanged."
    if not recording.answers:
        return f"note: no request was made, so nothing is recorded; {file} is unchanged."
    more = f"; {count_of(recording.left_out, 'response')} more exceeded the size limit" if recording.left_out else ""
    return f"note: {count_of(recording.answers, 'response')} recorded in {file}, without the API key{more}."


def _refuse_database(engine: Engine, file: str) -> None:
    """A recording takes its place by its name: that of the database would be the end of it."""
    database = sqlite_file(engine)
    if database is not None and os.path.realpath(file.replace("\0", "")) in {
        os.path.realpath(f"{database}{side}".replace("\0", "")) for side in _SIDE_FILES
    }:
        raise UsageError(f"{file} is the database itself.", hint="Name another file for the recording.")
