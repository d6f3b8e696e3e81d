"""`status`, `health`, `lease` and `doctor`: the state, the cause of a problem, and the action."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import threading
from collections import namedtuple
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from sync.commands.doctor import Check, Result, checks_of
from sync.config.load_settings import load
from sync.errors import LeaseLost, SchemaError
from sync.reader.status import overview
from sync.sandbox.server import SANDBOX_KEY, Sandbox
from sync.store import lease as leases
from sync.store import schema
from sync.store.engine import open_engine
from tests.builders import Database, records, run_against, ticking
from tests.command_line import of_sandbox, template_sync
from tests.daemons import Upstream, write_lock
from tests.faults import take_lease
from tests.golden.scenes import HOUR, MINUTE, START, end_holder, held, unconfirmed
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


# status -----------------------------------------------------------------------------------------------------------------


def test_status_needs_neither_the_network_nor_the_write_lock(sqlite: Database, tmp_path: Path) -> None:
    with Sandbox(records(3)) as sandbox:
        template_sync("run", folder=tmp_path, variables=of_sandbox(sandbox))
    with write_lock(tmp_path):
        screen = template_sync("status", folder=tmp_path)
        data = template_sync("status", "--json", folder=tmp_path)
    assert (screen.code, data.code, screen.err) == (0, 0, "")
    assert "3 templates, fresh" in screen.out
    assert json.loads(data.out)["present"] == 3


def test_a_missing_or_newer_schema_exits_with_69_and_a_hint(sqlite: Database, upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    empty = template_sync("status", folder=tmp_path, variables={"DATABASE_URL": f"sqlite:///{tmp_path}/empty.db"})
    assert (empty.code, "Run `template-sync db upgrade` once." in empty.err) == (69, True)
    sqlite.execute("UPDATE sync_alembic_version SET version_num = '9999'")
    for line in ("status", "run", "run --dry-run"):
        other = template_sync(*line.split(), folder=tmp_path, variables=upstream.settings(DATABASE_URL=sqlite.url))
        assert (other.code, "newer than this version knows" in other.err) == (69, True), line


def test_an_older_schema_is_an_error_with_the_command_that_upgrades_it(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.store.schema._REVISIONS", ("0000", "0001"))
    sqlite.execute("UPDATE sync_alembic_version SET version_num = '0000'")
    with pytest.raises(SchemaError, match=f"schema is 0000, this version needs {schema.HEAD}") as refusal:
        overview(sqlite.engine)
    assert (refusal.value.exit_code, refusal.value.hint) == (69, "Run `template-sync db upgrade`.")


# health -----------------------------------------------------------------------------------------------------------------


def test_health_exits_with_0_or_1_only(tmp_path: Path) -> None:
    def health(*arguments: str, **variables: str) -> int:
        return template_sync("health", *arguments, folder=tmp_path, variables=variables).code

    assert health() == 1  # no database
    assert list(tmp_path.iterdir()) == []
    with Upstream(records(3)) as upstream:
        upstream.refuse(401)
        assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 77
        assert health() == 1  # no success yet
        upstream.reply = None
        assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0
    assert health() == 0
    assert health("--stale-after", "0.001s") == 1  # stale
    assert health("--wrong-flag") == 1
    assert health(SYNC_INTERVAL="soon") == 1
    assert health(DATABASE_URL=f"postgresql://user@127.0.0.1:{free_port()}/none") == 1  # closed port


# lease ------------------------------------------------------------------------------------------------------------------


def test_the_lease_is_shown_and_released_only_with_force(sqlite: Database, tmp_path: Path) -> None:
    def lease(*arguments: str) -> Any:
        return template_sync("lease", *arguments, folder=tmp_path, variables={"DATABASE_URL": sqlite.url})

    assert lease("show").out == "free: no run is active\n"
    holder = take_lease(sqlite.engine, ttl=600, now=START)
    assert lease("show").out.startswith(f"{leases.process_name()}, expires in ")
    refused = lease("release")
    assert refused.code == 2
    assert "--force" in refused.err
    assert json.loads(lease("show", "--json").out)["active"] is True
    taken = lease("release", "--force")
    assert taken.code == 0
    event = next(json.loads(line) for line in taken.err.splitlines() if line.startswith("{"))
    assert (event["event"], event["level"], event["holder"]) == ("lease_released_by_force", "warning", leases.process_name())
    assert json.loads(lease("show", "--json").out) == {"active": False, "holder": None, "fence": 2, "seconds_left": 0}
    with sqlite.engine.begin() as connection, pytest.raises(LeaseLost):
        leases.check_fence(connection, holder)
    assert [row["status"] for row in sqlite.rows("sync_runs")] == ["interrupted"]


def test_the_lease_of_an_ended_process_is_shown_as_free(sqlite: Database, tmp_path: Path) -> None:
    take_lease(sqlite.engine, ttl=600, now=START)
    end_holder(sqlite)
    seen = template_sync("lease", "show", folder=tmp_path, variables={"DATABASE_URL": sqlite.url}).out
    assert seen == f"free: {leases.process_name()} ended without releasing the lease; the next run acquires it\n"


# doctor -----------------------------------------------------------------------------------------------------------------


def checks(database: Database, base_url: str, now: datetime | None = None, **variables: str) -> dict[str, Check]:
    """Return all checks by name."""
    environ = {"CRUN_API_KEY": SANDBOX_KEY, "CRUN_BASE_URL": base_url, "DATABASE_URL": database.url, **variables}
    engine = open_engine(environ["DATABASE_URL"])
    try:
        return {check.name: check for check in checks_of(load({}, environ, None), engine, lambda: now or datetime.now(UTC))}
    finally:
        engine.dispose()


def test_every_check_of_doctor_passes_on_a_current_database(database: Database, upstream: Upstream) -> None:
    run_against(upstream.url, database.engine, clock=lambda: datetime.now(UTC))
    found = checks(database, upstream.url)
    assert {check.result for check in found.values()} == {Result.FINE}
    place = {"disk"} if database.kind == "sqlite" else {"server"}
    assert set(found) == {"settings", "name", "catalog", "clock", "database", "lease", "freshness"} | place
    assert "3 templates" in found["catalog"].seen
    assert f"schema {schema.HEAD}, 3 templates present" in found["database"].seen


@pytest.mark.parametrize(("given", "check", "result", "exit_code", "text", "absent"), [
    ({"CRUN_API_KEY": ""}, "settings", Result.FAILED, 78, "CRUN_API_KEY is not set", "catalog"),
    ({"CRUN_API_KEY": "not-a-key"}, "settings", Result.WARNING, 0, "does not look like a Crun key", ""),
    ({"CRUN_BASE_URL": "http://127.0.0.1:{port}"}, "catalog", Result.FAILED, 75, "the connection was refused", "clock"),
    ({"DATABASE_URL": "sqlite:///{folder}/no/where.db"}, "disk", Result.FAILED, 69, "does not exist", "lease"),
    ({"DATABASE_URL": "sqlite:///{folder}/none.db"}, "database", Result.FAILED, 69, "There is no database", "lease"),
    ({"DATABASE_URL": "postgresql://user:Pa55word@127.0.0.1:{port}/none"}, "database", Result.FAILED, 69, "", "lease"),
])  # fmt: skip
def test_doctor_reports_a_setting_under_which_a_run_would_fail(
    given: dict[str, str], check: str, result: Result, exit_code: int, text: str, absent: str,
    sqlite: Database, upstream: Upstream, tmp_path: Path,
) -> None:  # fmt: skip
    files = set(tmp_path.iterdir())
    variables: dict[str, Any] = {name: value.format(folder=tmp_path, port=free_port()) for name, value in given.items()}
    found = checks(sqlite, variables.pop("CRUN_BASE_URL", upstream.url), **variables)
    assert (found[check].result, found[check].exit_code, text in found[check].seen) == (result, exit_code, True), found
    assert absent not in found
    assert "Pa55word" not in str(found)
    assert {each for each in set(tmp_path.iterdir()) - files if not each.name.startswith("templates.db")} == set()


def test_doctor_reports_a_name_that_does_not_resolve(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    monkeypatch.setattr(socket, "getaddrinfo", mock.Mock(side_effect=unknown))
    found = checks(sqlite, "https://catalog.invalid")
    assert (found["name"].result, found["tls"].result, found["catalog"].result) == (Result.FAILED,) * 3
    assert found["name"].seen == "catalog.invalid: its name does not resolve"
    assert found["catalog"].exit_code == 75


@contextmanager
def tls(certificate: Path) -> Iterator[int]:
    """Complete each handshake, then close the connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(plain, server_side=True).close()
                except OSError:
                    plain.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def test_doctor_checks_the_tls_certificate(sqlite: Database, certificate: Path) -> None:
    with tls(certificate) as port:
        url = f"https://localhost:{port}"
        verified = checks(sqlite, url, SYNC_CA_BUNDLE=str(certificate))["tls"]
        soon = checks(sqlite, url, now=datetime.now(UTC) + timedelta(days=20), SYNC_CA_BUNDLE=str(certificate))["tls"]
        unverified = checks(sqlite, url)["tls"]
    assert verified.result is Result.FINE
    assert "valid for 30 more days" in verified.seen
    assert (soon.result, soon.advice) == (Result.WARNING, "Report it to Crun.")
    assert (unverified.result, unverified.exit_code) == (Result.FAILED, 75)
    assert "its TLS certificate could not be verified (self-signed certificate)" in unverified.seen


