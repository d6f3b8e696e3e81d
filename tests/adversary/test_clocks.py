"""Wrong clocks: history is ordered by run, not by time; an impossible age is stale; a lease lasts at most its TTL."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.reader.feed import changes
from sync.sandbox.server import Sandbox
from sync.store.prune import prune
from sync.store.tables import price_periods, sync_lease, sync_runs
from tests.adversary.attack import BEFORE, CORRECT
from tests.builders import Database, record, run_with, ticking
from tests.command_line import command, of_sandbox, template_sync
from tests.daemons import write_lock
from tests.faults import Catalog, anomalies, sync
from tests.hostile import Hostile, Reply

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long_on_servers

START = datetime(2026, 6, 1, tzinfo=UTC)
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400
HISTORIES: dict[str, tuple[float, ...]] = {
    "a correct clock": (0, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR),
    "ahead by a year, then corrected": (YEAR, 0, HOUR, 2 * HOUR, 3 * HOUR),
    "correct, ahead by a year, then corrected": (0, HOUR, YEAR, 2 * HOUR, 3 * HOUR),
    "set back by a day": (DAY, DAY + HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR),
    "set back by an hour in every run": (4 * HOUR, 3 * HOUR, 2 * HOUR, HOUR, 0),
    "always the same instant": (0, 0, 0, 0, 0),
    "alternating": (0, YEAR, 0, YEAR, 0),
    "a host that starts in 1970": (-56 * YEAR, 0, -56 * YEAR, HOUR, 2 * HOUR),
    "a host in the year 2090": (64 * YEAR, 0, HOUR, 64 * YEAR, 2 * HOUR),
}
"""When the runs of a history began, in seconds; each run changes every price and version."""
DATES = (
    "Tue, 99 Nov 2026 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1200",
    "Mon, 01 Jan 2026 00:00:00", "Mon, 01 Jan 2026 00:00:00 -0000", "Mon, 01 Jan 2026 00:00:00 +999999999",
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "", "\xff\xfe", "x" * 60_000, "0", "1e9",
)  # fmt: skip


def priced(price: int) -> list[dict[str, Any]]:
    return [record(key, Title_en=f"v{price}", ConsumeItems=[{"Resolution": "720p", "Credit": price}]) for key in ("1", "2")]


@pytest.mark.parametrize(("ago", "code"), [
    (0, 0), (44 * MINUTE, 0), (46 * MINUTE, 1), (10 * YEAR, 1), (-30, 0), (-2 * MINUTE, 1), (-44 * MINUTE, 1), (-YEAR, 1),
    (-270 * YEAR, 1),
])  # fmt: skip
def test_a_success_is_fresh_within_the_budget(ago: float, code: int, sqlite: Database, tmp_path: Path) -> None:
    assert run_with(BEFORE, sqlite.engine).error is None
    with sqlite.engine.begin() as connection:
        connection.execute(sa.update(sync_runs).values(finished_at=datetime.now(UTC) - timedelta(seconds=ago)))
    printed = json.loads(command(tmp_path, ["status", "--json"], DATABASE_URL=sqlite.url).out)
    assert printed["stale"] is bool(code)
    assert command(tmp_path, ["health"], DATABASE_URL=sqlite.url).code == code
    assert ("stale" in command(tmp_path, ["status"], DATABASE_URL=sqlite.url).out.split("(")[0]) is bool(code)


@pytest.mark.parametrize("begins", HISTORIES.values(), ids=HISTORIES)
def test_history_is_ordered_by_run_with_any_clock(begins: tuple[float, ...], database: Database) -> None:
    for price, at in enumerate(begins, 1):
        outcome = sync(Catalog(priced(price)), database.engine, clock=ticking(START + timedelta(seconds=at)))
        assert outcome.error is None
    assert anomalies(database) == []
    assert [change["run_id"] for change in changes(database.engine, since=0)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    in_order(database, prices=[1, 2, 3, 4, 5])
    before = START - timedelta(days=36500)
    assert prune(database.engine, before=before, keep_runs=None)["changes"] == 0
    prune(database.engine, before=None, keep_runs=2)
    in_order(database, prices=[3, 4, 5])
    assert [change["run_id"] for change in changes(database.engine, since=6)] == [4, 4, 5, 5]
    assert sync(Catalog(priced(5)), database.engine, clock=ticking(START)).run.unchanged == 2


def in_order(database: Database, *, prices: list[int]) -> None:
    """Check that each price's periods follow each other by run, none ends before it begins, and the last is open."""
    with database.engine.connect() as connection:
        found = connection.execute(
            sa.select(price_periods).order_by(price_periods.c.template_id, price_periods.c.from_run_id)
        ).all()
    for key in ("1", "2"):
        periods = [row for row in found if row.template_id == key]
        assert [int(row.credit) for row in periods] == prices
        assert [row.valid_until is None for row in periods] == [False] * (len(prices) - 1) + [True]
        assert all(row.valid_until is None or row.valid_from <= row.valid_until for row in periods)
        seen = database.rows("price_history")
        assert len([row for row in seen if row["template_id"] == key and row["valid_until"] is None]) == 1


