"""All histories of small catalogs; docs/verification.md lists larger explorations."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import pytest

import sync.catalog.diff
from sync.errors import SyncError
from sync.synchronise import plan
from tests.fake_client import FakeClient
from tests.moving_catalog import LOSABLE, Catalog
from tests.proof.core_world import NOW, OPTIONS, Budget, CoreWorld, Runs, State, summary
from tests.proof.events import events, faults
from tests.proof.store_model import StoreModel
from tests.test_guards_matter import removals_without_confirmation, without_returns
from tests.visit import FAULTS, Event, Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sync.store.apply import Store


def explored(templates: int, left: Budget, *, field: str | None = None, only_losses: bool = False, runs: int = 2) -> CoreWorld:
    world = CoreWorld(field=field, only_losses=only_losses)
    for count in range(templates + 1):
        world.explore(count, left, runs=runs)
    return world


@pytest.mark.ci_slice
@pytest.mark.parametrize(("field", "left"), [(None, Budget(1, 1)), ("Tags_en", Budget(2, 0))])
def test_merging_equal_states_omits_no_run(field: str | None, left: Budget) -> None:
    catalog = Catalog()
    for place in range(2):
        catalog.mutate("add", 0, place)
    world = CoreWorld(field=field, only_losses=field is not None)
    [(begin, _)] = every_end(world, State((), catalog, StoreModel()), Budget(0, 0))
    merged = {(state.key, still) for state, still in Runs(world, begin).all(left)}
    one_by_one = [*every_end(world, begin, left)]
    assert world.counted["runs"] == len(one_by_one)
    assert world.counted["distinct runs"] < len(one_by_one)
    assert merged == {(state.key, still) for state, still in one_by_one}
    endings = {"  ended succeeded", "  ended held", "  ended unverified", "  ended failed, interrupted"}
    assert not left.faults or endings <= world.counted.keys()


def every_end(world: CoreWorld, begin: State, left: Budget, script: tuple[Event, ...] = ()) -> Iterator[tuple[State, Budget]]:
    """Make every run from a state, each from its beginning; yield the state after each."""
    catalog = begin.catalog.fork()
    visit = Visit(catalog, script)
    endpoint = FakeClient(visit.answer, workers=1)
    after = begin.stored
    with suppress(SyncError):
        planned = plan(cast("Store", begin.stored), endpoint, OPTIONS, now=NOW, random=lambda: 0.5)
        endpoint.check_deadline()
        after = begin.stored.after(planned)
    yield State((script,), catalog, after), left
    last = script[-1] if script else None
    # A fault affects a response, so it comes after the events before it.
    for at in range(0 if last is None else last.at + (last.kind in FAULTS), visit.requests):
        for each in world.events(catalog) if left.events else ():
            yield from every_end(world, begin, Budget(left.events - 1, left.faults), (*script, Event(at, *each)))
        for each in faults(len(catalog.live)) if left.faults else ():
            yield from every_end(world, begin, Budget(left.events, left.faults - 1), (*script, Event(at, *each)))


def test_every_event_and_fault_occurs_once() -> None:
    possible_events, possible_faults = [*events(2, 1)], [*faults(2)]
    assert (len(possible_events), len(possible_faults)) == (len({*possible_events}), len({*possible_faults}))
    assert {kind for kind, *_ in possible_events} == {"sign", "add", "return", "delete", "reprice", "retag", "replace", "move"}
    assert (len(possible_events), len(possible_faults)) == (1 + 3 + 3 + 6 + 8, 12 + 3 + 6 * 2 + 4)


def test_a_world_without_events_has_two_runs() -> None:
    assert explored(0, Budget(0, 0)).counted["runs"] == 2


def test_without_look_ups_a_false_removal_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    removals_without_confirmation("lookup")(monkeypatch)
    with pytest.raises(AssertionError, match="was in the catalog throughout, and was removed"):
        CoreWorld().explore(3, Budget(1, 0))


@pytest.mark.parametrize("field", ["ConsumeItems", "Tags_en"])
def test_a_consumer_has_a_field_that_was_lost_and_returned(field: str) -> None:
    """Every history of two templates with two losses and returns before or during three runs."""
    assert explored(2, Budget(2, 0), field=field, only_losses=True, runs=3).counted["runs"] > 100


@pytest.mark.parametrize("field", ["ConsumeItems", "MediaId", "Tags"])
def test_a_consumer_lacks_a_returned_field_that_is_not_published(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync.catalog.diff, "changed_fields", without_returns)
    with pytest.raises(AssertionError, match="a consumer of the feed has the documents of the tables"):
        explored(2, Budget(2, 0), field=field, only_losses=True)


def test_emptying_a_field_that_no_record_has_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync.catalog.diff, "fields_to_keep", lambda _record, _missing: frozenset())
    with pytest.raises(AssertionError, match="never had these values"):
        explored(2, Budget(1, 0), field="ConsumeItems", only_losses=True)


EXPLORATIONS = {
    **{f"three runs of three templates that lose {field}": (3, Budget(3, 0), field, 3) for field in LOSABLE},
    "two templates that lose ConsumeItems: an event and a fault": (2, Budget(1, 1), "ConsumeItems", 2),
    "two templates that lose ConsumeItems: two events": (2, Budget(2, 0), "ConsumeItems", 2),
    "one template: two events and a fault": (1, Budget(2, 1), None, 2),
    "four templates: an event and a fault": (4, Budget(1, 1), None, 2),
    "three templates: two events": (3, Budget(2, 0), None, 2),
}
"""Number of templates, events and faults, lost field, number of runs after the first one."""


def marked(name: str) -> pytest.MarkDecorator:
    return pytest.mark.ci_slice if "lose" in name else pytest.mark.long


@pytest.mark.parametrize(
    ("templates", "left", "field", "runs"),
    [pytest.param(*each, id=name, marks=marked(name)) for name, each in EXPLORATIONS.items()],
)
def test_every_history_of_a_small_catalog_is_correct(
    templates: int, left: Budget, field: str | None, runs: int, report: Callable[[str], None]
) -> None:
    began = time.monotonic()
    world = explored(templates, left, field=field, only_losses=runs == 3, runs=runs)
    report(summary(templates, world.counted, time.monotonic() - began))
