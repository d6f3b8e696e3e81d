"""A changing catalog, its copy and a consumer of the feed, with the invariants that must hold after every run."""

from __future__ import annotations

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa

from sync.catalog.feed import apply_fields
from sync.catalog.removals import RunOptions
from sync.catalog.run_record import Status
from sync.client.api_client import ApiClient
from sync.reader.feed import changes
from sync.refresh import refresh
from sync.sandbox.server import SANDBOX_KEY
from sync.store import lease as leases
from sync.store.apply import Store
from sync.store.engine import open_engine, reading
from sync.synchronise import Outcome, synchronise
from tests.builders import HASTY, Database, make_settings, ticking
from tests.fake_client import FakeClient
from tests.faults import anomalies, documents, exported_documents
from tests.hostile import Hostile, Reply, Request
from tests.moving_catalog import LOSSES, MUTATIONS, Catalog, Truth, truth_of
from tests.proof.store_model import StoreModel
from tests.twice import seen, without_waiting_for_the_disk
from tests.visit import RIVALS, Event, Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

APPLIED = {Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE}
RUNS_WITH_WRONG_COUNT = 3
"""Runs with the same ids and a wrong count that remove nothing; the next run ignores the count."""
RUNS_HELD = 2
"""Runs in which implausible removals are held; the next run removes."""
PAST = 3
"""Number of earlier runs whose catalog is compared after each run."""
Document = dict[str, Any]


