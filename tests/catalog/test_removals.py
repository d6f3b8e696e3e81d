"""Which templates that are gone are removed now, which are held, and which stay unconfirmed."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.fields import MOST_BYTES
from sync.catalog.removals import (
    AMBIGUOUS,
    FOUND,
    LOOK_UPS,
    SAMPLE,
    Confirmation,
    HeldRemoval,
    Removals,
    RunOptions,
    SyncState,
    Unconfirmed,
    decide_removals,
    drop_ambiguous_removals,
    removal_problem,
)
from sync.catalog.run_record import BY_CODE
from sync.catalog.snapshot import build_snapshot
from sync.synchronise import options_of
from tests.builders import make_settings, record
from tests.catalog.runs import document_of, new_parser, wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CALM = RunOptions(hold=0.0)
DIFFERS, NOT_ANSWERED = Unconfirmed("it differs", answered=True), Unconfirmed("HTTP 503", answered=False)


def gone(count: int, evidence: str = "lookup") -> dict[str, str]:
    return {str(number): evidence for number in range(1, count + 1)}


def kept(count: int, why: Unconfirmed = DIFFERS) -> dict[str, Unconfirmed]:
    return {f"u{number}": why for number in range(1, count + 1)}


def held(count: int, runs: int, since: datetime = NOW) -> dict[str, HeldRemoval]:
    return {str(number): HeldRemoval(runs, since) for number in range(1, count + 1)}


def judged(
    evidence: dict[str, str],
    unconfirmed: Mapping[str, Unconfirmed] | None = None,
    *,
    present: int = 280,
    now: datetime = NOW,
    held_before: Mapping[str, HeldRemoval] | None = None,
    catalog_is_empty: bool = False,
    **options: Any,
) -> Removals:
    return decide_removals(
        evidence,
        unconfirmed or {},
        present=present,
        options=replace(CALM, **options),
        held_before=held_before or {},
        now=now,
        catalog_is_empty=catalog_is_empty,
    )


@pytest.mark.parametrize(("present", "most"), [(3, 10), (100, 10), (119, 11), (280, 28), (1000, 100)])
def test_at_most_a_tenth_of_the_catalog_or_ten_templates_are_removed(present: int, most: int) -> None:
    assert judged(gone(most), present=present) == Removals(due=gone(most), limit=most)
    too_many = judged(gone(most + 1), present=present)
    assert (too_many.due, len(too_many.held)) == ({}, most + 1)


def test_the_limit_applies_to_confirmed_and_unconfirmed_removals_together() -> None:
    decided = judged(gone(20), kept(80))
    assert (decided.due, len(decided.held), len(decided.unconfirmed)) == ({}, 20, 80)


def test_without_missing_templates_nothing_is_held() -> None:
    assert judged({}, held_before=held(1, 2)) == Removals(limit=28)


def test_too_many_removals_are_held_until_three_runs_agree() -> None:
    first = judged(gone(29))
    second = judged(gone(29), held_before=first.held)
    third = judged(gone(29), held_before=second.held)
    assert ({each.runs for each in first.held.values()}, {each.runs for each in second.held.values()}) == ({1}, {2})
    assert (third.due, third.held) == (gone(29), {})


def test_each_template_needs_three_runs() -> None:
    decided = judged(gone(30), held_before=held(29, 2))
    assert (decided.due, decided.held) == (gone(29), {"30": HeldRemoval(1, NOW)})


# Time -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runs_before", "age", "hold", "removed"),
    [
        (2, HOUR, 3600.0, True),
        (2, HOUR - timedelta(seconds=1), 3600.0, False),
        (1, HOUR * 9, 3600.0, False),
        (99, timedelta(seconds=2.2), 3600.0, False),
        (2, timedelta(0), 0.0, True),
        (2, -HOUR, 3600.0, False),
    ],
    ids=["both", "too early", "two runs", "many runs in a moment", "no hold", "a clock that was set back"],
)
def test_three_runs_must_agree_and_the_first_must_be_old_enough(
    runs_before: int, age: timedelta, hold: float, *, removed: bool
) -> None:
    decided = judged(gone(29), held_before=held(29, runs_before, NOW - age), hold=hold)
    assert (decided.due, len(decided.held)) == ((gone(29), 0) if removed else ({}, 29))


def test_after_a_clock_was_ahead_the_hold_starts_again() -> None:
    first = judged(gone(29), held_before=held(29, 2, NOW + 9000 * HOUR), hold=3600.0)
    assert set(first.held.values()) == {HeldRemoval(3, NOW)}
    assert judged(gone(29), held_before=first.held, hold=3600.0, now=NOW + HOUR).due == gone(29)


def test_each_template_is_held_from_its_first_run() -> None:
    before = {**held(29, 2, NOW - HOUR), "30": HeldRemoval(2, NOW - HOUR / 2)}
    decided = judged(gone(30), held_before=before, hold=3600.0)
    assert (decided.due, decided.held) == (gone(29), {"30": HeldRemoval(3, NOW - HOUR / 2)})


# The operator ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evidence", "empty", "accepted"),
    [(gone(2), False, gone(2)), (gone(200, "walks"), False, gone(200, "accepted")), (gone(280), True, gone(280, "accepted"))],
    ids=["plausible ones with their evidence", "held ones", "those of an empty catalog"],
)
def test_an_operator_accepts_removals(evidence: dict[str, str], accepted: dict[str, str], *, empty: bool) -> None:
    assert judged(evidence, catalog_is_empty=empty, accept_removals=True).due == accepted


def test_an_operator_accepts_unconfirmed_removals_with_a_look_up_response() -> None:
    decided = judged(gone(1), {"a": DIFFERS, "b": NOT_ANSWERED}, accept_removals=True)
    assert decided.due == {"1": "lookup", "a": "accepted"}
    assert decided.unconfirmed == {"b": NOT_ANSWERED}


@pytest.mark.parametrize("present", [1, 5, 280])
def test_an_empty_catalog_removes_nothing_without_an_operator(present: int) -> None:
    decided = judged(gone(present), present=present, catalog_is_empty=True, held_before=held(present, 99, NOW - 9000 * HOUR))
    assert (decided.due, {each.runs for each in decided.held.values()}) == ({}, {100})


@pytest.mark.parametrize(("share", "limit"), [("0", 10), ("0.5", 140), ("1", 280)])
def test_the_limit_follows_from_the_setting(share: str, limit: int) -> None:
    assert judged({}, max_removed=Decimal(share)).limit == limit


# Unconfirmed removals ---------------------------------------------------------------------------------------------------


def test_unconfirmed_templates_are_kept_and_confirmed_ones_removed() -> None:
    decided = judged(gone(3), kept(2))
    assert (decided.due, decided.unconfirmed, problem(decided)) == (gone(3), kept(2), None)


@pytest.mark.parametrize(("present", "most"), [(3, 10), (280, 28)])
def test_more_unconfirmed_removals_than_the_limit_are_an_error(present: int, most: int) -> None:
    assert problem(judged({}, kept(most), present=present)) is None
    assert problem(judged({}, kept(most + 1), present=present), present=present) == (
        "unconfirmed",
        (
            f"{most + 1} of {present} templates are missing without a confirmed removal, more than the limit of {most}; "
            "most frequent reason: it differs. They are kept."
        ),
        BY_CODE["unconfirmed"].action,
    )


# The message ------------------------------------------------------------------------------------------------------------


def problem(
    decided: Removals, *, present: int = 280, hold: float = 0.0, empty: bool = False
) -> tuple[str, str, str | None] | None:
    """Return the code, the message and the hint of the run's error, if there is one."""
    error = removal_problem(decided, 30, present, hold=hold, now=NOW, empty=empty)
    return None if error is None else (error.code, str(error), error.hint)