def test_doctor_reports_a_ca_bundle_without_certificates_and_goes_on(sqlite: Database, certificate: Path, tmp_path: Path) -> None:
    schema.prepare(sqlite.engine)
    (bundle := tmp_path / "bundle.pem").touch()
    with tls(certificate) as port:
        found = checks(sqlite, f"https://localhost:{port}", SYNC_CA_BUNDLE=str(bundle))
    for name in ("tls", "catalog"):
        assert (found[name].result, found[name].exit_code) == (Result.FAILED, 78)
        assert found[name].seen == f"SYNC_CA_BUNDLE: {bundle} has no usable certificates."
    assert found["database"].result is Result.FINE


@pytest.mark.parametrize(("code", "exit_code"), [(401, 77), (402, 77), (505, 77), (455, 75), (500, 75), (404, 76)])
def test_doctor_reports_the_error_of_the_catalog(code: int, exit_code: int, sqlite: Database, upstream: Upstream) -> None:
    upstream.refuse(code)
    found = checks(sqlite, upstream.url)
    assert (found["catalog"].result, found["catalog"].exit_code) == (Result.FAILED, exit_code)
    assert f"({code})" in found["catalog"].seen
    assert found["catalog"].advice
    assert found["clock"].result is Result.FINE  # the response contains the time
    assert len(upstream.requests) == 1  # no retries


