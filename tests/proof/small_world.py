"""A small world, whole: catalogs of a few templates, every event at every gap between requests, every fault at every request.

    python -m tests.proof.small_world --templates 3 --seconds 3600

A story is a catalog of n templates, stored by a first run; then two runs on pages of two, in each of which one event happens
just before any of the requests, and one fault befalls any of the answers, or one of the two, or neither; then calm runs. After
every run all of `tests/test_stateful.py` must hold: nothing was removed that was there throughout, nothing changed that did
not, a run that failed left no trace, the feed replays. After the calm ones the database is exactly what is served, and `db
check` finds nothing.

All of these are played, but for what cannot make a difference:

- An event or a fault after the last request is none. How many requests there are is known from the run without it: up to where
  it strikes, the two are the same.
- A run knows of the past what `Remembered` holds. So two stories that lead to the same of that, and to the same catalog, go on
  the same; of such the first is told to its end.
- The templates differ in their ids only, and the values of a price, a title or a tag mean nothing to the flow: one of each will
  do. Which record of a page is struck does matter, and where a template comes to stand.

Not enumerated: the dice of the controls, which always show the same; two events, or two faults, within one run; several workers.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sync.reader.feed_check import feed_problems
from sync.store.engine import open_engine
from sync.store.schema import upgrade
from tests.moving_catalog import Event
from tests.proof.remembered import Remembered
from tests.proof.strikes import PAGE, events, faults
from tests.test_stateful import World

if TYPE_CHECKING:
    from collections.abc import Iterator

Script = tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class State:
    """All that a story's end leaves, and the story."""

    story: tuple[Script, ...]
    catalog: Any
    known: Any
    runs: int
    remembered: Remembered
    database: bytes


class OutOfTime(Exception):
    """The seconds are over."""


class SmallWorld:
    """Plays stories over one database; a context manager. `counted` says how many of what."""

    def __init__(self, folder: Path, *, seconds: float = float("inf")) -> None:
        file = folder / "small.db"
        engine = open_engine(f"sqlite:///{file}")
        upgrade(engine)
        engine.dispose()
        self.counted: Counter[str] = Counter()
        self._world = World(file, figures=self.counted)
        self._world.random = lambda: 0.5
        self._ends = time.monotonic() + seconds
        self._seen: set[object] = set()
        self._calmed: set[object] = set()
        self._empty = self._state(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._world.__exit__()

    def explore(self, templates: int, *, pairs: tuple[bool, bool] = (True, True)) -> None:
        """Play every story of a catalog of so many templates.

        Args:
            templates: how many.
            pairs: whether an event and a fault strike the same run, of the first and of the second.

        Raises:
            OutOfTime: it is not whole.
        """
        self._restore(self._empty)
        self._world.fill(templates)
        self._world.run(page_size=PAGE)
        begin = self._state(())
        for first in self._after(begin, pairs=pairs[0]):
            for second in self._after(first, pairs=pairs[1]):
                self._calm(second)

    def _after(self, state: State, *, pairs: bool) -> Iterator[State]:
        """Play every run from a state; give the states that no story led to before."""
        catalog = state.catalog
        present, gone = len(catalog.live), len(catalog.history) - len(catalog.live)
        happen, befall = [*events(present, gone)], [*faults(present)]
        requests, end = self._play(state, ())
        yield from end
        for at in range(requests):
            for first, others, since in (*((each, befall, at) for each in happen), *((each, happen, at + 1) for each in befall)):
                struck = Event(at, *first)
                longer, end = self._play(state, (struck,))
                yield from end
                for later in range(since, longer if pairs else 0):
                    for other in others:
                        yield from self._play(state, (struck, Event(later, *other)))[1]

    def _play(self, state: State, script: Script) -> tuple[int, list[State]]:
        """Play one run; give how many requests it made, and its end if it is new."""
        if time.monotonic() > self._ends:
            raise OutOfTime
        self._restore(state)
        before = self.counted["requests"]
        self.counted["stories"] += 1
        try:
            outcome = self._world.run(*script, page_size=PAGE)
            expected = state.remembered.after(outcome.plan) if outcome.plan else state.remembered
            remembered = Remembered.of(self._world.store)
            assert remembered.key == expected.key, "the store does as the model of it, on which core_world.py plays"
        except BaseException:
            sys.stderr.write(f"\nin the story of {len(self._empty.known)} templates: {(*state.story, script)}\n")
            raise
        key = (len(state.story), self._key(remembered))
        if key in self._seen:
            return self.counted["requests"] - before, []
        self._seen.add(key)
        self.counted["states"] += 1
        return self.counted["requests"] - before, [self._state((*state.story, script), remembered)]

    def _calm(self, state: State) -> None:
        self._restore(state)
        if (key := self._key(state.remembered)) in self._calmed:
            return
        self._calmed.add(key)
        self.counted["calmed down"] += 1
        try:
            self._world.calm(PAGE)
            assert feed_problems(self._world.engine) == []
        except BaseException:
            sys.stderr.write(f"\nin the calm after {state.story}\n")
            raise

    def _key(self, remembered: Remembered) -> object:
        """Say in one value what the next run, and the catalog, can know of the past."""
        catalog = self._world.catalog
        gone = [(key, catalog.meanings[key][-1]) for key in sorted(catalog.history.keys() - catalog.live.keys())]
        return hash((remembered.key, repr([*catalog.live.items()]), catalog.form, repr(gone)))

    def _state(self, story: tuple[Script, ...], remembered: Remembered | None = None) -> State:
        world = self._world
        held = remembered or Remembered.of(world.store)
        with world.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            return State(story, world.catalog.fork(), dict(world.known), world.runs, held, driver.serialize())

    def _restore(self, state: State) -> None:
        world = self._world
        world.catalog, world.known, world.runs = state.catalog.fork(), dict(state.known), state.runs
        world.unsettled.clear()
        memory = sqlite3.connect(":memory:")
        memory.deserialize(state.database)
        with world.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            memory.backup(driver)
        memory.close()


def main() -> None:
    """Explore, smallest catalogs first, and print what was counted."""
    parser = argparse.ArgumentParser(description="Play every story of catalogs of up to so many templates.")
    parser.add_argument("--templates", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument(
        "--pairs", choices=("both", "first", "none"), default="both", help="runs that an event and a fault strike"
    )
    asked = parser.parse_args()
    pairs = (asked.pairs != "none", asked.pairs == "both")
    folder = Path(tempfile.mkdtemp())
    began = time.monotonic()
    try:
        with SmallWorld(folder, seconds=asked.seconds) as world:
            for count in range(asked.templates + 1):
                try:
                    world.explore(count, pairs=pairs)
                    ended = "whole"
                except OutOfTime:
                    ended = "out of time"
                print(told(count, ended, world.counted, time.monotonic() - began), flush=True)  # noqa: T201 - it is what was asked
                if ended != "whole":
                    break
    finally:
        shutil.rmtree(folder)


def told(templates: int, ended: str, counted: Counter[str], seconds: float) -> str:
    """Say what was counted so far, in one line."""
    names = ("stories", "states", "calmed down", "runs", "requests")
    figures = ", ".join(f"{counted[name]:,} {name}" for name in names)
    return f"up to {templates} templates, {ended}: {figures}; nothing untrue; {seconds:.0f} s"


if __name__ == "__main__":
    main()
