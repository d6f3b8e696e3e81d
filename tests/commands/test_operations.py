"""Every command of the runbook works in the situation that it is for, and shows what the runbook says that it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sync.sandbox.server import SANDBOX_KEY
from sync.store.engine import open_engine
from sync.store.schema import upgrade
from sync.store.tables import planned_runs, sync_lease, sync_state, webhook_endpoints
from sync.webhooks.outbox import register
from tests.builders import record, records, run_against
from tests.command_line import environment, template_sync
from tests.conftest import SERVERS, drop_database, new_database
from tests.daemons import DaemonProcess, Upstream
from tests.faults import take_lease
from tests.webhooks.receiver import SECRET, Receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUNBOOK = Path(__file__).parents[2] / "docs" / "operations.md"


@dataclass(frozen=True)
class Step:
    """A command, and what the runbook says that it shows; `...` stands for anything."""

    command: str
    shown: list[str] = field(default_factory=list)


def read_runbook() -> dict[str, list[Step]]:
    """Give the commands of each section, in order."""
    sections: dict[str, list[Step]] = {}
    heading, inside = "", False
    for line in RUNBOOK.read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            sections.setdefault(heading, []).append(Step(line[2:]))
        elif inside:
            sections[heading][-1].shown.append(line)
    return sections


SECTIONS = read_runbook()


def shows(expected: list[str], seen: str) -> bool:
    """Compare, with `...` for anything within a line and, alone on a line, for any lines."""
    parts = [r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\s*\n" for line in expected]
    # Columns are as wide as what is in them.
    return re.fullmatch(re.sub(r"(\\ )+", " +", "".join(parts)), seen) is not None


@dataclass
class Scene:
    """Where a section's commands are run."""

    folder: Path
    upstream: Upstream
    open_things: ExitStack
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = open_engine(f"sqlite:///{self.folder / 'templates.db'}")
        upgrade(self.engine)

    def synchronise(self, ago: timedelta = timedelta(0)) -> None:
        run_against(self.upstream.url, self.engine, clock=lambda: datetime.now(UTC) - ago, max_removed=Decimal("0.1"))

    def execute(self, statement: sa.Executable) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement)


def well(scene: Scene) -> None:
    scene.synchronise()


def stale(scene: Scene) -> None:
    scene.synchronise(timedelta(hours=7))
    scene.execute(sa.insert(planned_runs).values(host="h", next_run_at=datetime.now(UTC) - timedelta(hours=6)))


def refused(code: int) -> Callable[[Scene], None]:
    def prepare(scene: Scene) -> None:
        scene.synchronise()
        scene.upstream.refuse(code)
        scene.synchronise()

    return prepare


def held(scene: Scene) -> None:
    scene.synchronise()
    scene.upstream.catalog = scene.upstream.catalog[:260]
    scene.variables["SYNC_MAX_REMOVED"] = "5%"
    run_against(scene.upstream.url, scene.engine, clock=lambda: datetime.now(UTC), max_removed=Decimal("0.05"))


def unconfirmed(scene: Scene) -> None:
    scene.synchronise()
    why = "the look-up''s response differs from that for an ID that cannot exist"
    with scene.engine.begin() as connection:
        connection.execute(
            sa.text(f"INSERT INTO unconfirmed_removals VALUES ('1', 2, '2026-01-01 00:00:00.000000', '{why}', true)")  # noqa: S608 - a test's words
        )


def rejected(scene: Scene) -> None:
    scene.synchronise()
    scene.upstream.catalog = [record("1", ConsumeItems="free"), *scene.upstream.catalog[1:]]
    scene.synchronise()


def locked(scene: Scene) -> None:
    scene.synchronise()
    take_lease(scene.engine, ttl=600)
    scene.execute(sa.update(sync_lease).values(process=None))  # as from another machine: nobody here can tell whether it lives


def old(scene: Scene) -> None:
    scene.synchronise(timedelta(days=400))
    scene.upstream.catalog = records(279)
    scene.synchronise(timedelta(days=300))
    scene.synchronise()


