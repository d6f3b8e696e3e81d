"""PURE. Each record passes here once, as its page arrives: it is recognised by its bytes, or decoded, validated and serialised.

A record whose bytes are those that were stored last says nothing new, and nothing more is done with it. Any other one is made
a template at once; what it says waits in the spool until the walk is verified, so that memory holds a few words per record.
"""

from __future__ import annotations

import marshal
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sync.catalog.bounds import MOST_BYTES, MOST_FIELDS, MOST_NAMES
from sync.catalog.documented_record import read_documented
from sync.catalog.dropped_tags import BothWays, read_both_ways
from sync.catalog.hashes import content_hash, fingerprint
from sync.catalog.raw_record import LOOK_UP, Oversized, decode, quick_id, record_id, shallow, wire_hash
from sync.catalog.template import DOCUMENTED, Document, document
from sync.catalog.unknown_fields import all_field_names, field_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_MAY_SPELL = re.compile(rb"\\(?!u(?!00))|%|&#")
"""Only escapes of ASCII could spell a secret: not those of Chinese letters, which many servers write. Whoever knows the secrets
can tell more: most escapes in a URL are of characters that no key holds."""
_new = tuple.__new__


class Spool(Protocol):
    """Where what was read waits: bytes in, their place out. `sync.spool` is the real one."""

    def append(self, written: bytes) -> int:
        """Keep bytes and say where."""

    def read(self, place: int) -> bytes:
        """Read back what was kept at a place."""


class Spooled(NamedTuple):
    """What is kept of one record: its bytes, and if it is good, what is stored of it."""

    raw: bytes
    document: Document | None
    fingerprint: str
    content_hash: str


class Reading(NamedTuple):
    """What came of reading a record.

    Attributes:
        place: in the spool.
        reason: why it cannot be read; None if it can.
        reason_if_tags: the same in a catalog in which some record has `Tags`: this one has none, and perhaps `Tags_en` alone.
    """

    place: int
    reason: str | None
    reason_if_tags: str | None


class Sighting(NamedTuple):
    """One record, as it was served.

    Attributes:
        page: `LOOK_UP` for one that was asked for by its id.
        template_id: None if it carries none that can be read.
        wire_hash: of its bytes.
        reading: None if its bytes are those that were stored last.
        names: of its fields; None where nobody had to look.
    """

    page: int
    position: int
    template_id: str | None
    wire_hash: str
    reading: Reading | None
    names: frozenset[str] | None

    @property
    def good_names(self) -> frozenset[str]:
        """Names of its fields, if it can be read."""
        return frozenset() if self.names is None or (self.reading and self.reading.reason is not None) else self.names

    @property
    def readable(self) -> bool:
        """Whether it is good by itself, whatever the rest of the catalog is like."""
        return self.reading is None or self.reading.reason_if_tags is None