@pytest.mark.parametrize(("ahead", "word"), [(timedelta(hours=1), "ahead of"), (timedelta(hours=-1), "behind")])
def test_doctor_warns_of_a_wrong_clock(ahead: timedelta, word: str, sqlite: Database, upstream: Upstream) -> None:
    clock = checks(sqlite, upstream.url, now=datetime.now(UTC) + ahead)["clock"]
    assert (clock.result, word in clock.seen, "NTP" in clock.advice) == (Result.WARNING, True, True)


def test_doctor_warns_of_an_almost_full_disk(sqlite: Database, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as in shutil
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 5 * 2**20))
    full = checks(sqlite, upstream.url)["disk"]
    assert (full.result, full.advice, full.seen.startswith("5 MiB free in ")) == (Result.WARNING, "Free some space.", True)


def test_doctor_reports_a_schema_of_another_version(sqlite: Database, upstream: Upstream) -> None:
    sqlite.execute("UPDATE sync_alembic_version SET version_num = '9999'")
    found = checks(sqlite, upstream.url)["database"]
    assert (found.result, found.exit_code) == (Result.FAILED, 69)
    assert "Upgrade this program" in found.advice


@pytest.mark.parametrize(("table", "after", "failed"), [
    ("sync_state", "database", "database"), ("webhook_endpoints", "lease", "webhooks"),
])  # fmt: skip
def test_a_database_error_after_the_first_read_is_a_failed_check(
    table: str, after: str, failed: str, database: Database, upstream: Upstream, tmp_path: Path
) -> None:
    run_against(upstream.url, database.engine, clock=lambda: datetime.now(UTC))
    (tmp_path / "hooks.toml").write_text("")
    environ = {"CRUN_API_KEY": SANDBOX_KEY, "CRUN_BASE_URL": upstream.url, "DATABASE_URL": database.url}
    loaded = load({}, {**environ, "SYNC_WEBHOOKS_FILE": str(tmp_path / "hooks.toml")}, None)
    found, rename = [], f"ALTER TABLE {table} RENAME TO elsewhere"
    for check in checks_of(loaded, database.engine, lambda: datetime.now(UTC)):
        found.append(check)
        if check.name == after and check.result is Result.FINE:
            with database.engine.begin() as connection:
                connection.exec_driver_sql(rename)
    with database.engine.begin() as connection:  # otherwise the next test could not empty the tables
        connection.exec_driver_sql(f"ALTER TABLE elsewhere RENAME TO {table}")
    assert [(check.name, check.exit_code) for check in found if check.result is Result.FAILED] == [(failed, 69)]
    assert table in next(check.seen for check in found if check.result is Result.FAILED)