def full(scene: Scene) -> None:
    """Put an old database on a disk that is full, where this user may mount one; else on the disk that is there."""
    old(scene)
    scene.execute(sa.text("CREATE TABLE filling AS WITH n AS (SELECT 1 UNION ALL SELECT 1) SELECT zeroblob(300000) AS z FROM n"))
    scene.execute(sa.text("DROP TABLE filling"))
    scene.engine.dispose()
    other = scene.folder.with_name("other")
    other.mkdir()
    scene.variables["OTHER"] = str(other)
    file = scene.folder / "templates.db"
    content, size = file.read_bytes(), file.stat().st_size
    disk = ["tmpfs", "-t", "tmpfs", "-o", f"size={size + 4096 * 2}", str(scene.folder)]
    if subprocess.run(["mount", *disk], check=False, capture_output=True).returncode != 0:
        return
    scene.open_things.callback(subprocess.run, ["umount", str(scene.folder)], check=True)
    file.write_bytes(content)
    rest = scene.folder / "rest"
    with suppress(OSError), rest.open("wb", buffering=0) as filling:
        while True:
            filling.write(b"x" * 4096)
    refused = template_sync("run", folder=scene.folder, variables=scene.upstream.settings())
    assert (refused.code, "disk space" in refused.err) == (69, True), refused.err


def stuck(scene: Scene) -> None:
    scene.synchronise()
    shop = scene.open_things.enter_context(Receiver())
    (scene.folder / "hooks.toml").write_text(f'[[endpoint]]\nname = "shop"\nurl = "{shop.url}"\nsecret_env = "SHOP_SECRET"\n')
    scene.variables |= {"SYNC_WEBHOOKS_FILE": "hooks.toml", "SHOP_SECRET": SECRET}
    register(scene.engine, "shop", from_start=True)
    now, hour = datetime.now(UTC), timedelta(hours=1)
    moments = {"failing_since": now - 3 * hour, "last_attempt_at": now - hour, "next_attempt_at": now + hour}
    scene.execute(sa.update(webhook_endpoints).values(attempts=7, last_status=500, last_answer="database down", **moments))


def rotated(scene: Scene) -> None:
    """Start a daemon whose key the file holds, and give the next key to its account."""
    key, old, new = scene.folder / "key", SANDBOX_KEY, "ak_NewKeyNewKeyNewKeyNewKeyNewKey11"
    for file, content in ((key, old), (scene.folder / "new-key", new)):
        file.write_text(content)
        file.chmod(0o600)
    scene.variables |= {"CRUN_API_KEY": "", "CRUN_API_KEY_FILE": str(key)}
    daemon = scene.open_things.enter_context(DaemonProcess(scene.folder, scene.upstream.settings(**scene.variables)))
    daemon.wait_for("run_finished", status="succeeded")
    scene.upstream.keys = {new}
    scene.variables["DAEMON_PID"] = str(daemon.pid)


def moved(scene: Scene) -> None:
    scene.synchronise()
    scene.execute(sa.update(sync_state).values(origin="https://api.crunai.com"))


SCENES: dict[str, Callable[[Scene], None]] = {
    "Operations": well,
    "Stale": stale,
    "Failing": refused(500),
    "Maintenance": refused(455),
    "Held": held,
    "Unconfirmed": unconfirmed,
    "Rejected": rejected,
    "Locked": locked,
    "Key rotated": rotated,
    "Another origin": moved,
    "Disk full": full,
    "Webhooks": stuck,
    "Backup and restore": well,
    "Moving to another database": well,
    "Upgrade": well,
    "Prune": old,
}
QUICK = {"Held", "Unconfirmed"}
"""The sections that are tried each time; all are, among the long tests."""
SLICE = {"Failing", "Locked"}
"""The sections that CI tries on each push."""
EXITS = {"template-sync doctor": {"Failing": 75}}
SERVER_OF = {"pg_dump": "postgresql", "pg_restore": "postgresql", "mariadb-dump": "mariadb", "mariadb": "mariadb"}


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, str]]:
    """Give the variables that lead to a database of each kind that there is, each with our tables in it."""
    variables = {"NEW_URL": f"sqlite:///{folder / 'new.db'}"}
    made = []
    for kind, variable in SERVERS.items():
        if variable not in os.environ:
            continue
        url, server = new_database(kind, folder)
        made.append((url, server))
        engine = open_engine(url)
        upgrade(engine)
        engine.dispose()
        plain = engine.url
        if kind == "postgresql":
            variables["POSTGRES_URL"] = plain.set(drivername="postgresql").render_as_string(hide_password=False)
        else:
            password = f" --password={plain.password}" if plain.password else ""
            options = f"--host={plain.host} --port={plain.port or 3306} --user={plain.username}{password} {plain.database}"
            variables["MARIADB_OPTIONS"] = options
    if "POSTGRES_URL" in variables:
        url, server = new_database("postgresql", folder)
        made.append((url, server))
        variables["NEW_URL"] = url
    try:
        yield variables
    finally:
        for url, server in made:
            drop_database(url, server)


