"""The line about a run, the cause of its failure, and escaped control characters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.catalog.run_record import Run, Status, advise
from sync.terminal.changes import summary
from sync.terminal.tables import table
from sync.text import escape_control_characters

START = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(41, "run", Status.SUCCEEDED, START, START + timedelta(seconds=2.1), pages=6, seen=280, unchanged=280)


END = "(run 41, 6 pages, 2.10 s)"


@pytest.mark.parametrize(("fields", "shown"), [
    ({}, f"no changes (280 templates checked)  {END}"),
    ({"added": 3, "changed": 12, "removed": 1, "unchanged": 264}, f"+3 added  ~12 changed  -1 removed  264 unchanged  {END}"),
    ({"rejected": 2, "held": 30}, f"280 unchanged  2 rejected  30 removals held  {END}"),
    ({"unchanged": 38, "unconfirmed": 2}, f"38 unchanged  2 missing templates unconfirmed  {END}"),
    ({"run_id": None, "added": 3, "unchanged": 0, "finished_at": None}, "+3 added  (dry run, nothing written, 6 pages, 0.00 s)"),
])  # fmt: skip
def test_a_run_is_one_line_of_counts(fields: dict[str, Any], shown: str) -> None:
    assert summary(replace(RUN, **fields)) == shown


def test_cells_of_millions_of_characters_are_cut_at_once() -> None:
    assert table([["PAYLOAD"], ["x" * 3_000_000]], 20)[1] == "x" * 19 + "…"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 战斗 🔥", "plain 战斗 🔥"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb", "a\\nb"),
        ("\u202e", "\\u202e"),
        ("\ud83d", "\\ud83d"),
    ],
)
def test_control_characters_are_shown_not_sent(text: str, shown: str) -> None:
    assert escape_control_characters(text) == shown


@pytest.mark.parametrize(
    ("code", "status", "word"),
    [
        ("401", Status.FAILED, "account"),
        ("455", Status.DEFERRED, "server"),
        ("503", Status.FAILED, "server"),
        ("unreachable", Status.FAILED, "network"),
        ("database", Status.FAILED, "database"),
        ("deadline", Status.FAILED, "SYNC_DEADLINE"),
        ("404", Status.FAILED, "server"),
        ("held", Status.HELD, "operator"),
    ],
)
def test_the_first_question_at_night_is_answered(code: str, status: Status, word: str) -> None:
    assert word in advise(replace(RUN, status=status, error_code=code, error="x")).cause
