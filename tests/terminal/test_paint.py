"""Colours come from us alone: a stranger's text can neither bring its own nor end ours."""

from __future__ import annotations

import pytest

from sync.terminal.tables import mark, render


@pytest.mark.parametrize(("color", "sequence"), [("bold", "1"), ("red", "31"), ("green", "32"), ("yellow", "33")])
def test_a_marked_text_has_its_colour_and_what_follows_has_none(color: str, sequence: str) -> None:
    line = f"a {mark('xb', color)} c"
    assert render(line, colored=True) == f"a \x1b[{sequence}mxb\x1b[0m c"
    assert render(line, colored=False) == "a xb c"


@pytest.mark.parametrize("colored", [True, False])
def test_what_a_stranger_wrote_acts_on_no_terminal(colored: bool) -> None:  # noqa: FBT001
    assert render("\x1b[31mx\x9b\u202e\ufdd5\n", colored=colored) == "\\x1b[31mx\\x9b\\u202e\\ufdd5\\n"
    assert render("", colored=colored) == ""


def test_two_colours_stand_in_one_line() -> None:
    line = mark("gone", "red") + mark("new", "green")
    assert render(line, colored=True) == "\x1b[31mgone\x1b[0m\x1b[32mnew\x1b[0m"
