"""Mistakes of operators: invalid settings and arguments, an unreachable database, a comparison with a deleted run.

Each row of the tables: a variable, its value, the command, the exit code, and text of the error. Nothing is written.
"""
# ruff: noqa: E501 - a setting is a line

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.adversary.attack import LONGEST_ERROR, fill
from tests.builders import record, run_with
from tests.command_line import NO_SERVER, command, template_sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database

HUGE = "9" * 30


@dataclass(frozen=True)
class Setting:
    """A value of a variable, and how a command refuses it."""

    variable: str
    value: str
    message: str
    code: int = 78
    line: str = "run"

    @property
    def name(self) -> str:
        """Id of the test."""
        return f"{self.variable}={ascii(self.value)[1:31]}" if self.variable else self.line[:40]


def each(variable: str, message: str, *values: str, code: int = 78, line: str = "run") -> list[Setting]:
    """Make a row for each value."""
    return [Setting(variable, value, message, code, line) for value in values]


def lines(message: str, *lines: str, code: int = 2) -> list[Setting]:
    """Make a row for each command line."""
    return [Setting("", "", message, code, line) for line in lines]


URL = "CRUN_BASE_URL: expected a URL such as https://api.crun.ai"
DURATION = "expected a duration"
SETTINGS = [
    *each("CRUN_BASE_URL", URL, "https://a\nb", "https://[::1", "https://a:99999", "https://ex\u200bample.com", "javascript:alert(1)"),
    *each("CRUN_BASE_URL", "plain http is allowed for loopback", "http://a", "http://2130706433", "http://0x7f.1"),
    *each("CRUN_BASE_URL", "without a user name", "http://127.0.0.1@evil", "http://127.0.0.1:9@evil"),
    *each("CRUN_BASE_URL", "without a query or fragment", "https://a?b", "https://a#b", "https://a?", "https://a/#"),
    *each("SYNC_PROXY", "SYNC_PROXY: expected a URL", "http://a\nb", "socks5://a:1", "http://xn--/", "http://a:99999"),
    *each("SYNC_PING_URL", "SYNC_PING_URL: expected a URL", "http://a\nb", "http://xn--/", "mailto:x@y"),
    *each("SYNC_LEASE_TTL", DURATION, "999999999d", HUGE, "0", "-1s", "1e9", "nan", "\u0661s", "m", "1w", "1m30s"),
    *each("SYNC_DEADLINE", DURATION, "999999999d", "0s"),
    *each("SYNC_INTERVAL", DURATION, "999999999d", "0.0000001s", line="daemon"),
    *each("SYNC_GRACE", DURATION, "999999999d", line="daemon"),
    *each("SYNC_STALE_AFTER", DURATION, "999999999d", code=1, line="health"),
    *each("SYNC_MAX_REMOVED", "expected a share", "nan", "sNaN", "inf%", "101%", "-1%", "1e999999999", "10%%", "10 percent"),
    *each("SYNC_RATE", "expected requests per second", "nan", "1e5", "-1", "inf"),
    *each("SYNC_PAGE_SIZE", "a whole number from 1 to 50", "0", "51", "1_0", "\u0663", "1.0", HUGE),
    *each("SYNC_CONCURRENCY", "a whole number from 1 to 64", "0", "65", "0x1"),
    *each("SYNC_TIMEZONE", "expected a time zone", "../../etc/passwd", "/etc/localtime", "Europe/\n", line="daemon"),
    *each("SYNC_CRON", "expected a cron expression", "* * * * * * *", "0 0 30 2 *", "@reboot", "*/0 * * * *", "a\nb", line="daemon"),
    *each("SYNC_HTTP_PORT", "a whole number from 0 to 65535", "65536", "-1", line="daemon"),
    *each("SYNC_LOG_LEVEL", "one of debug, info, warning, error", "trace"),
    *each("SYNC_CA_BUNDLE", "expected a readable file", "nowhere.pem", ".", line="run"),
    *each("SYNC_METRICS_FILE", "expected a regular file", "link", "pipe", "folder", "/dev/null"),
    *each("CRUN_API_KEY", "printable ASCII", "a\nb", "k\u00e9y", "a b"),
    *each("CRUN_API_KEY", "CRUN_API_KEY: not set", "", line="daemon"),
    *each("CRUN_API_KEY_FILE", "CRUN_API_KEY", "nowhere", "folder", "/dev/zero", "/dev/null"),
    *each("DATABASE_URL", "in-memory database is lost", "sqlite://", "sqlite:///:memory:"),
    *each("DATABASE_URL", "DATABASE_URL", "oracle://a/b", "postgresql://a", "postgresql://u:p@ss@h/d", "postgresql://u@[::1/d", "mysql+bogus://h/d"),
    *each("DATABASE_URL", "DATABASE_URL", "sqlite:///x.db?timeout=abc", "mariadb://u@127.0.0.1/x?bogus=1", "mariadb://u@127.0.0.1:9/x?connect_timeout=abc"),
    *each("DATABASE_URL", "DATABASE_URL", f"postgresql://u@{'a' * 300}/x", "sqlite:///a%00b"),
    *each("DATABASE_URL", "", f"sqlite:///{'x' * 5000}", "sqlite:////proc/x.db", "sqlite:////dev/null", "sqlite:////", code=69),
]  # fmt: skip