@pytest.mark.parametrize(("ends_in", "status"), [
    (-1, "succeeded"), (-56 * YEAR, "succeeded"), (30, "skipped"), (3 * DAY, "skipped"), (1e300, "skipped"),
])  # fmt: skip
def test_a_lease_lasts_at_most_its_ttl(ends_in: float, status: str, database: Database) -> None:
    sync(Catalog(BEFORE), database.engine)
    with database.engine.begin() as connection:
        now = time.time()
        taken = {"holder": "elsewhere (pid 1)", "process": None, "ttl": 60.0, "expires": now + ends_in}
        connection.execute(sa.update(sync_lease).values(taken))
    outcome = sync(Catalog(BEFORE), database.engine)
    assert str(outcome.run.status) == status
    (lease,) = database.rows("sync_lease")
    assert lease["expires"] <= time.time() + 60
    assert "its lease expires in" not in str(outcome.error) or int(str(outcome.error).split("expires in ")[1].split(" ")[0]) <= 60


@pytest.mark.parametrize("date", DATES, ids=lambda date: ascii(date[:30]))
def test_doctor_accepts_any_date_header(date: str, sqlite: Database, tmp_path: Path) -> None:
    run_with(BEFORE, sqlite.engine)
    dated = lambda request: Reply(CORRECT(request).body, headers=(("date", date),))  # noqa: E731 - one argument
    with Hostile(dated) as server:
        result = command(tmp_path, ["doctor"], DATABASE_URL=sqlite.url, CRUN_BASE_URL=server.url)
    assert (result.code, "Unexpected error" in result.err) == (0, False)
    assert "the API key is accepted" in result.out


@pytest.mark.ci_slice
def test_a_run_waits_for_a_lock_at_most_until_its_deadline(sqlite: Database, tmp_path: Path) -> None:
    """Without the deadline SQLite would wait for half a minute, which is longer than the command may take here."""
    run_with(BEFORE, sqlite.engine)
    with Sandbox(BEFORE) as sandbox, write_lock(tmp_path):
        variables = {**of_sandbox(sandbox), "DATABASE_URL": sqlite.url, "SYNC_DEADLINE": "1s"}
        result = template_sync("run", folder=tmp_path, variables=variables)
    assert result.code in {69, 75}, result.err


def test_after_one_run_readers_do_not_block_runs_on_a_restored_backup(sqlite: Database, tmp_path: Path) -> None:
    run_with(BEFORE, sqlite.engine)
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(tmp_path / "templates.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    with Sandbox(BEFORE) as sandbox, closing(sqlite3.connect(copy, isolation_level=None)) as reader:
        variables = {**of_sandbox(sandbox), "DATABASE_URL": f"sqlite:///{copy}", "SYNC_DEADLINE": "5s"}
        assert template_sync("run", folder=tmp_path, variables=variables).code == 0
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM templates").fetchall()
        sandbox.catalog = tuple(BEFORE[:11])
        assert template_sync("run", folder=tmp_path, variables=variables).code == 0
