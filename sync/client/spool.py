"""Temporary storage for the bytes of parsed records: in memory, past a few MB in an unnamed file."""

from __future__ import annotations

import tempfile

_LENGTH = 8  # bytes in front of each entry
_IN_MEMORY = 4 * 2**20  # bytes; some thousand templates
_BUFFER = 2**20  # bytes; the default buffer would need a system call for every fifth record


class Spool:
    """Stores byte strings and returns their offsets. The file is deleted with the object."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, buffering=_BUFFER)  # noqa: SIM115 - closed by __del__
        self._end = 0
        self._at_end = True

    def __del__(self) -> None:
        self._file.close()

    def append(self, written: bytes) -> int:
        """Store bytes; return their offset."""
        offset = self._end
        if not self._at_end:
            self._file.seek(offset)
            self._at_end = True
        self._file.write(len(written).to_bytes(_LENGTH, "big") + written)
        self._end += _LENGTH + len(written)
        return offset

    def read(self, offset: int) -> bytes:
        """Return the bytes stored at an offset."""
        self._at_end = False
        self._file.seek(offset)
        return self._file.read(int.from_bytes(self._file.read(_LENGTH), "big"))
