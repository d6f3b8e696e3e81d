"""Every command of the runbook works in its situation and prints the documented output."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack, suppress
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
from tests.documented import Step, snippets, steps
from tests.faults import take_lease
from tests.webhooks.receiver import SECRET, Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

RUNBOOK = Path(__file__).parents[2] / "docs" / "operations.md"


def read_runbook() -> dict[str, list[Step]]:
    """Return the commands of each section, in order. `...` in a documented output stands for any text."""
    sections: dict[str, list[Step]] = {}
    for snippet in snippets(RUNBOOK, "console"):
        sections.setdefault(snippet.heading, []).extend(steps(snippet))
    return sections


SECTIONS = read_runbook()


def shows(expected: list[str], seen: str) -> bool:
    """Compare output with the documented one: `...` matches any text in a line, or alone on a line any lines."""
    parts = [r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\s*\n" for line in expected]
    # The width of a column depends on its contents.
    return re.fullmatch(re.sub(r"(\\ )+", " +", "".join(parts)), seen) is not None


@dataclass
class Situation:
    """The situation in which the commands of a section run."""

    folder: Path
    upstream: Upstream
    resources: ExitStack
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = open_engine(f"sqlite:///{self.folder / 'templates.db'}")
        upgrade(self.engine)

    def synchronise(self, ago: timedelta = timedelta(0)) -> None:
        run_against(self.upstream.url, self.engine, clock=lambda: datetime.now(UTC) - ago, max_removed=Decimal("0.1"))

    def execute(self, statement: sa.Executable) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement)


def healthy(situation: Situation) -> None:
    situation.synchronise()


def stale(situation: Situation) -> None:
    situation.synchronise(timedelta(hours=7))
    situation.execute(sa.insert(planned_runs).values(host="h", next_run_at=datetime.now(UTC) - timedelta(hours=6)))


def refused(code: int) -> Callable[[Situation], None]:
    def prepare(situation: Situation) -> None:
        situation.synchronise()
        situation.upstream.refuse(code)
        situation.synchronise()

    return prepare


def held(situation: Situation) -> None:
    situation.synchronise()
    situation.upstream.catalog = situation.upstream.catalog[:260]
    situation.variables["SYNC_MAX_REMOVED"] = "5%"
    run_against(situation.upstream.url, situation.engine, clock=lambda: datetime.now(UTC), max_removed=Decimal("0.05"))


def unconfirmed(situation: Situation) -> None:
    situation.synchronise()
    reason = "the look-up''s response differs from that for an ID that cannot exist"
    with situation.engine.begin() as connection:
        connection.execute(
            sa.text(f"INSERT INTO unconfirmed_removals VALUES ('1', 2, '2026-01-01 00:00:00.000000', '{reason}', true)")  # noqa: S608 - a literal of this test
        )


def rejected(situation: Situation) -> None:
    situation.synchronise()
    situation.upstream.catalog = [record("1", ConsumeItems="free"), *situation.upstream.catalog[1:]]
    situation.synchronise()


def locked(situation: Situation) -> None:
    situation.synchronise()
    take_lease(situation.engine, ttl=600)
    situation.execute(sa.update(sync_lease).values(process=None))  # as a holder on another machine


def old(situation: Situation) -> None:
    situation.synchronise(timedelta(days=400))
    situation.upstream.catalog = records(279)
    situation.synchronise(timedelta(days=300))
    situation.synchronise()


def full(situation: Situation) -> None:
    """Put an old database on a full disk if this user may mount one, otherwise on the existing disk."""
    old(situation)
    situation.execute(
        sa.text("CREATE TABLE padding AS WITH n AS (SELECT 1 UNION ALL SELECT 1) SELECT zeroblob(300000) AS z FROM n")
    )
    situation.execute(sa.text("DROP TABLE padding"))
    situation.engine.dispose()
    other = situation.folder.with_name("other")
    other.mkdir()
    situation.variables["OTHER"] = str(other)
    file = situation.folder / "templates.db"
    content, size = file.read_bytes(), file.stat().st_size
    disk = ["tmpfs", "-t", "tmpfs", "-o", f"size={size + 4096 * 2}", str(situation.folder)]
    if subprocess.run(["mount", *disk], check=False, capture_output=True).returncode != 0:
        return
    situation.resources.callback(subprocess.run, ["umount", str(situation.folder)], check=True)
    file.write_bytes(content)
    padding = situation.folder / "rest"
    with suppress(OSError), padding.open("wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 4096)
    refused = template_sync("run", folder=situation.folder, variables=situation.upstream.settings())
    assert (refused.code, "disk space" in refused.err) == (69, True), refused.err


def undelivered(situation: Situation) -> None:
    situation.synchronise()
    receiver = situation.resources.enter_context(Receiver())
    (situation.folder / "hooks.toml").write_text(
        f'[[endpoint]]\nname = "shop"\nurl = "{receiver.url}"\nsecret_env = "SHOP_SECRET"\n'
    )
    situation.variables |= {"SYNC_WEBHOOKS_FILE": "hooks.toml", "SHOP_SECRET": SECRET}
    register(situation.engine, "shop", from_start=True)
    now, hour = datetime.now(UTC), timedelta(hours=1)
    moments = {"failing_since": now - 3 * hour, "last_attempt_at": now - hour, "next_attempt_at": now + hour}
    situation.execute(sa.update(webhook_endpoints).values(attempts=7, last_status=500, last_answer="database down", **moments))


def rotated(situation: Situation) -> None:
    """Start a daemon with the current key in a file; the server then accepts only the new key."""
    key, old, new = situation.folder / "key", SANDBOX_KEY, "ak_NewKeyNewKeyNewKeyNewKeyNewKey11"
    for file, content in ((key, old), (situation.folder / "new-key", new)):
        file.write_text(content)
        file.chmod(0o600)
    situation.variables |= {"CRUN_API_KEY": "", "CRUN_API_KEY_FILE": str(key)}
    daemon = situation.resources.enter_context(
        DaemonProcess(situation.folder, situation.upstream.settings(**situation.variables))
    )
    daemon.wait_for("run_finished", status="succeeded")
    situation.upstream.keys = {new}
    situation.variables["DAEMON_PID"] = str(daemon.pid)


def other_origin(situation: Situation) -> None:
    situation.synchronise()
    situation.execute(sa.update(sync_state).values(origin="https://api.crunai.com"))


SITUATIONS: dict[str, Callable[[Situation], None]] = {
    "Operations": healthy,
    "Stale": stale,
    "Failing": refused(500),
    "Maintenance": refused(455),
    "Held": held,
    "Unconfirmed": unconfirmed,
    "Rejected": rejected,
    "Locked": locked,
    "Key rotated": rotated,
    "Another origin": other_origin,
    "Disk full": full,
    "Webhooks": undelivered,
    "Backup and restore": healthy,
    "Moving to another database": healthy,
    "Upgrade": healthy,
    "Prune": old,
}
QUICK = {"Held", "Unconfirmed"}
"""Sections of the quick tests; the long tests have all."""
SLICE = {"Failing", "Locked"}
"""Sections that CI adds for each push."""
EXIT_CODES = {"template-sync doctor": {"Failing": 75}}
SERVER_OF = {"pg_dump": "postgresql", "pg_restore": "postgresql", "mariadb-dump": "mariadb", "mariadb": "mariadb"}


def servers(folder: Path, resources: ExitStack) -> dict[str, str]:
    """Return variables with the address of a migrated database on each available server, and of an empty one."""

    def create(kind: str, *, tables: bool = True) -> sa.URL:
        url, server = new_database(kind, folder)
        resources.callback(drop_database, url, server)
        engine = open_engine(url)
        if tables:
            upgrade(engine)
        engine.dispose()
        return engine.url

    variables = {"NEW_URL": f"sqlite:///{folder / 'new.db'}"}
    if SERVERS["postgresql"] in os.environ:
        migrated, empty = create("postgresql").set(drivername="postgresql"), create("postgresql", tables=False)
        variables |= {"POSTGRES_URL": url_with_password(migrated), "NEW_URL": url_with_password(empty)}
    if SERVERS["mariadb"] in os.environ:
        target = create("mariadb")
        password = f" --password={target.password}" if target.password else ""
        options = f"--host={target.host} --port={target.port or 3306} --user={target.username}{password} {target.database}"
        variables["MARIADB_OPTIONS"] = options
    return variables


def url_with_password(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def missing(command: str, variables: dict[str, str]) -> str | None:
    """Return the requirement of a command that this machine lacks, or None."""
    tool = command.split(maxsplit=1)[0]
    if tool in {*SERVER_OF, "sqlite3"} and shutil.which(tool) is None:
        return f"{tool} is not installed here"
    needed = {"postgresql": "POSTGRES_URL", "mariadb": "MARIADB_OPTIONS"}.get(SERVER_OF.get(tool, ""))
    if needed and needed not in variables:
        return f"{tool}: set {SERVERS[SERVER_OF[tool]]}"
    if "backup.db" in command and tool == "rm" and not shutil.which("sqlite3"):
        return "sqlite3 is not installed here, so no backup exists"
    return None


def marks_of(section: str) -> list[pytest.MarkDecorator]:
    return [] if section in QUICK else [pytest.mark.ci_slice if section in SLICE else pytest.mark.long]


@pytest.mark.parametrize("section", [pytest.param(each, marks=marks_of(each)) for each in SECTIONS])
def test_the_commands_of_the_runbook_work_and_print_the_documented_output(
    section: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with ExitStack() as resources:
        upstream = resources.enter_context(Upstream(records(280)))
        variables: dict[str, str] = {}
        if any("_URL" in step.command for step in SECTIONS[section]):
            variables = servers(tmp_path, resources)
        situation = Situation(home, upstream, resources, variables)
        SITUATIONS[section](situation)
        situation.engine.dispose()
        shell = environment(**upstream.settings(SYNC_LOG_FORMAT="json", **situation.variables))
        shell["PYTHONWARNINGS"] = ""  # as in an operator's shell
        shell["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{shell['PATH']}"
        skipped = []
        for step in SECTIONS[section]:
            if reason := missing(step.command, variables):
                skipped.append(reason)
                continue
            done = subprocess.run(
                ["bash", "-c", step.command], cwd=home, env=shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == EXIT_CODES.get(step.command, {}).get(section, 0), (step.command, done.stdout)
            assert not step.shown or shows(step.shown, done.stdout), (step.command, done.stdout)
        if skipped:
            record_property("not run", "; ".join(skipped))
            pytest.skip("; ".join(skipped))


def test_every_section_of_the_runbook_has_a_situation() -> None:
    assert set(SITUATIONS) == set(SECTIONS)


def test_the_runbook_names_every_alert_and_its_links_lead_to_sections() -> None:
    text = RUNBOOK.read_text()
    alerts = re.findall(r"alert: (\w+)", (RUNBOOK.parent.parent / "deploy" / "prometheus" / "alerts.yaml").read_text())
    for alert in alerts:
        assert f"`{alert}`" in text
    for anchor in re.findall(r"\]\(#([\w-]+)\)", text):
        assert anchor in {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)}
