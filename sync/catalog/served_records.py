"""PURE. The records of a run, page by page: each is unchanged by the hash of its bytes, or parsed once and kept as bytes.

The bytes of a parsed record wait in the spool until the walk is verified; they are parsed again when they are compared and
written. So memory holds a few words per record.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from sync.catalog.fields import DECLARATION, DOCUMENTED, MOST_BYTES, MOST_NAMES
from sync.catalog.json_values import decode_json, write_json
from sync.catalog.parsing import fields_with_value, lacks_tags, parse_record, record_id
from sync.catalog.rejection import REASON_SHOWN, RecordRejected, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sync.catalog.document import Document

    LoadDocuments = Callable[[Sequence[str]], Mapping[str, Document]]

LOOK_UP = 0
"""The page of a record that was requested by its id."""
_PARSER = b"2"
"""Part of every hash of bytes. Change it when a record is parsed otherwise than before: all records are then read again."""
_NONE: frozenset[str] = frozenset()
_new = tuple.__new__


class Spool(Protocol):
    """Stores bytes until the walk is verified; `sync.client.spool` is the implementation."""

    def append(self, written: bytes) -> int:
        """Store bytes; give their place."""

    def read(self, offset: int) -> bytes:
        """Give the bytes that were stored at a place."""


class ServedRecord(NamedTuple):
    """One record, as it was served.

    Attributes:
        page: `LOOK_UP` for one that was requested by its id.
        position: in the page, from 0.
        template_id: None if it carries none that can be read.
        wire_hash: of its bytes; None where the page had to be rewritten before it could be parsed.
        place: of its bytes in the spool; None if they are the stored ones, so that the template is unchanged.
        reason: why it is rejected; None if it is good by itself.
        tags_unpaired: it has `Tags_en` without `Tags`: rejected, unless no record of the walk has `Tags`.
        first_with: the documented fields of which it was the first of its walk to have a value.
    """

    page: int
    position: int
    template_id: str | None
    wire_hash: str | None
    offset: int | None
    reason: str | None = None
    tags_unpaired: bool = False
    first_with: frozenset[str] = _NONE

    @property
    def readable(self) -> bool:
        """Whether it is good by itself."""
        return self.reason is None and not self.tags_unpaired


def wire_hash(raw: bytes) -> str:
    """Hash a record's bytes, 32 hexadecimal digits: a record whose hash is stored needs no reading."""
    hashed = _EMPTY_HASH.copy()
    hashed.update(raw)
    return hashed.hexdigest()


_EMPTY_HASH = hashlib.blake2b(digest_size=16, salt=_PARSER + DECLARATION)


class RecordParser:
    """Parses the records of one run.

    Args:
        stored: the present templates: id -> hash of the bytes that were stored last, None where the stored document holds more
            than those bytes say.
        spool: stores the bytes of what was parsed.
        load_documents: reads the stored documents of some present templates.
        redact: removes secrets from a decoded record; gives the record itself if it holds none.

    Attributes:
        missing: the documented fields of which no record of this walk has had a value so far. While it is not empty, records
            that are unchanged are decoded, too.
        unknown: names of unknown fields of parsed records; none are added once there are `MOST_NAMES`.
    """

    def __init__(
        self,
        stored: Mapping[str, str | None],
        spool: Spool,
        *,
        load_documents: LoadDocuments,
        redact: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self.load_documents = load_documents
        self._id_of = {hashed: template_id for template_id, hashed in stored.items()}
        self._spool = spool
        self._redact = redact
        self.unknown: set[str] = set()
        self.begin_walk()

    def begin_walk(self) -> None:
        """Start over with `missing`."""
        self.missing = set(DOCUMENTED)

    def parse_page(self, page: int, records: Iterable[bytes], *, exact: bool = True) -> list[ServedRecord]:
        """Parse the records of one page, in their order.

        Args:
            page: its number, or `LOOK_UP`.
            records: their bytes.
            exact: whether these are the bytes that were served.
        """
        return [self._parse(page, position, raw, exact) for position, raw in enumerate(records)]

    def decode(self, record: ServedRecord) -> Any:
        """Decode the bytes of a record that is not unchanged once more.

        Raises:
            ValueError: it is unchanged: its bytes were not kept.
        """
        if record.offset is None:
            raise ValueError("The bytes of an unchanged record are not kept.")
        return _decode(self._spool.read(record.offset))

    def document(self, record: ServedRecord) -> Document:
        """Give a good record's document; that of an unchanged one is the stored one."""
        if record.offset is None:
            template_id = str(record.template_id)
            return self.load_documents([template_id])[template_id]
        return parse_record(self.decode(record))

    def keep_document(self, document: Document) -> int:
        """Store a document that was removed from the catalog; give its place."""
        return self._spool.append(json.dumps(document).encode())

    def kept_document(self, offset: int) -> Document:
        """Read a document that `keep_document` stored."""
        document: Document = json.loads(self._spool.read(offset))
        return document

    def _parse(self, page: int, position: int, raw: bytes, exact: bool) -> ServedRecord:  # noqa: FBT001 - one private caller
        hashed = wire_hash(raw)
        template_id = self._id_of.get(hashed)
        if template_id is not None:
            carried = self._carried(page, _decode(raw)) if self.missing else _NONE
            # Past the class's own __new__, which takes three times as long: this is done for each record of each run.
            return _new(ServedRecord, (page, position, template_id, hashed, None, None, False, carried))
        decoded = _decode(raw)
        value = self._redact(decoded)
        is_redacted = value is not decoded
        reason, unpaired, carried = None, False, _NONE
        try:
            if len(raw) > MOST_BYTES:
                raise RecordRejected(f"it has more than {MOST_BYTES} bytes")
            document = parse_record(value)
        except RecordRejected as why:
            reason = cut(str(why), REASON_SHOWN)
        else:
            unpaired = lacks_tags(value)
            if document["extra"] and len(self.unknown) < MOST_NAMES:
                self.unknown.update(document["extra"])
            if self.missing:
                carried = self._carried(page, value)
        offset = self._spool.append(write_json(value) if is_redacted else raw)
        stored_hash = hashed if exact and not is_redacted else None
        return ServedRecord(page, position, record_id(value), stored_hash, offset, reason, unpaired, carried)

    def _carried(self, page: int, value: dict[str, Any]) -> frozenset[str]:
        """Give the fields of which this record is the first to have a value; look-ups do not count."""
        if page == LOOK_UP:
            return _NONE
        carried = fields_with_value(value) & self.missing
        self.missing -= carried
        return frozenset(carried)


def _decode(raw: bytes) -> Any:
    if len(raw) > MOST_BYTES:  # decoded, it would take twenty times its size
        return {"TemplateId": _id_of_large(raw)}
    return decode_json(raw)


class _OnlyId(msgspec.Struct):
    TemplateId: str


def _id_of_large(raw: bytes) -> str | None:
    try:
        return msgspec.json.decode(raw, type=_OnlyId).TemplateId
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
