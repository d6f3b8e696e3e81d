"""PURE. The served records of a run: each is recognised as unchanged by the hash of its bytes, or parsed and spooled.

The bytes of a parsed record stay in the spool until the walk is verified, and are decoded again to be compared and written, so
memory holds a few words per record.
"""

from __future__ import annotations

import hashlib
import json
from io import SEEK_END, BytesIO
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from sync.catalog.document import content_hash
from sync.catalog.fields import BATCH, DECLARATION, DOCUMENTED, MOST_BYTES, MOST_NAMES
from sync.catalog.json_values import decode_json, write_json
from sync.catalog.parsing import REASON_SHOWN, RecordRejected, cut, fields_with_value, lacks_tags, parse_record, record_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sync.catalog.document import Document

    LoadDocuments = Callable[[Sequence[str]], Mapping[str, Document]]

LOOK_UP = 0  # the page number of a record that was looked up by its ID
_NO_FIELDS: frozenset[str] = frozenset()
_PARSER = b"2"
"""Version of the parser, part of every hash. Change it when parsing changes, so that all records are parsed again."""
_LENGTH = 8  # bytes in front of each entry of the spool


class _Spool:
    """Byte strings in a file, which is closed with the object."""

    def __init__(self, new_file: Callable[[], IO[bytes]]) -> None:
        # Opened here, because the garbage collector finalises the older of two objects first, and a file must be closed first.
        self._file = new_file()

    def __del__(self) -> None:
        self._file.close()

    def append(self, written: bytes) -> int:
        """Store bytes; return their offset."""
        offset = self._file.seek(0, SEEK_END)
        self._file.write(len(written).to_bytes(_LENGTH, "big") + written)
        return offset

    def read(self, offset: int) -> bytes:
        """Return the bytes stored at an offset."""
        self._file.seek(offset)
        return self._file.read(int.from_bytes(self._file.read(_LENGTH), "big"))


class ServedRecord(NamedTuple):
    """One served record.

    Attributes:
        page: page number; `LOOK_UP` for a look-up.
        position: index in the page, from 0.
        template_id: None if it is not readable.
        wire_hash: hash of the bytes; None if the page had to be rewritten before it could be parsed.
        offset: offset of the bytes in the spool; None if the record is unchanged.
        reason: why it is rejected; None if it is valid by itself.
        tags_unpaired: whether it has `Tags_en` without `Tags`: it is rejected, unless no record of the walk has `Tags`, or it was
            looked up.
        first_with: documented fields for which it was the first record of the walk with a value.
    """

    page: int
    position: int
    template_id: str | None
    wire_hash: str | None
    offset: int | None
    reason: str | None = None
    tags_unpaired: bool = False
    first_with: frozenset[str] = _NO_FIELDS

    @property
    def readable(self) -> bool:
        """Whether it is valid by itself; whether unpaired tags are valid depends on the other records."""
        return self.reason is None


def wire_hash(raw: bytes) -> str:
    """Hash the bytes of a record, 32 hexadecimal digits. A record whose hash is stored is unchanged."""
    return hashlib.blake2b(raw, digest_size=16, salt=_PARSER + DECLARATION).hexdigest()