@pytest.mark.parametrize(
    ("runs", "age", "hold", "agree"),
    [
        (1, HOUR / 4, 3600.0, "2 of 3 runs agree so far, the first at 2026-01-01 11:45:00 UTC, and SYNC_HOLD ends in 2700 s"),
        (1, HOUR / 4, 0.0, "2 of 3 runs agree so far, the first at 2026-01-01 11:45:00 UTC"),
        (2, 0 * HOUR, 3600.0, "3 runs agree so far, the first at 2026-01-01 12:00:00 UTC, and SYNC_HOLD ends in 3600 s"),
        (4, 0 * HOUR, 3600.0, "5 runs agree so far, the first at 2026-01-01 12:00:00 UTC, and SYNC_HOLD ends in 3600 s"),
    ],
)
def test_the_message_has_the_numbers_of_templates_and_runs_and_the_remaining_time(
    runs: int, age: timedelta, hold: float, agree: str
) -> None:
    before = {**held(29, runs, NOW - age), "30": HeldRemoval(runs - 1, NOW)}
    message = f"30 removals are held: 30 of 280 templates are missing, and at most 28 may be removed at once; {agree}."
    assert problem(judged(gone(30), held_before=before, hold=3600.0), hold=hold) == ("held", message, BY_CODE["held"].action)


