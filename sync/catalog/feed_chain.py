"""PURE. The feed's cursors: each names the feed, a change's number, and a hash that chains over all changes up to it.

Two databases agree about a cursor only if they hold the very same history up to there. A number alone would not do: a database
that was restored from a backup gives the numbers that its readers know out again, for other changes.
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
"""Hexadecimal: 96 bits are plenty against chance. The hash is no signature: whoever can write the feed can write the hashes."""


LARGEST_NUMBER = 2**63 - 1
"""A `seq`, or a run's number; the databases hold no larger one."""


_WRITTEN = re.compile(rf"([0-9a-f]{{12}})-(0|[1-9][0-9]{{0,18}})-([0-9a-f]{{{_HASH_DIGITS}}})")


class Cursor(NamedTuple):
    """A position in the feed: after a change, or at its beginning.

    Attributes:
        epoch: of the feed, 12 hexadecimal digits, random: another one wherever a database is set up.
        seq: of the last change that was seen; 0 before the first.
        chain: the hash over all changes up to that one.
    """

    epoch: str
    seq: int
    chain: str

    @classmethod
    def start(cls, epoch: str, seq: int = 0) -> Self:
        """Begin a feed; behind `seq` where nobody knows what was before."""
        return cls(epoch, seq, _hash(epoch, ""))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a cursor as it was written; None if the text is none."""
        found = _WRITTEN.fullmatch(text)
        return cls(found[1], int(found[2]), found[3]) if found and int(found[2]) <= LARGEST_NUMBER else None

    def after(self, row: Mapping[str, Any]) -> Self:
        """Go on over the next change.

        Args:
            row: has what CHAINED names, its `at` as text; from Python's values or from any of the databases.
        """
        return self._replace(seq=row["seq"], chain=_hash(self.chain, canonical([_plain(row[name]) for name in CHAINED])))

    def __str__(self) -> str:
        """Write it: at most 57 characters, without a full stop, so that it may stand in the id of a message."""
        return f"{self.epoch}-{self.seq}-{self.chain}"


def _hash(before: str, said: str) -> str:
    return hashlib.sha256((before + said).encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]


def _plain(value: Any) -> Any:
    """Write numbers in the one form: PostgreSQL gives 1e16 back as a whole number, and no engine tells 2.0 from 2 for certain."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
