"""A consumer that starts empty and applies the change feed, and nothing else, holds the documented columns of the tables.

Histories of a catalog that loses fields and gets them back, in some records or in all; whose look-ups have fewer fields than its
list; whose pages fail, whose count is wrong, and whose replicas serve an old catalog, or one old page.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sync.catalog.diff
from sync.catalog.field_changes import apply_fields, changed_fields
from sync.errors import Deferred
from sync.reader import catalog as catalog_reader
from sync.reader.feed import changes
from sync.reader.feed_check import feed_problems
from sync.store.apply import Store
from sync.store.engine import open_engine, reading
from sync.synchronise import Outcome, RunOptions, refresh, synchronise
from tests.answering import Answering, listed, not_there
from tests.builders import Database, record, ticking
from tests.faults import Snapshot, documents
from tests.twice import without_waiting_for_the_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sync.catalog.document import Document
    from sync.catalog.field_changes import FieldChange
    from sync.client.params import Params
    from tests.answering import Given

    Record = dict[str, Any]

IDS = [str(number) for number in range(1, 8)]
PAGE = 3
FIELDS = ("ConsumeItems", "Tags", "Tags_en", "SupportAspectRatio", "Title_en", "Duration", "Cover", "Mood")
"""Fields that are lost and come back; `Mood` is unknown."""
SLIM = ("TemplateId", "Title", "Cover")
"""The fields of a slim look-up."""
VALUES: dict[str, Callable[[int], Any]] = {
    "ConsumeItems": lambda number: [{"Resolution": f"{size}p", "Credit": 10 + number % 3} for size in (480, 720)[: number % 3]],
    "Tags": lambda number: ["hot", "new", "duo"][number % 2 :],
    "Tags_en": lambda number: ["Hot", "New", "Duo"][number % 2 :],
    "SupportAspectRatio": lambda number: ",".join(["9:16", "1:1", "16:9"][number % 4 :]),
    "Title_en": lambda number: ["", "Battle", "Dance"][number % 3],
    "Duration": lambda number: number % 3,
    "Cover": lambda number: f"https://media.example/{number % 2}.jpeg?x-signature={number}",
    "Mood": lambda number: number % 3,
}


@dataclass
class Upstream:
    """The records, which of their fields are lost, and how the next run is answered.

    Attributes:
        records: id -> whole record.
        gone: ids that are not in the catalog.
        unlisted: ids that a look-up finds and the list lacks.
        lost: (id, field) that are not served.
        null: whether a lost field is null instead of missing.
        slim: whether look-ups have fewer fields than the list.
    """

    records: dict[str, Record]
    gone: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    lost: set[tuple[str, str]] = field(default_factory=set)
    null: bool = False
    slim: bool = False

    def served(self, template_id: str) -> Record:
        """Give one record as it is served."""
        lost = {name: None if self.null else ... for name in FIELDS if (template_id, name) in self.lost}
        return {name: value for name, value in {**self.records[template_id], **lost}.items() if value is not ...}

    def pages(self) -> list[list[Record]]:
        """Give the list as it is served."""
        present = [self.served(key) for key in self.records if key not in self.gone | self.unlisted]
        return [present[start : start + PAGE] for start in range(0, len(present), PAGE)] or [[]]

    def look_up(self, template_id: str) -> list[Record]:
        """Give what a look-up finds."""
        if template_id not in self.records or template_id in self.gone:
            return []
        found = self.served(template_id)
        return [{name: found[name] for name in SLIM if name in found} if self.slim else found]

    def change(self, kind: str, pick: int, other: int) -> None:
        """Let one thing change."""
        template_id, name = IDS[pick % len(IDS)], FIELDS[other % len(FIELDS)]
        everywhere, several = {(key, name) for key in IDS}, {(key, name) for key in IDS[: 1 + pick % 4]}
        if kind == "value":
            self.records[template_id] = {**self.records[template_id], **values(template_id, name, pick + other)}
        elif kind == "gone":
            self.gone ^= {template_id}
        elif kind == "unlisted":
            self.unlisted ^= {template_id}
        elif kind in {"null", "slim"}:
            setattr(self, kind, not getattr(self, kind))
        elif kind == "lost by all":
            self.lost |= everywhere
        elif kind == "lost by some":
            self.lost |= several
        elif kind == "back in all":
            self.lost -= everywhere
        else:
            self.lost -= several


def values(template_id: str, name: str, number: int) -> Record:
    """Give new values of a field; tags in both languages go together."""
    names = ("Tags", "Tags_en") if name.startswith("Tags") else (name,)
    return {each: VALUES[each](number + int(template_id)) for each in names}


CHANGES = ("value", "value", "gone", "unlisted", "null", "slim", "lost by all", "lost by some", "back in all", "back in some")
RUNS = ("run", "run", "run", "run", "restart", "refresh", "wrong count", "bad page", "old catalog", "old page")


class Step(NamedTuple):
    """Some changes of the catalog, and how the run after them is made and answered; `pick` chooses a page or a template."""

    changes: Sequence[tuple[str, int, int]]
    run: str = "run"
    pick: int = 0


class World:
    """A catalog, its copy, and a consumer of the feed. `figures` counts what happened."""

    def __init__(self, database: Database, figures: Counter[str]) -> None:
        self.database, self.figures = database, figures
        self.engine = database.engine
        if database.kind == "sqlite":
            sa.event.listen(self.engine, "connect", without_waiting_for_the_disk)
        self.upstream = Upstream({key: record(key, Mood="calm") for key in IDS})
        self.before = self.upstream.pages()
        self.clock, self.dice = ticking(), random.Random(1).random  # noqa: S311 - a test's input
        self.cursor: str | int = 0
        self.consumer: dict[str, Document] = {}
        self.shown: dict[int, dict[str, Document]] = {}

    def play(self, steps: Sequence[Step]) -> None:
        """Play a history; check the consumer and the run before after each run, and at the end every run."""
        for step in (Step(()), *steps):
            before = self.upstream.pages()
            for kind, pick, other in step.changes:
                self.upstream.change(kind, pick, other)
            if step.run == "restart":
                self._restart()
            outcome = self._run(step)
            self.figures[str(outcome.run.status)] += 1
            self.figures[step.run] += 1
            self.before = before
            self._check(outcome)
        self._check_past(self.shown)

    def _restart(self) -> None:
        if self.engine is not self.database.engine:
            self.engine.dispose()
        self.engine = open_engine(self.database.url)
        if self.database.kind == "sqlite":
            sa.event.listen(self.engine, "connect", without_waiting_for_the_disk)

    def close(self) -> None:
        """Close the connections of a restart."""
        if self.engine is not self.database.engine:
            self.engine.dispose()

    def _run(self, step: Step) -> Outcome:
        store, endpoint = Store(self.engine, sleep=lambda _: None), Answering(self._answer(step))
        if step.run == "refresh":
            return refresh(store, endpoint, IDS[step.pick % len(IDS)], ttl=60.0, clock=self.clock)
        options = RunOptions(page_size=PAGE, workers=2, hold=0)
        return synchronise(store, endpoint, options, trigger="run", ttl=60.0, clock=self.clock, random=self.dice)

    def _answer(self, step: Step) -> Callable[[Params], Given]:
        pages = self.before if step.run == "old catalog" else self.upstream.pages()
        if step.run == "old page":
            place = step.pick % len(pages)
            pages = [*pages[:place], *self.before[place : place + 1], *pages[place + 1 :]]
        total = sum(map(len, pages)) + (step.run == "wrong count")
        bad = 2 + step.pick % 2 if step.run == "bad page" else None

        def answer(question: Params) -> Given:
            if "template_id" in question:
                found = self.upstream.look_up(str(question["template_id"]))
                return listed(found, len(found)) if found else not_there()
            number = int(question["page"])
            if number == bad:
                error = Deferred("The server failed (500).", code="server-error")
                error.exhausted = True
                return error
            return listed(pages[number - 1] if number <= len(pages) else [], total)

        return answer

    def _check(self, outcome: Outcome) -> None:
        for change in changes(self.engine, since=self.cursor):
            key, self.cursor = change["template_id"], change["cursor"]
            self.figures[change["kind"]] += 1
            if change["kind"] == "removed":
                del self.consumer[key]
            elif change["kind"] == "added":
                self.consumer[key] = change["document"]
            else:
                self.consumer[key] = apply_fields(self.consumer[key], change["fields"])
        with reading(self.engine) as connection:
            now = meanings(documents(connection))
        assert meanings(self.consumer) == now, "a consumer of the feed holds the tables"
        assert feed_problems(self.engine) == []
        assert outcome.run.run_id is not None
        self._check_past([*self.shown][-1:])
        self.shown[outcome.run.run_id] = now

    def _check_past(self, runs: Iterable[int]) -> None:
        for run_id in runs:
            past = {each["template_id"]: each for each in catalog_reader.catalog(self.engine, after_run=run_id)}
            assert meanings(past) == self.shown[run_id], f"run {run_id} is shown as it was"


def meanings(catalog: Mapping[str, Document]) -> dict[str, Any]:
    """Reduce documents to their documented fields, without the order of lists and the query strings of URLs."""
    return {key: _meaning(document) for key, document in catalog.items()}


def _meaning(document: Document) -> Document:
    whole = {name: value for name, value in document.items() if name not in {"extra", "form_hash"}}
    for name in ("cover_url", "preview_video_url"):
        whole[name] = whole[name] and whole[name].partition("?")[0]
    for name in ("consume_items", "tags", "aspect_ratios"):
        whole[name] = sorted(json.dumps(each, sort_keys=True) for each in whole[name])
    return whole


def follow(database: Database, histories: Sequence[Sequence[Step]]) -> Counter[str]:
    """Play each history on an empty database; count what happened."""
    figures: Counter[str] = Counter()
    empty = Snapshot(database.engine)
    for number, steps in enumerate(histories):
        if number:
            empty.restore()
        world = World(database, figures)
        try:
            world.play(steps)
        finally:
            world.close()
    return figures


LOST_BY_SOME_THEN_BY_ALL = [
    Step([("lost by some", 2, 0)]),
    Step([("lost by all", 0, 0)]),
    Step([("back in all", 0, 0)]),
    Step([("null", 0, 0), ("lost by some", 2, 1)]),
    Step([("lost by all", 0, 1)], "restart"),
    Step([("back in all", 0, 1)]),
]
"""The history whose last run used to publish nothing, with a missing key and with null."""
SLIM_LOOK_UPS = [
    Step([("slim", 0, 0)], "refresh", 1),
    Step([("unlisted", 2, 0)]),
    Step([("value", 2, 0), ("unlisted", 2, 0)]),
    Step([("gone", 4, 0)]),
    Step([("gone", 4, 0)], "refresh", 4),
    Step([], "run"),
]
"""A returned template is first seen by a slim look-up, and whole by the next run."""


def random_history(seed: int, length: int) -> list[Step]:
    """Make a history of so many runs."""
    dice = random.Random(seed)  # noqa: S311 - a test's input

    def several() -> list[tuple[str, int, int]]:
        return [(dice.choice(CHANGES), dice.randrange(20), dice.randrange(20)) for _ in range(dice.choice((0, 1, 1, 2, 3)))]

    return [Step(several(), dice.choice(RUNS), dice.randrange(20)) for _ in range(length)]


def test_a_consumer_of_the_feed_holds_the_tables_after_every_run(database: Database) -> None:
    figures = follow(database, [LOST_BY_SOME_THEN_BY_ALL, SLIM_LOOK_UPS, random_history(8, 10)])
    assert {"added", "changed", "removed", "succeeded", "incomplete"} <= figures.keys()


CHANGE = st.tuples(st.sampled_from(CHANGES), st.integers(0, 19), st.integers(0, 19))
STEPS = st.builds(Step, st.lists(CHANGE, max_size=3), st.sampled_from(RUNS), st.integers(0, 19))


@pytest.mark.long
def test_it_does_so_after_many_random_histories(database: Database) -> None:
    empty, figures = Snapshot(database.engine), Counter[str]()

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=[*HealthCheck], print_blob=True)
    @given(st.lists(STEPS, min_size=5, max_size=20))
    def follows(steps: list[Step]) -> None:
        empty.restore()
        world = World(database, figures)
        try:
            world.play(steps)
        finally:
            world.close()

    follows()
    figures += follow(database, [LOST_BY_SOME_THEN_BY_ALL, *(random_history(seed, 20) for seed in range(30))])
    assert set(RUNS) <= figures.keys()


def without_returns(before: Document, after: Document) -> list[FieldChange]:
    """Compare two documents by the old rule, which published no field that comes back."""
    empty = {name for name, value in before.items() if value in (None, [])}
    return [each for each in changed_fields(before, after) if each["field"].partition(".")[0] not in empty]


@pytest.mark.parametrize("history", [LOST_BY_SOME_THEN_BY_ALL, random_history(8, 10)], ids=["the story", "random"])
def test_it_does_not_where_a_field_that_comes_back_is_no_change(
    history: list[Step], sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync.catalog.diff, "changed_fields", without_returns)
    with pytest.raises(AssertionError, match="a consumer of the feed holds the tables"):
        follow(sqlite, [history])
