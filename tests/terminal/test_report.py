"""What people read: one line for a run, old → new for a field, columns that line up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.catalog.run_record import Run, Status, advise
from sync.monitoring.staleness import age, since
from sync.terminal.changes import change_lines, summary
from sync.terminal.tables import cut, table, wide
from sync.text import escape_control_characters

START = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(41, "run", Status.SUCCEEDED, START, START + timedelta(seconds=2.1), pages=6, seen=280, unchanged=280)
DOCUMENT: dict[str, Any] = {
    "template_id": "1",
    "title": "战斗游戏",
    "title_en": "Battle Game",
    "consume_items": [{"resolution": "480p", "credit": 166.5}],
}


def test_a_run_with_changes_is_one_line_of_counts() -> None:
    run = replace(RUN, added=3, changed=12, removed=1, unchanged=264)
    assert summary(run) == "+3 added  ~12 changed  -1 removed  264 unchanged  (run 41, 6 pages, 2.10 s)"


def test_a_run_without_changes_says_so() -> None:
    assert summary(RUN) == "no changes (280 templates checked)  (run 41, 6 pages, 2.10 s)"


def test_a_dry_run_says_that_nothing_was_written() -> None:
    assert "dry run, nothing written" in summary(replace(RUN, run_id=None))


def test_rejected_and_held_are_not_passed_over() -> None:
    line = summary(replace(RUN, rejected=2, held=30))
    assert "2 rejected" in line
    assert "30 removals held" in line


def change(**told: Any) -> list[str]:
    return change_lines({"kind": "changed", "template_id": "1", "document": DOCUMENT, "evidence": None, "fields": [], **told})


def test_a_changed_field_shows_old_and_new_under_its_template() -> None:
    fields = [{"field": "consume_items.720p", "old": 355.2, "new": None}, {"field": "title", "old": None, "new": "新"}]
    assert change(fields=fields) == [
        "~ 1  Battle Game · 战斗游戏",
        "    consume_items.720p  355.2 → (none)",
        "    title               (none) → 新",
    ]


def test_tags_show_what_was_gained_and_lost() -> None:
    hot, dance = {"name": "热门", "name_en": "Hot"}, {"name": "舞蹈", "name_en": None}
    fields = [{"field": "tags", "old": [hot], "new": [dance], "gained": [dance], "lost": [hot]}]
    assert change(fields=fields)[1] == "    tags  +舞蹈  -Hot (热门)"


def test_an_added_template_shows_its_prices() -> None:
    assert change(kind="added") == ["+ 1  Battle Game · 战斗游戏  480p 166.5"]


def test_a_removed_template_shows_its_title_and_who_saw_it_gone() -> None:
    told = change(kind="removed", document=None, before=DOCUMENT, evidence="lookup")
    assert told == ["- 1  Battle Game · 战斗游戏  (no longer listed, and not found by its id)"]


def test_colour_is_the_callers_affair() -> None:
    painted = change_lines(
        {"kind": "added", "template_id": "1", "document": {}, "fields": []}, lambda text, color: f"<{color}>{text}"
    )
    assert painted == ["<green>+ 1"]


def test_columns_line_up_on_a_terminal_where_chinese_is_twice_as_wide() -> None:
    lines = table([["A", "B"], ["战斗", "x"], ["abcd", "y"], ["🔥e\u0301", "z"]])
    assert {wide(line) for line in lines} == {7}
    assert [wide(line[: line.rindex(line[-1])]) for line in lines] == [6, 6, 6, 6]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (None, ["1  ABCDEFGHIJKLMNOPQRST  480p 1  abcdefghijklmno  xy"]),
        (99, ["1  ABCDEFGHIJKLMNOPQRST  480p 1  abcdefghijklmno  xy"]),
        (47, ["1  ABCDEFGHIJKLMN…  480p 1  abcdefghijklmno  xy"]),
        (46, ["1  ABCDEFGHIJKLM…  480p 1  abcdefghijklm…  xy"]),
        (41, ["1  ABCDEFGHIJK…  480p 1  abcdefghijk…  xy"]),
        (38, ["1  ABCDEFGHIJK…  480p 1  abcdefghijk……"]),
    ],
)
def test_the_widest_columns_give_way_first_and_to_one_width(width: int | None, shown: list[str]) -> None:
    lines = table([["", "", "", "", ""], ["1", "ABCDEFGHIJKLMNOPQRST", "480p 1", "abcdefghijklmno", "xy"]], width)
    assert lines[1:] == shown
    assert width is None or wide(lines[1]) <= width


def test_a_column_that_is_worth_more_stays_whole_and_its_neighbours_give_way() -> None:
    rows = [["TITLE", "PRICES"], ["T" * 30, "p" * 30]]
    assert table(rows, 50, whole=["PRICES"])[1] == "T" * 17 + "…  " + "p" * 30
    assert table(rows, 50)[1] == "T" * 23 + "…  " + "p" * 23 + "…"


def test_cells_of_millions_of_characters_are_cut_at_once() -> None:
    assert table([["PAYLOAD"], ["x" * 3_000_000]], 20)[1] == "x" * 19 + "…"


@pytest.mark.parametrize(("width", "shown"), [(20, "战斗游戏abc"), (8, "战斗游…"), (7, "战斗游…"), (6, "战斗…"), (1, "…")])
def test_a_long_line_is_cut_by_columns_not_characters(width: int, shown: str) -> None:
    assert cut("战斗游戏abc", width) == shown
    assert wide(cut("战斗游戏abc", width)) <= width


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h 00 min"),
        (11100, "3 h 05 min"),
        (187200, "2 d 4 h"),
    ],
)
def test_ages_are_in_the_unit_that_one_thinks_in(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_never_is_a_word() -> None:
    assert since(None, START) == "never"
    assert since(START, START + timedelta(minutes=12)) == "2026-01-01 00:00:00 UTC (12 min ago)"


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
