"""`from sync import Catalog`, as an app uses it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

import sync as package
from sync import Catalog, CatalogError, CursorLost, FieldChange, Price, Tag, Template, TypeCount
from sync.errors import ConfigurationError, SchemaError
from tests.builders import record, records
from tests.faults import AFTER, BEFORE, at, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders import Database

ROOT = Path(__file__).parent.parent


# The values -------------------------------------------------------------------------------------------------------------


def test_a_template_has_the_columns_as_plain_values(database: Database) -> None:
    unknown = {"New": {"deep": [1, {"er": 2}]}}
    sync([record("1", **unknown), record("2", Tags=["热"], Tags_en=None)], database.engine, clock=at(0))
    catalog = Catalog(database.engine)
    template = catalog.template("1")
    assert template.title_en == "Battle Game"
    assert template.released_at == datetime(2026, 5, 22, 3, 37, 31, tzinfo=UTC)
    assert template.tags == (Tag("🔥Seedance2.0模型", "🔥Seedance2.0 Model"), Tag("热门", "Trending"))
    assert template.prices == (Price("480p", Decimal("166.5")), Price("720p", Decimal("355.2")))
    assert catalog.template("2").tags == (Tag("热", None),)
    assert template.aspect_ratios == ("9:16", "1:1")
    assert template.extra["New"]["deep"][1]["er"] == 2
    assert (template.first_seen_run_id, template.changed_run_id, template.removed_run_id) == (1, 1, None)
    assert template.first_seen_at == template.changed_at
    assert template.first_seen_at.tzinfo is UTC
    row, _ = database.rows("templates", "template_id")
    assert all(getattr(template, name) == row[name] for name in row if name not in {"extra", "wire_hash"})


def test_values_are_immutable_and_can_be_copied_pickled_and_hashed(sqlite: Database) -> None:
    for number in (1, 2):
        sync([record("1", New={"deep": [number]})], sqlite.engine)
    template: Any = Catalog(sqlite.engine).template("1")
    with pytest.raises(AttributeError):
        template.title = "x"
    for value in (template.extra, template.extra["New"]):
        with pytest.raises(TypeError):
            value["New"] = 1
    change = Catalog(sqlite.engine).changes()[1]
    assert change.fields == (FieldChange(field="extra.New", old={"deep": (1,)}, new={"deep": (2,)}),)
    for value in (template, change):
        again = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
        assert again == copy.deepcopy(value) == value
        assert hash(again) == hash(value)
    with pytest.raises(TypeError):
        again.template.extra["New"]["deep"] = 1


def test_counts_and_facets_follow_the_filters_now_and_then(database: Database) -> None:
    sync([record("1"), record("2", Tags=["夜"], Tags_en=["Night"]), record("3", InputNum=2)], database.engine)
    sync([record("1"), record("2", Tags=["夜"], Tags_en=["Night"])], database.engine)
    catalog = Catalog(database.engine)
    assert (catalog.count(), catalog.count(tag="night"), catalog.count(search="battle", images=2)) == (2, 1, 0)
    assert catalog.facets(tag="Night")["tag"] == {"Night": 1}
    assert catalog.facets()["images"] == {1: 2}
    assert (catalog.as_of(1).count(), catalog.as_of(1).facets()["images"]) == (3, {1: 2, 2: 1})
    assert [(tag.name_en, tag.templates) for tag in catalog.tags()] == [("Night", 1), ("Trending", 1), ("🔥Seedance2.0 Model", 1)]
    assert catalog.types() == (TypeCount(type="BEGIN_END_FRAME", templates=2),)
    with pytest.raises(ValueError, match="Unknown filter: colour, limit"):
        catalog.count(colour="red", limit=1)
    with pytest.raises(ValueError, match="tag: a text, or several, not 5"):
        catalog.templates(tag=5)  # type: ignore[arg-type]


def test_the_form_of_a_removed_template_is_marked_and_keeps_its_hash(database: Database) -> None:
    sync([record("1"), record("2")], database.engine, clock=at(0))
    before = Catalog(database.engine).form("2")
    sync([record("1")], database.engine, clock=at(1))
    form = Catalog(database.engine).form("2")
    marks = {"deprecated": True, "$comment": f"This template was removed at {form.removed_at}."}
    assert (form.schema, form.hash) == ({**before.schema, **marks}, before.hash)
    assert "the API does not accept the request" in form.request(form.example())["notes"][-1]
    assert Catalog(database.engine).as_of(1).form("2") == before


# The feed ---------------------------------------------------------------------------------------------------------------


def test_changes_are_oldest_first_with_the_template_after_them(database: Database) -> None:
    sync(BEFORE, database.engine, clock=at(0))
    sync(AFTER, database.engine, clock=at(1))
    catalog = Catalog(database.engine)
    found = catalog.changes()
    assert [(each.seq, each.kind, each.template_id) for each in found[5:]] == [
        (6, "added", "6"), (7, "changed", "3"), (8, "removed", "5"),
    ]  # fmt: skip
    assert [each.seq for each in catalog.changes(limit=2)] == [1, 2]
    assert catalog.changes(limit=0) == ()
    assert catalog.changes(since=found[5].cursor) == catalog.changes(since=6) == catalog.changes(since="6") == found[6:]
    assert [each.seq for each in catalog.changes(since=found[1].cursor, limit=3)] == [3, 4, 5]
    added, changed, removed = found[5:]
    assert added.template == catalog.template("6")
    assert changed.template == catalog.template("3")
    assert {each.field for each in changed.fields} == {"title_en", "tags", "consume_items.480p", "consume_items.720p"}
    shown = [(price.resolution, price.old is None, price.new is None) for price in changed.prices]
    assert shown == [("480p", False, True), ("720p", False, False)]
    assert {type(price.old or price.new) for price in changed.prices} == {Decimal}
    assert changed.breaking == ("resolution-gone:480p",)
    assert removed.template == catalog.as_of(1).template("5")
    assert (removed.breaking, removed.evidence, removed.template.removed_at) == (("removed",), "lookup", None)
    assert removed.at == catalog.template("5").removed_at


def test_a_lost_cursor_raises_an_error_with_the_current_cursor(database: Database) -> None:
    sync(BEFORE, database.engine)
    catalog = Catalog(database.engine)
    end = catalog.status().cursor
    epoch = end.partition("-")[0]
    for since, reason in (
        (9, "ahead"),
        (end.replace(epoch, "0" * 12), "other-feed"),
        (end[:-6] + ("000000" if not end.endswith("000000") else "111111"), "diverged"),
    ):
        calls: list[Callable[[Any], object]] = [catalog.changes, lambda since: next(catalog.follow(since))]
        for call in calls:
            with pytest.raises(CursorLost) as lost:
                call(since)
            assert (lost.value.reason, lost.value.oldest_seq, lost.value.last_seq, lost.value.cursor) == (reason, 1, 5, end)
            assert isinstance(lost.value, CatalogError)
    refusing: list[Callable[[Any], object]] = [catalog.changes, catalog.follow]
    for never in ("junk", -1, 2**63, True, 1.0, "1" * 5000):
        for call in refusing:
            with pytest.raises(ValueError, match="since: a cursor or a seq"):
                call(never)
    with pytest.raises(ValueError, match="limit: a whole number"):
        catalog.changes(limit=-1)
    for seconds in (-1, "soon", None):
        with pytest.raises(ValueError, match="every: "):
            catalog.follow(every=seconds)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [5, 2**70, None, b"1"])
def test_an_invalid_database_is_rejected(wrong: Any) -> None:
    with pytest.raises(ValueError, match="database: a URL or an engine, not"):
        Catalog(wrong)


def test_a_connection_is_no_database(sqlite: Database) -> None:
    wrong: Any
    with sqlite.engine.connect() as wrong, pytest.raises(ValueError, match="database: a URL or an engine, not Connection"):
        Catalog(wrong)


def test_follow_yields_each_change_once_without_an_open_connection(database: Database) -> None:
    catalog = Catalog(database.engine)
    served = iter([records(2), records(2), records(3)])
    pool: Any = database.engine.pool

    def sleep(seconds: float) -> None:
        assert seconds == 0.5
        assert pool.checkedout() == 0
        sync(next(served), database.engine)

    news = catalog.follow(every=0.5, sleep=sleep)
    assert [next(news).template_id for _ in range(3)] == ["1", "2", "3"]
    later = catalog.follow(sleep=sleep)
    sync(records(4), database.engine)
    assert next(later).template_id == "4", "it starts at the call"


# Snapshots, threads, privileges -----------------------------------------------------------------------------------------


def test_calls_in_a_snapshot_see_one_state(database: Database) -> None:
    sync(records(2), database.engine)
    for engine in (database.engine, sa.create_engine(database.engine.url)):
        catalog = Catalog(engine)
        before = len(catalog.templates())
        with catalog.snapshot() as then:
            first = (then.templates(), then.status().cursor, then.as_of(1).templates())
            sync(records(before + 1), database.engine)
            with then.snapshot() as same:
                assert (same.templates(), same.status().cursor, same.as_of(1).templates()) == first
            assert then.diff(1, 1) == ()
            assert then.as_of(1)._source is then._source, "the past is read in the same transaction"
            for call in (then.follow, partial(then.ensure_fresh, "1", 0)):
                with pytest.raises(CatalogError, match="outside it"):
                    call()
            with ThreadPoolExecutor(1) as other:
                assert other.submit(then.templates).result() == first[0], "another thread sees the same state"
            assert len(catalog.templates()) == before + 1, "the catalog itself is outside the snapshot"
        with pytest.raises(CatalogError, match="The snapshot is closed"):
            then.templates()
        assert len(catalog.templates()) == before + 1
        if engine is not database.engine:
            engine.dispose()


def test_a_catalog_disposes_only_of_its_own_engine(sqlite: Database) -> None:
    sync(records(1), sqlite.engine)
    mine: Any = sa.create_engine(sqlite.engine.url)
    with Catalog(mine) as catalog:
        catalog.templates()
    assert mine.pool.checkedin() == 1, "its connection stays open"
    mine.dispose()
    for url in (sqlite.url, sa.make_url(sqlite.url)):
        with Catalog(url) as catalog:
            assert catalog.templates()
            pool: Any = catalog._engine.pool
            assert pool.checkedin() == 1
        assert pool.checkedin() == 0


@pytest.mark.long_on_servers
def test_many_threads_read_while_a_run_commits(database: Database) -> None:
    sync(records(1), database.engine)
    catalog = Catalog(database.engine)

    def look(_number: int) -> bool:
        with catalog.snapshot() as now:
            return now.status().present == len(now.templates())

    with ThreadPoolExecutor(8) as threads:
        looks = threads.map(look, range(64))
        for count in (2, 3):
            sync(records(count), database.engine)
        assert all(looks)


def test_status_has_ages_and_the_bounds_of_the_feed(database: Database) -> None:
    empty = Catalog(database.engine).status()
    assert (empty.present, empty.last_success_at, empty.last_success_age, empty.last_change_at) == (0, None, None, None)
    assert Catalog(database.engine).changes(since=empty.cursor) == ()
    ended = sync(BEFORE, database.engine, clock=at(0)).run.finished_at
    assert ended is not None
    status = Catalog(database.engine, clock=lambda: ended + timedelta(minutes=5)).status()
    assert (status.present, status.held, status.oldest_seq, status.last_seq) == (5, 0, 1, 5)
    assert (status.last_success_at, status.last_success_age, status.last_change_at) == (ended, timedelta(minutes=5), ended)
    assert status.cursor == Catalog(database.engine).changes()[-1].cursor
    assert status.feed_epoch is not None
    assert status.cursor.startswith(status.feed_epoch)


def test_a_missing_database_raises_errors_of_this_package(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL: not a database URL"):
        Catalog("nonsense")
    with Catalog(f"sqlite:///{tmp_path / 'none.db'}") as catalog:
        for call in (catalog.templates, catalog.status, catalog.changes):
            with pytest.raises(SchemaError, match="There is no database at"):
                call()
    assert not (tmp_path / "none.db").exists(), "reading creates no file"


# Imports and types ------------------------------------------------------------------------------------------------------

HEAVY = ("sqlalchemy", "httpcore", "apscheduler", "alembic", "structlog", "click", "psycopg", "pymysql")


def loaded(statement: str) -> list[str]:
    """Return the large libraries that a new interpreter has imported after a statement."""
    calls = f"import sys; {statement}; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", calls], check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_importing_the_catalog_loads_only_the_database_library(sqlite: Database) -> None:
    sync(records(1), sqlite.engine)
    assert loaded("import sync; dir(sync); from sync import UnknownTemplate, Template") == []
    calls = "c.templates(search='x'); c.changes(); c.as_of(1).diff(1, 1); c.status(); c.price_history('1'); c.close()"
    assert loaded(f"from sync import Catalog; c = Catalog({sqlite.url!r}); {calls}") == ["sqlalchemy"]


def test_the_public_names_exist() -> None:
    assert all(getattr(package, name).__doc__ for name in package.__all__)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="module 'sync' has no attribute 'Catalogue'"):
        package.Catalogue  # noqa: B018 - the access is the test
    assert Template.__module__ == "sync.reader.values"


CONSUMER = """
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sync import Catalog, Change, CursorLost, Page, Template, UnknownTemplate


