"""Help, completion, man page and schemas agree with what the commands accept, read and print."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

import sync.config.load_settings
from sync.cli import cli
from sync.config.settings import OPTIONS, Settings
from sync.outputs.schema import NAMED, everything, schema
from sync.sandbox.server import Sandbox
from tests.builders import records, run_with
from tests.command_line import command
from tests.test_docs import ROOT
from tests.webhooks.receiver import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builders import Database


def walk(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from walk(found, (*path, name))
        else:
            yield " ".join((*path, name)), found


COMMANDS = dict(walk())
SETTINGS = {option.field for option in OPTIONS}
LISTINGS = ("runs", "changes", "list", "tags", "types", "history", "diff", "webhooks list")
PRINT_NO_DATA = {
    "daemon", "sandbox", "health", "db upgrade", "db backup", "db restore", "lease release", "webhooks resume", "mcp",
}  # fmt: skip


def options_of(name: str) -> list[click.Option]:
    return [each for each in COMMANDS[name].params if isinstance(each, click.Option) and not each.hidden]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text_and_a_metavar(name: str) -> None:
    for option in options_of(name):
        assert (option.help or "").strip(), option.opts
        takes_a_value = not option.is_flag
        assert not takes_a_value or option.metavar or isinstance(option.type, click.Choice), option.opts
    shown = COMMANDS[name].get_help(click.Context(COMMANDS[name], info_name=name, help_option_names=["-h", "--help"]))
    for jargon in ("INTEGER", "TEXT RANGE", "<=", ">=", "FLOAT", "BOOLEAN"):
        assert jargon not in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_that_print_data_have_json_and_listings_have_a_limit(name: str) -> None:
    names = {each for option in options_of(name) for each in option.opts}
    assert ("--json" in names) == (name not in PRINT_NO_DATA)
    assert ({"-n", "--limit"} <= names) == (name in LISTINGS)


# Settings: the help offers what the command reads ---------------------------------------------------------------

CALLS = {
    "run": "run", "demo": "demo --templates 1", "status": "status", "runs": "runs", "changes": "changes", "list": "list",
    "tags": "tags", "types": "types", "show": "show 1", "history": "history 1", "diff": "diff 1", "form": "form 1 --request",
    "refresh": "refresh 1", "export": "export", "doctor": "doctor", "health": "health", "db upgrade": "db upgrade",
    "db current": "db current", "db check": "db check", "db origin": "db origin",
    "db backup": "db backup copy.db", "db restore": "db restore copy.db",
    "prune": "prune --keep-runs 1", "lease show": "lease show", "lease release": "lease release --force",
    "webhooks list": "webhooks list", "webhooks test": "webhooks test shop --change 1", "webhooks deliver": "webhooks deliver",
    "webhooks resume": "webhooks resume shop", "schema": "schema",
    "site": "site gallery",
}  # fmt: skip
"""A call of each command except `daemon`, `sandbox` and `mcp`, which do not end, and `config`, which shows every setting."""

EXIT_CODES = {"webhooks test": 75, "webhooks resume": 2}  # no receiver listens; no position is stored


def offered(name: str) -> set[str]:
    return {option.name for option in options_of(name) if option.name} & SETTINGS


def recorder(read: set[str]) -> type[Settings]:
    """Make a class of settings that records which of them are read."""

    class Recording(Settings):
        def __getattribute__(self, name: str) -> Any:
            read.add(name)
            return super().__getattribute__(name)

    return Recording


def test_every_command_is_in_the_table_of_calls() -> None:
    assert CALLS.keys() | {"daemon", "sandbox", "mcp", "config"} == COMMANDS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_a_command_offers_no_setting_that_it_does_not_read(
    name: str, sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[str] = set()
    run_with(records(2), sqlite.engine, clock=lambda: datetime.now(UTC))
    sqlite.engine.dispose()
    url = f"sqlite:///{tmp_path / 'demo.db'}" if name == "demo" else sqlite.url
    if name == "db restore":
        assert command(tmp_path, ["db", "backup", "copy.db"], DATABASE_URL=url).code == 0
    variables = (
        {"SYNC_METRICS_FILE": str(tmp_path / "metrics"), "SYNC_SITE_DIR": str(tmp_path / "gallery")} if name == "run" else {}
    )
    if name.startswith("webhooks"):
        (tmp_path / "hooks.toml").write_text('[[endpoint]]\nname = "shop"\nurl = "http://127.0.0.1:9/"\nsecret_env = "SHOP"\n')
        variables = {"SYNC_WEBHOOKS_FILE": str(tmp_path / "hooks.toml"), "SHOP": SECRET}
    with Sandbox(records(2)) as server:
        monkeypatch.setattr(sync.config.load_settings, "Settings", recorder(read))
        result = command(tmp_path, CALLS[name].split(), DATABASE_URL=url, CRUN_BASE_URL=server.url, **variables)
    assert result.code == EXIT_CODES.get(name, 0), result.err
    assert offered(name) <= read


def test_the_daemon_offers_every_setting_except_secrets_and_the_metrics_file() -> None:
    assert offered("daemon") == SETTINGS - {option.field for option in OPTIONS if option.secret} - {"metrics_file"} | {
        "database_url"
    }


@pytest.mark.parametrize("name", ["list", "doctor", "refresh"])
def test_every_command_accepts_the_options_of_the_log(name: str, sqlite: Database, tmp_path: Path) -> None:
    with Sandbox(records(1)) as server:
        run_with(records(1), sqlite.engine)
        flags = ["--log-level", "error", "--log-format", "json"]
        result = command(tmp_path, [*CALLS[name].split(), *flags], DATABASE_URL=sqlite.url, CRUN_BASE_URL=server.url)
    assert result.code == 0, result.err


SCRIPTS = {
    "bash": """
        eval "$(_TEMPLATE_SYNC_COMPLETE=bash_source template-sync)"
        COMP_WORDS=(template-sync {words}); COMP_CWORD={number}
        _template_sync_completion template-sync
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """,
    "zsh": """
        autoload -Uz compinit; compinit -u -D
        eval "$(_TEMPLATE_SYNC_COMPLETE=zsh_source template-sync)"
        _describe() {{ print -rl -- "${{(@P)3}}" }}  # prints the candidates
        words=(template-sync {words}); CURRENT=$(( {number} + 1 ))
        _template_sync_completion
    """,
    "fish": """
        _TEMPLATE_SYNC_COMPLETE=fish_source template-sync | source
        complete -C "template-sync {words}"
    """,
}


@pytest.mark.parametrize("shell", SCRIPTS)
@pytest.mark.parametrize(("words", "number", "first"), [("web", 1, "webhooks"), ("list --ty", 2, "--type")])
def test_each_shell_completes_commands_and_options(shell: str, words: str, number: int, first: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = SCRIPTS[shell].format(words=words, number=number)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        [shell, "-c", script], env={"PATH": path, "HOME": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert re.match(rf"{first}\b", ran.stdout), (ran.stdout, ran.stderr)


def test_the_man_page_has_every_command_and_setting_and_is_valid(tmp_path: Path) -> None:
    page = tmp_path / "template-sync.1"
    with page.open("w") as output:
        subprocess.run([sys.executable, ROOT / "docs" / "write_man.py"], stdout=output, check=True)
    text = page.read_text().replace("\\-", "-")
    sections = re.findall(r'^\.SS "(.+?) \[OPTIONS\]', text, re.MULTILINE)
    assert {"run", "db backup", "webhooks test"} <= set(sections)
    assert all(f"\\fB{option.variable}\\fR" in text for option in OPTIONS)
    assert "\\fB76\\fR\ninvalid response, or the walk could not be verified" in text
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    shown = subprocess.run(["groff", "-man", "-Kutf8", "-Tutf8", "-ww", page], capture_output=True, text=True, check=True)
    assert (shown.stderr, "TEMPLATE-SYNC(1)" in shown.stdout) == ("", True)


@pytest.mark.parametrize("name", NAMED)
def test_a_schema_is_printed_by_its_name(name: str, tmp_path: Path) -> None:
    result = command(tmp_path, ["schema", name])
    assert (result.code, json.loads(result.out), result.err) == (0, schema(name), "")


def test_all_schemas_are_printed_as_one_document(tmp_path: Path) -> None:
    assert json.loads(command(tmp_path, ["schema", "--all"]).out) == everything()


def test_schema_without_a_name_lists_the_schemas(tmp_path: Path) -> None:
    listed = command(tmp_path, ["schema"]).out
    assert all(name in listed for name in NAMED)


@pytest.mark.parametrize(("arguments", "message"), [(["chages"], "changes"), (["--all", "changes"], "--all")])
def test_an_unknown_schema_exits_with_2_without_output(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = command(tmp_path, ["schema", *arguments])
    assert (result.code, result.out) == (2, "")
    assert message in result.err