class World:
    """A catalog, a database and a consumer of its feed. A context manager.

    Attributes:
        known: the present documents after the last run, by id.
        model: a model of the store, compared with the store after each run.
        consumer: the documents of a consumer that began empty and applies each change of the feed.
        figures: numbers of events, by kind.
        unsettled: fields that appeared or disappeared during a run, until the catalog is calm: only some pages had them.
        denied: templates whose look-up in the last run returned other templates.
        forgetful: make each run also without stored hashes of bytes, and require the same result.
    """

    def __init__(self, database: Database, *, figures: Counter[str] | None = None, forgetful: bool = False) -> None:
        self.catalog = Catalog()
        self.database, self.engine = database, database.engine
        if database.kind == "sqlite":
            sa.event.listen(self.engine, "connect", without_waiting_for_the_disk)
        self.store = new_store(self.engine)
        self.clock = ticking()
        self.known: dict[str, Document] = {}
        self.model = StoreModel.of(self.store)
        self.consumer: dict[str, Document] = {}
        self.figures: Counter[str] = Counter() if figures is None else figures
        self.unsettled: set[str] = set()
        self.denied: set[str] = set()
        self.runs = 0
        self.random = random.Random(1).random  # noqa: S311 - it chooses the controls of look-ups
        self.forgetful = forgetful
        self._cursor: str | int = 0
        self._past: dict[int, dict[str, Any]] = {}

    @classmethod
    def at(cls, file: Path, **options: Any) -> Self:
        """Make one over a migrated SQLite file."""
        engine = open_engine(f"sqlite:///{file}")
        return cls(Database("sqlite", str(engine.url), engine), **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()

    def mutate(self, kind: str, pick: int = 0, other: int = 0) -> None:
        """Change the catalog between two runs."""
        self.figures["mutations"] += 1
        self.catalog.mutate(kind, pick, other)

    def fill(self, count: int) -> Self:
        """Add templates, in the order of their ids."""
        for number in range(count):
            self.mutate("add", 0, number)
        return self

    def restart(self) -> None:
        """Continue with new connections and a new store, as after a restart."""
        self.engine.dispose()
        self.store = new_store(self.engine)

    def run(self, *script: Event, page_size: int = 3, workers: int = 1, accept: bool = False, sockets: bool = False) -> Outcome:
        """Run once with the events of the script, then check the invariants."""
        options = RunOptions(page_size=page_size, max_removed=Decimal("0.1"), accept_removals=accept, hold=0.0)
        again = self.forgetful and not sockets and not {event.kind for event in script} & {*RIVALS}
        start, rng = self.clock(), random.Random(self.runs).random  # noqa: S311 - a test's input

        def once(endpoint: ApiClient, store: Store) -> Outcome:
            if isinstance(endpoint, FakeClient):
                endpoint.workers = workers
            clock, chance = (ticking(start), rng) if again else (self.clock, self.random)
            return synchronise(store, endpoint, options, trigger="run", ttl=60.0, clock=clock, random=chance)

        if not again:
            return self._attempt(once, script, sockets=sockets)
        expected = self._forgetful_run(once, script)
        rng = random.Random(self.runs).random  # noqa: S311 - the same controls both times
        outcome = self._attempt(once, script)
        rows, hashes = seen(self.database, outcome)
        expected_requests, expected_rows, expected_hashes = expected
        assert self.requests == expected_requests, "recognition changes the requests"
        assert rows == expected_rows, "recognition changes the stored rows"
        assert hashes == expected_hashes, "recognition changes the stored hashes"
        return outcome

    def refresh(self, template_id: str, *script: Event) -> Outcome:
        """Refresh one template with the events of the script, then check the invariants."""
        return self._attempt(lambda endpoint, store: refresh(store, endpoint, template_id, ttl=60.0, clock=self.clock), script)

    def calm(self, page_size: int = 3) -> None:
        """Run without faults until the database equals the catalog, which takes a known number of runs."""
        catalog = self.catalog
        allowed = 1 + RUNS_WITH_WRONG_COUNT * (catalog.miscount != 0)
        allowed += RUNS_HELD * (len(self.known.keys() - catalog.live.keys()) > 10)
        for _ in range(allowed):
            outcome = self.run(page_size=page_size, accept=not catalog.live)
            if outcome.run.status is Status.SUCCEEDED:
                break
        assert outcome.run.status is Status.SUCCEEDED, f"{allowed} calm runs did not suffice: {outcome.error}"
        assert self.known.keys() == catalog.live.keys()
        for template_id, document in self.known.items():
            assert matches(document, catalog.live[template_id].stated(catalog.hidden))
            assert document["cover_url"] == catalog.wire(template_id)["Cover"], "the newest URL is stored"
        self.unsettled.clear()
        catalog.losing &= {"Tags_en" if name == "Tags" else name for meaning in catalog.live.values() for name in meaning.lost}
        before = self.database.catalog_dump()
        assert self.run(page_size=page_size, accept=not catalog.live).error is None
        assert self.database.catalog_dump() == before, "a run over an unchanged catalog writes nothing"

    def _forgetful_run(self, once: Callable[[ApiClient, Store], Outcome], script: Sequence[Event]) -> tuple[Any, Any, Any]:
        """Run on a copy of the database without stored hashes; return the requests, the rows and the hashes."""
        with _copied(self.engine) as copy:
            copy.execute("UPDATE templates SET wire_hash = NULL")
            endpoint = FakeClient(Visit(self.catalog.fork(), script).answer)
            outcome = once(endpoint, new_store(copy.engine))
            return endpoint.requests, *seen(copy, outcome)

    def _attempt(self, once: Callable[[ApiClient, Store], Outcome], script: Sequence[Event], *, sockets: bool = False) -> Outcome:
        since = self.catalog.now
        visit = Visit(self.catalog, script, on_rival=self._rival)
        if sockets:
            with (
                Hostile(lambda request: _reply(visit, request)) as server,
                ApiClient(make_settings(server.url, concurrency=1), SANDBOX_KEY, retry_policy=replace(HASTY, attempts=1)) as real,
            ):
                outcome = once(real, self.store)
        else:
            endpoint = FakeClient(visit.answer)
            outcome = once(endpoint, self.store)
            self.requests = endpoint.requests
        self._count(visit)
        self.unsettled |= visit.toggled
        self.denied = visit.denied
        stored = StoreModel.of(self.store)
        if not visit.fired.keys() & {*RIVALS}:
            planned = outcome.plan if outcome.run.status in APPLIED else None
            expected = self.model.after(planned) if planned else self.model
            assert stored.key == expected.key, "the store differs from the model of it, which core_world.py uses"
        self.model = stored
        if outcome.plan is not None:
            self.figures["recognised"] += sum(each.offset is None for each in outcome.plan.snapshot.good.values())
        self._check(outcome, since)
        return outcome

    def _count(self, visit: Visit) -> None:
        self.runs += 1
        self.figures.update(runs=1, walks=visit.walks, requests=visit.requests)
        for kind, count in visit.fired.items():
            happened = kind in MUTATIONS or kind in LOSSES
            self.figures["mutations" if happened else "rivals" if kind in RIVALS else "faults"] += count
            self.figures[f"  {kind}"] += count

    def _rival(self, kind: str) -> None:
        """Make another run during this one; for a takeover the lease is broken first."""
        if kind == "takeover":
            leases.break_lease(self.engine)

        def compete() -> None:
            visit = Visit(self.catalog)
            endpoint = FakeClient(visit.answer, workers=1)
            outcome = synchronise(
                self.store, endpoint, RunOptions(3), trigger="daemon", ttl=60.0, clock=self.clock, random=self.random
            )
            self._count(visit)
            since = self.catalog.now
            self._check(outcome, since, others=1)

        with ThreadPoolExecutor(1) as pool:
            pool.submit(compete).result()

    # Invariants

    def _check(self, outcome: Outcome, since: int, *, others: int = 0) -> None:
        """Check the outcome of a run and the database; `others` is the number of active runs that are not counted yet."""
        run_id = outcome.run.run_id
        runs = self.database.rows("sync_runs")
        assert sum(row["status"] == "running" for row in runs) <= others, "every attempt has an end"
        assert len(runs) == self.runs + others, "every attempt is recorded once"
        if run_id is not None:
            (row,) = (row for row in runs if row["run_id"] == run_id)
            assert row["status"] == str(outcome.run.status) or row["status"] == "interrupted", "it has one final status"
        assert anomalies(self.engine) == []
        with reading(self.engine) as connection:
            present = documents(connection)
        published = [row for row in self.database.rows("template_changes") if row["run_id"] == run_id]
        self.figures.update(Counter(row["kind"] for row in published))
        if outcome.run.status in APPLIED:
            self._check_changes(published, present, outcome, since)
        else:
            assert not published, "a failed run publishes nothing"
            assert present == self.known, "a failed run stores nothing"
        self.figures[f"  ended {outcome.run.status}"] += 1
        self.known = present
        self._check_consumer(outcome)

    def _check_consumer(self, outcome: Outcome) -> None:
        """Check that the consumer of the feed has the documents of the tables, and that earlier runs are shown unchanged."""
        for change in changes(self.engine, since=self._cursor):
            key, self._cursor = change["template_id"], change["cursor"]
            if change["kind"] == "removed":
                del self.consumer[key]
            elif change["kind"] == "added":
                self.consumer[key] = change["document"]
            else:
                self.consumer[key] = apply_fields(self.consumer[key], change["fields"])
        now = documented_values(self.known)
        assert documented_values(self.consumer) == now, "a consumer of the feed has the documents of the tables"
        for run_id in [*self._past][-PAST:]:
            past = {each["template_id"]: each for each in exported_documents(self.engine, run_id)}
            assert documented_values(past) == self._past[run_id], f"run {run_id} is shown with other documents"
        if outcome.run.status in APPLIED and outcome.run.run_id is not None:
            self._past[outcome.run.run_id] = now

    def _check_changes(self, changes: list[Document], documents: dict[str, Document], outcome: Outcome, since: int) -> None:
        assert outcome.plan is not None
        rejected = {bad.template_id for bad, _reason in outcome.plan.snapshot.rejected}
        kinds = {row["template_id"]: row["kind"] for row in changes}
        for row in changes:
            template_id = row["template_id"]
            truths = self.catalog.truths(template_id, since, self.catalog.now)
            if row["kind"] == "removed":
                accepted = row["evidence"] == "accepted" and template_id in self.denied
                assert accepted or None in truths, f"{template_id} was in the catalog all the time, and was removed"
                assert template_id in self.known
                assert row["evidence"] in {"lookup", "walks", "accepted"}
                continue
            assert any(matches(documents[template_id], truth) for truth in truths), f"{template_id} never had these values"
            if row["kind"] == "changed":
                check_fields(row["fields"], self.known[template_id], documents[template_id])
                if any(_toggled(each["field"]) not in self.unsettled | self.catalog.losing for each in row["fields"]):
                    assert not all(matches(self.known[template_id], truth) for truth in truths), f"{template_id} did not change"
        for template_id, before in self.known.items():
            after = documents.get(template_id)
            assert after is not None or kinds.get(template_id) == "removed", f"{template_id} disappeared without a change"
            if after is not None and template_id not in kinds:
                assert not published(before, after), f"{template_id} changed without a change of the feed"
            if template_id in rejected:
                assert after == before, f"{template_id} was rejected, and did not keep its last valid values"


def check_fields(fields: Sequence[Any], before: Document, after: Document) -> None:
    """Require that the fields of a change are those that differ, with the values of both documents."""
    found = {each["field"]: (each["old"], each["new"]) for each in fields}
    assert found, "a change has fields"
    assert found == {name: (value_of(before, name), value_of(after, name)) for name in published(before, after)}


def matches(document: Document, truth: Truth | None) -> bool:
    """Return whether a stored document has the values of a truth; hidden fields may have any value."""
    if truth is None:
        return False
    stored = truth_of(document)
    return all(stored[key] == value for key, value in truth.items())


def published(before: Document, after: Document) -> set[str]:
    """Return the fields of the feed whose difference is a change: all but an unknown field that appeared or disappeared."""
    old, new = _by_field(before), _by_field(after)
    changed = {name for name in {**old, **new} if old.get(name) != new.get(name)}
    return {name for name in changed if not name.startswith("extra.") or None not in {old.get(name), new.get(name)}}


def _by_field(document: Document) -> dict[str, Any]:
    truth = truth_of(document)
    names = {"title": "title", "media_id": "media_id", "cover": "cover_url", "mood": "extra.Mood", "tags_en": "tags"}
    fields = {name: truth[key] for key, name in names.items()} | {"aspect_ratios": truth["aspect_ratios"]}
    return {**fields, **{f"consume_items.{price['resolution']}": price["credit"] for price in document["consume_items"]}}


def value_of(document: Document, name: str) -> Any:
    """Return the value of a field of the feed in a document."""
    if name.startswith("consume_items."):
        prices = {f"consume_items.{price['resolution']}": price["credit"] for price in document["consume_items"]}
        return prices.get(name)
    return document["extra"].get(name.removeprefix("extra.")) if name.startswith("extra.") else document[name]


def _toggled(name: str) -> str | None:
    """Return the wire field whose appearance can change a field of the feed."""
    fields = {
        "media_id": "MediaId", "extra.Mood": "Mood", "tags": "Tags_en", "aspect_ratios": "SupportAspectRatio",
        "consume_items": "ConsumeItems",
    }  # fmt: skip
    return fields.get("consume_items" if name.startswith("consume_items.") else name)


def documented_values(catalog: Mapping[str, Document]) -> dict[str, Any]:
    """Reduce documents to their documented fields, without the order of lists and the query strings of URLs."""
    return {key: _documented(document) for key, document in catalog.items()}


def _documented(document: Document) -> Document:
    whole = {name: value for name, value in document.items() if name not in {"extra", "form_hash"}}
    for name in ("cover_url", "preview_video_url"):
        whole[name] = whole[name] and whole[name].partition("?")[0]
    for name in ("consume_items", "tags", "aspect_ratios"):
        whole[name] = sorted(json.dumps(each, sort_keys=True) for each in whole[name])
    return whole


def _reply(visit: Visit, request: Request) -> Reply:
    status, body = visit.answer(request.query)
    return Reply(body, status, (("content-type", "application/json"),))


def new_store(engine: sa.Engine) -> Store:
    return Store(engine, sleep=lambda _: None)


@contextmanager
def _copied(engine: sa.Engine) -> Iterator[Database]:
    """Copy an SQLite database to a file in the same folder."""
    file = f"{engine.url.database}.copy"
    with engine.connect() as connection, open(file, "wb") as copy:  # noqa: PTH123 - a name, not a path
        driver: Any = connection.connection.driver_connection
        copy.write(driver.serialize())
    other = open_engine(f"sqlite:///{file}")
    sa.event.listen(other, "connect", without_waiting_for_the_disk)
    try:
        yield Database("sqlite", str(other.url), other)
    finally:
        other.dispose()
