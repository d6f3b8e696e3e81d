"""The catalog of the past equals what was recorded after each run."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync import Catalog, CatalogError, NoSuchPast, Pruned, Template, UnknownRun, UnknownTemplate
from sync.catalog.run_record import Status
from sync.store.column_types import Json, UtcDateTime
from sync.store.prune import prune
from sync.store.tables import sync_runs
from sync.text import iso
from tests.builders import record
from tests.faults import Catalog as Served
from tests.faults import at, sync

if TYPE_CHECKING:
    from tests.builders import Database

pytestmark = pytest.mark.long_on_servers

ROOT = Path(__file__).parent.parent.parent
IDS = [str(number) for number in range(1, 8)]
MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    return datetime(2026, 11, 25, tzinfo=UTC)


class Recorded:
    """A database, and the catalog recorded after each run."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.catalog = Catalog(engine, clock=now)
        self.lists: dict[int, tuple[Template, ...]] = {}
        self.each: dict[int, dict[str, Template]] = {}
        self.prices: dict[int, list[Any]] = {}
        self.ends: dict[int, datetime] = {}

    def run(self, served: Any) -> int:
        outcome = sync(served, self.engine, clock=at(10 * (len(self.lists) + 1)), max_removed=1)
        run_id, ended = outcome.run.run_id, outcome.run.finished_at
        assert run_id is not None
        assert ended is not None
        self.lists[run_id], self.ends[run_id] = self.catalog.templates(), ended
        self.each[run_id] = {key: self.catalog.template(key) for key in IDS if self._has(key)}
        self.prices[run_id] = [self.catalog.price_history(key) for key in self.each[run_id]]
        return run_id

    def _has(self, template_id: str) -> bool:
        try:
            return bool(self.catalog.template(template_id))
        except UnknownTemplate:
            return False


def live(engine: sa.Engine, runs: int = 9) -> Recorded:
    """Add, remove, return and change templates, with a failed run."""
    rng = random.Random(7)  # noqa: S311 - the same history each time
    recorded = Recorded(engine)
    for number in range(runs):
        served = [
            record(
                key,
                Title_en=f"Number {key}.{number if rng.random() < 0.3 else 0}",
                ConsumeItems=[{"Resolution": "720p", "Credit": rng.choice([100, 100, 0.1])}],
            )
            for key in IDS
            if rng.random() < 0.7
        ]
        failing = Served(served)
        if number == 4:
            failing.on_request = failing.interrupt
        recorded.run(failing)
    return recorded


def test_every_run_is_shown_as_it_was_recorded(database: Database) -> None:
    recorded = live(database.engine)
    assert database.scalar("SELECT status FROM sync_runs WHERE run_id = 5") == "interrupted"
    for run_id, was in recorded.lists.items():
        then = recorded.catalog.as_of(run_id)
        assert then.templates() == was
        assert {key: then.template(key) for key in recorded.each[run_id]} == recorded.each[run_id]
        assert [then.price_history(key) for key in recorded.each[run_id]] == recorded.prices[run_id]
        found = [each.seq for each in then.changes()]
        assert found == [each.seq for each in recorded.catalog.changes() if each.run_id <= run_id]
        for key in set(IDS) - recorded.each[run_id].keys():
            with pytest.raises(UnknownTemplate, match=f"seen by run {run_id}"):
                then.template(key)


def test_the_catalog_of_a_run_is_valid_until_the_next_run_ends(database: Database) -> None:
    recorded = live(database.engine)
    applied = [run_id for run_id in recorded.lists if run_id != 5]
    for before, run_id in itertools.pairwise(applied):
        ended = recorded.ends[run_id]
        assert recorded.catalog.as_of(ended).templates() == recorded.lists[run_id]
        assert recorded.catalog.as_of(ended - MICROSECOND).templates() == recorded.lists[before]
    assert recorded.catalog.as_of(now()).templates() == recorded.catalog.templates()
    zoned = recorded.ends[2].astimezone(tz=None)
    assert recorded.catalog.as_of(zoned).templates() == recorded.lists[2]


