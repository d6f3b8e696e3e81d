"""Every command, setting, link and anchor in the documents exists."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import yaml

from sync.cli import cli
from sync.commands import COMMANDS
from sync.config.settings import OPTIONS
from sync.errors import SyncError

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md"), *ROOT.glob("examples/**/*.md")])


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.variable)
def test_every_setting_is_in_the_readme_with_its_default(option: object) -> None:
    variable, default = getattr(option, "variable"), getattr(option, "default")  # noqa: B009 - Option is frozen and slotted
    row = next(line for line in README.splitlines() if line.startswith(f"| `{variable}`"))
    assert f"`{default}`" in row or (default is None and "| – |" in row)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_is_in_a_document(name: str) -> None:
    command = cli.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.help
    assert any(f"template-sync {name}" in file.read_text() for file in DOCUMENTS)


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(file: Path) -> None:
    for target, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", prose(file))):
        if not target.startswith(("http:", "https:")):
            linked = file.parent / target if target else file
            assert linked.exists(), target
            assert not anchor or anchor in anchors(linked), f"{target}#{anchor}"


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_file_and_folder_that_a_page_for_contributors_names_exists(name: str) -> None:
    named = set(
        re.findall(r"`(?!\.venv/)([\w.]+/[\w/.]*)`", (ROOT / name).read_text())
    )  # an unpacked source archive has no .venv
    assert [path for path in sorted(named) if not any((ROOT / base / path).exists() for base in ("", "sync", "tests"))] == []


def test_every_documented_test_command_selects_tests() -> None:
    pattern = re.compile(r'pytest [^`\n]*?(tests/\S+\.py) -k (?:"([^"]+)"|(\w+))')
    commands = [found.groups() for file in DOCUMENTS for found in pattern.finditer(file.read_text())]
    missing = [
        (path, word)
        for path, several, one in commands
        for word in (several or one).split(" or ")
        if not re.search(rf"def test_\w*{word}", (ROOT / path).read_text())
    ]
    assert commands
    assert missing == []


def prose(file: Path) -> str:
    """Read a document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", file.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(file: Path) -> set[str]:
    """Return the anchors of the headings of a document, as GitHub and MkDocs form them."""
    headings = re.findall(r"^#+ (.+)$", prose(file), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_index_and_the_site_list_every_page_once() -> None:
    pages = sorted(file.name for file in ROOT.glob("docs/*.md") if file.name != "README.md")
    assert sorted(re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", (ROOT / "docs" / "README.md").read_text(), re.MULTILINE)) == pages
    _, *sections = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert sorted(page for section in sections for named in section.values() for each in named for page in each.values()) == pages


def test_the_readme_has_a_limited_length() -> None:
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize(("link", "text"), [
    ("[floor.py](../bench/floor.py)", "`bench/floor.py`"),
    ("[A test](../tests/test_cookbook.py)", "A test (`tests/test_cookbook.py`)"),
    ("[database.md](database.md#sqlite)", "[database.md](database.md#sqlite)"),
])  # fmt: skip
def test_on_the_site_a_link_to_a_file_outside_docs_is_the_name_of_the_file(link: str, text: str) -> None:
    assert runpy.run_path(str(ROOT / "docs" / "outside_links.py"))["on_page_markdown"](f"See {link}.") == f"See {text}."


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_in_a_document_exists(file: Path) -> None:
    for name in re.findall(r"template-sync ([a-z]+)(?![\w./-])", file.read_text()):
        assert name in {*COMMANDS, "daemon"}, name


def test_the_exit_codes_in_the_readme_are_those_of_the_errors() -> None:
    def codes(kind: type[SyncError]) -> set[int]:
        return {kind.exit_code}.union(*(codes(below) for below in kind.__subclasses__()))

    paragraph = README[README.index("Exit codes:") :].split("\n\n")[0]
    listed = {int(number) for number in re.findall(r"(?:^|· |codes: )(\d+) ", paragraph.replace("\n", " "))}
    assert listed == codes(SyncError) | {0, 3}


def test_the_json_document_names_every_command_that_prints_json() -> None:
    text = (ROOT / "docs" / "json.md").read_text()
    names = "run refresh demo status runs changes history diff list show config doctor prune webhooks form export"
    assert [name for name in names.split() if f"`{name}" not in text] == []
