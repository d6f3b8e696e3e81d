"""The pure core over small catalogs, whole: docs/verification.md says how far larger ones were explored."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import pytest

from sync.errors import SyncError
from sync.synchronise import plan
from tests.moving_catalog import FAULTS, Catalog, Event, MovingEndpoint, Visit
from tests.proof.core_world import NOW, OPTIONS, CoreWorld, Left, OutOfTime, Runs, State, told
from tests.proof.remembered import Remembered
from tests.proof.strikes import events, faults
from tests.test_guards_matter import believed_without_asking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sync.endpoint.client import Endpoint
    from sync.store.apply import Store


def explored(templates: int, left: Left) -> CoreWorld:
    world = CoreWorld()
    for count in range(templates + 1):
        world.explore(count, left)
    return world


@pytest.mark.ci_slice
def test_telling_together_what_goes_on_the_same_leaves_out_no_run_and_no_end() -> None:
    catalog = Catalog()
    for place in range(2):
        catalog.mutate("add", 0, place)
    [(begin, _)] = every_end(State((), catalog, Remembered()), Left(0, 0))
    world, left = CoreWorld(), Left(1, 1)
    merged = {(state.key, still) for state, still in Runs(world, begin).all(left)}
    one_by_one = [*every_end(begin, left)]
    assert world.counted["runs"] == len(one_by_one)
    assert world.counted["runs told apart"] < len(one_by_one)
    assert merged == {(state.key, still) for state, still in one_by_one}
    assert {"  ended succeeded", "  ended held", "  ended unverified", "  ended failed, interrupted"} <= world.counted.keys()


def every_end(begin: State, left: Left, script: tuple[Event, ...] = ()) -> Iterator[tuple[State, Left]]:
    """Play every run from a state, each from its beginning; give what each comes to."""
    catalog = begin.catalog.fork()
    visit = Visit(catalog, script)
    endpoint = MovingEndpoint(visit)
    after = begin.remembered
    with suppress(SyncError):
        planned = plan(cast("Store", begin.remembered), cast("Endpoint", endpoint), OPTIONS, now=NOW, random=lambda: 0.5)
        endpoint.check_deadline()
        after = begin.remembered.after(planned)
    yield State((script,), catalog, after), left
    present, gone = len(catalog.live), len(catalog.history) - len(catalog.live)
    last = script[-1] if script else None
    # A fault befalls an answer, and so comes after the events before it.
    for at in range(0 if last is None else last.at + (last.kind in FAULTS), visit.requests):
        for each in events(present, gone) if left.events else ():
            yield from every_end(begin, Left(left.events - 1, left.faults), (*script, Event(at, *each)))
        for each in faults(present) if left.faults else ():
            yield from every_end(begin, Left(left.events, left.faults - 1), (*script, Event(at, *each)))


def test_where_nothing_may_happen_there_is_one_run_and_another_after_it() -> None:
    assert explored(0, Left(0, 0)).counted["runs"] == 2


def test_a_world_that_is_not_whole_says_so() -> None:
    with pytest.raises(OutOfTime):
        CoreWorld(seconds=-1).explore(0, Left(0, 0))


def test_without_the_look_up_the_story_that_deceives_every_count_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    believed_without_asking("lookup")(monkeypatch)
    with pytest.raises(AssertionError, match="was there throughout, and was removed"):
        CoreWorld().explore(3, Left(1, 0))


@pytest.mark.long
@pytest.mark.parametrize(
    ("templates", "left"),
    [
        pytest.param(1, Left(2, 1), id="of one: two events and a fault"),
        pytest.param(4, Left(1, 1), id="of four: an event and a fault"),
        pytest.param(3, Left(2, 0), id="of three: two events"),
    ],
)
def test_every_story_of_a_catalog_ends_well(templates: int, left: Left, tell: Callable[[str], None]) -> None:
    began = time.monotonic()
    tell(told(templates, "whole", explored(templates, left).counted, time.monotonic() - began))