def test_doctor_shows_the_lease(sqlite: Database, upstream: Upstream) -> None:
    assert checks(sqlite, upstream.url)["lease"].seen == "free"
    take_lease(sqlite.engine, ttl=600, now=START)
    assert checks(sqlite, upstream.url)["lease"].seen.startswith(f"held by {leases.process_name()}, expires in ")
    end_holder(sqlite)
    assert checks(sqlite, upstream.url)["lease"].seen == f"free: {leases.process_name()} ended without releasing it"


def test_doctor_checks_the_age_of_the_last_success(sqlite: Database, upstream: Upstream) -> None:
    assert "no successful run yet" in checks(sqlite, upstream.url)["freshness"].seen
    run_against(upstream.url, sqlite.engine, clock=ticking(START))
    upstream.refuse(401)
    run_against(upstream.url, sqlite.engine, clock=ticking(START + MINUTE))
    stale = checks(sqlite, upstream.url, now=START + 7 * HOUR)["freshness"]
    assert (stale.result, stale.seen) == (Result.WARNING, "the last success was 6 h 59 min ago")
    assert "(401)" in stale.advice


@pytest.mark.parametrize(("prepare", "seen"), [(held, "20 removals are held"), (unconfirmed, "2 removals are unconfirmed")])
def test_doctor_warns_of_pending_removals(
    prepare: Callable[[Database], None], seen: str, sqlite: Database, upstream: Upstream
) -> None:
    prepare(sqlite)
    found = checks(sqlite, upstream.url)[prepare.__name__]
    assert (found.result, found.seen) == (Result.WARNING, seen)


def test_doctor_has_the_exit_code_of_a_run_and_changes_nothing(upstream: Upstream, tmp_path: Path) -> None:
    upstream.refuse(401)
    refused = template_sync("doctor", folder=tmp_path, variables=upstream.settings())
    assert refused.code == 77
    assert "✗ catalog" in refused.out
    assert "→ Check CRUN_API_KEY" in refused.out
    assert list(tmp_path.iterdir()) == []
    upstream.reply = None
    template_sync("run", folder=tmp_path, variables=upstream.settings())
    before = (tmp_path / "templates.db").read_bytes()
    fine = template_sync("doctor", "--json", folder=tmp_path, variables=upstream.settings())
    assert fine.code == 0
    assert {check["result"] for check in json.loads(fine.out)} == {"ok"}
    assert (tmp_path / "templates.db").read_bytes() == before
    assert SANDBOX_KEY not in refused.out + refused.err + fine.out + fine.err


@pytest.mark.parametrize("arguments", [
    "status", "runs", "health", "changes", "list", "tags", "types", "export", "show 1", "history 1", "form 1", "diff 1 1",
    "lease show", "db check", "db current", "prune --older-than 1d --dry-run",
])  # fmt: skip
def test_a_command_that_uses_the_database_only_does_not_need_the_key_file(
    upstream: Upstream, tmp_path: Path, arguments: str
) -> None:
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0
    shown = template_sync(*arguments.split(), folder=tmp_path, variables={"CRUN_API_KEY_FILE": "/no/such/file"})
    assert shown.code == 0
    assert "CRUN_API_KEY" not in shown.err


def test_a_misspelt_variable_is_reported_on_stderr(upstream: Upstream, tmp_path: Path) -> None:
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0
    shown = template_sync("status", folder=tmp_path, variables={"SYNC_INTERVALL": "5m"})
    assert shown.code == 0
    assert shown.err == "warning: SYNC_INTERVALL (environment) is not a setting; did you mean SYNC_INTERVAL?\n"
