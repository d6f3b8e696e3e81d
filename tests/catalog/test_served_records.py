"""Each record is unchanged by the hash of its bytes, or parsed once; what rests on other records is parsed again in each run."""

from __future__ import annotations

import gc
import hashlib
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.fields import DECLARATION, DOCUMENTED, MOST_BYTES, MOST_NAMES
from sync.catalog.parsing import REASON_SHOWN
from sync.catalog.served_records import LOOK_UP, wire_hash
from sync.config.redaction import Redactor
from tests.builders import record
from tests.catalog.runs import Memory, base, document_of, hashes_of, new_parser, wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.catalog.served_records import RecordParser, ServedRecord


def parsed(
    *records: Any, page: int = 1, known: Mapping[str, str | None] | None = None
) -> tuple[RecordParser, list[ServedRecord]]:
    """Parse records as those of one page."""
    parser = new_parser(known)
    return parser, parser.parse_page(page, map(wire, records))


# Unchanged or parsed -------------------------------------------------------------------------------------------------------


def test_the_second_run_parses_no_unchanged_record() -> None:
    memory = Memory()
    assert memory.run(base("1"), base("2")).counts == (0, 2)
    found = memory.run(base("1"), base("2"))
    assert (found.counts, found.changes.unchanged, memory.loaded) == ((2, 0), 2, {})


def test_a_template_whose_hash_is_not_stored_is_parsed() -> None:
    memory = Memory.after(base("1"))
    memory.forget_hashes()
    assert [memory.run(base("1")).counts for _ in range(2)] == [(0, 1), (1, 0)]


def test_an_unchanged_record_of_a_look_up_has_page_0() -> None:
    _, (served,) = parsed(record("1"), page=LOOK_UP, known=hashes_of(record("1")))
    assert (served.page, served.template_id, served.offset, served.wire_hash) == (0, "1", None, wire_hash(wire(record("1"))))


def test_the_records_of_a_page_keep_their_order() -> None:
    _, served = parsed(record("1"), record("2"), {}, record("1"), page=7, known=hashes_of(record("2")))
    assert [(each.page, each.position, each.template_id) for each in served] == [
        (7, 0, "1"), (7, 1, "2"), (7, 2, None), (7, 3, "1"),
    ]  # fmt: skip


def test_a_parsed_record_is_decoded_again_from_the_spool() -> None:
    parser, (good, bad) = parsed(base(), base(Title=5))
    assert (parser.document(good), good.reason, good.wire_hash) == (document_of(base()), None, wire_hash(wire(base())))
    assert (parser.decode(bad)["Title"], bad.reason) == (5, "Title must be a string, not a number")


def test_the_file_of_the_spool_is_closed_with_its_parser() -> None:
    file = BytesIO()
    parser = new_parser(new_file=lambda: file)
    parser.parse_page(1, [wire(base())])
    del parser
    gc.collect()
    assert file.closed


def test_an_unchanged_record_has_the_stored_document_and_no_bytes() -> None:
    memory = Memory.after(base())
    found = memory.look(base())
    assert found.parser.document(found.records[0]) == document_of(base())
    with pytest.raises(ValueError, match=r"The bytes of an unchanged record are not stored\.$"):
        found.parser.decode(found.records[0])


def test_a_record_is_readable_if_it_is_valid_alone() -> None:
    parser = new_parser(hashes_of(record("1")))
    served = [record("1"), record("2"), record("3", Tags=...), record("4", Title=5)]
    assert [each.readable for each in parser.parse_page(1, map(wire, served))] == [True, True, True, False]


def test_a_rejected_record_is_parsed_in_each_run_and_compared_when_it_is_valid() -> None:
    memory = Memory.after(base("1"))
    for _ in range(2):
        found = memory.run(base("1", Title=5))
        assert (found.counts, found.reasons) == ((0, 1), [("1", "Title must be a string, not a number")])
    assert memory.stored == hashes_of(base("1"))
    found = memory.look(base("1", Title="x"))
    assert (found.counts, [each.kind for each in found.changes.changes]) == ((0, 1), ["changed"])
    found = memory.run(base("1"))
    assert (found.counts, found.changes.unchanged) == ((1, 0), 1)


