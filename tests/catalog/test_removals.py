"""Which templates that are gone are removed now, which wait, and which stay."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sync.catalog.removals import LOOK_UPS, Removals, decide_removals


def gone(count: int, evidence: str = "lookup") -> dict[str, str]:
    return {str(number): evidence for number in range(1, count + 1)}


def judged(evidence: dict[str, str], *, present: int = 280, **changes: Any) -> Removals:
    calm: dict[str, Any] = {
        "missing": len(evidence),
        "max_removed": Decimal("0.1"),
        "held_before": {},
        "accept": False,
        "catalog_is_empty": False,
    }
    return decide_removals(evidence, present=present, **{**calm, **changes})


@pytest.mark.parametrize(("present", "most"), [(3, 10), (100, 10), (119, 11), (280, 28), (1000, 100)])
def test_a_tenth_of_the_catalog_may_go_and_ten_templates_always(present: int, most: int) -> None:
    assert judged(gone(most), present=present) == Removals(now=gone(most), limit=most)
    too_many = judged(gone(most + 1), present=present)
    assert (too_many.now, len(too_many.held)) == ({}, most + 1)


def test_of_many_missing_a_few_that_were_looked_up_are_not_removed_slice_by_slice() -> None:
    decided = judged(gone(20), missing=100)
    assert (decided.now, len(decided.held)) == ({}, 20)


def test_nothing_gone_is_nothing_removed_and_forgets_what_was_held() -> None:
    assert judged({}, held_before={"1": 2}) == Removals(limit=28)


def test_too_many_wait_until_three_runs_agree() -> None:
    first = judged(gone(29))
    second = judged(gone(29), held_before=first.held)
    third = judged(gone(29), held_before=second.held)
    assert (set(first.held.values()), set(second.held.values())) == ({1}, {2})
    assert (third.now, third.held) == (gone(29), {})


def test_a_template_that_joins_later_waits_for_its_own_three_runs() -> None:
    decided = judged(gone(30), held_before=dict.fromkeys(gone(29), 2))
    assert (decided.now, decided.held) == (gone(29), {"30": 1})


def test_a_template_that_was_there_again_starts_from_one() -> None:
    without = judged({key: "lookup" for key in gone(30) if key != "1"}, held_before=dict.fromkeys(gone(30), 1))
    assert "1" not in without.held
    assert judged(gone(30), held_before=without.held).held["1"] == 1


def test_a_person_accepts_them_at_once_and_the_feed_says_so() -> None:
    assert judged(gone(200, "walks"), accept=True).now == gone(200, "accepted")


def test_accepting_what_is_plausible_anyway_leaves_its_evidence() -> None:
    assert judged(gone(2), accept=True).now == gone(2)


@pytest.mark.parametrize("present", [1, 5, 280])
def test_an_empty_catalog_removes_nothing_however_small_it_was_and_however_often(present: int) -> None:
    decided = judged(gone(present), present=present, catalog_is_empty=True, held_before=dict.fromkeys(gone(present), 99))
    assert (decided.now, set(decided.held.values())) == ({}, {100})


def test_an_empty_catalog_is_accepted_by_a_person() -> None:
    assert judged(gone(280), catalog_is_empty=True, accept=True).now == gone(280, "accepted")


def test_an_empty_catalog_with_nothing_gone_holds_nothing() -> None:
    assert judged({}, present=0, catalog_is_empty=True) == Removals(limit=10)


@pytest.mark.parametrize(("share", "limit"), [("0", 10), ("0.5", 140), ("1", 280)])
def test_the_share_is_the_settings(share: str, limit: int) -> None:
    assert judged({}, max_removed=Decimal(share)).limit == limit


def test_whoever_has_to_accept_removals_is_told_how_many_there_are_and_how_far_runs_agree() -> None:
    decided = judged(gone(30), held_before=dict.fromkeys(gone(29), 1))
    assert decided.why_held(30, 280, empty=False) == (
        "30 of 280 templates are missing, and at most 28 may go at once; 2 of 3 runs agree so far"
    )
    assert decided.why_held(280, 280, empty=True) == "the catalog is empty, and that is accepted by a person only"


def test_so_many_are_looked_up_one_by_one_and_nothing_goes_where_nobody_decided() -> None:
    assert LOOK_UPS == 200
    assert Removals() == Removals(now={}, held={}, limit=0)
