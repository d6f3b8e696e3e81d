"""The reading API in the programs that use it: encoders, tasks, threads, forked processes."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import multiprocessing
import pickle
import re
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import sqlalchemy as sa
from pydantic import TypeAdapter

import sync as package
from sync import Catalog, CatalogError, Change, DatabaseError, SyncError, Template, UnknownTemplate
from tests.builders import record, records
from tests.faults import AFTER, BEFORE, at, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from tests.builders import Database

ROOT = Path(__file__).parent.parent


@pytest.fixture
def changed(sqlite: Database) -> Database:
    """Add, change and remove templates, one of them with unknown fields."""
    sync([*BEFORE, record("9", New={"deep": [1, {"er": 2.5}]})], sqlite.engine, clock=at(0))
    sync([*AFTER, record("9", New={"deep": [1, {"er": 3.5}]})], sqlite.engine, clock=at(1))
    return sqlite


def values(database: Database) -> list[tuple[Any, Any]]:
    catalog = Catalog(database.engine)
    return [(Template, catalog.template("9")), *((Change, change) for change in catalog.changes())]


def test_encoders_accept_the_values(changed: Database) -> None:
    for kind, value in values(changed):
        as_dict = dataclasses.asdict(value)
        assert kind is Change or as_dict["extra"] == {"New": {"deep": (1, {"er": 3.5})}}
        by_pydantic = json.loads(TypeAdapter(kind).dump_json(value))
        assert TypeAdapter(Any).dump_python(value, mode="json") == by_pydantic
        assert json.loads(msgspec.json.encode(value)).keys() == by_pydantic.keys() == as_dict.keys()


def test_a_change_of_0_1_0_keeps_the_side_on_which_a_field_was_absent(changed: Database) -> None:
    absent = [{"field": "extra.Gone", "old": 1, "new": None, "absent": "new"}]
    with changed.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE template_changes SET fields = :fields WHERE kind = 'changed' AND template_id = '9'"),
            {"fields": json.dumps(absent)},
        )
    (change,) = (each for each in Catalog(changed.engine).changes() if each.kind == "changed" and each.template_id == "9")
    assert [field.as_json() for field in change.fields] == absent


def test_a_snapshot_belongs_to_the_tasks_that_it_is_passed_to(database: Database) -> None:
    sync(records(2), database.engine)
    catalog = Catalog(database.engine)

    async def read() -> None:
        with catalog.snapshot() as then:
            sync(records(3), database.engine)
            in_a_thread = await asyncio.to_thread(then.templates)
            in_a_task = await asyncio.create_task(asyncio.to_thread(lambda: len(catalog.templates())))
            assert (len(in_a_thread), in_a_task) == (2, 3)

    asyncio.run(read())
    assert len(catalog.templates()) == 3


def test_a_snapshot_of_a_dependency_that_ends_in_another_thread_leaves_the_catalog_usable(sqlite: Database) -> None:
    """FastAPI enters and leaves the context of a generator in different threads of its pool."""
    sync(records(2), sqlite.engine)
    catalog = Catalog(sqlite.engine)

    async def request() -> int:
        opened = catalog.snapshot()
        then = await asyncio.to_thread(opened.__enter__)
        found = await asyncio.to_thread(then.templates)
        await asyncio.to_thread(opened.__exit__, None, None, None)
        return len(found)

    async def requests() -> list[int]:
        return await asyncio.gather(*(request() for _ in range(10)))

    assert asyncio.run(requests()) == [2] * 10
    assert len(catalog.templates()) == 2


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&cache=shared&uri=true"])
def test_an_in_memory_database_has_no_snapshot(url: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.StaticPool)
    with pytest.raises(CatalogError, match="in-memory SQLite"), Catalog(engine).snapshot():
        pass
    engine.dispose()


def read_in_child(catalog: Catalog, pipe: Connection) -> None:
    try:
        pipe.send(len(catalog.templates()))
    except BaseException:  # noqa: BLE001 - the parent prints it
        pipe.send(traceback.format_exc())


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_each_forked_process_opens_its_own_connections(database: Database) -> None:
    sync(records(2), database.engine)
    fork = multiprocessing.get_context("fork")
    for catalog in (Catalog(database.url), Catalog(sa.create_engine(database.engine.url))):
        assert len(catalog.templates()) == 2, "the parent has a connection in its pool"
        answers = []
        for _ in range(12):
            ours, theirs = fork.Pipe()
            child = fork.Process(target=read_in_child, args=(catalog, theirs))
            child.start()
            answers.append((child, ours))
        assert [ours.recv() for _, ours in answers] == [2] * 12
        for child, _ in answers:
            child.join()
        assert len(catalog.templates()) == 2
        catalog._engine.dispose()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_cannot_use_the_snapshot_of_its_parent(database: Database) -> None:
    sync(records(2), database.engine)
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    with Catalog(database.url) as catalog, catalog.snapshot() as then:
        for snapshot in (then, then.as_of(1)):
            child = multiprocessing.get_context("fork").Process(target=read_in_child, args=(snapshot, theirs))
            child.start()
            assert "belongs to the process that opened it" in str(ours.recv())
            child.join()
        assert len(then.templates()) == 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*deleted while still open:ResourceWarning")
@pytest.mark.parametrize("error", [None, SystemExit(0)])
def test_a_forked_process_that_leaves_a_snapshot_does_not_end_the_transaction_of_its_parent(
    database: Database, error: SystemExit | None
) -> None:
    sync(records(2), database.engine)
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    catalog = Catalog(database.url)
    opened = catalog.snapshot()

    def leave_and_read() -> None:
        opened.__exit__(type(error) if error else None, error, None)
        read_in_child(catalog, theirs)

    then = opened.__enter__()
    child = multiprocessing.get_context("fork").Process(target=leave_and_read)
    child.start()
    assert ours.recv() == 2, "the child reads over its own connection"
    child.join()
    sync(records(3), database.engine)
    assert (len(then.templates()), len(catalog.templates())) == (2, 3)
    opened.__exit__(None, None, None)
    catalog.close()


OTHER_CONNECTIONS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mariadb": "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}


@pytest.mark.parametrize("database", OTHER_CONNECTIONS, indirect=True)
def test_every_call_in_a_snapshot_whose_connection_was_lost_raises_a_database_error(database: Database) -> None:
    sync(records(2), database.engine)
    kill = "SELECT pg_terminate_backend(%s)" if database.kind == "postgresql" else "KILL %s"
    with Catalog(database.url) as catalog:
        opened = catalog.snapshot()
        then = opened.__enter__()
        assert len(then.templates()) == 2
        with database.engine.connect() as connection:
            for number in connection.exec_driver_sql(OTHER_CONNECTIONS[database.kind]).scalars().all():
                connection.exec_driver_sql(kill % number)
        for call in (then.templates, then.templates, partial(opened.__exit__, None, None, None)):
            with pytest.raises(DatabaseError):
                call()
        assert len(catalog.templates()) == 2


def test_an_error_passes_from_a_process_of_a_pool_to_its_caller(sqlite: Database) -> None:
    sync(records(1), sqlite.engine)
    with Catalog(sqlite.engine) as catalog:
        calls: list[Callable[[], object]] = [
            lambda: catalog.template("9"),
            lambda: catalog.changes(since=7),
            lambda: catalog.as_of(7),
            lambda: Catalog("sqlite:///no/such/folder/x.db").count(),
            lambda: Catalog("other://host/catalog"),
        ]
        for call in calls:
            with pytest.raises(SyncError) as raised:
                call()
            for again in (pickle.loads(pickle.dumps(raised.value)), copy.copy(raised.value)):  # noqa: S301 - our own bytes
                assert (type(again), again.args, vars(again)) == (type(raised.value), raised.value.args, vars(raised.value))


STORABLE_IDS = ("x", "é" * 200)
OTHER_IDS: tuple[Any, ...] = ("", "a\x00b", "\ud800", "9" * 5000, 1, True, 10**5000, 1.0, None, b"1", ["1"], {"1": 1}, object())


def test_an_id_that_no_template_has_is_unknown_whatever_its_type(database: Database) -> None:
    sync(records(1), database.engine)
    catalog = Catalog(database.engine)
    reading: list[Callable[[Any], object]] = [
        catalog.template, catalog.prices, catalog.price_history, catalog.form, catalog.as_of(1).template,
    ]  # fmt: skip
    for template_id in STORABLE_IDS + OTHER_IDS:
        calls = list(reading)
        if template_id not in STORABLE_IDS:
            calls.append(partial(catalog.ensure_fresh, max_age=0))  # it requests an id that a template can have
        for call in calls:
            with pytest.raises(UnknownTemplate, match="No template") as found:
                call(template_id)
            assert found.value.template_id is template_id


def test_every_exception_that_the_documents_name_can_be_imported_from_the_package() -> None:
    documents = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    named = {name for file in documents for name in re.findall(r"`([A-Z]\w+)`", file.read_text())}
    import sync.errors

    errors = {name for name, value in vars(sync.errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert {"CatalogError", "ConfigurationError", "CursorLost", "TryLater"} <= named & errors
    assert named & errors <= set(package.__all__)
