"""One origin per database: a run never replaces the catalog of another origin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sync.config.addresses import LOOPBACK_ORIGIN, origin_of
from sync.errors import SchemaError
from sync.store import schema
from sync.store.engine import open_engine
from sync.store.state import accept_origin
from sync.store.tables import sync_runs, sync_state
from tests.builders import Database, record, records, run_with
from tests.command_line import command, template_sync
from tests.faults import Catalog, sync

if TYPE_CHECKING:
    from pathlib import Path

    from sync.client.api_client import Params
    from tests.daemons import Upstream

OTHER = "https://api.crunai.com"
COMMANDS = ("run", "run --dry-run", "run --json", "run --accept-removals", "refresh 1", "daemon")


def recorded(database: Database) -> object:
    """Return the recorded origin."""
    return database.scalar("SELECT origin FROM sync_state")


def record_origin(database: Database, origin: str | None) -> None:
    """Record an origin."""
    with database.engine.begin() as connection:
        connection.execute(sa.update(sync_state).values(origin=origin))


@pytest.mark.parametrize(("url", "origin"), [
    ("https://api.crun.ai", "https://api.crun.ai"),
    ("https://API.Crun.AI:443/v2/", "https://api.crun.ai"),
    ("https://api.crun.ai.", "https://api.crun.ai"),
    ("https://api.crun.ai:8443", "https://api.crun.ai:8443"),
    ("https://api.box.", "https://api.box"),
    ("http://api.crun.ai:80", "http://api.crun.ai"),
    ("https://api.crun.ai:80", "https://api.crun.ai:80"),
    ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443"),
    ("http://127.0.0.1:38011", LOOPBACK_ORIGIN),
    ("http://localhost", LOOPBACK_ORIGIN),
    ("https://127.9.9.9", LOOPBACK_ORIGIN),
    ("http://[::1]:9", LOOPBACK_ORIGIN),
    ("https://127.0.0.1.example.com", "https://127.0.0.1.example.com"),
])  # fmt: skip
def test_an_origin_is_scheme_host_and_port_and_all_loopback_addresses_are_one(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_the_first_verified_run_records_the_origin_and_a_later_one_writes_nothing(database: Database) -> None:
    assert recorded(database) is None
    run_with(records(3), database.engine)
    assert recorded(database) == LOOPBACK_ORIGIN
    (state,) = database.rows("sync_state")
    run_with(records(3), database.engine)  # the second sandbox has another port
    assert database.rows("sync_state") == [state]


class Miscounting(Catalog):
    """A catalog whose count is one too high, so that no walk is verified."""

    def _listed(self, params: Params) -> tuple[int, bytes]:
        code, body = super()._listed(params)
        answer = json.loads(body)
        answer["data"]["total"] += 1
        return code, json.dumps(answer).encode()


def test_a_walk_that_is_not_verified_records_no_origin(sqlite: Database) -> None:
    assert sync(Miscounting(records(3)), sqlite.engine).run.status == "incomplete"
    assert (len(sqlite.present), recorded(sqlite)) == (3, None)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_catalog_of_another_origin_is_refused_before_any_request(line: str, sqlite: Database, tmp_path: Path) -> None:
    run_with(records(3), sqlite.engine)
    record_origin(sqlite, OTHER)
    before = sqlite.dump()
    refused = command(tmp_path, line.split(), DATABASE_URL=sqlite.url, CRUN_BASE_URL="https://catalog.example")
    assert refused.code == 78, refused.err
    assert OTHER in refused.err
    assert "https://catalog.example" in refused.err
    assert "template-sync db origin --accept" in refused.err
    assert sqlite.dump() == before


def test_another_region_gets_no_request(sqlite: Database, upstream: Upstream, tmp_path: Path) -> None:
    run_with([record("1", Title="kept")], sqlite.engine)
    record_origin(sqlite, OTHER)
    for _ in range(3):
        assert template_sync("run", folder=tmp_path, variables=upstream.settings(DATABASE_URL=sqlite.url)).code == 78
    assert len(upstream.requests) == 0
    assert [row["title"] for row in sqlite.rows("templates")] == ["kept"]


def test_doctor_fails_as_a_run_does_if_the_origin_is_another_one(sqlite: Database, upstream: Upstream, tmp_path: Path) -> None:
    run_with(records(3), sqlite.engine)
    settings = upstream.settings(DATABASE_URL=f"sqlite:///{tmp_path}/templates.db")
    assert template_sync("doctor", folder=tmp_path, variables=settings).code == 0
    record_origin(sqlite, OTHER)
    found = template_sync("doctor", "--json", folder=tmp_path, variables=settings)
    (origin,) = [check for check in json.loads(found.out) if check["name"] == "origin"]
    assert (found.code, origin["result"]) == (78, "failed")
    assert (OTHER in origin["seen"], "db origin --accept" in origin["advice"]) == (True, True)
    assert template_sync("run", folder=tmp_path, variables=settings).code == 78


def test_an_accepted_origin_is_recorded_and_requested(sqlite: Database, upstream: Upstream, tmp_path: Path) -> None:
    variables = upstream.settings(DATABASE_URL=sqlite.url)
    run_with(records(3), sqlite.engine)
    record_origin(sqlite, OTHER)
    shown = json.loads(template_sync("db", "origin", "--json", folder=tmp_path, variables=variables).out)
    assert shown == {"recorded": OTHER, "configured": LOOPBACK_ORIGIN}
    accepted = template_sync("db", "origin", "--accept", folder=tmp_path, variables=variables)
    assert (accepted.code, recorded(sqlite)) == (0, LOOPBACK_ORIGIN)
    assert OTHER in accepted.err
    assert template_sync("run", folder=tmp_path, variables=variables).code == 0


def test_an_origin_is_accepted_in_a_current_schema_only(empty_database: Database) -> None:
    schema.upgrade(empty_database.engine)
    run_with(records(1), empty_database.engine)
    schema.upgrade(empty_database.engine, "-1")
    with pytest.raises(SchemaError, match=r"^The database's schema is 0008, this version needs 0009\.$"):
        accept_origin(empty_database.engine, OTHER)
    assert recorded(empty_database) == LOOPBACK_ORIGIN


def test_the_origin_is_shown_without_a_key(sqlite: Database, tmp_path: Path) -> None:
    shown = template_sync("db", "origin", folder=tmp_path, variables={"DATABASE_URL": sqlite.url})
    assert (shown.code, shown.out.splitlines()) == (0, ["not recorded yet; CRUN_BASE_URL is https://api.crun.ai"])


def test_a_run_during_which_another_origin_is_accepted_applies_nothing(sqlite: Database) -> None:
    sync([record("1", Title="kept")], sqlite.engine)
    outcome = sync(Catalog([record("1", Title="new")], lambda: record_origin(sqlite, OTHER)), sqlite.engine)
    assert (outcome.error and outcome.error.exit_code, recorded(sqlite)) == (78, OTHER)
    assert [row["title"] for row in sqlite.rows("templates")] == ["kept"]


def test_a_first_run_during_which_another_origin_is_accepted_applies_nothing_even_if_its_walk_is_not_verified(
    sqlite: Database,
) -> None:
    outcome = sync(Miscounting(records(3), lambda: record_origin(sqlite, OTHER)), sqlite.engine)
    assert (outcome.error and outcome.error.exit_code, recorded(sqlite), sqlite.present) == (78, OTHER, set())


def test_the_demo_refuses_a_catalog_without_a_recorded_origin(sqlite: Database, tmp_path: Path) -> None:
    run_with(records(3), sqlite.engine)
    record_origin(sqlite, None)
    before = sqlite.dump()
    assert command(tmp_path, ["demo"], DATABASE_URL=sqlite.url).code == 78
    assert sqlite.dump() == before


def test_an_upgrade_records_the_origin_of_a_demo_only(empty_database: Database) -> None:
    schema.upgrade(empty_database.engine)
    run_with(records(3), empty_database.engine)
    schema.upgrade(empty_database.engine, "-2")  # before 0008
    schema.upgrade(empty_database.engine)
    assert recorded(empty_database) is None
    schema.upgrade(empty_database.engine, "-2")  # before 0008
    with empty_database.engine.begin() as connection:
        connection.execute(sa.update(sync_runs).values(trigger="demo"))
    schema.upgrade(empty_database.engine)
    assert recorded(empty_database) == LOOPBACK_ORIGIN
    engine = open_engine(empty_database.url)
    assert list(schema.differences(engine)) == []
    engine.dispose()
