"""Listings, `status`, metrics and `--help` are compared with files. Clocks stand still; host, ports and version are replaced."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from sync import __version__
from sync.monitoring.metrics import Metrics
from sync.store.lease import process_name
from sync.synchronise import Outcome
from tests.builders import record, run_against, run_with, ticking
from tests.command_line import command
from tests.conftest import fresh
from tests.daemons import Upstream
from tests.golden import scenes
from tests.golden.scenes import HOUR, MINUTE, START
from tests.monitoring.figures import overview, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.builders import Database

EVIL = "\x1b[31m\u202e"


def compare(name: str, text: str) -> None:
    """Compare with a golden file, or write it."""
    file = Path(__file__).parent / name
    text = normalised(text)
    if os.environ.get("SYNC_TEST_RENEW_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text(), "`python -m tests.golden` writes the files again"


def normalised(text: str) -> str:
    """Replace what differs between machines and versions."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text.replace(process_name(), "HOST (pid 1)"))
    text = re.sub(r"(expires in |\"seconds_left\": )[1-9][\d.]*", r"\1N", text)
    return text.replace(__version__, "VERSION").replace("\r\n", "\n")


def shown(folder: Path, line: str, **variables: str) -> str:
    """Run a command; return stdout, stderr and the exit code as on a terminal."""
    result = command(folder, line.split(), COLUMNS="140", **variables)
    code = f"[exit code {result.code}]\n" if result.code else ""
    return f"$ template-sync {line}\n{result.out}{result.err}{code}\n"


# Listings ---------------------------------------------------------------------------------------------------------------

LISTINGS = (
    "list", "list --sort price -n 1", "list --tag pets --json", "list --as-of 1", "list --tag trendy --type x", "tags", "types",
    "show 1", "show 2", "show 1 --json", "history 1", "history 1 --json", "changes", "changes --run 2 --json", "changes -n 1",
    "changes --since 0 -n 2", "changes --kind removed", "changes --pending", "changes --pending --json", "runs",
    "runs -n 1 --json", "runs --rejected 2", "runs --rejected 2 --json", "diff 1 2", "diff 1 2 --json", "diff 2 2", "export",
    "export --format csv", "export --format atom", "form 1", "form 1 --example", "form 1 --request", "status", "status --json",
    "lease show", "lease show --json", "db current --json", "health", "prune --keep-runs 1 --dry-run",
    "prune --keep-runs 1 --dry-run --json",
)  # fmt: skip


def test_listings(sqlite: Database, tmp_path: Path) -> None:
    """1 is renamed and repriced, 2 removed, 3 added, 4 hostile, 5 rejected; a third run holds 12 removals; a fourth fails."""
    cheap = [{"Resolution": "480p", "Credit": 150}, {"Resolution": "1080p", "Credit": 800.5}]
    hostile = record("4", Title=EVIL, Title_en=EVIL, TemplateType=EVIL, Tags=[EVIL], Tags_en=[EVIL], **{f"Odd{EVIL}": EVIL})
    rest = [record(str(number), Title_en=f"Number {number}") for number in range(20, 32)]
    first = [record("1", Tags=["宠物"], Tags_en=["Pets"]), record("2", Title_en="Leaves soon"), hostile, *rest]
    second = [record("1", Title_en="Renamed", ConsumeItems=cheap), record("3", Title="新的", Title_en="Fresh"), hostile, *rest]
    for number, served in enumerate((first, [*second, record("5", InputNum="many")], second[:3])):
        assert run_with(served, sqlite.engine, clock=ticking(START + number * HOUR)).run.status in {"succeeded", "held"}
    with Upstream(second) as upstream:
        upstream.refuse(455)
        run_against(upstream.url, sqlite.engine, clock=ticking(START + 3 * HOUR))
    sqlite.execute("UPDATE sync_runs SET bytes = 1000, requests = 10")  # the controls are chosen at random
    with time_machine.travel(START + 3 * HOUR + 10 * MINUTE, tick=False):
        compare("listings.txt", "".join(shown(tmp_path, line, DATABASE_URL=sqlite.url) for line in LISTINGS))


# Status -----------------------------------------------------------------------------------------------------------------