# The hash ------------------------------------------------------------------------------------------------------------------


def test_a_wire_hash_has_32_digits_and_depends_on_every_byte() -> None:
    assert wire_hash(b'{"TemplateId": "1"}') == wire_hash(b'{"TemplateId": "1"}')
    assert wire_hash(b'{"TemplateId": "1"}') != wire_hash(b'{"TemplateId":"1"}')
    assert re.fullmatch("[0-9a-f]{32}", wire_hash(b"{}"))


def test_the_wire_hash_is_salted_with_the_declaration() -> None:
    assert wire_hash(b"{}") == hashlib.blake2b(b"{}", digest_size=16, salt=b"2" + DECLARATION).hexdigest()


def test_a_record_of_a_rewritten_page_has_no_hash() -> None:
    parser = new_parser()
    (served,) = parser.parse_page(1, [wire(base())], exact=False)
    assert (served.wire_hash, served.offset is None, parser.document(served)) == (None, False, document_of(base()))


# Fields that no record has -------------------------------------------------------------------------------------------------


def test_a_field_is_missing_until_a_record_of_the_walk_has_a_value() -> None:
    parser = new_parser()
    assert parser.missing == DOCUMENTED
    parser.parse_page(1, [wire(record("1", Title=..., Cover=None, Tags=[], Tags_en=[], Title_en=""))])
    assert parser.missing == {"Title", "Cover"}
    parser.parse_page(2, [wire(record("2", Duration=...))])
    assert parser.missing == set()
    parser.begin_walk()
    assert parser.missing == DOCUMENTED


def test_a_record_has_the_fields_for_which_it_was_the_first_with_a_value() -> None:
    _, served = parsed(record("1", Title=...), record("2"), record("3"))
    assert [each.first_with for each in served] == [DOCUMENTED - {"Title"}, {"Title"}, set()]


def test_an_unchanged_record_counts_until_every_field_was_seen() -> None:
    memory = Memory.after(base("1", Title=...), base("2"), base("3"))
    found = memory.run(base("1", Title=...), base("3"), base("2"))
    assert [each.first_with for each in found.records] == [DOCUMENTED - {"Title"}, {"Title"}, set()]
    assert (found.counts, found.changes.vanished) == ((3, 0), ())


@pytest.mark.parametrize("other", [{"Title": 5}, {"x": "\x00"}], ids=["a bad title", "a bad unknown field"])
def test_rejected_records_and_look_ups_do_not_count(other: dict[str, Any]) -> None:
    parser = new_parser(hashes_of(record("2")))
    parser.parse_page(1, [wire(record("1", **other))])
    looked_up = parser.parse_page(LOOK_UP, map(wire, (record("2"), record("3"))))
    assert parser.missing == DOCUMENTED
    assert [each.first_with for each in looked_up] == [set(), set()]


def test_an_unchanged_record_is_not_decoded_once_every_field_was_seen() -> None:
    parser = new_parser({"2": wire_hash(b"no JSON")})
    parser.parse_page(1, [wire(record("1"))])
    (served,) = parser.parse_page(2, [b"no JSON"])
    assert (served.template_id, served.offset, served.readable) == ("2", None, True)


# Bounds --------------------------------------------------------------------------------------------------------------------


def test_the_number_of_collected_field_names_is_limited() -> None:
    crowd = [record(str(number), **{f"f{number}_{name}": 1 for name in range(100)}) for number in range(20)]
    parser = new_parser()
    assert {each.reason for each in parser.parse_page(1, map(wire, crowd))} == {None}
    assert len(parser.unknown) == MOST_NAMES


def test_names_in_rejected_records_are_not_collected() -> None:
    parser = new_parser()
    parser.parse_page(1, map(wire, (record("1", Mood="calm"), record("2", Title=5, Junk=1))))
    assert parser.unknown == {"Mood"}