def missing(command: str, variables: dict[str, str]) -> str | None:
    """Name what a command needs and this machine has not."""
    tool = command.split(maxsplit=1)[0]
    if tool in {*SERVER_OF, "sqlite3"} and shutil.which(tool) is None:
        return f"{tool} is not installed here"
    needed = {"postgresql": "POSTGRES_URL", "mariadb": "MARIADB_OPTIONS"}.get(SERVER_OF.get(tool, ""))
    if needed and needed not in variables:
        return f"{tool}: set {SERVERS[SERVER_OF[tool]]}"
    return (
        "there is no backup to restore, see above"
        if "backup.db" in command and tool == "rm" and not shutil.which("sqlite3")
        else None
    )


def tools(folder: Path) -> Path:
    """Put `template-sync` where a shell finds it."""
    (folder / "bin").mkdir()
    script = folder / "bin" / "template-sync"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m sync "$@"\n')
    script.chmod(0o755)
    return script.parent


def marks_of(section: str) -> list[pytest.MarkDecorator]:
    return [] if section in QUICK else [pytest.mark.ci_slice if section in SLICE else pytest.mark.long]


@pytest.mark.parametrize("section", [pytest.param(each, marks=marks_of(each)) for each in SECTIONS])
def test_the_commands_of_the_runbook_do_what_it_says(
    section: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with ExitStack() as open_things:
        upstream = open_things.enter_context(Upstream(records(280)))
        variables: dict[str, str] = {}
        if any("_URL" in step.command for step in SECTIONS[section]):
            variables = open_things.enter_context(servers(tmp_path))
        scene = Scene(home, upstream, open_things, variables)
        SCENES[section](scene)
        scene.engine.dispose()
        shell = environment(**upstream.settings(SYNC_LOG_FORMAT="json", **scene.variables))
        shell["PYTHONWARNINGS"] = ""  # as in an operator's shell
        shell["PATH"] = f"{tools(tmp_path)}:{shell['PATH']}"
        skipped = []
        for step in SECTIONS[section]:
            if lack := missing(step.command, variables):
                skipped.append(lack)
                continue
            done = subprocess.run(
                ["bash", "-c", step.command], cwd=home, env=shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == EXITS.get(step.command, {}).get(section, 0), (step.command, done.stdout)
            assert not step.shown or shows(step.shown, done.stdout), (step.command, done.stdout)
        for lack in skipped:
            record_property("not run", lack)
        if skipped:
            pytest.skip("; ".join(skipped))


def test_the_scenes_are_those_of_the_runbook() -> None:
    assert set(SCENES) == set(SECTIONS)


def test_the_runbook_covers_what_an_alert_and_an_operator_ask_for() -> None:
    text = RUNBOOK.read_text()
    alerts = re.findall(r"alert: (\w+)", (RUNBOOK.parent.parent / "deploy" / "prometheus" / "alerts.yaml").read_text())
    for alert in alerts:
        assert f"`{alert}`" in text
    for anchor in re.findall(r"\]\(#([\w-]+)\)", text):
        assert anchor in {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)}
