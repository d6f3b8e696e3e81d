"""PURE. Cursors of the change feed: feed epoch, sequence number, and a hash chain over all changes up to it.

A cursor is valid in a database only if its history up to there is identical. A sequence number alone is not enough, because a
restored database assigns the same numbers to other changes.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sync.catalog.document import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

CHAINED = ("seq", "run_id", "at", "template_id", "kind", "fields", "evidence", "document_hash")
"""What the hash of a change covers, in the order of the feed's columns. All else that is shown follows from these."""
_HASH_DIGITS = 24
"""96 bits protect against accidents. The hash is not a signature: a writer of the feed can also write the hashes."""
LARGEST_NUMBER = 2**63 - 1  # the largest `seq` or run ID that the databases can store
_WRITTEN = re.compile(rf"([0-9a-f]{{12}})-(0|[1-9][0-9]{{0,18}})-([0-9a-f]{{{_HASH_DIGITS}}})")


class Cursor(NamedTuple):
    """A position in the feed.

    Attributes:
        epoch: ID of the feed, 12 random hexadecimal digits, which differs between databases.
        seq: sequence number of the last change before the position; 0 at the beginning.
        chain: hash over all changes up to that one.
    """

    epoch: str
    seq: int
    chain: str

    @classmethod
    def start(cls, epoch: str, seq: int = 0) -> Self:
        """Start a chain, after `seq` if the earlier changes are unknown."""
        return cls(epoch, seq, _hash(epoch, ""))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse a cursor; return None if the text is not a cursor."""
        found = _WRITTEN.fullmatch(text)
        return cls(found[1], int(found[2]), found[3]) if found and int(found[2]) <= LARGEST_NUMBER else None

    def after(self, row: Mapping[str, Any]) -> Self:
        """Return the position after the next change.

        Args:
            row: the columns of CHAINED, `at` as text; with Python values or the values of any database.
        """
        return self._replace(seq=row["seq"], chain=_hash(self.chain, canonical([_plain(row[name]) for name in CHAINED])))

    def __str__(self) -> str:
        """Write at most 57 characters, without a full stop, so that a message ID can contain it."""
        return f"{self.epoch}-{self.seq}-{self.chain}"


def _hash(before: str, row: str) -> str:
    return hashlib.sha256((before + row).encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]


def _plain(value: Any) -> Any:
    """Normalise numbers: PostgreSQL returns 1e16 as an integer, and engines do not distinguish 2.0 and 2."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