LINES = [
    *lines("a whole number", f"runs --rejected {HUGE}", f"prune --keep-runs {HUGE}", "prune --keep-runs 0", f"diff 1 {HUGE}"),
    *lines(
        "is neither a seq nor a cursor", f"changes --since {2**63}", "changes --since -1", "changes --since 0123456789ab-1-xyz"
    ),
    *lines("the database lost later changes", f"changes --since {2**63 - 1}", code=65),
    *lines("There is no run", f"diff 1 {2**63 - 1}"),
    *lines("expected a duration", *(f"prune --older-than {age}" for age in ("999999999d", f"{HUGE}d", "0.000000001s"))),
    *lines("has no unit", "prune --older-than 90"),
    *lines("either --older-than or --keep-runs", "prune"),
    *lines("an id", f"show {'x' * 70_000}", f"history {'x' * 256}", f"form {'x' * 256}", f"refresh {'x' * 70_000}"),
    *lines("an id", "show \udcff", "refresh \udcff\udcfe"),
    *lines("is not a number", "list --max-price snan", "list --max-price 1e"),
    *lines("0 templates", "list --tag \udcff", "list --text \udcff\udcfe", code=0),
]
"""Arguments of the command line, with a database of twelve templates, which they do not change."""


@pytest.mark.parametrize("attack", SETTINGS, ids=lambda attack: attack.name)
def test_an_invalid_setting_is_refused_by_name_and_nothing_is_written(attack: Setting, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("other")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    others = {"CRUN_API_KEY": ""} if attack.variable == "CRUN_API_KEY_FILE" else {}
    variables = {**NO_SERVER, **others, attack.variable: attack.value}
    result = template_sync(attack.line, folder=tmp_path, variables=variables, in_process=True)
    assert (result.code, attack.message in result.err, result.out) == (attack.code, True, ""), result.err
    assert "Unexpected error" not in result.err
    assert "Traceback" not in result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link", "pipe", "real"]
    assert ((tmp_path / "real").read_text(), (tmp_path / "link").is_symlink()) == ("other", True)


@pytest.mark.parametrize("attack", LINES, ids=lambda attack: attack.name)
def test_an_invalid_argument_is_refused_and_nothing_is_written(attack: Setting, sqlite: Database, tmp_path: Path) -> None:
    before = fill(sqlite).dump()
    result = command(tmp_path, attack.line.split(" "), DATABASE_URL=sqlite.url)
    assert (result.code, attack.message in result.err) == (attack.code, True), result.err[-500:]
    assert len(result.err) < LONGEST_ERROR
    assert sqlite.dump() == before


# Databases -----------------------------------------------------------------------------------------------------------

NO_DATABASE = ("postgresql://u@127.0.0.1:9/x", "mariadb://u@127.0.0.1:9/x", "sqlite:////nowhere/x.db")


@pytest.mark.long_on_servers
def test_two_runs_that_a_prune_kept_can_be_compared(database: Database, tmp_path: Path) -> None:
    for title in ("old", "old", "old", "old", "old", "old", "old", "new", "new"):
        run_with([record("1", Title_en=title), record("2")], database.engine)
    assert command(tmp_path, ["prune", "--keep-runs", "4"], DATABASE_URL=database.url).code == 0
    for before, after in ((6, 8), (6, 9), (7, 8)):
        shown = command(tmp_path, ["diff", str(before), str(after), "--json"], DATABASE_URL=database.url)
        (change,) = json.loads(shown.out)
        assert (change["template_id"], change["fields"][0]["old"], change["fields"][0]["new"]) == ("1", "old", "new")
    assert json.loads(command(tmp_path, ["diff", "6", "7", "--json"], DATABASE_URL=database.url).out) == []
    assert command(tmp_path, ["diff", "5", "8"], DATABASE_URL=database.url).code == 2


@pytest.mark.parametrize("url", NO_DATABASE, ids=["postgresql", "mariadb", "sqlite"])
@pytest.mark.parametrize("line", ["run --json", "refresh 1 --json"])
def test_run_json_reports_an_unreachable_database(line: str, url: str, tmp_path: Path) -> None:
    result = command(tmp_path, line.split(), DATABASE_URL=url)
    printed = json.loads(result.out)
    assert (result.code, printed["status"], printed["run_id"]) == (69, "failed", None)
    assert printed["error"] in result.err
