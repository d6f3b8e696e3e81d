"""Output of commands for a catalog in which every text is an attack on a terminal, a spreadsheet or a script.

Each row: a command, its exit code, and bytes that its output must contain. No output may contain an active control character.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from sync.sandbox.server import SANDBOX_KEY
from tests.builders import record, records, run_against
from tests.command_line import command as run_command
from tests.conftest import fresh
from tests.hostile import Hostile, catalog, failure, one_after_another

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database
    from tests.hostile import Reply

EVIL = "\x1b[31m\x07\u202e\n\r\x9b2J\u2066\ufdd2x"
"""Colours, a bell, bidirectional controls, line breaks, an 8-bit escape that clears the screen, and our own mark for red."""
SHOWN = r"\x1b[31m\x07\u202e\n\r\x9b2J\u2066\ufdd2x"
ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
COLOURS = re.compile(r"\x1b\[(?:0|1|31|32|33)m")
IN_JSON = r"\u001b[31m\u0007\u202e\n\r\u009b2J\u2066"
ID = f"2{EVIL}"
QUOTED = f"no such key: {SANDBOX_KEY}"


def evil(price: int, **more: object) -> list[dict[str, object]]:
    """Write a catalog: valid records, one with the attack in every text, and a rejected one with it."""
    whole = {
        "Title": EVIL, "Title_en": EVIL, "TemplateType": EVIL, "InputRequirement": EVIL, "Tags": [EVIL], "Tags_en": [EVIL],
        "CoverAspectRatio": EVIL, "SupportAspectRatio": f"1:1,{EVIL}", "Cover": f"http://x/{EVIL}", "MediaId": EVIL,
        "ConsumeItems": [{"Resolution": EVIL, "Credit": price, f"q{EVIL}": EVIL}], f"f{EVIL}": {EVIL: [EVIL]}, **more,
    }  # fmt: skip
    return [record("1"), record(ID, **whole), record("3", Title=5, **{f"g{EVIL}": EVIL}), *records(12)[3:]]


@dataclass(frozen=True)
class Command:
    """A command, its exit code, and what must be in its output."""

    name: str
    arguments: tuple[str, ...]
    shows: str = SHOWN
    code: int = 0
    colored: bool = False
    answer: Reply | None = None


def command(line: str, shows: str = SHOWN, code: int = 0) -> Command:
    """Make a command from a command line; `ID` and `EVIL` stand for the id and the text of the attack."""
    return Command(line, tuple({"ID": ID, "EVIL": EVIL}.get(word, word) for word in line.split()), shows, code)


def colored(line: str) -> Command:
    """Require colours: only those of the program may occur."""
    return replace(command(line), name=f"{line}, in colours", colored=True)


def refused(line: str, message: str, shows: str) -> Command:
    """Make the server refuse the key with this message."""
    return replace(
        command(line, shows, 77), name=f"{line}, refused with {ascii(message)[1:9]}", answer=failure(401, message=message)
    )


COMMANDS = [
    command("run", "11 unchanged"),
    command("run --json", '"status": "succeeded"'),
    command("run --dry-run", "dry run, nothing written"),
    command("show ID"),
    command("show ID --json", IN_JSON),
    command("list"),
    command("list --json", IN_JSON),
    command("list --text EVIL --json", IN_JSON),
    command("list --tag EVIL"),
    command("tags"),
    command("tags --json", IN_JSON),
    command("types"),
    command("types --json", IN_JSON),
    command("list --max-price EVIL", code=2),
    command("changes"),
    command("changes --since 0 --json", IN_JSON),
    command("changes --pending", "no removals are held"),
    command("history ID"),
    command("history ID --json", IN_JSON),
    command("diff 1 2"),
    command("diff 1 2 --json", IN_JSON),
    command("runs", "succeeded"),
    command("runs --json", IN_JSON),
    command("runs --rejected 1", "Title must be a string"),
    command("runs --rejected 1 --json", "Title must be a string"),
    command("status", "11 templates"),
    command("status --json", '"later"'),
    command("export", IN_JSON),
    command("export --json", IN_JSON),
    command("form ID", IN_JSON),
    command("form ID --validate EVIL", "cannot be read", 2),
    command("form ID --request --resolution EVIL", IN_JSON),
    command("form 1 --request --resolution EVIL", "there is no price at", 2),
    command("show EVIL", "No template", 2),
    command("refresh EVIL", "No template", 2),
    command("prune --older-than EVIL", "expected a duration", 2),
    command("diff 1 EVIL", "is neither a run nor a date", 2),
    command("EVIL", "There is no command", 2),
    command("run --page-size EVIL", "SYNC_PAGE_SIZE", 78),
    colored("show ID"),
    colored("list"),
    colored("changes"),
    colored("diff 1 2"),
    refused("run", EVIL, "Message: " + SHOWN),
    refused("run --json", EVIL, SHOWN.replace("\\", "\\\\")),
    refused("doctor", EVIL, "Message: " + SHOWN),
    refused("run", QUOTED, "no such key: [secret]"),
    refused("run --json", QUOTED, "no such key: [secret]"),
    refused("doctor", QUOTED, "no such key: [secret]"),
]  # fmt: skip


CELLS = {
    "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(1)": "'@SUM(1)", "nice;=HYPERLINK(1)": "nice;'=HYPERLINK(1)",
    "a\t=1": "a\t'=1", "a\n=1": "\"a\n'=1\"", "a\r@1": "\"a\r'@1\"", "a,=1": "\"a,'=1\"", 'a","=1': '"a"",""=1"',
    "\t=1": "'\t'=1", "\rx": "\"'\rx\"", "＝1": "'＝1", "a = b - c": "a = b - c",
}  # fmt: skip
"""A title, and its cell in the CSV file."""


@pytest.fixture(scope="module")
def evil_database(migrated: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which every text is an attack on a terminal, after three runs."""
    folder = tmp_path_factory.mktemp("evil")
    for database in fresh("sqlite", migrated, folder):
        for served in (evil(1), evil(2), evil(2, later=EVIL)):
            with Hostile(catalog(served)) as server:
                assert run_against(server.url, database.engine).error is None
    return folder / "templates.db"


@pytest.mark.parametrize("attack", COMMANDS, ids=lambda attack: attack.name)
def test_output_contains_no_active_control_characters(attack: Command, evil_database: Path, tmp_path: Path) -> None:
    shutil.copy(evil_database, tmp_path)
    served = one_after_another(attack.answer) if attack.answer else catalog(evil(2, later=EVIL))
    colors = {"FORCE_COLOR": "1"} if attack.colored else {}
    with Hostile(served) as server:
        result = run_command(tmp_path, attack.arguments, CRUN_BASE_URL=server.url, **colors)
    output = result.out + result.err
    assert (result.code, attack.shows in output) == (attack.code, True), output
    assert ACTS.findall(COLOURS.sub("", output) if attack.colored else output) == []
    assert (COLOURS.search(output) is not None) is attack.colored


def test_no_cell_of_a_csv_export_is_a_formula(sqlite: Database, tmp_path: Path) -> None:
    with Hostile(catalog([record(f"{number:02}", Title=title, Title_en="end") for number, title in enumerate(CELLS)])) as server:
        run_against(server.url, sqlite.engine)
    result = run_command(tmp_path, ["export", "--format", "csv"], DATABASE_URL=sqlite.url)
    rows = result.out.split("7642552612302307355,217677058,")[1:]
    assert [row.partition(",end,")[0] for row in rows] == [*CELLS.values()]