SCENES: dict[str, tuple[Callable[[Database], Any], timedelta]] = {
    "before the first run": (lambda _database: None, MINUTE),
    "all is well": (scenes.well, 10 * MINUTE),
    "nothing has run for hours": (scenes.well, 7 * HOUR),
    **{f"code {code}": (scenes.refused(code), 2 * MINUTE) for code in (401, 402, 505, 455, 500, 422)},
    "the server cannot be reached": (scenes.unreachable, MINUTE),
    "removals are held": (scenes.held, 2 * MINUTE),
    "a record is rejected": (scenes.rejected, MINUTE),
    "removals are unconfirmed": (scenes.unconfirmed, MINUTE),
    "a run is active": (scenes.at_work, timedelta(0)),
    "a run was killed": (scenes.killed, MINUTE),
    **{f"the next run is due at minute {minutes}": (scenes.planned(minutes), timedelta(0)) for minutes in (5, 0, -90)},
    "an error with escape sequences": (scenes.hostile_error, MINUTE),
}


def test_status(migrated: dict[str, str], tmp_path: Path) -> None:
    text = ""
    for number, (name, (prepare, later)) in enumerate(SCENES.items()):
        (folder := tmp_path / str(number)).mkdir()
        with contextmanager(fresh)("sqlite", migrated, folder) as database:
            prepare(database)
            database.execute("UPDATE sync_runs SET bytes = 1000, requests = 10")  # the controls are chosen at random
            with time_machine.travel(START + later, tick=False):
                screen = shown(folder, "status", DATABASE_URL=database.url)
                more = ["status --json", *["changes --pending", "changes --pending --json"] * name.startswith("removals")]
                text += f"# {name}\n{screen}" + "".join(shown(folder, line, DATABASE_URL=database.url) for line in more)
        assert len(screen.splitlines()) <= 17, "more than a small screen"
    assert "\x1b" not in text
    compare("status.txt", text)


@pytest.mark.parametrize("name", ["all is well", "a run is active"])
def test_status_is_the_same_on_each_engine(name: str, database: Database, tmp_path: Path) -> None:
    prepare, later = SCENES[name]
    prepare(database)
    database.execute("UPDATE sync_runs SET bytes = 1000, requests = 10")
    with time_machine.travel(START + later, tick=False):
        screen = "".join(shown(tmp_path, line, DATABASE_URL=database.url) for line in ("status", "status --json"))
    assert normalised(f"# {name}\n{screen}") in (Path(__file__).parent / "status.txt").read_text()


# Metrics ----------------------------------------------------------------------------------------------------------------

SUCCESS = Outcome(run(seconds=4.5, added=3, removed=1, changed=2, rejected=1), codes={200: 25, 429: 1, 0: 2})
FAILURE = Outcome(run("failed", 1_800_000_900.0, 1.0, held=7), codes={500: 4, 599: 3, 2000: 1})


def test_metrics(tmp_path: Path) -> None:
    metrics, seeded, empty = (Metrics("1.2.3", 2700.0) for _ in range(3))
    texts = {"before the first run": metrics.text()}
    metrics.observe(SUCCESS, overview(SUCCESS.run, present=1234))
    texts["after a success"] = metrics.text()
    metrics.observe(FAILURE, None)
    texts["after a success and a failure"] = metrics.text()
    metrics.write_textfile(tmp_path / "metrics.prom")
    texts["the textfile then"] = (tmp_path / "metrics.prom").read_bytes()
    seeded.set_facts(overview(SUCCESS.run, run("held", 1_800_000_900.0, rejected=2), present=1200, held=40, unconfirmed=3))
    texts["a daemon that begins"] = seeded.text()
    empty.set_facts(overview())
    texts["a database without runs"] = empty.text()
    compare("metrics.txt", "".join(f"# --- {name} ---\n{text.decode()}\n" for name, text in texts.items()))


# Help -------------------------------------------------------------------------------------------------------------------


def test_help(tmp_path: Path) -> None:
    from tests.commands.test_help import COMMANDS

    lines = ["--help", *(f"{name} --help" for name in ("db", "lease", "webhooks", *COMMANDS))]
    compare("help.txt", "".join(shown(tmp_path, line) for line in lines))
