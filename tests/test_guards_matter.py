"""Without any one of the guards of a run, the checks after the run fail."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from tests.moving_catalog import LOSABLE, TOGGLED
from tests.proof.false_removals import simulate
from tests.visit import Event
from tests.world import World

if TYPE_CHECKING:
    from sync.catalog.document import Document
    from sync.catalog.feed import FieldChange
    from sync.catalog.served_records import RecordParser, ServedRecord

Switch = Callable[[pytest.MonkeyPatch], object]
Scenario = Callable[[World], object]
DOUBT = sync.client.walk._reason_to_doubt


def replacing(module: object, **values: object) -> Switch:
    """Replace constants, functions or properties of a module."""

    def off(patch: pytest.MonkeyPatch) -> None:
        for name, value in values.items():
            patch.setattr(module, name, value)

    return off


def without_reason(phrase: str) -> Switch:
    """Disable one reason to doubt a walk."""

    def doubt(attempt: Any) -> str:
        found = DOUBT(attempt)
        return "" if phrase in found else found

    return replacing(sync.client.walk, _reason_to_doubt=doubt)


def removals_without_confirmation(evidence: str) -> Switch:
    """Remove every missing template without a second confirmation."""

    def confirm_removals(_endpoint: object, _parser: object, missing: Sequence[str], *_: object, **__: object) -> Confirmation:
        return Confirmation(dict.fromkeys(missing, evidence))

    return replacing(sync.client.confirm_removals, confirm_removals=confirm_removals)


def hold_nothing(evidence: Mapping[str, str], _unconfirmed: object, **_: object) -> Removals:
    return Removals(due=evidence)


def with_order_of_tags(before: Document, after: Document) -> list[FieldChange]:
    moved = [{"field": "tags", "old": before["tags"], "new": after["tags"]}] if before["tags"] != after["tags"] else []
    return changed_fields(before, after) + moved


def with_new_fields(before: Document, after: Document) -> list[FieldChange]:
    new = after["extra"].keys() - before["extra"].keys()
    return changed_fields(before, after) + [{"field": f"extra.{name}", "old": None, "new": after["extra"][name]} for name in new]


def without_returns(before: Document, after: Document) -> list[FieldChange]:
    """Compare two documents by the old rule, which published no field that comes back."""
    empty = {name for name, value in before.items() if value in (None, [])}
    return [each for each in changed_fields(before, after) if each["field"].partition(".")[0] not in empty]


def first_record_of_each_id(records: Sequence[ServedRecord], missing: frozenset[str], _parser: RecordParser) -> Snapshot:
    good: dict[str, ServedRecord] = {}
    for each in records:
        good.setdefault(str(each.template_id), each)
    return Snapshot(good, missing=missing)


def scenario(
    templates: int, *events: Event, page_size: int = 3, denied: Sequence[int] = (), random: float | None = None
) -> Scenario:
    """Store so many templates, from 101 on; then run with these events, while look-ups of the denied ids find nothing.

    `random` chooses the controls.
    """

    def play(world: World) -> None:
        world.fill(templates).run(page_size=page_size)
        world.catalog.denied = frozenset(map(str, denied))
        if random is not None:
            world.random = lambda: random
        world.run(*events, page_size=page_size)

    return play


def new_signatures(world: World) -> None:
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


def a_field_that_one_then_all_lose_and_that_returns(world: World) -> None:
    world.fill(3).run()
    for kind in ("lose", "lose-all", "regain-all"):
        world.mutate(kind, 0, LOSABLE.index("ConsumeItems"))
        world.run()


def a_run_that_lost_its_lease(world: World) -> None:
    world.fill(4).run()
    world.mutate("add", 0, 4)
    # During the walk, another run takes over, and adds 105. This one would add it again.
    world.run(Event(1, "takeover"))


REPLACEMENT = Event(1, "replace", 0, 5)
"""After page 1 its first template is deleted and another added at the end: the third is not served, but 6 of 6 are."""
GUARDS: dict[str, tuple[Switch, Scenario]] = {
    # Page 1 lacks 101, and the look-up denies it: two faults at once; the count is correct.
    "distinct ids must equal the count": (without_reason("but served"), scenario(4, Event(0, "short", 0), denied=[101])),
    # After page 1 its first template is deleted, and the third one moves to page 1, which was read. 5 of 5 are served. The
    # control is the last served template, because the first is deleted by then.
    "the count must not change": (
        without_reason("changed during"), scenario(6, Event(1, "delete", 0), page_size=2, denied=[103], random=0.99),
    ),
    # A look-up by id cannot find what is served without one.
    "a record without an id may be any template": (
        replacing(sync.synchronise, drop_ambiguous_removals=lambda evidence, *_: evidence),
        scenario(4, Event(0, "no-id", 0), page_size=2, denied=[101]),
    ),
    "a removal needs a look-up": (removals_without_confirmation("lookup"), scenario(6, REPLACEMENT, page_size=2)),
    "a look-up must find what was served": (
        replacing(sync.client.confirm_removals, POSITIVE_CONTROLS=0),
        scenario(6, REPLACEMENT, page_size=2, denied=range(101, 108)),
    ),
    "many removals need a second walk": (removals_without_confirmation("walks"), scenario(9, Event(0, "partial", 3))),
    # Two pages, a positive and a negative control; without look-ups of missing ids the second walk begins at the fifth request.
    "many removals need look-ups": (
        replacing(sync.client.confirm_removals, SAMPLE=0),
        scenario(9, Event(0, "partial", 3), Event(4, "partial", 3), random=0.0),
    ),
    "implausible removals are held": (
        replacing(sync.synchronise, decide_removals=hold_nothing), scenario(15, Event(0, "partial", 3), denied=range(104, 116)),
    ),
    "a rejected record was served": (
        replacing(Snapshot, ids=property(lambda served: set(served.good))),
        scenario(3, Event(0, "bad-record", 1), denied=[102]),
    ),
    "a query string is not compared": (
        replacing(sync.catalog.feed, without_query=lambda value: value, address=lambda value: value), new_signatures,
    ),
    "the order of tags is not compared": (replacing(sync.catalog.diff, changed_fields=with_order_of_tags), new_signatures),
    "a field new in all templates is not a change": (
        replacing(sync.catalog.diff, changed_fields=with_new_fields), a_field_that_appears_everywhere,
    ),
    "a field lost by all templates is not a change": (
        replacing(sync.catalog.diff, kept_values=lambda *_: {}), a_field_that_vanishes_everywhere,
    ),
    "a field that returns is a change": (
        replacing(sync.catalog.diff, changed_fields=without_returns), a_field_that_one_then_all_lose_and_that_returns,
    ),
    "only the newest fence may commit": (
        replacing(sync.store.lease, check_fence=lambda _connection, _lease: None), a_run_that_lost_its_lease,
    ),
    "two different records under one id are ambiguous": (
        replacing(sync.synchronise, build_snapshot=first_record_of_each_id), scenario(3, Event(0, "twin", 1, 1)),
    ),
    # One or two look-ups are controls, and one is of an id that cannot exist; those of 103 and 104 come after them.
    "two different records in a look-up are ambiguous": (
        replacing(sync.synchronise, build_snapshot=first_record_of_each_id),
        scenario(4, Event(0, "partial", 2), *(Event(at, "twin", 0, 1) for at in range(1, 6))),
    ),
}  # fmt: skip


@pytest.fixture
def world(migrated: dict[str, str], tmp_path: Path) -> Iterator[World]:
    with World.at(Path(shutil.copy(migrated["sqlite"].removeprefix("sqlite:///"), tmp_path / "templates.db"))) as world:
        yield world


@pytest.fixture(autouse=True)
def few_look_ups(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Require a second walk for three missing templates instead of 201, where the second walk is the guard."""
    if "many removals" in request.node.name:
        monkeypatch.setattr(sync.client.confirm_removals, "LOOK_UPS", 2)