class RecordParser:
    """Parses the records of one run.

    Args:
        stored: ID -> hash of the last stored bytes, of the present templates; None if the document has values that the bytes do
            not have.
        load_documents: loads the stored documents of present templates by ID.
        redact: removes secrets from a decoded record; returns the same object if it has none.
        new_file: opens a file for the bytes of parsed records; it is closed with the parser.

    Attributes:
        missing: documented fields without a value in every record of this walk so far. While it is not empty, unchanged records
            are decoded, too.
        unknown: names of unknown fields of parsed records, about `MOST_NAMES` at most.
    """

    def __init__(
        self,
        stored: Mapping[str, str | None],
        *,
        load_documents: LoadDocuments,
        redact: Callable[[Any], Any] = lambda value: value,
        new_file: Callable[[], IO[bytes]] = BytesIO,
    ) -> None:
        self.load_documents = load_documents
        self._stored = stored
        self._id_of = {hashed: template_id for template_id, hashed in stored.items()}
        self._spool = _Spool(new_file)
        self._redact = redact
        self.unknown: set[str] = set()
        self.begin_walk()

    def begin_walk(self) -> None:
        """Reset `missing`."""
        self.missing = set(DOCUMENTED)

    def parse_page(self, page: int, records: Iterable[bytes], *, exact: bool = True) -> list[ServedRecord]:
        """Parse the records of one page, in their order; `exact`: whether these are the served bytes."""
        return [self._parse(page, position, raw, exact=exact) for position, raw in enumerate(records)]

    def decode(self, record: ServedRecord) -> Any:
        """Decode the spooled bytes of a record.

        Raises:
            ValueError: the record is unchanged, so its bytes were not stored.
        """
        if record.offset is None:
            raise ValueError("The bytes of an unchanged record are not stored.")
        return _decode(self._spool.read(record.offset))

    def document(self, record: ServedRecord) -> Document:
        """Return the document of a valid record; for an unchanged one, the stored document."""
        if record.offset is None:
            template_id = str(record.template_id)
            return self.load_documents([template_id])[template_id]
        return parse_record(self.decode(record))

    def stored_documents(self, ids: Sequence[str]) -> Iterator[tuple[str, Document]]:
        """Yield the ID and the stored document of each of these templates, in their order, loaded in batches."""
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            documents = self.load_documents(batch)
            yield from ((template_id, documents[template_id]) for template_id in batch)

    def keep_document(self, document: Document) -> int:
        """Store the document of a removed template; return its offset."""
        return self._spool.append(json.dumps(document).encode())

    def kept_document(self, offset: int) -> Document:
        """Return a document that `keep_document` stored."""
        return cast("Document", json.loads(self._spool.read(offset)))

    def _parse(self, page: int, position: int, raw: bytes, *, exact: bool) -> ServedRecord:
        hashed = wire_hash(raw)
        template_id = self._id_of.get(hashed)
        if template_id is not None:
            first_with = self._first_with(page, _decode(raw)) if self.missing else _NO_FIELDS
            # The stored hash is the same text; with it, the record needs no memory of its own.
            return ServedRecord(page, position, template_id, self._stored[template_id], None, first_with=first_with)
        decoded = _decode(raw)
        value = self._redact(decoded)
        is_redacted = value is not decoded
        reason, unpaired, first_with = None, False, _NO_FIELDS
        try:
            if len(raw) > MOST_BYTES:
                raise RecordRejected(f"it has more than {MOST_BYTES} bytes")
            document = parse_record(value)
        except RecordRejected as why:
            reason = cut(str(why), REASON_SHOWN)
        else:
            unpaired, first_with = lacks_tags(value), self._first_with(page, value)
            if document["extra"] and len(self.unknown) < MOST_NAMES:
                self.unknown.update(document["extra"])
        offset = self._spool.append(write_json(value) if is_redacted else raw)
        stored_hash = hashed if exact and not is_redacted else None
        return ServedRecord(page, position, record_id(value), stored_hash, offset, reason, unpaired, first_with)

    def _first_with(self, page: int, value: dict[str, Any]) -> frozenset[str]:
        """Return the fields for which this record is the first with a value; look-ups do not count."""
        if page == LOOK_UP or not self.missing:
            return _NO_FIELDS
        found = fields_with_value(value) & self.missing
        self.missing -= found
        return found


def _decode(raw: bytes) -> Any:
    if len(raw) > MOST_BYTES:  # a decoded record takes twenty times its size
        return {"TemplateId": _id_of_large(raw)}
    return decode_json(raw)


class _OnlyId(msgspec.Struct):
    TemplateId: str


def _id_of_large(raw: bytes) -> str | None:
    try:
        return msgspec.json.decode(raw, type=_OnlyId).TemplateId
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def same_record(one: ServedRecord, other: ServedRecord, parser: RecordParser) -> bool:
    """Return whether two valid records have the same content."""
    if one.wire_hash is not None and one.wire_hash == other.wire_hash:
        return True
    return content_hash(parser.document(one)) == content_hash(parser.document(other))
