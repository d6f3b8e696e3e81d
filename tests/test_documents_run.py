"""The examples of README.md and docs/changes.md have the documented result: SQL, Python, shell commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync import Catalog
from sync.sandbox.server import Sandbox
from sync.webhooks.endpoints import Rules
from tests.command_line import environment, of_sandbox
from tests.documented import WEEKS, Step, fill, plain_engine, run_python, run_sql, snippets, statements, steps
from tests.webhooks.receiver import SECRET, Receiver, deliver_to

if TYPE_CHECKING:
    from tests.builders import Database

ROOT = Path(__file__).parents[1]
README, CHANGES = ROOT / "README.md", ROOT / "docs" / "changes.md"
EXAMPLES = ROOT / "examples" / "README.md"
DOCUMENTS = {
    document: [step for block in snippets(document, "console") for step in steps(block)]
    for document in (README, CHANGES, EXAMPLES)
}
NOT_RUN = {
    "python3 -m venv .venv": "installs packages; its last command has another test",
    "rm templates.db": "the test's own database is used",
    "export CRUN_API_KEY=": "the sandbox has its own key",
    "template-sync sandbox &": "the test's own sandbox serves instead",
    "template-sync daemon": "does not end; tests/daemon is about it",
    "crontab -l": "shows the machine's own",
    "pip install": "installs",
    "export DATABASE_URL=": "the test's own database is used",
    "pytest": "is a test itself",
}
"""Beginnings of commands that are not run here, with the reasons."""


@pytest.mark.long_on_servers
def test_the_documented_sql_has_the_documented_result(database: Database) -> None:
    fill(database.engine)
    app, catalog = plain_engine(database), Catalog(database.engine)
    (readme,) = snippets(README, "sql")
    rows = [line.split(" | ") for line in run_sql(readme, app).splitlines()]
    cheapest = catalog.templates(resolution="720p", images=1, requirement="SINGLE_PERSON", sort="price", limit=10)
    assert [row[0] for row in rows[:10]] == [each.template_id for each in cheapest]
    assert [row[1] for row in rows[10:-2]] == [change.cursor for change in catalog.changes(since=280)]
    assert [row[0] for row in rows[-2:]] == ["88.8", "79.9"]
    assert len(statements(readme)) == 3
    (follow,) = snippets(CHANGES, "sql")
    assert [line.split(" | ")[2:4] for line in run_sql(follow, app).splitlines()] == [
        ["removed", "470249146"],
        ["removed", "952790353"],
    ]
    app.dispose()


@pytest.mark.long_on_servers
def test_the_documented_python_prints_the_values_of_the_catalog(database: Database) -> None:
    fill(database.engine)
    (readme,) = snippets(README, "python")
    lines = run_python(readme, database.url).splitlines()
    assert len(lines) == 10 + 13
    assert lines[0].startswith("181408537 Doomsday Transformation (Price(resolution='480p', credit=Decimal('44.4'))")
    assert lines[-1] == "removed 952790353 ('removed',)"


def test_the_demo_prints_the_output_in_the_readme(tmp_path: Path) -> None:
    demo = next(step for step in DOCUMENTS[README] if step.command.endswith("template-sync demo"))
    output = shell([Step(demo.where, "template-sync demo")], tmp_path, {})[0].output
    beginning, end = alike("\n".join(demo.shown) + "\n").split("...\n")
    assert alike(output).startswith(beginning)
    assert end in alike(output)


def alike(text: str) -> str:
    """Replace the port and the durations, which differ in each run."""
    return re.sub(r"\d+\.\d+ s\b", "N s", re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:N", text))


# The shell --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """The exit code and the output (stdout and stderr) of a command."""

    step: Step
    code: int
    output: str


def shell(commands: list[Step], folder: Path, variables: dict[str, str]) -> list[Ran]:
    """Execute the commands in one shell, in order."""
    script = "set -o pipefail\n" + "".join(
        f"printf '\\036'; {{ {step.command}\n}} 2>&1 </dev/null; printf '\\035%s' $?\n" for step in commands
    )
    known = environment(**variables)
    known["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{known['PATH']}"
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=known, capture_output=True, text=True, timeout=300, check=False)
    assert done.stderr == ""
    parts = [part.rpartition("\035") for part in done.stdout.split("\036")[1:]]
    return [Ran(step, int(code), output) for step, (output, _, code) in zip(commands, parts, strict=True)]


def replaced(text: str, by: dict[str, str]) -> str:
    """Replace some texts."""
    for old, new in by.items():
        text = text.replace(old, new)
    return text


def run_document(document: Path, database: Database, folder: Path, receiver: Receiver) -> list[Ran]:
    """Execute the commands of a document on the sample catalog; each must succeed and print the documented output."""
    if missing := [tool for tool in ("bash", "curl", "jq", "openssl") if shutil.which(tool) is None]:
        pytest.skip(f"not installed here: {', '.join(missing)}")
    fill(database.engine)
    (hooks,) = snippets(CHANGES, "toml")
    addresses = re.sub(r'url = "[^"]+"', f'url = "{receiver.url}"', hooks.code)
    (folder / "hooks.toml").write_text(addresses)
    (folder / "price-watch.secret").write_text(SECRET)
    (folder / "price-watch.secret").chmod(0o600)
    commands = [step for step in DOCUMENTS[document] if not step.command.startswith(tuple(NOT_RUN))]
    (folder / "examples").symlink_to(ROOT / "examples")
    ours = {"/var/www/": f"{folder}/", "sqlite:///templates.db": database.url}
    here = [Step(step.where, replaced(step.command, ours), step.shown) for step in commands]
    with Sandbox(WEEKS[1][0]) as sandbox:
        variables = {"SYNC_WEBHOOKS_FILE": "hooks.toml", "SHOP_HOOK_SECRET": SECRET, "DATABASE_URL": database.url}
        ran = shell(here, folder, of_sandbox(sandbox, **variables))
    only_sqlite = {"template-sync db backup backup.db"} if database.kind != "sqlite" else set()
    assert [(each.step.where, each.code, each.output) for each in ran if each.code and each.step.command not in only_sqlite] == []
    for each in ran:
        assert not each.step.shown or each.output.splitlines()[-1:] == each.step.shown, each.step.where
    return ran


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.mark.long
def test_every_command_of_the_readme_succeeds(database: Database, tmp_path: Path, receiver: Receiver) -> None:
    with receiver:
        run_document(README, database, tmp_path, receiver)
    assert len((tmp_path / "catalog.csv").read_text().splitlines()) == 282
    assert "<feed" in (tmp_path / "new.xml").read_text()


@pytest.mark.long
def test_the_commands_of_changes_continue_from_their_cursor_and_reach_the_receiver(
    database: Database, tmp_path: Path, receiver: Receiver
) -> None:
    with receiver:
        ran = run_document(CHANGES, database, tmp_path, receiver)
    first, last = (each for each in ran if each.step.command.startswith("template-sync changes --since"))
    assert [change["seq"] for change in json.loads(first.output)] == list(range(281, 294))
    assert json.loads(last.output) == []
    assert [json.loads(request.body)["type"] for request in receiver.requests] == ["webhook.test", "template.added"]
    assert "<feed" in (tmp_path / "templates.xml").read_text()


@pytest.mark.long
def test_the_examples_print_the_documented_output(database: Database, tmp_path: Path, receiver: Receiver) -> None:
    with receiver:
        ran = run_document(EXAMPLES, database, tmp_path, receiver)
    assert [each.output for each in ran[:2]] == ["281 written\n", "0 written\n"]


def test_every_exception_is_still_in_a_document() -> None:
    commands = [step.command for known in DOCUMENTS.values() for step in known]
    assert [beginning for beginning in NOT_RUN if not any(command.startswith(beginning) for command in commands)] == []


def test_the_documented_message_is_part_of_a_sent_one(sqlite: Database, receiver: Receiver) -> None:
    fill(sqlite.engine)
    (shown,) = (json.loads(each.code) for each in snippets(CHANGES, "json"))
    with receiver:
        deliver_to(sqlite.engine, receiver.signed_endpoint(start="start", rules=Rules(ids=frozenset({"540184647"}))))
    sent = json.loads(receiver.requests[-1].body)
    assert {**sent, "data": {name: sent["data"][name] for name in shown["data"]}} == shown