def test_a_record_with_too_many_bytes_is_not_decoded() -> None:
    parser, (served,) = parsed(record("1", x="y" * MOST_BYTES))
    assert (served.template_id, parser.decode(served)) == ("1", {"TemplateId": "1"})
    assert served.reason == "it has more than 262144 bytes"


@pytest.mark.parametrize(
    "begins",
    [b"{", b'{"TemplateId": 1, ', b'{"TemplateId": null, ', b'["TemplateId", ', b'{"TemplateId": "\xe9", ', b'{"n": NaN, ',
     b'{"TemplateId": "1", "x": ' + b"[" * MOST_BYTES + b"]" * MOST_BYTES + b", "],
    ids=["absent", "a number", "null", "a list", "Latin-1", "NaN", "deep"],
)  # fmt: skip
def test_a_record_with_too_many_bytes_and_no_string_id_has_no_id(begins: bytes) -> None:
    parser = new_parser()
    (served,) = parser.parse_page(1, [begins + b'"x": "' + b"y" * MOST_BYTES + b'"}'])
    assert (served.template_id, served.reason) == (None, "it has more than 262144 bytes")


def test_a_record_with_the_maximum_number_of_bytes_is_parsed() -> None:
    room = MOST_BYTES - len(wire(record("1", Later="")))
    parser, (served,) = parsed(record("1", Later="y" * room))
    assert (len(parser.decode(served)["Later"]), served.reason) == (room, "its unknown fields take more than 65536 characters")


def test_a_reason_is_cut() -> None:
    (served,) = new_parser().parse_page(1, [wire({"TemplateId": "1", "x" * 100_000: "\x00"})])
    assert served.reason is not None
    assert len(served.reason) < REASON_SHOWN + 40


# Secrets -------------------------------------------------------------------------------------------------------------------

KEY = "ak_canary"
ESCAPED = rb"ak\u005fc\u0061nary"


def redacted(raw: bytes) -> tuple[Any, Any]:
    """Parse a record as a run does; give its id, and what is stored or shown of it."""
    redactor = Redactor([KEY])
    parser = new_parser(redact=redactor.value)
    (served,) = parser.parse_page(1, [redactor.body(raw)])
    return served.template_id, parser.decode(served) if served.reason else parser.document(served)


@pytest.mark.parametrize("spelled", [KEY.encode(), ESCAPED], ids=["as it is", "in escapes"])
@pytest.mark.parametrize(
    "where",
    [
        b'{"TemplateId": "1", "Title": "a %s b"}',
        b'{"TemplateId": "1", "x": [{"y": "%s"}]}',
        b'{"TemplateId": "1", "%s": 1}',
        b'{"TemplateId": "%s"}',
        b'{"TemplateId": "1", "Title": ["%s"]}',
        b'{"TemplateId": "1", "%s": 1, "%s": 2}',
        b'{"TemplateId": "%s", "x": "' + b"y" * MOST_BYTES + b'"}',
    ],
    ids=["title", "unknown value", "unknown name", "id", "bad record", "twice", "too many bytes"],
)
def test_a_secret_is_redacted_in_any_notation(where: bytes, spelled: bytes) -> None:
    template_id, kept = redacted(where.replace(b"%s", spelled))
    assert KEY not in f"{template_id} {kept}"
    assert "[secret]" in f"{template_id} {kept}"


def test_a_redacted_record_has_no_hash() -> None:
    parser = new_parser(redact=Redactor([KEY]).value)
    (served,) = parser.parse_page(1, [wire(base()).replace(b'"1"', b'"1", "x": "' + ESCAPED + b'"', 1)])
    assert (served.template_id, served.reason, served.wire_hash) == ("1", None, None)


def test_secrets_in_names_of_unknown_fields_are_redacted() -> None:
    parser = new_parser(redact=Redactor([KEY]).value)
    parser.parse_page(1, [b'{"TemplateId": "1", "' + ESCAPED + b'": 1}'])
    assert parser.unknown == {"[secret]"}