def test_the_message_about_an_empty_catalog_names_the_operator() -> None:
    found = problem(Removals(held=held(2, 1), unconfirmed=kept(1)), empty=True)
    assert found == (
        "held", "2 removals are held: the catalog is empty, which only an operator can accept.", BY_CODE["held"].action,
    )  # fmt: skip


def test_the_limits_of_look_ups_have_these_values() -> None:
    assert (LOOK_UPS, SAMPLE) == (200, 20)
    assert Removals() == Removals(due={}, held={}, unconfirmed={}, limit=0)


# Records without an id ------------------------------------------------------------------------------------------------


STORED = {key: document_of(record(key, MediaId=media)) for key, media in [("1", "m1"), ("2", "m2"), ("3", None)]}
EVIDENCE = {"1": "lookup", "2": "lookup", "3": "lookup"}


def left(*records: Any, evidence: Mapping[str, str] = EVIDENCE) -> tuple[list[str], list[Sequence[str]]]:
    """Return the ids that are still removed, and each loaded batch of documents."""
    loaded: list[Sequence[str]] = []

    def load(ids: Sequence[str]) -> dict[str, Any]:
        loaded.append(ids)
        return {key: STORED[key] for key in ids}

    parser = new_parser(load_documents=load)
    snapshot = build_snapshot(parser.parse_page(1, map(wire, records)), parser.missing, parser)
    found = drop_ambiguous_removals(Confirmation(dict(evidence)), snapshot, parser)
    assert found.evidence.items() <= evidence.items()
    assert found.unconfirmed == dict.fromkeys(evidence.keys() - found.evidence, AMBIGUOUS)
    return list(found.evidence), loaded


def test_the_removal_of_a_template_that_is_ambiguous_or_was_found_cannot_be_accepted() -> None:
    assert FOUND == ("its look-up found it, but the walk did not serve it", False)
    assert AMBIGUOUS == ("a record that was served without a readable id may be this template", False)


def test_without_evidence_or_with_every_id_nothing_is_loaded() -> None:
    assert left(record("9"), record("8", Title=5)) == (["1", "2", "3"], [])
    assert left({"MediaId": "m1"}, evidence={}) == ([], [])


@pytest.mark.parametrize(("media", "removed"), [(["m1"], ["2"]), (["m1", "m2"], []), (["other"], ["1", "2"])])
def test_a_record_without_id_drops_the_removals_of_its_media_id_and_of_unknown_media_ids(
    media: list[str], removed: list[str]
) -> None:
    assert left(*(record(MediaId=each, TemplateId=bad) for each, bad in zip(media, (None, 1.5), strict=False)))[0] == removed


@pytest.mark.parametrize(
    "without_id",
    [
        {"Title": "x"}, {"MediaId": None}, {"MediaId": ""}, {"MediaId": 5}, "x", None, ["x"],
        {"MediaId": "m1", "TemplateId": 1.5, "x": "y" * MOST_BYTES},
    ],
)  # fmt: skip
def test_a_record_without_id_and_media_id_drops_all_removals(without_id: Any) -> None:
    assert left(without_id)[0] == []
    assert left(record(MediaId="m1", TemplateId=None), without_id)[0] == []


