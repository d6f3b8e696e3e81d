"""Slips on the command line look like every other error: one sentence, what to do, exit 2, and nothing done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import records, run_with
from tests.command_line import Said, command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database


def lines(said: Said) -> list[str]:
    return said.err.decode().splitlines()


@pytest.mark.parametrize(("line", "sentence", "advice"), [
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
    ("sandbox --fault 418", "--fault: expected KIND or KIND:COUNT, such as 429:3, where KIND is 401,", "sandbox --help"),
    ("sandbox --evolve-every soon", "--evolve-every: expected a duration above zero, such as 90s", "sandbox --help"),
    ("show", "ID is missing.", "`template-sync show --help` shows the usage."),
    ("webhooks test", "NAME is missing.", "`template-sync webhooks test --help`"),
    ("diff", "RUN|INSTANT is missing.", "`template-sync diff --help`"),
    ("show 1 2", "Got unexpected extra argument (2).", "`template-sync show --help`"),
    ("changes --since 1 --pending", "--pending lists the current pending removals", "changes --help"),
    ("changes --follow --run 1", "--follow and --run cannot be combined: ", "`template-sync changes --help`"),
    ("form 1 --example --request", "--example, --request and --validate cannot be combined.", "form --help"),
    ("export --with-cursor --format csv", "--format csv cannot contain a cursor.", "Use --format jsonl or json"),
])  # fmt: skip
def test_a_slip_is_one_sentence_and_what_to_do(tmp_path: Path, line: str, sentence: str, advice: str) -> None:
    said = command(tmp_path, line.split())
    assert (said.code, said.out) == (2, b"")
    error, hint = lines(said)
    assert error.startswith(f"error: {sentence}")
    assert error.endswith(".")
    assert hint.startswith("  → ")
    assert advice in hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "\u0663", "1_0", " 1", "1.0", ""])
@pytest.mark.parametrize("words", [["list", "--limit"], ["changes", "--since"], ["changes", "--run"], ["list", "--as-of"]])
def test_what_only_looks_like_a_number_is_a_slip_and_no_bug(tmp_path: Path, words: list[str], number: str) -> None:
    said = command(tmp_path, [*words[:-1], f"{words[-1]}={number}"])
    assert (said.code, said.out) == (2, b"")
    assert len(lines(said)) == 2


def test_a_slip_sends_nothing_to_the_terminal_that_acts(tmp_path: Path) -> None:
    said = command(tmp_path, ["show\x1b[31m\x07"])
    assert lines(said)[0] == r"error: There is no command 'show\x1b[31m\x07'."


@pytest.mark.parametrize("words", [[], ["db"], ["lease"]])
def test_a_group_alone_shows_its_help_and_leaves_with_2(tmp_path: Path, words: list[str]) -> None:
    said = command(tmp_path, words)
    assert (said.code, said.out) == (2, b"")
    assert lines(said)[0].startswith("Usage: ")


@pytest.mark.parametrize(("line", "sentence"), [
    ("show 99", "No template '99' was ever seen."),
    ("history 99", "No template '99' was ever seen."),
    ("form 99", "No template '99' was ever seen."),
    ("show 1 --as-of 9", "There is no run 9."),
    ("changes --run 9", "There is no run 9."),
    ("runs --rejected 9", "There is no run 9."),
    ("diff 1 9", "There is no run 9."),
    ("export --as-of 9", "There is no run 9."),
    ("export --as-of 9999-01-01", "9999-01-01T00:00:00Z is in the future"),
    ("list --as-of 9999-01-01", "9999-01-01T00:00:00Z is in the future"),
    ("diff 1 9999-01-01", "9999-01-01T00:00:00Z is in the future"),
    ("changes --since 9", "The cursor is at seq 9, but the feed ends at 2"),
    ("changes --follow --since 9", "The cursor is at seq 9, but the feed ends at 2"),
    ("changes --since ba9876543210-1-03c0d5bf1f13a4b1fb2ef9e3", "The cursor belongs to another feed"),
    ("changes --since 0123456789ab-1-03c0d5bf1f13a4b1fb2ef9e3", "The cursor's history differs from that of this database"),
    ("changes --since yesterday", "--since: 'yesterday' is neither a seq nor a cursor of the feed."),
])  # fmt: skip
def test_what_the_database_does_not_know_is_one_sentence_and_what_to_do(
    sqlite: Database, tmp_path: Path, line: str, sentence: str
) -> None:
    run_with(records(2), sqlite.engine)
    before = sqlite.catalog_dump()
    said = command(tmp_path, line.split(), DATABASE_URL=sqlite.url)
    assert (said.code, said.out) == (65 if sentence.startswith("The cursor") else 2, b"")
    error, hint = lines(said)
    assert error.startswith(f"error: {sentence}")
    assert hint.startswith("  → ")
    assert sqlite.catalog_dump() == before