class Intake:
    """Takes in the records of one run.

    Args:
        known: the present templates: id -> the hash of the bytes that were stored last; None where those are not known.
        sent_before: names of the fields that the catalog sent the last time. Until each has been seen, known records are looked
            into for their names: a field has vanished only if no record carries it.
        spool: where what was read waits.
        stored_hash: the content hash of a present template, by id.
        redact: hides secrets in a decoded value.
        may_spell: tells whether a record's bytes, in which no secret stands as it is, may spell one when they are decoded.
    """

    def __init__(
        self,
        known: Mapping[str, str | None],
        sent_before: frozenset[str],
        spool: Spool,
        *,
        stored_hash: Callable[[str], str] = lambda _: "",
        redact: Callable[[Any], Any] = lambda value: value,
        may_spell: Callable[[bytes], object] = _MAY_SPELL.search,
    ) -> None:
        self._known = known
        self._sent_before = sent_before
        self._unseen = set(sent_before)
        self._spool = spool
        self._stored_hash = stored_hash
        self._redact = redact
        self._may_spell = may_spell
        self._shapes: dict[frozenset[str], frozenset[str]] = {}
        self._admitted: set[str] = set(DOCUMENTED | sent_before)
        self._of_bad_ones: set[str] = set()
        self.recognised = 0
        self.decoded = 0

    def begin_walk(self) -> None:
        """Forget which fields were seen: a new walk must see them again."""
        self._unseen = set(self._sent_before)

    def take(self, page: int, records: Iterable[bytes]) -> list[Sighting]:
        """Take in the records of one page, in their order."""
        return [self._take(page, position, raw) for position, raw in enumerate(records)]

    def load(self, reading: Reading) -> Spooled:
        """Read back what is kept of a record."""
        return Spooled(*marshal.loads(self._spool.read(reading.place)))  # noqa: S302 - this process wrote it, a moment ago

    def value(self, sighting: Sighting) -> Any:
        """Decode a record once more; None for one that was recognised, whose bytes nobody kept."""
        return None if sighting.reading is None else self._value(self.load(sighting.reading).raw)

    def meaning(self, sighting: Sighting) -> str:
        """Give what is equal for two records that say the same; a bad one says only what its bytes are."""
        if sighting.reading is None:
            return self._stored_hash(str(sighting.template_id))
        return self.load(sighting.reading).content_hash or sighting.wire_hash

    def keep(self, written: Document, reading: Reading | None = None) -> Reading:
        """Keep a document, in place of what a record said, or without one."""
        raw = self.load(reading).raw if reading else b""
        return Reading(self._spool.append(_spoolable(raw, written)), None, None)

    def _take(self, page: int, position: int, raw: bytes) -> Sighting:
        hashed = wire_hash(raw)
        template_id = quick_id(raw)
        stored = None if template_id is None else self._known.get(template_id)
        if stored == hashed:
            self.recognised += 1
            looks = self._unseen or page == LOOK_UP  # what else came with a look-up may be dropped
            names = self._see(all_field_names(self._value(raw))) if looks else None
            # With `stored`, not the equal new hash: half the memory. And past the class's own call, which takes thrice as long.
            return _new(Sighting, (page, position, template_id, stored, None, names))
        self.decoded += 1
        return self._read(page, position, shallow(raw), hashed)

    def _read(self, page: int, position: int, raw: bytes, hashed: str) -> Sighting:
        if not self._may_spell(raw) and (documented := read_documented(raw)) is not None:
            reading = Reading(self._spool.append(_spoolable(raw, documented)), None, None)
            return Sighting(page, position, documented["template_id"], hashed, reading, self._see(DOCUMENTED))
        value = self._value(raw)
        names = field_names(value)
        read = read_both_ways(value, looked_up=page == LOOK_UP)
        if read.template is not None and not self._admit(names := names.union(read.template.extra)):
            reason = f"it brings more field names than the {MOST_NAMES} that a whole catalog may have"
            read = BothWays(None, reason, reason)
        if read.template is None:
            names = self._tolerate(names)
        written = document(read.template) if read.template is not None else None
        reading = Reading(self._spool.append(_spoolable(raw, written)), read.reason, read.reason_if_tags)
        return Sighting(page, position, record_id(value), hashed, reading, self._see(names))

    def _value(self, raw: bytes) -> Any:
        # A large record is not worth decoding: it would take twenty times its size.
        value = Oversized({"TemplateId": quick_id(raw)}) if len(raw) > MOST_BYTES else decode(raw)
        return self._redact(value) if self._may_spell(raw) else value

    def _admit(self, names: frozenset[str]) -> bool:
        """Take up the field names of a good record, if the catalog has not too many of them with these."""
        new = names - self._admitted
        if new and len(self._admitted) + len(new) > MOST_NAMES:
            return False
        self._admitted |= new
        return True

    def _tolerate(self, names: frozenset[str]) -> frozenset[str]:
        """Pick the field names of a bad record that count: it shows what is sent, but takes no room from the good ones."""
        new = sorted(names - self._admitted - self._of_bad_ones)
        self._of_bad_ones.update(new[: MOST_FIELDS - len(self._of_bad_ones)])
        return names & (self._admitted | self._of_bad_ones)

    def _see(self, names: frozenset[str]) -> frozenset[str]:
        self._unseen -= names
        return self._shapes.setdefault(names, names) if len(self._shapes) < MOST_NAMES else names


def _spoolable(raw: bytes, written: Document | None) -> bytes:
    hashes = (fingerprint(written), content_hash(written)) if written is not None else ("", "")
    return marshal.dumps((raw, written, *hashes))