def test_a_record_without_id_drops_look_up_responses_that_an_operator_could_accept() -> None:
    parser = new_parser(load_documents=lambda ids: {key: STORED[key] for key in ids})
    snapshot = build_snapshot(parser.parse_page(1, [wire(record(MediaId="m1", TemplateId=None))]), parser.missing, parser)
    before = Confirmation({"2": "lookup"}, {"1": DIFFERS, "9": NOT_ANSWERED}, problem="no")
    after = drop_ambiguous_removals(before, snapshot, parser)
    assert after == replace(before, unconfirmed={"1": AMBIGUOUS, "9": NOT_ANSWERED})


# The state of earlier runs ----------------------------------------------------------------------------------------------


HELD, KEPT = HeldRemoval(2, NOW), Unconfirmed("why", answered=True)


def mismatch(*ids: str, before: SyncState | None = None, now: datetime = NOW) -> SyncState:
    """Return the state after a run whose count did not match."""
    return (before or SyncState()).with_count_result(verified=False, ids={*ids}, now=now)


def test_the_count_is_wrong_after_four_runs_with_the_same_ids() -> None:
    state, wrong = SyncState(), []
    for _ in range(5):
        state = mismatch("1", "2", before=state)
        wrong.append(state.count_is_wrong(NOW, hold=0.0))
    assert wrong == [False, False, False, True, True]
    assert state.count_mismatch_runs == 4  # and goes no further: the number has a column


@pytest.mark.parametrize(
    ("age", "wrong"), [(HOUR, True), (HOUR - timedelta(seconds=1), False), (-HOUR, False)], ids=["old", "young", "set back"]
)
def test_the_count_is_wrong_if_the_first_of_the_runs_is_old_enough(age: timedelta, *, wrong: bool) -> None:
    state = SyncState()
    for _ in range(4):
        state = mismatch("1", before=state)
    assert state.count_mismatch_since == NOW
    assert state.count_is_wrong(NOW + age, hold=3600.0) is wrong


def test_after_a_clock_was_ahead_the_count_mismatch_starts_again() -> None:
    assert mismatch("1", before=mismatch("1", now=NOW + 9000 * HOUR)).count_mismatch_since == NOW


def test_an_unknown_start_of_a_count_mismatch_is_now() -> None:
    old = replace(mismatch("1"), count_mismatch_runs=9, count_mismatch_since=None)
    assert not old.count_is_wrong(NOW, hold=0.0)
    assert mismatch("1", before=old).count_mismatch_since == NOW


def test_other_ids_start_a_new_count_mismatch() -> None:
    state = SyncState()
    for hours, ids in enumerate(({"1", "2"}, {"2", "1"}, {"1"})):
        state = mismatch(*ids, before=state, now=NOW + hours * HOUR)
    assert (state.count_mismatch_runs, state.count_mismatch_since) == (1, NOW + 2 * HOUR)


def test_a_verified_walk_clears_the_count_mismatch() -> None:
    state = mismatch("1", before=SyncState({"9": HELD}))
    assert state.with_count_result(verified=True, ids={"1"}, now=NOW) == SyncState({"9": HELD})


def test_the_hash_of_the_ids_does_not_depend_on_their_order() -> None:
    assert (
        mismatch(*string.ascii_lowercase).count_mismatch_ids == "2a8ec896744130a8f87c41dd4549d37971fad863a5c2df4a142183dbecfd956c"
    )


def test_templates_that_are_served_again_are_not_held_or_unconfirmed() -> None:
    state = SyncState({"1": HELD, "2": HELD}, {"3": KEPT, "4": KEPT}, "x", 3, NOW)
    assert state.without_served({"2", "3"}) == SyncState({"1": HELD}, {"4": KEPT}, "x", 3, NOW)


def test_the_default_options_of_a_run_are_those_of_the_settings() -> None:
    assert RunOptions() == options_of(make_settings())