def test_the_difference_between_two_times_is_net(database: Database) -> None:
    recorded = live(database.engine)
    catalog = recorded.catalog
    for before, after in ((1, 4), (2, 9), (9, 2), (4, 5), (3, 3)):
        old, new = ({each.template_id: each for each in recorded.lists[run_id]} for run_id in (before, after))
        found = catalog.diff(before, after)
        assert {(each.kind, each.template_id) for each in found} == {
            *(("added", key) for key in new.keys() - old.keys()),
            *(("removed", key) for key in old.keys() - new.keys()),
            *(("changed", key) for key in old.keys() & new.keys() if old[key].content_hash != new[key].content_hash),
        }
        for change in found:
            assert change.template == (old if change.kind == "removed" else new)[change.template_id]
            assert (change.run_id, change.at) == (after, recorded.ends[after])
            assert change.breaking == (("removed",) if change.kind == "removed" else ())
            assert catalog.changes(since=change.cursor) == tuple(each for each in catalog.changes() if each.run_id > after)
    assert catalog.diff(recorded.ends[1], recorded.ends[4]) == catalog.diff(1, 4)


def test_times_without_a_catalog_are_rejected_with_one_line(database: Database) -> None:
    catalog = Catalog(database.engine, clock=now)
    with pytest.raises(NoSuchPast, match="There is no catalog of 2026-01-01T00:00:00Z: nothing was applied yet"):
        catalog.as_of(datetime(2026, 1, 1, tzinfo=UTC))
    recorded = live(database.engine, runs=2)
    for when, kind, why in (
        (99, UnknownRun, "There is no run 99."),
        (0, UnknownRun, "There is no run 0."),
        (now() + MICROSECOND, NoSuchPast, "2026-11-25T00:00:00.000001Z is in the future; the time is 2026-11-25T00:00:00Z."),
        (recorded.ends[1] - MICROSECOND, NoSuchPast, "the first run ended at 2026-01-01T12:1"),
    ):
        with pytest.raises(kind, match=why.replace(".", r"\.")) as refused:
            catalog.as_of(when)
        assert isinstance(refused.value, CatalogError)
        assert refused.value.exit_code == 2
        assert "\n" not in str(refused.value)
        assert refused.value.hint


def test_an_ambiguous_time_is_rejected(sqlite: Database) -> None:
    catalog = Catalog(sqlite.engine)
    aware = datetime(1, 1, 1, tzinfo=UTC).replace(tzinfo=datetime.strptime("+1400", "%z").tzinfo)
    for when in (datetime(2026, 1, 1), True, -1, 2**63, "1", None, aware):  # noqa: DTZ001 - refused
        with pytest.raises(ValueError):  # noqa: PT011 - any message
            catalog.as_of(when)  # type: ignore[arg-type]


def put(database: Database, run_id: int, status: Status, ended: datetime | None) -> None:
    """Insert the row of a run."""
    row = {"run_id": run_id, "trigger": "run", "status": status, "started_at": now(), "finished_at": ended, "holder": ""}
    with database.engine.begin() as connection:
        connection.execute(sa.insert(sync_runs).values(row))


def test_an_active_run_has_no_catalog(sqlite: Database) -> None:
    recorded = Recorded(sqlite.engine)
    recorded.run([record("1")])
    recorded.run([record("1"), record("2")])
    put(sqlite, 3, Status.SKIPPED, recorded.ends[2] - MICROSECOND)  # run 2 was active
    put(sqlite, 4, Status.RUNNING, None)
    assert recorded.catalog.as_of(3).templates() == recorded.lists[1]
    with pytest.raises(NoSuchPast, match="Run 4 is active"):
        recorded.catalog.as_of(4)


def test_a_run_that_was_skipped_during_the_first_run_has_no_catalog(sqlite: Database) -> None:
    recorded = Recorded(sqlite.engine)
    recorded.run([record("1")])
    put(sqlite, 2, Status.SKIPPED, recorded.ends[1] - MICROSECOND)
    for ask in (recorded.catalog.as_of, lambda run_id: recorded.catalog.diff(1, run_id)):
        with pytest.raises(NoSuchPast, match="Run 2 was skipped before any run was applied"):
            ask(2)


def test_after_the_clock_was_set_back_the_newest_run_counts(sqlite: Database) -> None:
    sync([record("1")], sqlite.engine, clock=at(20))
    second = sync([record("1"), record("2")], sqlite.engine, clock=at(10))
    assert second.run.finished_at is not None
    catalog = Catalog(sqlite.engine, clock=now)
    assert len(catalog.as_of(second.run.finished_at).templates()) == 2
    assert len(catalog.as_of(now()).templates()) == 2


