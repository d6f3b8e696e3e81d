"""Each record is recognised by its bytes or read once; what rests on anything but its own bytes is never recognised."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sync.catalog.intake import Intake
from sync.catalog.raw_record import LOOK_UP, wire_hash

from sync.catalog import intake as intake_module
from sync.catalog.bounds import MOST_BYTES, MOST_FIELDS, MOST_NAMES
from sync.redaction import Redactor
from sync.spool import Spool
from tests.builders import record
from tests.catalog.runs import Memory, Run, base, document_of, kept_of, wire

SENT = frozenset(record())


def counts(found: Run) -> tuple[int, int]:
    return found.intake.recognised, found.intake.decoded


def known(*records: Any) -> dict[str, str | None]:
    return {each["TemplateId"]: wire_hash(wire(each)) for each in records}


# Recognised or read --------------------------------------------------------------------------------------------------------


def test_a_first_run_reads_everything_and_the_second_nothing() -> None:
    memory = Memory()
    assert counts(memory.run(base("1"), base("2"))) == (0, 2)
    found = memory.run(base("1"), base("2"))
    assert (counts(found), found.changes.unchanged, memory.asked) == ((2, 0), 2, {})


def test_other_bytes_are_read_once_and_recognised_from_then_on() -> None:
    memory = Memory()
    memory.run(base("1"), base("2"))
    spelled = wire(base("1")).replace(b'"Duration": 10123', b'"Duration": 10123.0')
    for expected in ((1, 1), (2, 0)):
        found = memory.run(spelled, base("2"))
        assert (counts(found), found.changes.changes, found.changes.unpublished) == (expected, (), ())


def test_a_template_whose_bytes_are_not_known_is_read() -> None:
    memory = Memory()
    memory.run(base("1"))
    memory.forget_bytes()
    assert [counts(memory.run(base("1"))) for _ in range(2)] == [(0, 1), (1, 0)]


def test_bytes_are_known_under_their_own_id_only() -> None:
    intake = Intake({"2": wire_hash(wire(base("1")))}, frozenset(), Spool())
    (sighting,) = intake.take(1, [wire(base("1"))])
    assert (intake.recognised, sighting.template_id, sighting.reading is None) == (0, "1", False)


def test_a_record_that_is_recognised_in_a_look_up_says_where_it_came_from() -> None:
    intake = Intake(known(record("1")), SENT, Spool())
    (sighting,) = intake.take(LOOK_UP, [wire(record("1"))])
    assert (sighting.page, sighting.template_id, sighting.reading, intake.value(sighting)) == (0, "1", None, None)


def test_a_page_keeps_its_order_and_every_place() -> None:
    intake = Intake(known(record("2")), SENT, Spool())
    sightings = intake.take(7, map(wire, (record("1"), record("2"), {}, record("1"))))
    assert [(each.page, each.position, each.template_id) for each in sightings] == [
        (7, 0, "1"), (7, 1, "2"), (7, 2, None), (7, 3, "1"),
    ]  # fmt: skip


def test_what_was_read_waits_in_the_spool_whole() -> None:
    kept = kept_of(base())
    assert (kept.raw, kept.document, len(kept.fingerprint), len(kept.content_hash)) == (wire(base()), document_of(base()), 64, 64)
    bad = kept_of(base(Title=5))
    assert (bad.raw, bad.document, bad.fingerprint, bad.content_hash) == (wire(base(Title=5)), None, "", "")


def test_what_two_records_mean_can_be_compared_recognised_or_not() -> None:
    intake = Intake(known(record("1")), SENT, Spool(), stored_hash=lambda key: f"stored of {key}")
    served = [record("1"), record("2"), record("2", Duration=10123.0), record("3", Title=5), record("3", Title=6)]
    meanings = [intake.meaning(each) for each in intake.take(1, map(wire, served))]
    assert meanings[0] == "stored of 1"
    assert meanings[1] == meanings[2] == kept_of(record("2")).content_hash
    assert meanings[3] != meanings[4]


def test_a_record_is_readable_by_itself_if_it_does_not_take_a_whole_catalog_to_say_so() -> None:
    intake = Intake(known(record("1")), SENT, Spool())
    served = [record("1"), record("2"), record("3", Tags=...), record("4", Title=5)]
    assert [each.readable for each in intake.take(1, map(wire, served))] == [True, True, False, False]


def test_a_document_that_is_kept_in_place_of_another_keeps_the_bytes_it_came_from() -> None:
    intake = Intake({}, frozenset(), Spool())
    (sighting,) = intake.take(1, [wire(base())])
    other = document_of(base(Title="x"))
    assert intake.load(intake.keep(other, sighting.reading))[:2] == (wire(base()), other)
    assert intake.load(intake.keep(other))[:2] == (b"", other)


# What rests on something else ----------------------------------------------------------------------------------------------


def test_english_tags_alone_are_read_anew_until_tags_are_back() -> None:
    memory = Memory()
    without = [base("1", Tags=...), base("2", Tags=...)]
    memory.run(*without)
    assert counts(memory.run(*without)) == (0, 2)
    found = memory.run(base("1", Tags=...), base("2"))
    assert [(bad.template_id, reason) for bad, reason in found.snapshot.set_aside] == [("1", "Tags has 0 items, Tags_en 2")]


def test_a_template_without_any_tags_rests_on_nothing_else() -> None:
    memory = Memory()
    without = [base("1", Tags=..., Tags_en=...), base("2", Tags=..., Tags_en=...)]
    memory.run(*without)
    assert counts(memory.run(*without)) == (2, 0)


def test_a_template_with_a_field_that_is_kept_unsent_is_read_anew() -> None:
    memory = Memory()
    memory.run(base("1"), base("2"), base("3", Later=...))
    gone = [base("1", Later=...), base("2", Later=...), base("3", Later=...)]
    assert counts(memory.run(*gone)) == (1, 2)
    again = memory.run(*gone)
    assert (counts(again), again.changes.respelled) == ((1, 2), {})
    assert memory.documents["1"]["extra"] == {"Later": base()["Later"]}
    found = memory.run(base("1", Later=...), base("2"), base("3", Later=...))
    assert counts(found) == (1, 2)
    assert [(each.template_id, each.fields[0]["field"]) for each in found.changes.changes] == [("1", "extra.Later")]


def test_a_template_that_was_not_served_while_a_field_vanished_is_read_anew() -> None:
    memory = Memory()
    memory.run(base("1"), base("2"))
    memory.run(base("1", MediaId=...))
    assert memory.known["2"] is None
    found = memory.run(base("1", MediaId=...), base("2"))
    assert (counts(found), found.changes.appeared) == ((0, 2), ("MediaId",))
    assert [(each.template_id, each.fields[0]["field"]) for each in found.changes.changes] == [("1", "media_id")]


def test_a_template_that_was_quarantined_while_a_field_vanished_is_read_anew() -> None:
    memory = Memory()
    memory.run(base("1"), base("2"))
    memory.run(base("1", MediaId=...), base("2", MediaId=..., Title=5))
    assert memory.known["2"] is None


def test_a_known_record_is_looked_into_until_every_field_was_seen() -> None:
    memory = Memory()
    memory.run(base("1"), base("2", Rare=1), base("3"))
    found = memory.run(base("1"), base("3"), base("2", Rare=1))
    assert (counts(found), found.changes.vanished) == ((3, 0), ())
    assert found.snapshot.fields == {*base(), "Rare"}
    assert memory.run(base("1"), base("3")).changes.vanished == ("Rare",)


def test_the_fields_inside_prices_are_seen_in_known_records_too() -> None:
    memory = Memory()
    priced = base("1", ConsumeItems=[{"Resolution": "480p", "Credit": 1, "Unit": "s"}])
    memory.run(priced)
    found = memory.run(priced)
    assert (counts(found), found.changes.vanished) == ((1, 0), ())


def test_after_every_field_was_seen_nobody_looks_into_a_known_record() -> None:
    intake = Intake(known(record("1"), record("2")), SENT, Spool())
    assert [each.names for each in intake.take(1, map(wire, (record("1"), record("2"))))] == [SENT, None]
    intake.begin_walk()
    assert [each.names for each in intake.take(1, map(wire, (record("1"), record("2"))))] == [SENT, None]


def test_a_look_up_is_looked_into_all_the_same_because_what_came_before_it_may_be_dropped() -> None:
    intake = Intake(known(record("1"), record("2")), SENT, Spool())
    assert [each.names for each in intake.take(LOOK_UP, map(wire, (record("1"), record("2"))))] == [SENT, SENT]


def test_a_field_that_an_unverified_walk_brought_is_not_trusted_until_it_is_remembered() -> None:
    memory = Memory()
    memory.run(base("1"), base("2"))
    new = [base("1", New=1), base("2")]
    assert counts(memory.run(*new, complete=False)) == (1, 1)
    assert memory.known["1"] is None
    assert [counts(memory.run(*new)) for _ in range(2)] == [(1, 1), (2, 0)]


def test_a_field_that_comes_back_in_an_unverified_walk_is_not_trusted_until_it_is_remembered() -> None:
    memory = Memory()
    memory.run(base("1"), base("2"))
    memory.run(base("1", Later=...), base("2", Later=...))
    memory.run(base("1", Title="x"), base("2", Later=...), complete=False)
    assert memory.absent_fields == {"Later"}
    assert memory.known["1"] is None
    assert memory.run(base("1", Title="x"), base("2", Later=...)).changes.appeared == ("Later",)


@pytest.mark.parametrize("known_first", [True, False])
def test_a_known_record_beside_a_different_one_is_not_believed(known_first: bool) -> None:  # noqa: FBT001 - a parameter
    memory = Memory()
    memory.run(base("1"), base("2"))
    found = memory.run(*[base("1"), base("1", Title="x")][:: 1 if known_first else -1], base("2"))
    assert (list(found.snapshot.good), found.changes.changes) == (["2"], ())
    assert counts(memory.run(base("1"), base("2"))) == (2, 0)


def test_a_record_that_was_quarantined_is_read_and_quarantined_again_and_a_good_one_after_it_is_not_new() -> None:
    memory = Memory()
    memory.run(base("1"))
    for _ in range(2):
        found = memory.run(base("1", Title=5))
        assert (counts(found), [reason for _, reason in found.snapshot.set_aside]) == (
            (0, 1), ["Title must be a string, not a number"],
        )  # fmt: skip
    found = memory.run(base("1"))
    assert (counts(found), found.changes.unchanged) == ((1, 0), 1)


def test_a_quarantined_record_that_turns_good_in_other_bytes_is_a_change() -> None:
    memory = Memory()
    memory.run(base("1"))
    memory.run(base("1", Title=5))
    found = memory.run(base("1", Title="x"))
    assert (counts(found), [each.kind for each in found.changes.changes]) == ((0, 1), ["changed"])


# Bounds --------------------------------------------------------------------------------------------------------------------


def named(prefix: str, count: int) -> dict[str, int]:
    return {f"{prefix}{number}": number for number in range(count)}


def test_a_catalog_has_so_many_field_names_and_whoever_brings_more_is_set_aside() -> None:
    room = MOST_NAMES - len(record())
    crowd = [record(str(number), **named(f"of{number}_", 175)) for number in range(5)]
    found = Memory().look(*crowd, record("last", **named("l", room - 5 * 175)), record("late", one=1), record("plain"))
    assert len(found.snapshot.fields - {"one"}) == MOST_NAMES
    assert list(found.snapshot.good) == ["0", "1", "2", "3", "4", "last", "plain"]
    assert [(bad.template_id, reason) for bad, reason in found.snapshot.set_aside] == [
        ("late", "it brings more field names than the 1000 that a whole catalog may have")
    ]


def test_names_that_were_sent_before_have_their_place() -> None:
    intake = Intake({}, frozenset({*record(), *named("old", MOST_NAMES - len(record()))}), Spool())
    reasons = [
        each.reading and each.reading.reason for each in intake.take(1, [wire(record("1", old5=1)), wire(record("2", new=1))])
    ]
    assert reasons == [None, "it brings more field names than the 1000 that a whole catalog may have"]


def test_the_names_of_bad_records_leave_room_for_those_of_good_ones() -> None:
    junk = [{"Title": 5, **named(f"junk{number}_", MOST_FIELDS - 1)} for number in range(6)]
    found = Memory().look(*junk, record("1", Mood="calm"))
    assert list(found.snapshot.good) == ["1"]
    assert len(found.snapshot.fields) <= MOST_NAMES + MOST_FIELDS


def test_documented_fields_are_seen_however_many_other_names_there_are() -> None:
    junk = [named(f"junk{number}_", MOST_FIELDS) for number in range(6)]
    memory = Memory()
    memory.run(*junk, record("1"), record("2"))
    found = memory.run(*junk, record("1", Title="x"), record("2"))
    assert [(each.template_id, each.kind) for each in found.changes.changes] == [("1", "changed")]


def test_which_names_of_too_many_are_seen_does_not_hang_on_the_order_of_a_set() -> None:
    intake = Intake({}, frozenset(named("old", MOST_NAMES - len(record()) - 50)), Spool())
    bad = [record("1", Title=5, **named(prefix, MOST_FIELDS - len(record()))) for prefix in ("a", "b")]
    for prefix, sighting in zip(("a", "b"), intake.take(1, map(wire, bad)), strict=True):
        seen = sorted(name for name in sighting.names or () if name.startswith(prefix))
        assert seen == sorted(named(prefix, MOST_FIELDS - len(record())))[: len(seen)]


def test_documented_fields_need_no_room() -> None:
    intake = Intake({}, frozenset(named("old", MOST_NAMES)), Spool())
    (sighting,) = intake.take(1, [wire(record("1"))])
    assert sighting.reading is not None
    assert (sighting.reading.reason, sighting.names) == (None, frozenset(record()))


def test_a_record_of_too_many_bytes_is_not_decoded_and_not_shown() -> None:
    intake = Intake({}, frozenset(), Spool())
    (sighting,) = intake.take(1, [wire(record("1", x="y" * MOST_BYTES))])
    assert (sighting.template_id, intake.value(sighting)) == ("1", {"TemplateId": "1"})
    assert sighting.names == frozenset({"TemplateId"})


# Secrets -------------------------------------------------------------------------------------------------------------------

KEY = "ak_canary"
ESCAPED = rb"ak\u005fc\u0061nary"


def redacted(raw: bytes) -> tuple[Any, Any]:
    """Take a record in as the endpoint does; give what is kept of it: the id, and what is stored or shown."""
    redactor = Redactor([KEY])
    intake = Intake({}, frozenset(), Spool(), redact=redactor.value, may_spell=redactor.may_spell)
    (sighting,) = intake.take(1, [redactor.body(raw)])
    assert sighting.reading is not None
    return sighting.template_id, intake.load(sighting.reading).document or intake.value(sighting)


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
def test_a_secret_is_hidden_in_whatever_spelling_it_is_served(where: bytes, spelled: bytes) -> None:
    template_id, kept = redacted(where.replace(b"%s", spelled))
    assert KEY not in f"{template_id} {kept}"
    assert "[secret]" in f"{template_id} {kept}"


def test_the_names_seen_hold_no_secret_either() -> None:
    intake = Intake({}, frozenset(), Spool(), redact=Redactor([KEY]).value)
    (sighting,) = intake.take(1, [b'{"TemplateId": "1", "' + ESCAPED + b'": 1, "Title": 5}'])
    assert sighting.names == frozenset({"TemplateId", "Title", "[secret]"})


CHARS = st.sampled_from([*KEY, "%", "&", "#", ";", "=", "/", '"'])
SPELLINGS = (
    lambda char: f"\\u{ord(char):04x}", lambda char: f"%{ord(char):02x}", lambda char: f"%{ord(char):02X}",
    lambda char: f"\\u0025{ord(char):02x}", lambda char: f"&#{ord(char)};", lambda char: f"\\u0026#x{ord(char):x};",
    lambda char: f"\\u0026\\u0023{ord(char)};", lambda char: f"\\\\x{ord(char):02x}", lambda char: f"\\\\u{ord(char):04x}",
)  # fmt: skip
"""Ways to write a character into JSON so that nobody sees it in the bytes."""


@given(
    secret=st.text(CHARS, min_size=6, max_size=9),
    spelled=st.integers(0, 8),
    how=st.sampled_from(SPELLINGS),
    all_of_it=st.booleans(),
)
def test_no_spelling_that_is_hidden_is_overlooked_in_the_bytes(secret: str, spelled: int, how: Any, all_of_it: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    redactor = Redactor([secret])
    plain = [json.dumps(char)[1:-1] for char in secret]
    parts = [how(char) if all_of_it or place == spelled else plain[place] for place, char in enumerate(secret)]
    raw = redactor.body(f'["for {"".join(parts)}"]'.encode())
    before = json.loads(raw)
    if redactor.value(json.loads(raw)) != before:
        assert redactor.may_spell(raw)


def test_the_escapes_of_an_ordinary_url_spell_no_key() -> None:
    ordinary = (
        wire(record(Cover="https://m.example/c?a=1&sig=x%3D%3D", Title="战\n")).replace(b"&", b"\\u0026").replace(b"\\n", b"")
    )
    assert not Redactor([KEY]).may_spell(ordinary)
    assert Redactor(["ak=canary"]).may_spell(ordinary)


def test_a_secret_in_escapes_is_hidden_in_a_record_that_is_otherwise_plainly_as_documented() -> None:
    """Such a record is read in one go, past whatever hides secrets: so it must not be, where one may be spelled."""
    raw = wire(record(Title="a KEY b")).replace(b"KEY", ESCAPED)
    _, kept = redacted(raw)
    assert kept["title"] == "a [secret] b"


def test_a_record_plainly_as_documented_is_read_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "read_both_ways", None)
    assert kept_of(record(Tags=["x"], Tags_en=["y"])).document is not None


def test_a_record_of_just_so_many_bytes_is_decoded() -> None:
    room = MOST_BYTES - len(wire(record("1", x="")))
    (sighting,) = Intake({}, frozenset(), Spool()).take(1, [wire(record("1", x="y" * room))])
    assert sighting.names == frozenset({*record(), "x"})


def test_what_a_recognised_record_means_is_nothing_where_nobody_knows_what_is_stored() -> None:
    intake = Intake(known(record("1")), SENT, Spool())
    assert [intake.meaning(each) for each in intake.take(1, [wire(record("1"))])] == [""]
