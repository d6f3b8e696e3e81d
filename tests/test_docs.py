"""The documents say what the program does: every command, setting and link in them is real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sync.cli import cli
from sync.errors import SyncError
from sync.front_page import COMMANDS
from sync.options import OPTIONS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md"), *ROOT.glob("examples/*.md")])


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.variable)
def test_every_setting_is_in_the_readme_with_its_default(option: object) -> None:
    variable, default = getattr(option, "variable"), getattr(option, "default")  # noqa: B009 - Option is frozen and slotted
    row = next(line for line in README.splitlines() if line.startswith(f"| `{variable}`"))
    assert f"`{default}`" in row or (default is None and "| – |" in row)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_stands_in_a_document(name: str) -> None:
    command = cli.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.help
    assert any(f"template-sync {name}" in file.read_text() for file in DOCUMENTS)


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", file.read_text()):
        if not target.startswith("http"):
            assert (file.parent / target).exists(), target


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_in_a_document_exists(file: Path) -> None:
    for name in re.findall(r"template-sync ([a-z]+)(?![\w./-])", file.read_text()):
        assert name in {*COMMANDS, "daemon"}, name


def test_the_exit_codes_in_the_readme_are_those_of_the_errors() -> None:
    def codes(kind: type[SyncError]) -> set[int]:
        return {kind.exit_code}.union(*(codes(below) for below in kind.__subclasses__()))

    paragraph = README[README.index("Exit codes:") :].split("\n\n")[0]
    said = {int(number) for number in re.findall(r"(?:^|· |codes: )(\d+) ", paragraph.replace("\n", " "))}
    assert said == codes(SyncError) | {0, 3}


def test_the_json_document_names_every_command_that_prints_json() -> None:
    text = (ROOT / "docs" / "json.md").read_text()
    for name in (
        "run",
        "refresh",
        "demo",
        "status",
        "runs",
        "changes",
        "history",
        "diff",
        "list",
        "show",
        "config",
        "doctor",
        "prune",
        "webhooks",
        "form",
        "export",
    ):
        assert f"`{name}" in text