def test_only_pruned_runs_are_rejected(database: Database) -> None:
    recorded = live(database.engine)
    prune(database.engine, before=None, keep_runs=3)
    for when in (3, recorded.ends[3], 6, recorded.ends[6], recorded.ends[7] - MICROSECOND):
        with pytest.raises(Pruned, match="The history before the end of run 7 was pruned") as refused:
            recorded.catalog.as_of(when)
        assert refused.value.hint == f"The oldest available run is 7, which ended at {iso(recorded.ends[7])}."
    assert recorded.catalog.as_of(recorded.ends[7]).templates() == recorded.catalog.as_of(7).templates()
    for run_id in (7, 8, 9):
        then = recorded.catalog.as_of(run_id)
        for found, was in zip(then.templates(), recorded.lists[run_id], strict=True):
            assert (found.template_id, found.content_hash, found.prices) == (was.template_id, was.content_hash, was.prices)
            assert found.changed_at in (was.changed_at, was.first_seen_at)
            assert found.changed_run_id == was.changed_run_id


def test_a_prune_without_deletions_hides_no_run(sqlite: Database) -> None:
    recorded = live(sqlite.engine, runs=2)
    prune(sqlite.engine, before=None, keep_runs=3)
    assert recorded.catalog.as_of(1).templates() == recorded.lists[1]
    with pytest.raises(UnknownRun, match="There is no run 0"):
        recorded.catalog.as_of(0)
    with pytest.raises(NoSuchPast, match="the first run ended at"):
        recorded.catalog.as_of(recorded.ends[1] - MICROSECOND)


def test_the_present_is_available_if_all_kept_runs_failed(sqlite: Database) -> None:
    recorded = Recorded(sqlite.engine)
    recorded.run([record("1")])
    for _ in range(3):
        failing = Served([record("1")])
        failing.on_request = failing.interrupt
        recorded.run(failing)
    prune(sqlite.engine, before=None, keep_runs=1)
    assert recorded.catalog.as_of(now()).templates() == recorded.catalog.as_of(4).templates() == recorded.catalog.templates()
    for when in (1, recorded.ends[1], 3):
        with pytest.raises(Pruned, match="The history before the end of run 4 was pruned"):
            recorded.catalog.as_of(when)


def test_versions_before_a_removal_can_be_pruned(database: Database) -> None:
    recorded = Recorded(database.engine)
    for served in ([record("1"), record("2")], [record("1")], [record("1")], [record("1")], [record("1"), record("2")]):
        recorded.run(served)
    assert recorded.catalog.as_of(4).template("2").removed_at == recorded.ends[2]
    prune(database.engine, before=None, keep_runs=2)
    with pytest.raises(Pruned, match="The history of template '2' before run 4 was pruned"):
        recorded.catalog.as_of(4).template("2")
    assert recorded.catalog.as_of(5).template("2") == recorded.each[5]["2"]
    (back,) = recorded.catalog.diff(5, 4)
    assert (back.kind, back.template_id, back.seq) == ("removed", "2", 3)
    assert [each.seq for each in recorded.catalog.changes(since=back.cursor)] == [4], "the feed continues after the pruned part"


def test_reading_the_past_does_not_read_present_tables(sqlite: Database) -> None:
    sync([record("1")], sqlite.engine)
    then = Catalog(sqlite.engine).as_of(1)
    for call in (then.status, then.follow, lambda: then.ensure_fresh("1", 0)):
        with pytest.raises(CatalogError, match="is available for the current catalog only, not after run 1"):
            call()
    assert then.as_of(1).templates() == then.templates()


def test_the_documented_queries_return_the_same(database: Database) -> None:
    recorded = live(database.engine)
    queries = (ROOT / "docs" / "database.md").read_text().partition("## The past\n")[2].split("```sql\n")
    whole, applied, which = (sa.text(query.partition("```")[0].rstrip("; \n")) for query in queries[1:4])
    which = which.bindparams(sa.bindparam("instant", type_=UtcDateTime()))
    with database.engine.connect() as connection:
        for run_id in (1, 4, 9):
            assert connection.scalar(which, {"instant": recorded.ends[run_id]}) == run_id
            rows = connection.scalars(whole.columns(document=Json()), {"run": run_id}).all()
            assert [row["template_id"] for row in rows] == [each.template_id for each in recorded.lists[run_id]]
            assert [row["title_en"] for row in rows] == [each.title_en for each in recorded.lists[run_id]]
        assert connection.scalar(which, {"instant": recorded.ends[1] - MICROSECOND}) is None
    skipped = {"run_id": 10, "trigger": "run", "status": "skipped", "holder": "another host", "started_at": recorded.ends[7]}
    with database.engine.begin() as connection:
        connection.execute(sa.insert(sync_runs), {**skipped, "finished_at": recorded.ends[8] - MICROSECOND})
        assert connection.scalar(applied, {"skipped": 10}) == 7
    assert recorded.catalog.as_of(10).templates() == recorded.lists[7]
