"""What runs remember: how long a wrong count has stood, and what is held."""

from __future__ import annotations

import string

from sync.catalog.sync_state import SyncState


def test_a_count_is_taken_to_be_wrong_in_the_fourth_run_that_serves_the_same_ids() -> None:
    state, believed = SyncState(), []
    for _ in range(5):
        state = state.reconciled(verified=False, ids={"1", "2"})
        believed.append(state.count_is_wrong)
    assert believed == [False, False, False, True, True]
    assert state.unreconciled_runs == 4  # and goes no further: the number has a column


def test_other_ids_begin_anew() -> None:
    state = SyncState()
    for ids in ({"1", "2"}, {"2", "1"}, {"1"}):
        state = state.reconciled(verified=False, ids=ids)
    assert state.unreconciled_runs == 1


def test_a_verified_walk_forgets_the_quarrel() -> None:
    state = SyncState({"9": 2}).reconciled(verified=False, ids={"1"})
    assert state.reconciled(verified=True, ids={"1"}) == SyncState({"9": 2})


def test_the_ids_are_hashed_in_one_order_because_another_process_compares_them() -> None:
    state = SyncState().reconciled(verified=False, ids=set(string.ascii_lowercase))
    assert state.unreconciled_ids == "2a8ec896744130a8f87c41dd4549d37971fad863a5c2df4a142183dbecfd956c"


def test_two_ids_are_not_one_that_is_written_like_both() -> None:
    one, other = (SyncState().reconciled(verified=False, ids=ids) for ids in ({"1", "2"}, {"12"}))
    assert one.unreconciled_ids != other.unreconciled_ids
    assert len(str(one.unreconciled_ids)) == 64


def test_what_is_served_again_is_no_longer_held_and_the_rest_is() -> None:
    assert SyncState({"1": 1, "2": 2}, "x", 3).without_held({"2", "3"}) == SyncState({"1": 1}, "x", 3)
