"""Without any one of the guards of a run, the checks after the run fail."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import sync.catalog.diff
import sync.catalog.feed
import sync.client.confirm_removals
import sync.client.walk
import sync.store.lease
import sync.synchronise
from sync.catalog.feed import changed_fields
from sync.catalog.removals import Confirmation, Removals
from sync.catalog.snapshot import Snapshot
from tests.moving_catalog import LOSABLE, TOGGLED, Event
from tests.proof.false_removals import simulate
from tests.world import World

if TYPE_CHECKING:
    from sync.catalog.document import Document
    from sync.catalog.feed import FieldChange
    from sync.catalog.served_records import RecordParser, ServedRecord

Switch = Callable[[pytest.MonkeyPatch], object]
Scenario = Callable[[World], object]
DOUBT = sync.client.walk._reason_to_doubt
CHANGED_FIELDS = changed_fields


def doubt_without(phrase: str) -> Switch:
    """Disable one reason to doubt a walk."""

    def off(patch: pytest.MonkeyPatch) -> None:
        def doubt(attempt: Any) -> str:
            found = DOUBT(attempt)
            return "" if phrase in found else found

        patch.setattr(sync.client.walk, "_reason_to_doubt", doubt)

    return off


def a_short_page_and_a_look_up_that_lies(world: World) -> None:
    world.fill(4).run()
    world.catalog.denied = frozenset({"101"})
    # Page 1 lacks 101, and the look-up denies it: two faults at once; the count is correct.
    world.run(Event(0, "short", 0))


def the_count_moves_and_hides_what_a_deletion_shifted(world: World) -> None:
    world.fill(6).run(page_size=2)
    world.catalog.denied = frozenset({"103"})
    world.random = lambda: 0.99  # the control is the last one served, not the first, which is gone by then
    # After page 1 its first template is deleted: the third one moves to page 1, which is read already. 5 are served of now 5.
    world.run(Event(1, "delete", 0), page_size=2)


def a_template_that_lost_its_id(world: World) -> None:
    world.fill(4).run(page_size=2)
    # A look-up by id cannot find what is served without one.
    world.catalog.denied = frozenset({"101"})
    world.run(Event(0, "no-id", 0), page_size=2)


def a_replacement_that_no_count_can_see(world: World) -> None:
    world.fill(6).run(page_size=2)
    # After page 1 its first template goes and another comes at the end: the third is never served, and 6 of 6 are.
    world.run(Event(1, "replace", 0, 5), page_size=2)


def a_look_up_service_that_denies_everything(world: World) -> None:
    world.fill(6).run(page_size=2)
    world.catalog.denied = frozenset({*world.catalog.live, "107"})
    # As above, and the look-ups that should find the third one find nothing at all: not even what the walk has just served.
    world.run(Event(1, "replace", 0, 5), page_size=2)


def one_walk_over_a_replica_that_lags(world: World) -> None:
    world.fill(9).run()
    world.run(Event(0, "partial", 3))


def an_index_that_is_rebuilt_during_both_walks(world: World) -> None:
    world.fill(9).run()
    world.random = lambda: 0.0
    # Two pages, a positive and a negative control; without look-ups of missing ids the second walk begins at the fifth request.
    world.run(Event(0, "partial", 3), Event(4, "partial", 3))


def a_server_that_lost_most_of_its_catalog(world: World) -> None:
    world.fill(15).run()
    world.catalog.denied = frozenset([*world.catalog.live][3:])
    world.run(Event(0, "partial", 3))


def an_unreadable_template_and_a_look_up_that_lies(world: World) -> None:
    world.fill(3).run()
    world.catalog.denied = frozenset({"102"})
    world.run(Event(0, "bad-record", 1))


def urls_signed_anew(world: World) -> None:
    world.fill(3).run()
    world.mutate("sign")
    world.run()


def a_field_that_appears_everywhere(world: World) -> None:
    world.mutate("toggle", sorted(TOGGLED).index("Mood"))
    world.fill(3).run()
    world.mutate("toggle", sorted(TOGGLED).index("Mood"))
    assert world.run().run.fields_appeared == ("Mood",)


def a_field_that_vanishes_everywhere(world: World) -> None:
    world.fill(3).run()
    world.mutate("toggle", sorted(TOGGLED).index("MediaId"))
    assert world.run().run.fields_vanished == ("MediaId",)


def a_field_that_one_loses_then_all_and_that_returns(world: World) -> None:
    world.fill(3).run()
    for kind in ("lose", "lose-all", "regain-all"):
        world.mutate(kind, 0, LOSABLE.index("ConsumeItems"))
        world.run()


def a_run_that_was_paused_and_wakes_up_sure_of_itself(world: World) -> None:
    world.fill(4).run()
    world.mutate("add", 0, 4)
    # While it walks, another run takes over, and adds 105. This one would add it again.
    world.run(Event(1, "takeover"))


def two_different_records_under_one_id(world: World) -> None:
    world.fill(3).run()
    world.run(Event(0, "twin", 1, 1))


def two_different_answers_to_a_look_up(world: World) -> None:
    world.fill(4).run()
    # One or two look-ups are controls, and one is of an id that cannot exist; those of 103 and 104 come after them.
    world.run(Event(0, "partial", 2), *(Event(at, "twin", 0, 1) for at in range(1, 6)))


def removals_without_confirmation(evidence: str) -> Switch:
    """Remove every missing template without a second confirmation."""

    def off(patch: pytest.MonkeyPatch) -> None:
        def believe(_endpoint: object, _parser: object, missing: Sequence[str], *_: object, **__: object) -> Confirmation:
            return Confirmation(dict.fromkeys(missing, evidence))

        patch.setattr(sync.client.confirm_removals, "confirm_removals", believe)

    return off


def no_positive_control(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sync.client.confirm_removals, "POSITIVE_CONTROLS", 0)


def nothing_held(patch: pytest.MonkeyPatch) -> None:
    def decide_removals(evidence: Mapping[str, str], _unconfirmed: object, **_: object) -> Removals:
        return Removals(due=evidence)

    patch.setattr(sync.synchronise, "decide_removals", decide_removals)


def unreadable_means_missing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Snapshot, "ids", property(lambda served: set(served.good)))


def query_strings_count(patch: pytest.MonkeyPatch) -> None:
    for name in ("without_query", "address"):
        patch.setattr(sync.catalog.feed, name, lambda value: value)


def nameless_proves_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sync.synchronise, "drop_ambiguous_removals", lambda evidence, *_: evidence)


def order_counts(patch: pytest.MonkeyPatch) -> None:
    def with_order(before: Document, after: Document) -> list[FieldChange]:
        moved = [{"field": "tags", "old": before["tags"], "new": after["tags"]}] if before["tags"] != after["tags"] else []
        return CHANGED_FIELDS(before, after) + moved

    patch.setattr(sync.catalog.diff, "changed_fields", with_order)


def new_fields_count(patch: pytest.MonkeyPatch) -> None:
    def with_new_fields(before: Document, after: Document) -> list[FieldChange]:
        new = after["extra"].keys() - before["extra"].keys()
        appeared = [{"field": f"extra.{name}", "old": None, "new": after["extra"][name]} for name in new]
        return CHANGED_FIELDS(before, after) + appeared

    patch.setattr(sync.catalog.diff, "changed_fields", with_new_fields)


def without_returns(before: Document, after: Document) -> list[FieldChange]:
    """Compare two documents by the old rule, which published no field that comes back."""
    empty = {name for name, value in before.items() if value in (None, [])}
    return [each for each in changed_fields(before, after) if each["field"].partition(".")[0] not in empty]


def returns_are_no_news(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sync.catalog.diff, "changed_fields", without_returns)


def silence_is_news(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sync.catalog.diff, "kept_values", lambda *_: {})


def no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sync.store.lease, "check_fence", lambda _connection, _lease: None)


def the_first_of_two_is_believed(patch: pytest.MonkeyPatch) -> None:
    def build_snapshot(records: Sequence[ServedRecord], missing: frozenset[str], _parser: RecordParser) -> Snapshot:
        good: dict[str, ServedRecord] = {}
        for each in records:
            good.setdefault(str(each.template_id), each)
        return Snapshot(good, missing=missing)

    patch.setattr(sync.synchronise, "build_snapshot", build_snapshot)


def a_second_walk_instead_of_look_ups(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sync.client.confirm_removals, "LOOK_UPS", 2)


def no_sample(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sync.client.confirm_removals, "SAMPLE", 0)


GUARDS: dict[str, tuple[Switch, Scenario]] = {
    "distinct ids must equal the count": (doubt_without("but served"), a_short_page_and_a_look_up_that_lies),
    "the count must hold still": (doubt_without("changed during"), the_count_moves_and_hides_what_a_deletion_shifted),
    "one without an id may be any": (nameless_proves_nothing, a_template_that_lost_its_id),
    "a removal needs a look-up": (removals_without_confirmation("lookup"), a_replacement_that_no_count_can_see),
    "a look-up must find what was served": (no_positive_control, a_look_up_service_that_denies_everything),
    "many removals need a second walk": (removals_without_confirmation("walks"), one_walk_over_a_replica_that_lags),
    "many removals need look-ups": (no_sample, an_index_that_is_rebuilt_during_both_walks),
    "implausible removals are held": (nothing_held, a_server_that_lost_most_of_its_catalog),
    "an unreadable template was served": (unreadable_means_missing, an_unreadable_template_and_a_look_up_that_lies),
    "a query string is no news": (query_strings_count, urls_signed_anew),
    "the order of tags is no news": (order_counts, urls_signed_anew),
    "a field new to all is no news": (new_fields_count, a_field_that_appears_everywhere),
    "a field lost by all is no news": (silence_is_news, a_field_that_vanishes_everywhere),
    "a field that returns is news": (returns_are_no_news, a_field_that_one_loses_then_all_and_that_returns),
    "only the newest fence may commit": (no_fence, a_run_that_was_paused_and_wakes_up_sure_of_itself),
    "two records under one id are disputed": (the_first_of_two_is_believed, two_different_records_under_one_id),
    "so are two in a look-up": (the_first_of_two_is_believed, two_different_answers_to_a_look_up),
}


@pytest.fixture
def file(migrated: dict[str, str], tmp_path: Path) -> Path:
    return Path(shutil.copy(migrated["sqlite"].removeprefix("sqlite:///"), tmp_path / "templates.db"))


@pytest.fixture(autouse=True)
def few_look_ups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let three missing templates be as many as 201, where the second walk is the guard."""
    if "many removals" in request.node.name:
        a_second_walk_instead_of_look_ups(monkeypatch)


