"""What a walk has to hold until it is verified waits here: in a file that has no name, and so leaves nothing behind."""

from __future__ import annotations

import tempfile

_LENGTH = 8  # bytes in front of each entry
_IN_MEMORY = 4 * 2**20  # bytes; a catalog of some thousand templates never touches the disk

_BUFFER = 2**20  # bytes; with Python's own few, every fifth record is a call to the disk


class Spool:
    """Bytes in, their place out. The file ends with the object."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, buffering=_BUFFER)  # noqa: SIM115 - it lives as long as the run's outcome
        self._end = 0
        self._at_end = True

    def __del__(self) -> None:
        self._file.close()

    def append(self, written: bytes) -> int:
        """Keep bytes and say where."""
        offset = self._end
        if not self._at_end:
            self._file.seek(offset)
            self._at_end = True
        self._file.write(len(written).to_bytes(_LENGTH, "big") + written)
        self._end += _LENGTH + len(written)
        return offset

    def read(self, offset: int) -> bytes:
        """Read back what was kept at a place."""
        self._at_end = False
        self._file.seek(offset)
        return self._file.read(int.from_bytes(self._file.read(_LENGTH), "big"))
