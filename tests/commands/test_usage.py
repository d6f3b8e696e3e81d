"""Usage errors: one sentence, a hint, exit code 2, and no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import records, run_with
from tests.command_line import Result, command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database


def lines(result: Result) -> list[str]:
    return result.err.splitlines()


@pytest.mark.parametrize(("line", "message", "hint_part"), [
    ("nonsense", "There is no command 'nonsense'.", "`template-sync --help` shows the usage."),
    ("statsu", "There is no command 'statsu'.", "Did you mean status or tags? `template-sync --help` shows"),
    ("db upgrad", "There is no command 'upgrad'.", "Did you mean upgrade? `template-sync db --help` shows"),
    ("--no-such", "`template-sync` has no option --no-such.", "`template-sync --help` shows"),
    ("list --limt 3", "`template-sync list` has no option --limt.", "Did you mean --limit"),
    ("list --lgo-level debug", "`template-sync list` has no option --lgo-level.", "`template-sync list --help` shows"),
    ("list --sort size", "--sort: 'size' is not one of 'id', 'newest', 'price', 'name'.", "`template-sync list --help`"),
    ("list --limit few", "--limit: a whole number from 0 on, not few.", "`template-sync list --help`"),
    ("list --max-price much", "--max-price: 'much' is not a number of credits.", "`template-sync list --help`"),
    ("list --tag", "Option '--tag' requires an argument.", "`template-sync list --help`"),
    ("runs -n -1", "--limit: a whole number from 0 on, not -1.", "`template-sync runs --help`"),
    ("runs --rejected few", "--rejected: a whole number from 0 on, not few.", "`template-sync runs --help`"),
    ("sandbox --port 70000", "--port: a whole number from 0 to 65535, not 70000.", "`template-sync sandbox --help`"),
    (f"sandbox --port 1{'0' * 19}", f"--port: a whole number from 0 to 65535, not 1{'0' * 19}.", "sandbox --help"),
    ("sandbox --fault 418", "--fault: expected KIND or KIND:COUNT, such as 429:3, where KIND is 401,", "sandbox --help"),
    ("sandbox --evolve-every soon", "--evolve-every: expected a duration above zero, such as 90s", "sandbox --help"),
    ("show", "ID is missing.", "`template-sync show --help` shows the usage."),
    ("webhooks test", "NAME is missing.", "`template-sync webhooks test --help`"),
    ("diff", "RUN|INSTANT is missing.", "`template-sync diff --help`"),
    ("show 1 2", "Got unexpected extra argument (2).", "`template-sync show --help`"),
    ("changes --since 1 --pending", "--pending lists the current pending removals", "changes --help"),
    ("changes --follow --run 1", "--follow and --run cannot be combined: ", "`template-sync changes --help`"),
    ("form 1 --example --request", "--example, --request and --validate cannot be combined.", "form --help"),
    ("form 1 --resolution 720p", "--resolution requires --example or --request.", "`template-sync form --help`"),
    ("show 1 --as-of 2026-11-17T10:00", "--as-of: '2026-11-17T10:00' has no time zone; write", "show --help"),
    ("diff 1 yesterday", "RUN|INSTANT: 'yesterday' is neither a run nor a date such as 2026-11-17", "diff --help"),
    ("diff 1 2 --as-of 3", "diff accepts a second run or instant, or --as-of, not both.", "`template-sync diff --help`"),
    ("export --json --format csv", "--json and --format csv cannot be combined.", "Use one of them."),
    ("export --json --format atom", "--json and --format atom cannot be combined.", "Use one of them."),
    ("export --with-cursor --format csv", "--format csv cannot contain a cursor.", "Use --format jsonl or json"),
])  # fmt: skip
def test_an_invalid_call_exits_with_2_a_message_and_a_hint(tmp_path: Path, line: str, message: str, hint_part: str) -> None:
    result = command(tmp_path, line.split())
    assert (result.code, result.out) == (2, "")
    error, hint = lines(result)
    assert error.startswith(f"error: {message}")
    assert error.endswith(".")
    assert hint.startswith("  → ")
    assert hint_part in hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "\u0663", "1_0", " 1", "1.0", ""])
@pytest.mark.parametrize("arguments", [["list", "--limit"], ["changes", "--since"], ["changes", "--run"], ["list", "--as-of"]])
def test_an_invalid_number_exits_with_2(tmp_path: Path, arguments: list[str], number: str) -> None:
    result = command(tmp_path, [*arguments[:-1], f"{arguments[-1]}={number}"])
    assert (result.code, result.out) == (2, "")
    assert len(lines(result)) == 2


def test_control_characters_of_an_invalid_argument_are_escaped(tmp_path: Path) -> None:
    result = command(tmp_path, ["show\x1b[31m\x07"])
    assert lines(result)[0] == r"error: There is no command 'show\x1b[31m\x07'."


@pytest.mark.parametrize("arguments", [[], ["db"], ["lease"]])
def test_a_group_without_a_command_shows_its_help_and_exits_with_2(tmp_path: Path, arguments: list[str]) -> None:
    result = command(tmp_path, arguments)
    assert (result.code, result.out) == (2, "")
    assert lines(result)[0].startswith("Usage: ")


@pytest.mark.parametrize(("line", "message"), [
    ("show 99", "No template '99' was ever seen."),
    ("history 99", "No template '99' was ever seen."),
    ("form 99", "No template '99' was ever seen."),
    ("show 1 --as-of 9", "There is no run 9."),
    ("changes --run 9", "There is no run 9."),
    ("runs --rejected 9", "There is no run 9."),
    ("diff 1 9", "There is no run 9."),
    ("export --as-of 9", "There is no run 9."),
    ("export --as-of 2001-01-01", "There is no catalog of 2001-01-01T00:00:00Z: the first run ended at "),
    ("export --as-of 9999-01-01", "9999-01-01T00:00:00Z is in the future"),
    ("list --as-of 9999-01-01", "9999-01-01T00:00:00Z is in the future"),
    ("diff 1 9999-01-01", "9999-01-01T00:00:00Z is in the future"),
    ("changes --since 9", "The cursor is at seq 9, but the feed ends at 2"),
    ("changes --follow --since 9", "The cursor is at seq 9, but the feed ends at 2"),
    ("changes --since ba9876543210-1-03c0d5bf1f13a4b1fb2ef9e3", "The cursor belongs to another feed"),
    ("changes --since 0123456789ab-1-03c0d5bf1f13a4b1fb2ef9e3", "The cursor's history differs from that of this database"),
    ("changes --since yesterday", "--since: 'yesterday' is neither a seq nor a cursor of the feed."),
])  # fmt: skip
def test_an_unknown_id_run_or_cursor_is_an_error_with_a_hint(sqlite: Database, tmp_path: Path, line: str, message: str) -> None:
    run_with(records(2), sqlite.engine)
    before = sqlite.catalog_dump()
    result = command(tmp_path, line.split(), DATABASE_URL=sqlite.url)
    assert (result.code, result.out) == (65 if message.startswith("The cursor") else 2, "")
    error, hint = lines(result)
    assert error.startswith(f"error: {message}")
    assert hint.startswith("  → ")
    assert sqlite.catalog_dump() == before
