"""What a run knows of those before it: how long a count has been wrong, what is held, what is unconfirmed."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta

import pytest

from sync.catalog.removals import HeldRemoval, SyncState, Unconfirmed

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HELD, KEPT = HeldRemoval(2, NOW), Unconfirmed("why", answered=True)


def test_a_count_is_taken_to_be_wrong_in_the_fourth_run_that_serves_the_same_ids() -> None:
    state, wrong = SyncState(), []
    for _ in range(5):
        state = state.with_count_result(verified=False, ids={"1", "2"}, now=NOW)
        wrong.append(state.count_is_wrong(NOW, hold=0.0))
    assert wrong == [False, False, False, True, True]
    assert state.count_mismatch_runs == 4  # and goes no further: the number has a column


@pytest.mark.parametrize(
    ("age", "wrong"), [(HOUR, True), (HOUR - timedelta(seconds=1), False), (-HOUR, False)], ids=["old", "young", "set back"]
)
def test_a_count_is_taken_to_be_wrong_only_when_the_first_of_those_runs_is_old_enough(age: timedelta, *, wrong: bool) -> None:
    state = SyncState()
    for _ in range(4):
        state = state.with_count_result(verified=False, ids={"1"}, now=NOW)
    assert state.count_mismatch_since == NOW
    assert state.count_is_wrong(NOW + age, hold=3600.0) is wrong


def test_the_wait_is_counted_from_the_first_of_the_runs_that_served_the_same_ids() -> None:
    state = SyncState()
    for hours in range(4):
        state = state.with_count_result(verified=False, ids={"1"}, now=NOW + hours * HOUR)
    assert state.count_mismatch_since == NOW


def test_a_clock_that_was_ahead_begins_the_wait_anew() -> None:
    state = SyncState().with_count_result(verified=False, ids={"1"}, now=NOW + 9000 * HOUR)
    assert state.with_count_result(verified=False, ids={"1"}, now=NOW).count_mismatch_since == NOW


def test_where_it_is_not_known_since_when_a_count_is_wrong_it_is_since_now() -> None:
    before = SyncState().with_count_result(verified=False, ids={"1"}, now=NOW)
    old = SyncState(count_mismatch_ids=before.count_mismatch_ids, count_mismatch_runs=9)
    assert not old.count_is_wrong(NOW, hold=0.0)
    assert old.with_count_result(verified=False, ids={"1"}, now=NOW).count_mismatch_since == NOW


def test_other_ids_begin_anew() -> None:
    state = SyncState()
    for hours, ids in enumerate(({"1", "2"}, {"2", "1"}, {"1"})):
        state = state.with_count_result(verified=False, ids=ids, now=NOW + hours * HOUR)
    assert (state.count_mismatch_runs, state.count_mismatch_since) == (1, NOW + 2 * HOUR)


def test_a_verified_walk_forgets_the_mismatch() -> None:
    state = SyncState({"9": HELD}).with_count_result(verified=False, ids={"1"}, now=NOW)
    assert state.with_count_result(verified=True, ids={"1"}, now=NOW) == SyncState({"9": HELD})


def test_the_ids_are_hashed_in_one_order_because_another_process_compares_them() -> None:
    state = SyncState().with_count_result(verified=False, ids=set(string.ascii_lowercase), now=NOW)
    assert state.count_mismatch_ids == "2a8ec896744130a8f87c41dd4549d37971fad863a5c2df4a142183dbecfd956c"


def test_two_ids_are_not_one_that_is_written_like_both() -> None:
    one, other = (SyncState().with_count_result(verified=False, ids=ids, now=NOW) for ids in ({"1", "2"}, {"12"}))
    assert one.count_mismatch_ids != other.count_mismatch_ids
    assert len(str(one.count_mismatch_ids)) == 64


def test_what_is_served_again_is_no_longer_held_nor_unconfirmed_and_the_rest_is() -> None:
    state = SyncState({"1": HELD, "2": HELD}, {"3": KEPT, "4": KEPT}, "x", 3, NOW)
    assert state.without_served({"2", "3"}) == SyncState({"1": HELD}, {"4": KEPT}, "x", 3, NOW)