@pytest.mark.parametrize("guard", GUARDS)
def test_the_scenario_passes_with_the_guard(guard: str, file: Path) -> None:
    _switch, scenario = GUARDS[guard]
    with World.at(file) as world:
        scenario(world)
        world.catalog.denied = frozenset()
        world.calm()


@pytest.mark.parametrize("guard", GUARDS)
def test_the_scenario_fails_without_the_guard(guard: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch, scenario = GUARDS[guard]
    switch(monkeypatch)
    with World.at(file) as world, pytest.raises(AssertionError):
        scenario(world)


def test_a_template_that_another_run_removed_is_not_removed_again(file: Path) -> None:
    with World.at(file) as world:
        world.fill(4).run()
        world.mutate("delete", 0)
        # While it looks 101 up, another run takes over, and removes 101. This one would remove it again.
        world.run(Event(2, "takeover"))
        world.calm()


def a_refresh(world: World) -> object:
    return world.refresh("101")


def an_incomplete_run(world: World) -> object:
    events = [Event(at, "short", 0) for at in (1, 3, 5)]
    return world.run(*(Event(at, "count-up") for at in range(6)), *events)


@pytest.mark.parametrize("partial", [a_refresh, an_incomplete_run])
@pytest.mark.parametrize("comes", [True, False])
def test_a_field_that_changes_everywhere_is_not_published_by_a_partial_run(partial: Scenario, file: Path, *, comes: bool) -> None:
    mood = sorted(TOGGLED).index("Mood")
    with World.at(file) as world:
        if comes:
            world.mutate("toggle", mood)
        world.fill(5).run()
        world.mutate("toggle", mood)
        partial(world)
        world.calm()
        assert world.figures["changed"] == 0


@pytest.mark.parametrize("event", ["delete", "reorder", "replace"])
def test_counts_miss_a_replacement_and_look_ups_miss_no_event(event: str) -> None:
    shares = simulate(event, 50)
    assert shares.one_walk > 0
    assert (shares.counted > 0) == (event == "replace")
    assert shares.looked_up == 0
    assert (shares.confirmed > 0) == (event != "reorder")  # a proof that never proves anything would make no mistake either