def cheapest(catalog: Catalog, tag: str) -> Decimal | None:
    page: Page = catalog.templates(tag=tag, max_price=Decimal(200), sort="price", limit=1)
    first: Template | None = page[0] if page else None
    return min((price.credit for price in first.prices), default=None) if first else None


def consume(catalog: Catalog, since: str | None) -> str | None:
    try:
        for change in catalog.changes(since, limit=100):
            seen: Change = change
            since = seen.cursor
            moment: datetime = seen.at
            print(seen.seq + 1, moment.isoformat(), seen.template.template_id.upper(), [each.field for each in seen.fields])
    except CursorLost as lost:
        return lost.cursor
    return since


with Catalog("sqlite:///templates.db") as catalog, catalog.snapshot() as now:
    then: Catalog = now.as_of(datetime(2026, 11, 17, tzinfo=UTC))
    age: timedelta | None = now.status().last_success_age
    try:
        print(cheapest(then, "Festival"), consume(now, None), age, now.form("1").schema, now.diff(1, 2)[0].kind == "added")
    except UnknownTemplate as unknown:
        print(unknown.template_id, unknown.hint)
"""

WRONG = {
    'catalog.templates(sort="dear")': "arg-type",
    "catalog.template(1)": "arg-type",
    "catalog.template('1').titel": "attr-defined",
    "catalog.template('1').title.upper()": "union-attr",
    "catalog.status().last_success_age.days": "union-attr",
}


@pytest.mark.long
def test_a_consumer_is_type_checked_strictly_against_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, check=True, cwd=ROOT, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    (installed,) = tmp_path.glob("venv/lib/python*/site-packages")
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    (installed / "libraries.pth").write_text(str(Path(sa.__file__).parent.parent))  # without the .pth files there

    def mypy(text: str) -> str:
        (tmp_path / "consumer.py").write_text(text)
        python = str(tmp_path / "venv/bin/python")
        check = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "consumer.py"]
        return subprocess.run(check, check=False, cwd=tmp_path, capture_output=True, text=True).stdout

    assert mypy(CONSUMER).startswith("Success")
    wrong = mypy("from sync import Catalog\n\ncatalog = Catalog('sqlite:///x.db')\n" + "\n".join(WRONG))
    for line, code in enumerate(WRONG.values(), 4):
        messages = [each for each in wrong.splitlines() if each.startswith(f"consumer.py:{line}: error")]
        assert [each for each in messages if f"[{code}]" in each], wrong