@pytest.mark.parametrize("scenario", [scenario for _switch, scenario in GUARDS.values()], ids=GUARDS)
def test_the_scenario_passes_with_the_guard(scenario: Scenario, world: World) -> None:
    scenario(world)
    world.catalog.denied = frozenset()
    world.calm()


@pytest.mark.parametrize(("switch", "scenario"), GUARDS.values(), ids=GUARDS)
def test_the_scenario_fails_without_the_guard(
    switch: Switch, scenario: Scenario, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch(monkeypatch)
    with pytest.raises(AssertionError):
        scenario(world)


def test_a_template_that_another_run_removed_is_not_removed_again(world: World) -> None:
    world.fill(4).run()
    world.mutate("delete", 0)
    # During the look-up of 101, another run takes over, and removes 101. This one would remove it again.
    world.run(Event(2, "takeover"))
    world.calm()


def a_refresh(world: World) -> object:
    return world.refresh("101")


def an_incomplete_run(world: World) -> object:
    events = [Event(at, "short", 0) for at in (1, 3, 5)]
    return world.run(*(Event(at, "count-up") for at in range(6)), *events)


@pytest.mark.parametrize("partial", [a_refresh, an_incomplete_run])
@pytest.mark.parametrize("appears", [True, False])
def test_a_field_that_changes_everywhere_is_not_published_by_a_partial_run(
    partial: Scenario, world: World, *, appears: bool
) -> None:
    mood = sorted(TOGGLED).index("Mood")
    if appears:
        world.mutate("toggle", mood)
    world.fill(5).run()
    world.mutate("toggle", mood)
    partial(world)
    world.calm()
    assert world.figures["changed"] == 0


@pytest.mark.parametrize("event", ["delete", "reorder", "replace"])
def test_counts_miss_a_replacement_and_look_ups_miss_no_event(event: str) -> None:
    counts = simulate(event, 50)
    assert counts["one walk"] > 0
    assert (counts["counted"] > 0) == (event == "replace")
    assert counts["looked up"] == 0
    assert (counts["confirmed"] > 0) == (event != "reorder")  # otherwise a confirmation without evidence would pass
