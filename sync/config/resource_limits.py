"""Recognise that a limit of this process is the cause of an error: threads, memory or open files."""

from __future__ import annotations

import errno
import os

from sync.errors import ResourcesExhausted, SyncError


def resource_error(error: BaseException) -> ResourcesExhausted | None:
    """Return the error to report if the cause is a limit of threads, memory or open files; None for any other cause."""
    if isinstance(error, ResourcesExhausted):
        return error
    text, number = str(error), getattr(error, "errno", None)
    if isinstance(error, RuntimeError) and "can't start new thread" in text:
        return ResourcesExhausted(
            "The operating system refused this process another thread.",
            hint="Raise its limit of threads (systemd TasksMax, a container's pids limit, ulimit -u) or of memory, or lower "
            "SYNC_CONCURRENCY.",
        )
    unmapped = isinstance(error, ImportError) and ("failed to map" in text or "allocate memory" in text)
    # CPython had no memory for the MemoryError.
    unraised = isinstance(error, SystemError) and ("without exception set" in text or "without setting an exception" in text)
    if isinstance(error, MemoryError) or unmapped or unraised or number == errno.ENOMEM:
        return ResourcesExhausted(
            "The operating system refused this process more memory.",
            hint="Raise its limit of memory (systemd MemoryMax, a container's memory limit, ulimit -v); 512 MB are enough.",
        )
    if number in {errno.EMFILE, errno.ENFILE}:
        return ResourcesExhausted(
            "This process has reached its limit of open files.",
            hint="Raise the limit (systemd LimitNOFILE, ulimit -n), or stop other programs.",
        )
    return None


def open_files_error() -> ResourcesExhausted | None:
    """Return the error to report if no file descriptor is free: name resolution and SQLite then report another cause."""
    try:
        os.close(os.dup(2))
    except OSError as error:
        return resource_error(error)
    return None


def as_sync_error(error: BaseException) -> SyncError:
    """Return the error to report for any exception; of an unexpected one only the type, as its message may contain a secret."""
    if isinstance(error, SyncError):
        return error
    return resource_error(error) or SyncError(f"Unexpected error: {type(error).__name__}.")
